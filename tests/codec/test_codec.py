"""Images to bytes and back: every architecture, odd sizes, escapes, patches, threads, engines."""

import pickle
import threading
from dataclasses import replace

import numpy as np
import pytest

import licgate
from licgate.codec import Codec, Trace, load_model
from licgate.codec.container import unpack
from licgate.errors import ConfigError, ImageError, LicgateError, ManifestError, StreamError
from licgate.images import load_image
from licgate.manifest import IntType, find_model, sealed
from licgate.manifest.architectures import ARCHITECTURES
from licgate.manifest.synthetic import synthetic_manifest
from licgate.manifest.types import prove_convolution
from licgate.reference import run_transform
from tests.codec.kit import decoded_directly, forged, model, picture


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
@pytest.mark.parametrize("size", [(1, 1), (1, 70), (65, 64), (130, 70)])
def test_an_image_comes_back_as_the_transforms_make_it(architecture, size):
    manifest, image = model(architecture), picture(*size)
    codec = Codec(manifest)
    decoded = codec.decode(codec.encode(image))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, decoded_directly(manifest, image))
    assert decoded.std() > 0


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
@pytest.mark.parametrize("reach", [0, 1])
def test_latents_beyond_narrow_tables_are_not_lost(architecture, reach):
    manifest, image = model(architecture, reach=reach, z_reach=1 - reach), picture(100, 130)
    codec, trace = Codec(manifest), Trace()
    decoded = codec.decode(codec.encode(image, trace=trace))
    np.testing.assert_array_equal(decoded, decoded_directly(manifest, image))
    wide = Codec(model(architecture))
    np.testing.assert_array_equal(decoded, wide.decode(wide.encode(image)))
    assert trace.section_bytes["escapes"] > 10


@pytest.mark.parametrize("kind", ["noise", "black", "white", "colour"])
def test_extreme_images_come_back(kind):
    codec, random = Codec(model("he2021-checkerboard")), np.random.default_rng(0)
    image = {
        "noise": random.integers(0, 256, (70, 90, 3)),
        "black": np.zeros((70, 90, 3)),
        "white": np.full((70, 90, 3), 255),
        "colour": np.full((70, 90, 3), (10, 200, 90)),
    }[kind].astype(np.uint8)
    np.testing.assert_array_equal(codec.decode(codec.encode(image)), decoded_directly(codec.manifest, image))


def test_the_default_model_keeps_to_its_estimate(photograph):
    codec, trace = licgate.load_model(), Trace()
    image = photograph[:200, :150]
    data = codec.encode(image, trace=trace)
    assert len(data) <= 1.01 * trace.ideal_bits / 8 + 64 + 40  # the image is small, the header is not
    assert len(data) >= trace.ideal_bits / 8
    decoded = codec.decode(data)
    np.testing.assert_array_equal(decoded, decoded_directly(codec.manifest, image))
    assert ((decoded.astype(float) - image) ** 2).mean() < 150
    assert sum(trace.section_bytes.values()) < len(data)


@pytest.mark.needs_shared_data
@pytest.mark.parametrize("name", ["kodim03.png", "kodim13.png"])
def test_whole_pictures_keep_to_their_estimate(kodak, name):
    codec, trace = load_model(threads=2), Trace()
    image, _ = load_image(kodak / name)
    data = codec.encode(image, trace=trace)
    assert trace.ideal_bits / 8 < len(data) <= 1.01 * trace.ideal_bits / 8 + 64
    np.testing.assert_array_equal(codec.decode(data), decoded_directly(codec.manifest, image))


def test_patches_are_images_of_their_own():
    codec, image = Codec(model("mbt2018-mean")), picture(150, 200)
    data = codec.encode(image, patch=128)
    decoded = codec.decode(data)
    for rows, columns in [
        (slice(0, 128), slice(0, 128)),
        (slice(0, 128), slice(128, 200)),
        (slice(128, 150), slice(0, 128)),
        (slice(128, 150), slice(128, 200)),
    ]:
        alone = codec.encode(np.ascontiguousarray(image[rows, columns]))
        np.testing.assert_array_equal(decoded[rows, columns], codec.decode(alone))
    header, patches = unpack(data)
    assert header.patch == 128
    assert len(patches) == 4
    assert patches[3] == unpack(alone)[1][0]
    assert (decoded != codec.decode(codec.encode(image))).any()


@pytest.mark.parametrize("patch", [0, 63, 96, -64, 64 * 256, 64.0, True, "64"])
def test_patches_that_cannot_be(patch):
    with pytest.raises(ConfigError, match="is not a multiple of 64 from 64 to 16320"):
        Codec(model()).encode(picture(10, 10), patch=patch)


