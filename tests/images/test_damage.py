"""Damage: files that lack something are refused, those that do not are read, in every kind of coding."""

import numpy as np
import pytest
from PIL import Image

from licgate.errors import ImageError
from licgate.images import load_image
from licgate.images.jpeg import jpeg_damage
from tests.images.kit import chunk, png, saved, smooth, tiff

END = b"\xff\xd9"

CODINGS = [
    {},
    {"progressive": True},
    {"optimize": True, "quality": 95},
    {"restart_marker_rows": 1},
    {"restart_marker_blocks": 3, "progressive": True},
    {"subsampling": "4:2:2", "quality": 30},
]


def scans(data):
    """Return where the first coded data of a JPEG begin."""
    at = data.index(b"\xff\xda")
    return at + 2 + int.from_bytes(data[at + 2 : at + 4])


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("size", [(1, 1), (8, 8), (33, 17), (64, 48)])
@pytest.mark.parametrize("coding", CODINGS)
def test_a_sound_jpeg_is_sound(mode, size, coding):
    for quality in (1, 60, 100):
        data = saved(Image.fromarray(smooth()).resize(size).convert(mode), "JPEG", **{**coding, "quality": quality})
        assert jpeg_damage(data) == (None, True)
        assert jpeg_damage(data[:-2]) == (None, True)  # all but its end marker


@pytest.mark.parametrize("coding", CODINGS)
def test_a_jpeg_that_ends_behind_an_end_marker_is_always_noticed(coding):
    data = saved(smooth(), "JPEG", **coding)
    start = scans(data)
    for at in range(start, len(data) - 4, max((len(data) - start) // 60, 1)):
        cut = data[: at - (data[at - 1] == 0xFF)] + END
        assert jpeg_damage(cut)[0], at


@pytest.mark.parametrize("coding", CODINGS)
def test_holes_and_flips_in_a_jpeg_are_mostly_noticed(coding):
    data = saved(smooth(96, 128), "JPEG", **coding)
    random, start = np.random.default_rng(1), scans(data)
    found = {"hole": 0, "zeros": 0, "noise": 0}
    for _ in range(60):
        at = int(random.integers(start, len(data) - 80))
        size = int(random.integers(20, 78))
        for kind, middle in (("hole", b""), ("zeros", bytes(size)), ("noise", random.bytes(size))):
            found[kind] += jpeg_damage(data[:at] + middle + data[at + size :])[0] is not None
    # no check sum tells the rest: a flip may leave the blocks and their number as they were
    assert found["hole"] >= 45, found
    assert found["zeros"] >= 40, found
    assert found["noise"] >= 40, found


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[: scans(data)] + END, "% of a scan are missing|end early"),
        (lambda data: data[:20] + END, "it has no frame"),
        (lambda data: data[:-2] + data[scans(data) :], "more data than its blocks take"),
        (lambda data: data[: data.index(b"\xff\xda") + 3], "it ends in its header"),
        (lambda data: data.replace(b"\xff\xc4", b"\xff\xfe"), "a Huffman table is missing"),
    ],
)
def test_what_is_said_of_a_damaged_jpeg(change, words):
    damage, known = jpeg_damage(change(saved(smooth(), "JPEG")))
    assert known
    assert any(word in damage for word in words.split("|")), damage


def test_a_restart_marker_behind_the_last_block_is_no_damage():
    data = saved(smooth(), "jpeg", restart_marker_rows=1)
    count = sum(data[k] == 0xFF and 0xD0 <= data[k + 1] <= 0xD7 for k in range(len(data) - 1))
    marker = bytes([0xFF, 0xD0 + count % 8])
    assert jpeg_damage(data[:-2] + marker + data[-2:]) == (None, True)
    assert jpeg_damage(data[:-2] + marker + b"\x15\x37" + data[-2:])[0] == "there are more data than blocks"


