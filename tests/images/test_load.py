import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from licgate.errors import ImageError
from licgate.images import demo_image, load_image, save_image


def colours():
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def deep_png(path, colour_type, samples):
    """Write a PNG of 16 bits a channel, which Pillow itself cannot: `samples` of shape (H, W, C)."""

    def chunk(tag, data):
        return struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))

    height, width = samples.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    head = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


def test_rgb_is_read_as_it_is(tmp_path):
    Image.fromarray(colours()).save(tmp_path / "a.png")
    image, notices = load_image(tmp_path / "a.png")
    assert image.dtype == np.uint8
    assert notices == []
    np.testing.assert_array_equal(image, colours())


@pytest.mark.parametrize(("mode", "word"), [("L", "grey"), ("1", "bilevel"), ("P", "palette"), ("CMYK", "CMYK")])
def test_modes_are_converted_with_one_notice(tmp_path, mode, word):
    path = tmp_path / "a.tif"
    converted = Image.fromarray(colours()).convert(mode)
    converted.save(path)
    image, notices = load_image(str(path))
    np.testing.assert_array_equal(image, np.array(converted.convert("RGB")))
    assert notices == [f"{path}: {word} converted to RGB"]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_dropped_without_blending(tmp_path, mode):
    path = tmp_path / "a.png"
    picture = Image.fromarray(colours()).convert(mode)
    picture.putalpha(Image.fromarray(np.arange(35, dtype=np.uint8).reshape(5, 7)))
    picture.save(path)
    image, notices = load_image(path)
    plain = Image.fromarray(colours()).convert(mode[:-1]).convert("RGB")
    np.testing.assert_array_equal(image, np.array(plain))
    assert notices[-1] == f"{path}: transparency dropped"
    assert len(notices) == 1 + (mode == "LA")


def test_transparent_palette(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(colours()).convert("P").save(path, transparency=3)
    image, notices = load_image(path)
    assert image.shape == (5, 7, 3)
    assert notices == [f"{path}: palette converted to RGB", f"{path}: transparency dropped"]


def test_sixteen_bit_grey_is_rounded(tmp_path):
    path = tmp_path / "a.png"
    values = np.array([[0, 128, 129, 385, 386, 65406, 65407, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(path)
    image, notices = load_image(path)
    expected = np.array([[0, 0, 1, 1, 2, 254, 255, 255]])
    np.testing.assert_array_equal(image, np.repeat(expected[:, :, None], 3, axis=2))
    assert notices == [f"{path}: 16-bit grey converted to 8-bit RGB"]


@pytest.mark.parametrize(("colour_type", "channels"), [(2, 3), (6, 4)])
def test_sixteen_bit_colour(tmp_path, colour_type, channels):
    path = tmp_path / "a.png"
    deep = np.random.default_rng(0).integers(0, 1 << 16, (3, 4, channels))
    deep_png(path, colour_type, deep)
    image, notices = load_image(path)
    np.testing.assert_array_equal(image, deep[:, :, :3] >> 8)
    assert notices[0] == f"{path}: 16 bits a channel converted to 8"


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_exif_orientation(tmp_path, orientation):
    path = tmp_path / "a.png"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(colours()).save(path, exif=exif)
    image, notices = load_image(path)
    np.testing.assert_array_equal(image, np.rot90(colours(), {3: 2, 6: 3, 8: 1}[orientation]))
    assert notices == [f"{path}: turned upright as its EXIF orientation says"]


def test_a_name_as_long_as_there_may_be(tmp_path):
    path = tmp_path / ("n" * 251 + ".png")
    save_image(colours(), path)
    np.testing.assert_array_equal(load_image(path)[0], colours())
    with pytest.raises(ImageError, match=r"nn\.png: cannot be written: File name too long"):
        save_image(colours(), tmp_path / ("n" * 252 + ".png"))


def test_frames(tmp_path):
    path = tmp_path / "a.gif"
    frames = [Image.new("L", (4, 4), shade) for shade in (0, 200)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    image, notices = load_image(path)
    assert image.max() == 0
    assert notices[0] == f"{path}: 2 frames, the first is used"


def broken(tmp_path, kind):
    path = tmp_path / f"{kind}.png"
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("no picture")
    elif kind == "folder":
        path.mkdir()
    elif kind in ("truncated", "corrupt", "header"):
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
        content = bytearray(path.read_bytes())
        if kind == "corrupt":
            content[60:400] = bytes(340)
        path.write_bytes(content[: {"truncated": len(content) // 2, "header": 20}.get(kind)])
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "no such file"),
        ("empty", "the file is empty"),
        ("folder", "is a folder"),
        ("text", "not an image of a known format"),
        ("header", "not an image|cannot be read"),
        ("truncated", "damaged: it ends in its chunk 'IDAT'; --accept-damaged takes it as it is"),
        ("corrupt", "damaged: the check sum of its chunk 'IDAT' is wrong; --accept-damaged takes it as it is"),
    ],
)
def test_bad_files_are_one_line(tmp_path, kind, message):
    path = broken(tmp_path, kind)
    with pytest.raises(ImageError, match=message) as caught:
        load_image(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_truncated_jpeg(tmp_path, photograph):
    path = tmp_path / "a.jpg"
    Image.fromarray(photograph).save(path)
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(ImageError, match="damaged: its data end early; --accept-damaged"):
        load_image(path)


def test_names_that_no_file_can_have():
    with pytest.raises(ImageError, match=r"no such file|cannot be read"):
        load_image("a\0b.png")
    with pytest.raises(ImageError, match=r"no such file|cannot be read"):
        load_image("a" * 5000 + "\n.png")


def test_too_many_pixels(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    Image.new("L", (100, 50)).save(path)
    monkeypatch.setattr("licgate.images.load.MAX_PIXELS", 4999)
    with pytest.raises(ImageError, match="100 x 50 pixels are more than 4999"):
        load_image(path)


def test_decompression_bomb(tmp_path):
    path = tmp_path / "bomb.png"
    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    body = struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    data = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body + data)
    with pytest.raises(ImageError, match=r"damaged: |more than 100000000"):
        load_image(path)


def test_demo_image_with_and_without_scikit_image(monkeypatch):
    assert demo_image().shape == (300, 451, 3)
    monkeypatch.setitem(sys.modules, "skimage.data", None)
    made = demo_image()
    assert made.shape == (300, 451, 3)
    assert made.dtype == np.uint8
    assert made.std() > 30
