"""The container: every byte of it in its place, and every fault one line."""

import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest

from licgate.codec import Codec, load_model, model_of, read_header
from licgate.codec.container import Header, pack, unpack
from licgate.errors import ImageError, LicgateError, StreamError
from licgate.manifest import find_model, save_manifest, sealed
from licgate.manifest.document import tables_digest
from tests.codec.kit import forged, model, picture

HEADER = Header(width=300, height=70, patch=256, manifest="ab" * 32, tables="cd" * 8)
PARTS = [(b"first", b"", b"\0"), (b"", b"second", b"")]


@pytest.fixture(scope="module")
def coded():
    codec = Codec(model())
    return codec, codec.encode(picture(70, 130), patch=64)


def refused(codec, data):
    """Return the one line with which decoding refuses."""
    with pytest.raises(StreamError) as caught:
        codec.decode(data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_bytes_are_those_of_the_page():
    data = pack(HEADER, PARTS)
    assert data[:8] == b"LICG\x01\x00\x01\x04"
    assert struct.unpack_from("<II", data, 8) == (300, 70)
    assert data[16:48] == b"\xab" * 32
    assert data[48:56] == b"\xcd" * 8
    assert struct.unpack_from("<II", data, 56) == (zlib.crc32(data[64:]), zlib.crc32(data[:60]))
    assert struct.unpack_from("<6I", data, 64) == (5, zlib.crc32(b"first"), 0, 0, 1, zlib.crc32(b"\0"))
    assert data[88:94] == b"first\0"
    assert len(data) == 64 + 24 + 6 + 24 + 6
    header, patches = unpack(data)
    assert header == HEADER
    assert [tuple(bytes(part) for part in patch.values()) for patch in patches] == PARTS
    assert header.patches() == [(0, 0, 256, 70), (256, 0, 44, 70)]
    assert replace(header, patch=0).patches() == [(0, 0, 300, 70)]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"magic": b"\x89PNG"}, r"^not a \.lic file: it begins with 89 50 4e 47, not 4c 49 43 47"),
        ({"version": 2}, "^version 2 of the format is newer than 1, .* update licgate"),
        ({"version": 0}, "^version 0 of the format is unknown"),
        ({"flags": 4}, "^flags 0x04 are unknown"),
        ({"mode": 2}, "^patch mode 2 with patches of 64 pixels is unknown"),
        ({"mode": 0}, "^patch mode 0 with patches of 64 pixels is unknown"),
        ({"units": 0}, "^patch mode 1 with patches of 0 pixels is unknown"),
        ({"width": 0}, "^image of 0 x 70 pixels: sides are 1 to 65535"),
        ({"height": 65536}, "^image of 130 x 65536 pixels: sides are 1 to 65535"),
        ({"width": 65535, "height": 65535}, "^image of 65535 x 65535 pixels: more than 100000000 are refused"),
        (
            {"manifest": bytes(32)},
            "^made by the model of hash 0{16}, but tiny-bmshj2018-hyperprior has [0-9a-f]{16}; give",
        ),
        ({"tables": bytes(8)}, "^made with entropy tables of hash 0{16}, but those of tiny-bmshj2018-hyperprior have"),
        ({"width": 200}, "^damaged: "),
        ({"height": 60}, "^damaged: "),
        ({"units": 2}, "^damaged: "),
        ({"body": 1}, "^damaged: the CRC of the whole is wrong"),
    ],
)
def test_each_field_of_the_header(coded, fields, message):
    codec, data = coded
    with pytest.raises(StreamError, match=message):
        codec.decode(forged(data, **fields))


def test_refusals_of_size_come_before_any_work(coded, monkeypatch):
    codec, data = coded
    monkeypatch.setattr("licgate.codec.codec.unpack", None)
    assert "are refused" in refused(codec, forged(data, width=65535, height=65535))
    assert "made by the model" in refused(codec, forged(data, manifest=b"\1" * 32))


def test_every_flipped_byte_is_seen(coded):
    codec, data = coded
    for at in range(len(data)):
        broken = bytearray(data)
        broken[at] ^= 1 + at % 255
        refused(codec, bytes(broken))