def test_another_engine_is_asked_for_every_transform():
    manifest, image, ran = model("he2021-checkerboard"), picture(70, 70), []

    def run(transform, x):
        ran.append(transform.name)
        return run_transform(transform, x)

    codec = Codec(manifest, run=run)
    data = codec.encode(image)
    assert ran == ["g_a", "h_a", "h_s", "parameters", "context", "parameters"]
    assert data == Codec(manifest).encode(image) == Codec(manifest, threads=2).encode(image)
    ran.clear()
    codec.decode(data)
    assert ran == ["h_s", "parameters", "context", "parameters", "g_s"]


def test_threads_may_share_a_codec():
    codec = Codec(model("he2021-checkerboard", reach=3))
    images = [picture(64 + 9 * n, 80, seed=n) for n in range(4)]
    alone = [(data, codec.decode(data)) for data in map(codec.encode, images)]
    wrong, ready = [], threading.Barrier(4)

    def work(own):
        ready.wait()
        for turn in range(4):
            n = (own + turn) % 4
            data = codec.encode(images[n])
            if data != alone[n][0] or (codec.decode(data) != alone[n][1]).any():
                wrong.append(n)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def narrowed(manifest, name, kind):
    """Return the model with a transform that reads a narrower type than what it is given."""
    transform = manifest.transforms[name]
    first = transform.layers[0]
    first = replace(first, input=kind, accumulator=prove_convolution(first.weight, first.bias, kind, transposed=True))
    transform = replace(transform, input=kind, layers=(first, *transform.layers[1:]))
    return sealed(replace(manifest, transforms={**manifest.transforms, name: transform}))


@pytest.mark.parametrize(("name", "kind", "what"), [("h_s", IntType(3), "z"), ("g_s", IntType(4), "y")])
def test_what_does_not_fit_is_saturated_by_the_encoder_and_refused_by_the_decoder(name, kind, what):
    image, wide = picture(128, 128), model()
    narrow = narrowed(wide, name, kind)
    codec = Codec(narrow)
    assert codec.decode(codec.encode(image)).shape == image.shape
    data = Codec(wide).encode(image)
    assert data[64:] != codec.encode(image)[64:]
    with pytest.raises(StreamError, match=rf"^damaged: {what} holds .*, outside of int{kind.bits}"):
        codec.decode(forged(data, manifest=bytes.fromhex(narrow.hash)))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4), np.uint8), "expected uint8 of shape"),
        (np.zeros((4, 4, 3)), "image is float64"),
        (np.zeros((0, 4, 3), np.uint8), "image of 4 x 0 pixels: sides are 1 to 65535"),
        (np.broadcast_to(np.uint8(0), (1, 65536, 3)), "65536 x 1 pixels: sides"),
        (np.broadcast_to(np.uint8(0), (60000, 60000, 3)), "more than 100000000 are refused"),
    ],
)
def test_images_that_cannot_be_coded(image, message):
    with pytest.raises(ImageError, match=message):
        Codec(model()).encode(image)


def test_models_that_are_no_codec():
    with pytest.raises(LicgateError, match="synthetic"):
        Codec(synthetic_manifest())
    manifest = model()
    with pytest.raises(ManifestError, match="has no g_s"):
        Codec(replace(manifest, transforms={k: v for k, v in manifest.transforms.items() if k != "g_s"}))
    with pytest.raises(ManifestError, match="has no gaussian entropy tables"):
        Codec(replace(manifest, entropy={"factorized": manifest.entropy["factorized"]}))
    short = replace(manifest.g_s, layers=manifest.g_s.layers[:3])
    with pytest.raises(ConfigError, match="a codec of images needs 3 of uint8"):
        Codec(replace(manifest, transforms={**manifest.transforms, "g_s": short}))
    with pytest.raises(ConfigError, match="threads 0 is not a positive integer"):
        Codec(manifest, threads=0)


def test_names_of_the_package():
    assert licgate.load_model is load_model
    assert {"Codec", "load_model"} <= set(dir(licgate))
    assert load_model().manifest.hash == find_model(None).hash
    with pytest.raises(AttributeError, match="nothing"):
        licgate.nothing  # noqa: B018
    with pytest.raises(ManifestError, match="unknown model"):
        licgate.load_model("nothing")


def test_seconds_go_to_the_innermost_stage():
    trace = Trace()
    codec = Codec(model("he2021-checkerboard"))
    codec.decode(codec.encode(picture(64, 64), trace=trace), trace=trace)
    assert set(trace.seconds) == {"g_a", "h_a", "h_s", "context", "parameters", "g_s", "latents", "coder"}
    assert min(trace.seconds.values()) >= 0


def test_a_codec_can_be_pickled_and_says_what_it_is():
    codec, image = Codec(model("he2021-checkerboard"), threads=2), picture(64, 64)
    copy = pickle.loads(pickle.dumps(codec))
    assert copy.encode(image) == codec.encode(image)
    assert repr(copy) == f"Codec('tiny-he2021-checkerboard', he2021-checkerboard, hash {codec.manifest.hash[:12]})"