def test_scans_that_are_missing():
    data = saved(smooth(), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    before = data.rindex(b"\xff\xc4", 0, last)
    assert jpeg_damage(data[:before] + END) == ("scans of its component 1 are missing", True)


def test_arithmetic_coding_cannot_be_told():
    data = bytearray(saved(smooth(), "JPEG"))
    data[data.index(b"\xff\xc0") + 1] = 0xC9
    assert jpeg_damage(bytes(data)) == (None, False)


def test_damage_is_accepted_where_it_is_asked_for(tmp_path):
    path, data = tmp_path / "a.jpg", saved(smooth(), "JPEG")
    path.write_bytes(data[: len(data) // 2] + END)
    with pytest.raises(ImageError, match=r"a\.jpg: damaged: its data end early; --accept-damaged takes it as it is$"):
        load_image(path)
    image, notices = load_image(path, accept_damaged=True)
    assert image.shape == (48, 64, 3)
    assert notices == [f"{path}: damaged: its data end early; read as far as it goes"]
    path.write_bytes(data[: len(data) // 2])
    assert load_image(path, accept_damaged=True)[0].shape == (48, 64, 3)


def one_strip_short(data):
    return data[: len(data) // 2]


TIFF = [{}, {"compression": "tiff_lzw"}, {"compression": "tiff_adobe_deflate"}, {"compression": "packbits"}]
TIFF += [{"compression": "jpeg", "quality": 90}]

SOUND = {
    **{f"tiff {options.get('compression', 'raw')}": saved(smooth(), "TIFF", **options) for options in TIFF},
    "gif": saved(Image.fromarray(smooth()).convert("P"), "GIF"),
    "bmp": saved(smooth(), "BMP"),
    "tga": saved(smooth(), "TGA"),
    "tga rle": saved(smooth(), "TGA", compression="tga_rle"),
    "pcx": saved(smooth(), "PCX"),
    "sgi": saved(smooth(), "SGI"),
    "ppm": saved(smooth(), "PPM"),
    "webp": saved(smooth(), "WEBP"),
    "webp lossless": saved(smooth(), "WEBP", lossless=True),
    "png": saved(smooth(), "PNG"),
    "jpeg 2000": saved(smooth(), "JPEG2000"),
}


@pytest.mark.parametrize("kind", SOUND)
def test_half_a_file_is_refused_in_every_format(tmp_path, kind):
    path = tmp_path / "a"
    path.write_bytes(SOUND[kind])
    load_image(path)
    for part in (0.3, 0.6, 0.9):
        path.write_bytes(SOUND[kind][: int(part * len(SOUND[kind]))])
        with pytest.raises(ImageError, match=r"damaged|cannot be read|not an image"):
            load_image(path)


def test_a_gif_whose_data_end_before_its_rows(tmp_path):
    path, data = tmp_path / "a.gif", bytearray(SOUND["gif"])
    at = data.index(b",", 13 + 768) + 10 + 1  # the first block of coded data
    path.write_bytes(bytes(data[: at + 1 + data[at]]) + b"\0;")
    with pytest.raises(ImageError, match=r"cannot be read: image file is truncated"):
        load_image(path)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda data: data[:60] + bytes([data[60] ^ 1]) + data[61:], "the check sum of its chunk 'IDAT' is wrong"),
        (lambda data: data[:-20], "it ends in its chunk 'IDAT'"),
        (lambda data: data[:33] + data[-12:], "0 of 9264 bytes of its rows are there"),
    ],
)
def test_what_is_said_of_a_damaged_png(tmp_path, change, line):
    path = tmp_path / "a.png"
    path.write_bytes(change(png(smooth(), 2)))
    with pytest.raises(ImageError, match=f"damaged: {line}"):
        load_image(path)


def test_a_png_with_rows_missing_and_with_one_that_is_no_stream(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(smooth(), 2, rows=40))
    with pytest.raises(ImageError, match="damaged: 7720 of 9264 bytes of its rows are there"):
        load_image(path)
    whole = png(smooth(), 2)
    path.write_bytes(whole[:33] + chunk(b"IDAT", b"no stream") + whole[-12:])
    with pytest.raises(ImageError, match="its rows cannot be unpacked behind 0 of 9264 bytes"):
        load_image(path)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA"])
def test_sound_png_of_other_modes(tmp_path, mode, interlaced):
    path = tmp_path / "a.png"
    for size in ((1, 1), (3, 5), (8, 8), (13, 9)):
        path.write_bytes(saved(Image.fromarray(smooth()).resize(size).convert(mode), "PNG", interlace=interlaced))
        assert load_image(path)[0].shape == (*size[::-1], 3)


def test_a_tiff_whose_strip_is_empty(tmp_path):
    path, data = tmp_path / "a.tif", bytearray(tiff(smooth()))
    at = data.rindex(b"\x17\x01\x04\x00")
    data[at + 8 : at + 12] = bytes(4)
    path.write_bytes(data)
    with pytest.raises(ImageError, match="damaged: its strip 1 of 1 is empty"):
        load_image(path)


def test_a_jpeg_inside_a_tiff(tmp_path):
    path, data = tmp_path / "a.tif", bytearray(saved(smooth(96, 128), "TIFF", compression="jpeg", quality=90))
    at = data.rindex(b"\xff\xda") + 200
    data[at : at + 2] = END
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"damaged: its strip \d of \d: its data end early"):
        load_image(path)
