"""What is converted is said: depth, orientation, extra samples, profiles, gAMA, cHRM and cICP."""

import struct

import numpy as np
import pytest
from PIL import Image

from licgate.errors import ImageError
from licgate.images import load_image
from tests.images.kit import chunk, png, profile, saved, smooth, tiff

SRGB = np.where(
    np.arange(256) / 255 <= 0.04045, np.arange(256) / 255 / 12.92, ((np.arange(256) / 255 + 0.055) / 1.055) ** 2.4
)


def to_srgb(light):
    light = np.clip(light, 0, 1)
    return np.round(np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 255)


def read(tmp_path, data, name="a"):
    path = tmp_path / name
    path.write_bytes(data)
    image, notices = load_image(path)
    return image, [notice.removeprefix(f"{path}: ") for notice in notices]


def gamma(value):
    return chunk(b"gAMA", struct.pack(">I", round(value * 100000)))


def corners(*places):
    return chunk(b"cHRM", struct.pack(">8I", *(round(v * 100000) for place in places for v in place)))


def test_gamma_of_a_png(tmp_path):
    image, notices = read(tmp_path, png(smooth(), 2, extra=gamma(1.0)))
    np.testing.assert_array_equal(image, to_srgb(smooth() / 255))
    assert notices == ["converted to sRGB from gAMA 1"]


@pytest.mark.parametrize(
    "extra",
    [
        gamma(0.45455),
        chunk(b"sRGB", b"\0") + gamma(1.0),
        chunk(b"cICP", bytes([1, 13, 0, 1])) + gamma(1.0),
        gamma(0),
        corners((0.3127, 0.329), (0.64, 0.33), (0.3, 0.6), (0.15, 0.06)),
        chunk(b"cICP", b"\1"),
    ],
)
def test_what_means_srgb_is_left_as_it_is(tmp_path, extra):
    image, notices = read(tmp_path, png(smooth(), 2, extra=extra))
    np.testing.assert_array_equal(image, smooth())
    assert notices == []


def test_primaries_of_a_png(tmp_path):
    wide = corners((0.3127, 0.329), (0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
    data = np.array([[[200, 50, 50], [128, 128, 128], [255, 0, 0]]], np.uint8)
    image, notices = read(tmp_path, png(data, 2, extra=wide))
    assert notices == ["converted to sRGB from cHRM"]
    coded, same = read(tmp_path, png(data, 2, extra=chunk(b"cICP", bytes([12, 13, 0, 1]))))
    np.testing.assert_array_equal(coded, image)
    assert same == ["converted to sRGB from Display P3"]
    # known values: Display P3 (200, 50, 50) is about (218, 39, 41), and grey stays grey
    np.testing.assert_allclose(image[0, 0], [216, 32, 41], atol=8)
    np.testing.assert_array_equal(image[0, 1:], [[128, 128, 128], [255, 0, 0]])


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ([9, 16, 0, 1], r"is HDR \(PQ\), which has no one meaning in 8 bits of sRGB: convert it"),
        ([9, 18, 0, 1], r"is HDR \(HLG\)"),
        ([77, 13, 0, 1], "colours by code 77, transfer 13 are not known here: convert it to sRGB"),
    ],
)
def test_codes_without_a_meaning_are_refused(tmp_path, code, line):
    with pytest.raises(ImageError, match=line):
        read(tmp_path, png(smooth(), 2, extra=chunk(b"cICP", bytes(code))))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_profile_is_applied_in_every_format(tmp_path, kind):
    options = {"PNG": {}, "TIFF": {}, "JPEG": {"quality": 100}, "WEBP": {"lossless": True}}[kind]
    plain, _ = read(tmp_path, saved(smooth(), kind, **options))
    image, notices = read(tmp_path, saved(smooth(), kind, icc_profile=profile(swapped=True), **options))
    assert notices == ["converted to sRGB by its colour profile (a test)"]
    assert np.abs(image.astype(int) - plain[:, :, [1, 0, 2]]).mean() < 6
    linear, _ = read(tmp_path, saved(smooth(), kind, icc_profile=profile(1.0), **options))
    assert np.abs(linear - to_srgb(plain / 255)).mean() < 2