def test_every_cut_and_every_addition_is_seen(coded):
    codec, data = coded
    for size in range(len(data)):
        refused(codec, data[:size])
    assert "4 bytes follow the last section" in refused(codec, forged(data + b"more"))


def test_sections_of_another_image_do_not_pass(coded):
    codec, data = coded
    header, own = unpack(data)
    other = unpack(codec.encode(picture(70, 130, seed=5), patch=64))[1]
    mixed = [tuple(bytes(part) for part in patch.values()) for patch in [*own[:2], *other[2:]]]
    spliced = data[:64] + pack(header, mixed)[64:]
    assert refused(codec, spliced) == "damaged: the CRC of the whole is wrong; the sections are not of one image"


@pytest.mark.parametrize(
    ("z", "y", "escapes", "message"),
    [
        (b"123", None, None, "bytes of symbols are not a multiple of 4"),
        (None, b"", None, "escape"),
        (None, None, b"\xff" * 60, "damaged: .* bits of escape codes are left over"),
        (None, None, b"\xff" * 9000, "damaged: 9000 bytes of escape codes for"),
        (bytes(400), None, None, "damaged"),
        (None, b"\xff" * 4000, None, "damaged"),
        (None, bytes(4000), None, "damaged"),
    ],
)
def test_sections_that_fit_their_checksums_but_not_each_other(z, y, escapes, message):
    codec = Codec(model(reach=1))
    header, patches = unpack(codec.encode(picture(64, 64)))
    parts = [bytes(own) if given is None else given for own, given in zip(patches[0].values(), (z, y, escapes))]
    with pytest.raises(StreamError, match=message):
        codec.decode(pack(header, [parts]))


def test_random_bytes_behind_a_good_header_never_hang_or_crash(random):
    codec = Codec(model("he2021-checkerboard", reach=2))
    header, _ = unpack(codec.encode(picture(100, 70)))
    outcomes = set()
    for _ in range(60):
        parts = [
            random.integers(0, 256, 4 * int(random.integers(0, n)), dtype=np.uint8).tobytes() for n in (30, 120, 200)
        ]
        outcomes.add(refused(codec, pack(header, [parts])).split(":")[0])
    assert outcomes == {"damaged"}


@pytest.mark.parametrize("data", ["a.lic", None, 5, [76, 73, 67, 71], np.zeros(70, np.uint8)])
def test_what_is_not_bytes(coded, data):
    assert "a coded image is bytes, not" in refused(coded[0], data)
    assert coded[0].decode(memoryview(bytearray(coded[1]))).shape == (70, 130, 3)


def test_images_that_no_header_can_hold():
    with pytest.raises(ImageError, match="sides are 1 to 65535"):
        pack(replace(HEADER, width=0), PARTS)


def test_the_model_of_a_file_is_found_by_its_hash(tmp_path):
    names = ("mbt2018", "mbt2018-mean")
    for name in names:
        save_manifest(model(name), tmp_path / name)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_text("{")
    for name in names:
        header = read_header(Codec(model(name)).encode(picture(9, 9)))
        assert model_of(header, folder=tmp_path).architecture == name
    header = read_header(Codec(model()).encode(picture(9, 9)))
    with pytest.raises(StreamError, match=r"hash .*, which is none of broken, mbt2018, mbt2018-mean; name its folder"):
        model_of(header, folder=tmp_path)
    assert model_of(read_header(load_model().encode(picture(9, 9)))).hash == find_model(None).hash


def test_hashes_in_the_file_are_those_of_the_manifest():
    manifest = find_model(None)
    header = read_header(Codec(manifest).encode(picture(5, 5)))
    assert header.manifest == manifest.hash
    assert header.tables == tables_digest(manifest.entropy)[:16]
    unsealed = replace(model(), hash="")
    assert read_header(Codec(unsealed).encode(picture(5, 5))).manifest == sealed(unsealed).hash
    assert issubclass(StreamError, LicgateError)
