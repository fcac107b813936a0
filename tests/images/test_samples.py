"""Grey of more than 8 bits, and numbers with a point: what they mean, or why they mean nothing."""

import numpy as np
import pytest

from licgate.errors import ImageError
from licgate.images import load_image
from tests.images.kit import saved, smooth, tiff

FLOAT, SIGNED = 3, 2


def grey(top=1.0, kind=np.float32):
    return (smooth()[:, :, 0] / 255 * top).astype(kind)


def read(tmp_path, data, **options):
    path = tmp_path / "a.tif"
    path.write_bytes(data)
    image, notices = load_image(path, **options)
    assert (image == image[:, :, :1]).all()
    return image[:, :, 0], [notice.removeprefix(f"{path}: ") for notice in notices]


@pytest.mark.parametrize(("top", "said"), [(1.0, ", 1 as white"), (255.0, ", 255 as white"), (65535.0, "")])
def test_floats_of_three_ranges(tmp_path, top, said):
    image, notices = read(tmp_path, tiff(grey(top), kind=FLOAT))
    np.testing.assert_array_equal(image, smooth()[:, :, 0])
    assert notices == [f"floating-point grey converted to 8-bit RGB{said}"]


@pytest.mark.parametrize("value", [1.2, 300.0, -0.5])
def test_one_value_outside_changes_no_other(tmp_path, value):
    values = grey()
    values[3, 4] = value
    image, notices = read(tmp_path, tiff(values, kind=FLOAT))
    expected = smooth()[:, :, 0]
    expected[3, 4] = 255 if value > 0 else 0
    np.testing.assert_array_equal(image, expected)
    assert notices[1].startswith("1 of 3072 values outside of 0..1 clipped (they go from ")


@pytest.mark.parametrize(("value", "shown"), [(np.nan, 0), (np.inf, 255), (-np.inf, 0)])
def test_what_is_no_number_is_refused_or_taken_for_black_or_white(tmp_path, value, shown):
    values = grey()
    values[3, 4] = value
    data = tiff(values, kind=FLOAT)
    with pytest.raises(ImageError, match="1 of 3072 values are no finite numbers; --accept-damaged takes them for"):
        read(tmp_path, data)
    image, notices = read(tmp_path, data, accept_damaged=True)
    expected = smooth()[:, :, 0]
    expected[3, 4] = shown
    np.testing.assert_array_equal(image, expected)
    assert notices[0] == "1 of 3072 values are no finite numbers, taken for black or white"


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (np.full((4, 5), np.nan), "holds no number at all"),
        (grey() * 1e6, "floating-point values from .* are no picture's: scale them to 0..1"),
        (grey() - 0.5, r"floating-point values from -0\.\d+ to 0\.\d+ are no picture's: scale them to 0\.\.1"),
    ],
)
def test_floats_without_a_meaning_are_refused(tmp_path, values, line):
    with pytest.raises(ImageError, match=line):
        read(tmp_path, tiff(values.astype(np.float32), kind=FLOAT))


@pytest.mark.parametrize(
    ("kind", "top", "said"),
    [
        (np.uint16, 65535, "16-bit grey converted to 8-bit RGB"),
        (np.int32, 255, "32-bit grey converted to 8-bit RGB, 255 as white"),
        (np.int32, 65535, "32-bit grey converted to 8-bit RGB"),
        (np.int32, 2**31 - 1, "32-bit grey converted to 8-bit RGB, 2.14748e+09 as white"),
        (np.uint32, 2**32 - 1, "32-bit grey converted to 8-bit RGB, 4.29497e+09 as white"),
    ],
)
@pytest.mark.parametrize("end", ["<", ">"])
def test_whole_numbers(tmp_path, kind, top, said, end):
    values = np.round(smooth()[:, :, 0] * (top / 255)).astype(kind)
    if end == ">" and kind is np.uint32:
        end = "<"  # Pillow knows no other order of these
    image, notices = read(tmp_path, tiff(values, kind=SIGNED if kind is np.int32 else 1, end=end))
    np.testing.assert_array_equal(image, smooth()[:, :, 0])
    assert notices == [said]


def test_whole_numbers_that_are_neither_8_16_nor_32_bits(tmp_path):
    values = (smooth()[:, :, 0] * 1000.0).astype(np.int32)
    with pytest.raises(ImageError, match=r"32-bit values up to 2\d+ are neither 8, 16 nor 32 bits: scale them"):
        read(tmp_path, tiff(values, kind=SIGNED))


def test_signed_numbers_of_16_bits(tmp_path):
    values = np.round(smooth()[:, :, 0] * (32767 / 255)).astype(np.int16)
    image, notices = read(tmp_path, tiff(values, kind=SIGNED))
    np.testing.assert_array_equal(image, smooth()[:, :, 0])
    assert notices == ["16-bit grey converted to 8-bit RGB, 32767 as white"]
    with pytest.raises(ImageError, match=r"16-bit values from -\d+ to \d+ are no picture's"):
        read(tmp_path, tiff(values - 9000, kind=SIGNED))


def test_grey_that_pillow_writes(tmp_path):
    from PIL import Image

    for kind in ("PNG", "TIFF", "PPM"):
        data = saved(Image.fromarray(smooth()[:, :, 0].astype(np.uint16) * 257), kind)
        image, notices = read(tmp_path, data)
        np.testing.assert_array_equal(image, smooth()[:, :, 0])
        assert notices == ["16-bit grey converted to 8-bit RGB"]