def test_profiles_that_change_nothing_or_cannot_be_used(tmp_path):
    from PIL import ImageCms

    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for given, said in [
        (own, []),
        (b"", []),
        (bytes(200), ["its colour profile is damaged, not used"]),
        (profile(grey=True), ["its colour profile (a test) is for GRAY, not used"]),
    ]:
        image, notices = read(tmp_path, saved(smooth(), "PNG", icc_profile=given))
        np.testing.assert_array_equal(image, smooth())
        assert notices == said


def test_a_profile_of_srgb_by_another_name_is_told(tmp_path):
    from PIL import ImageCms

    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    renamed = own.replace("sRGB".encode("utf-16-be"), "P3P3".encode("utf-16-be")).replace(b"sRGB", b"P3P3")
    image, notices = read(tmp_path, saved(smooth(), "PNG", icc_profile=renamed))
    np.testing.assert_array_equal(image, smooth())
    assert len(notices) == 1
    assert notices[0].endswith("is that of sRGB by another name")


def test_a_profile_of_grey(tmp_path):
    grey = Image.fromarray(smooth()).convert("L")
    image, notices = read(tmp_path, saved(grey, "PNG", icc_profile=profile(1.0, grey=True)))
    assert notices == ["grey converted to RGB", "converted to sRGB by its colour profile (a test)"]
    assert np.abs(image[:, :, 0] - to_srgb(np.array(grey) / 255)).mean() < 2


@pytest.mark.parametrize("largest", [65535, 1023])
def test_deep_colour_of_a_ppm(tmp_path, largest):
    samples = np.round(smooth() * (largest / 255)).astype(">u2")
    image, notices = read(tmp_path, b"P6 64 48 %d\n" % largest + samples.tobytes())
    np.testing.assert_allclose(image, smooth(), atol=1)
    assert notices == ["16 bits a channel converted to 8"]


def test_a_ppm_of_fewer_values(tmp_path):
    image, notices = read(tmp_path, b"P6 64 48 100\n" + (smooth() // 3).tobytes())
    assert image.max() > 200
    assert notices == ["values of 0..100 scaled to 0..255"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_a_tiff(tmp_path, orientation):
    image, notices = read(tmp_path, tiff(smooth(), orientation=orientation))
    upright = smooth() if orientation < 5 else smooth().transpose(1, 0, 2)
    flips = {2: np.s_[:, ::-1], 3: np.s_[::-1, ::-1], 4: np.s_[::-1], 6: np.s_[:, ::-1], 7: np.s_[::-1, ::-1]}
    flips[8] = np.s_[::-1]
    np.testing.assert_array_equal(image, upright[flips[orientation]] if orientation in flips else upright)
    assert notices == ["turned upright as its EXIF orientation says"] * (orientation > 1)


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ((0,), ["1 extra sample of each pixel dropped"]),
        ((0, 0), ["2 extra samples of each pixel dropped"]),
        ((2,), ["transparency dropped"]),
        ((2, 0), ["transparency dropped", "1 extra sample of each pixel dropped"]),
    ],
)
def test_extra_samples_of_a_tiff(tmp_path, extra, said):
    more = np.full((48, 64, len(extra)), 200, np.uint8)
    image, notices = read(tmp_path, tiff(np.concatenate([smooth(), more], axis=2), extra=extra))
    np.testing.assert_array_equal(image, smooth())
    assert notices == said


def test_deep_colour_of_a_tiff(tmp_path):
    image, notices = read(tmp_path, tiff(smooth().astype(np.uint16) * 257))
    np.testing.assert_array_equal(image, smooth())
    assert notices == ["16 bits a channel converted to 8"]


def test_lab(tmp_path):
    lab = Image.new("LAB", (8, 8), (128, 128, 128))
    image, notices = read(tmp_path, saved(lab, "TIFF"))
    assert notices == ["Lab converted to RGB"]
    assert np.abs(image.astype(int) - 119).max() < 6
