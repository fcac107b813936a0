"""Damaged files: some hundred of the cases of `tests.codec.fuzz`, headers that ask for much, and extreme pictures."""

import tracemalloc

import numpy as np
import pytest

from licgate.codec import Codec
from licgate.errors import StreamError
from licgate.manifest.architectures import ARCHITECTURES
from tests.codec import fuzz
from tests.codec.damage import HEADER, repaired
from tests.codec.kit import decoded_directly, forged, model


@pytest.fixture(scope="module")
def files():
    return fuzz.bases()


@pytest.fixture
def traced():
    tracemalloc.start(1)
    yield
    tracemalloc.stop()


@pytest.mark.parametrize(("kind", "count"), [("plain", 150), ("forged", 150), ("wild", 20), ("random", 60)])
def test_each_case_is_refused_in_one_line_or_right(files, traced, kind, count):
    tally = fuzz.run({kind: count}, files, seed=7)
    assert tally.failures == []
    assert tally.seconds < 10
    # most cases are more than a wrong beginning or a wrong sum
    assert len(tally.lines) >= {"plain": 8, "forged": 8, "wild": 1, "random": 5}[kind]
    assert (kind == "wild") == (tally.counts["wild-decoded"] > 5)


@pytest.mark.regress
def test_ten_thousand_damaged_files(files, traced):
    tally = fuzz.run({"plain": 4500, "forged": 4500, "wild": 300, "random": 700}, files, seed=11)
    assert tally.failures == []
    assert tally.seconds < 10


def hungry(data):
    del data
    np.zeros(1 << 28, np.uint8)
    raise StreamError("at last")


@pytest.mark.parametrize(
    ("decode", "fault"),
    [
        (lambda data: np.zeros((70, 40, 3), np.uint8), "damaged, and not noticed"),
        (lambda data: data[10**6], "IndexError"),
        (hungry, "bytes, 3"),
    ],
)
def test_the_cases_find_a_codec_that_looks_away(files, traced, decode, fault):
    class Blind:
        def __init__(self):
            self.decode = decode

    blind = [fuzz.Base(Blind(), files[0].data, files[0].pixels)]
    failures = fuzz.run({"plain": 3}, blind).failures
    assert len(failures) == 3
    assert fault in failures[0]


@pytest.mark.parametrize(
    "fields",
    [
        {"width": 65535, "height": 65535},
        {"width": 0},
        {"height": 0},
        {"width": 1 << 31, "height": 1 << 31},
        {"mode": 1, "units": 0},
        {"units": 7},
        {"version": 9, "width": 65535, "height": 65535},
        {"manifest": b"\1" * 32, "width": 10000, "height": 10000},
        {"tables": bytes(8), "width": 10000, "height": 10000},
        {"mode": 1, "units": 1, "width": 10000, "height": 10000},
        {"mode": 1, "units": 255, "width": 1, "height": 65535},
    ],
)
def test_a_header_alone_takes_no_memory(files, traced, fields):
    base = files[0]
    data = forged(base.data, **fields)
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    with pytest.raises(StreamError):
        base.codec.decode(data)
    # the largest list of patches that a header can ask for
    assert tracemalloc.get_traced_memory()[1] - before < (5 << 20)


def test_a_size_that_the_sections_do_not_fill_takes_no_image(files, traced):
    for base in files:
        data = forged(base.data, width=10000, height=10000, mode=0, units=0)
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        with pytest.raises(StreamError):
            base.codec.decode(data)
        assert tracemalloc.get_traced_memory()[1] - before < (100 << 20)


def extremes():
    random = np.random.default_rng(3)
    yield "noise", random.integers(0, 256, (70, 130, 3), dtype=np.uint8)
    yield "bits of noise", random.choice(np.array([0, 255], np.uint8), (64, 65, 3))
    yield "black", np.zeros((65, 64, 3), np.uint8)
    yield "white", np.full((64, 130, 3), 255, np.uint8)
    yield "red", np.full((65, 65, 3), (255, 0, 0), np.uint8)
    yield "a pixel", np.array([[[1, 128, 254]]], np.uint8)
    yield "a row", random.integers(0, 256, (1, 5000, 3), dtype=np.uint8)
    yield "a column", random.integers(0, 256, (5000, 1, 3), dtype=np.uint8)


@pytest.mark.parametrize("architecture", sorted(set(ARCHITECTURES) - {"mbt2018"}))
@pytest.mark.parametrize("patch", [None, 64])
def test_extreme_pictures_there_and_back(architecture, patch):
    codec = Codec(model(architecture, reach=2))
    for name, image in extremes():
        data = codec.encode(image, patch=patch)
        decoded = codec.decode(data)
        assert decoded.shape == image.shape, name
        assert codec.encode(image, patch=patch) == data, name
        if patch:
            alone = codec.decode(codec.encode(np.ascontiguousarray(image[:64, :64])))
            np.testing.assert_array_equal(decoded[:64, :64], alone, name)
        else:
            np.testing.assert_array_equal(decoded, decoded_directly(codec.manifest, image), name)


def test_extreme_pictures_of_a_raster_context():
    codec = Codec(model("mbt2018", reach=2))
    for name, image in extremes():
        if max(image.shape) < 5000:
            assert codec.decode(codec.encode(image)).shape == image.shape, name


def test_extreme_pictures_of_the_default_model(files):
    codec = files[-1].codec
    for name, image in extremes():
        decoded = codec.decode(codec.encode(image))
        if max(image.shape) < 5000:
            np.testing.assert_array_equal(decoded, decoded_directly(codec.manifest, image), name)
        assert decoded.shape == image.shape, name
        # colours at the corner of the cube are where a model is worst
        assert np.abs(decoded.astype(int) - image).mean() < {"black": 4, "white": 4, "red": 20}.get(name, 256), name


def test_damage_repairs_its_checksums(files):
    for base in files:
        assert repaired(base.data) == base.data
        broken = bytearray(base.data)
        broken[HEADER - 4 :] = broken[HEADER - 4 :][::-1]
        assert repaired(bytes(broken)) != base.data
    assert fuzz.case("forged", 5, files)[1] == fuzz.case("forged", 5, files)[1]
