"""A corpus of odd pictures, each made here, with what has to be said of it, or why it is refused.

A case is a file and either the notices, or `refused`: a pattern that the one line of refusal matches.
"""

import io
import itertools
import struct
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tests.images.kit import SIGNATURE, chunk, png, profile, saved, smooth, tiff

TURNED = "turned upright as its EXIF orientation says"
PROFILE = "converted to sRGB by its colour profile (a test)"
DEEP = "16 bits a channel converted to 8"
GREY16 = "16-bit grey converted to 8-bit RGB"
CLEAR = "transparency dropped"
CANNOT = r"damaged: |cannot be read: |not an image of a known format"


@dataclass(frozen=True)
class Case:
    """One file: its bytes, and what is said of it."""

    data: bytes
    notices: tuple[str, ...] = ()
    refused: str = ""
    shape: tuple[int, int] | None = None


def picture(mode="RGB", size=(64, 48)):
    return Image.fromarray(smooth()).resize(size).convert(mode)


SAID = {
    "1": "bilevel converted to RGB",
    "L": "grey converted to RGB",
    "P": "palette converted to RGB",
    "CMYK": "CMYK converted to RGB",
    "YCbCr": "YCbCr converted to RGB",
    "LAB": "Lab converted to RGB",
}


def said(mode):
    """Return the notices of a mode of 8 bits."""
    if mode in ("RGBA", "LA"):
        return (SAID["L"],) * (mode == "LA") + (CLEAR,)
    return (SAID[mode],) if mode in SAID else ()


MODES = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "JPEG": ("L", "RGB", "CMYK"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB"),
    "BMP": ("1", "L", "P", "RGB"),
    "GIF": ("L", "P"),
    "PPM": ("1", "L", "RGB"),
    "TGA": ("L", "P", "RGB", "RGBA"),
    "PCX": ("1", "L", "P", "RGB"),
    "SGI": ("L", "RGB", "RGBA"),
    "WEBP": ("RGB",),
    "JPEG2000": ("L", "RGB", "RGBA"),
    "DDS": ("RGB",),
    "QOI": ("RGB",),
}


def modes():
    """Give every mode of every format, in three sizes."""
    for kind, names in MODES.items():
        for mode, size in itertools.product(names, [(64, 48), (1, 1), (13, 7)]):
            if kind == "JPEG2000" and size != (64, 48):
                continue
            # a GIF of grey has a palette; Pillow gives a TIFF of Lab a profile of its own
            notices = said("P" if kind == "GIF" else mode)
            if mode == "LAB":
                notices += ("converted to sRGB by its colour profile (Lab identity built-in)",)
            yield f"{kind} {mode} {size[0]}x{size[1]}", Case(saved(picture(mode, size), kind), notices, "", size[::-1])


def turned():
    """Give every orientation in every format that has one."""
    for kind, orientation in itertools.product(("JPEG", "PNG", "WEBP", "TIFF"), range(1, 9)):
        exif = Image.Exif()
        exif[0x0112] = orientation
        shape = (64, 48) if orientation > 4 else (48, 64)
        yield (
            f"{kind} turned {orientation}",
            Case(saved(picture(), kind, exif=exif), (TURNED,) * (orientation > 1), "", shape),
        )


def coloured():
    """Give profiles and the chunks of a PNG that speak of colours."""
    for kind in ("PNG", "JPEG", "TIFF", "WEBP"):
        yield f"{kind} with a profile", Case(saved(picture(), kind, icc_profile=profile(1.0)), (PROFILE,))
        broken = ("its colour profile is damaged, not used",)
        yield f"{kind} with a broken profile", Case(saved(picture(), kind, icc_profile=bytes(200)), broken)
    for value in (1.0, 0.6, 0.45455):
        notices = () if value == 0.45455 else (f"converted to sRGB from gAMA {value:g}",)
        yield (
            f"gAMA {value}",
            Case(png(smooth(), 2, extra=chunk(b"gAMA", struct.pack(">I", int(value * 1e5)))), notices),
        )
    for code, name in [((9, 14), "BT.2020"), ((12, 13), "Display P3"), ((1, 8), "BT.709, gamma 1"), ((1, 13), "")]:
        notices = (f"converted to sRGB from {name}",) if name else ()
        yield f"cICP {code}", Case(png(smooth(), 2, extra=chunk(b"cICP", bytes([*code, 0, 1]))), notices)
    for transfer in (16, 18):
        data = png(smooth(), 2, extra=chunk(b"cICP", bytes([9, transfer, 0, 1])))
        yield f"HDR {transfer}", Case(data, refused="is HDR ")


def deep():
    """Give samples of more than 8 bits."""
    wide = smooth().astype(np.uint16) * 257
    alpha = np.concatenate([wide, wide[:, :, :1]], axis=2)
    yield "PNG RGB16", Case(png(wide, 2, 16), (DEEP,))
    yield "PNG RGBA16", Case(png(alpha, 6, 16), (DEEP, CLEAR))
    yield "PNG L16", Case(png(wide[:, :, :1], 0, 16), (GREY16,))
    yield "PNG LA16", Case(png(wide[:, :, :2], 4, 16), (DEEP, CLEAR))
    yield "TIFF RGB16", Case(tiff(wide), (DEEP,))
    yield "TIFF RGB16 big-endian", Case(tiff(wide, end=">"), (DEEP,))
    yield "TIFF L16", Case(tiff(wide[:, :, 0]), (GREY16,))
    for largest in (1, 100, 255, 1000, 65535):
        kind = ">u2" if largest > 255 else "u1"
        notices = (DEEP,) if largest > 255 else (f"values of 0..{largest} scaled to 0..255",) * (largest < 255)
        body = np.round(smooth() * (largest / 255)).astype(kind).tobytes()
        yield f"PPM of {largest}", Case(b"P6 64 48 %d\n" % largest + body, notices)
    text = " ".join(map(str, smooth(6, 8).ravel())).encode()
    yield "PPM in letters", Case(b"P3 8 6 255\n" + text, (), "", (6, 8))


def numbers():
    """Give floating-point and wide integers, with and without a meaning."""
    grey = smooth()[:, :, 0] / np.float32(255)
    head = "floating-point grey converted to 8-bit RGB"
    for top, white in ((1, ", 1 as white"), (255, ", 255 as white"), (65535, "")):
        yield f"float of {top}", Case(tiff((grey * top).astype(np.float32), kind=3), (head + white,))
    for number, value in enumerate((np.nan, np.inf, -np.inf)):
        values = grey.astype(np.float32)
        values[0, 0] = value
        yield f"float with {number}", Case(tiff(values, kind=3), refused="1 of 3072 values are no finite numbers")
    yield "float of a map", Case(tiff((grey * 1e9).astype(np.float32), kind=3), refused="are no picture's")
    yield "int32 of a map", Case(tiff((grey * 1e6).astype(np.int32), kind=2), refused="are neither 8, 16 nor 32 bits")
    yield (
        "int32",
        Case(tiff((grey * 255).astype(np.int32), kind=2), ("32-bit grey converted to 8-bit RGB, 255 as white",)),
    )


def extra():
    """Give samples that no picture of three colours has."""
    for count in (1, 2):
        more = np.concatenate([smooth(), smooth()[:, :, :count]], axis=2)
        notice = f"{count} extra sample{'s' * (count > 1)} of each pixel dropped"
        yield f"TIFF with {count} more", Case(tiff(more, extra=(0,) * count), (notice,))
    with io.BytesIO() as file:
        picture("P").save(file, "PNG", transparency=3)
        yield "palette with a clear colour", Case(file.getvalue(), (SAID["P"], CLEAR))
    for kind in ("GIF", "TIFF", "PNG"):
        data = saved(picture("P"), kind, save_all=True, append_images=[picture("P").rotate(180)])
        yield f"{kind} of two", Case(data, ("2 frames, the first is used", SAID["P"]))


def coded():
    """Give codings of JPEG and TIFF."""
    for quality, chroma, more in itertools.product(
        (1, 100), ("4:4:4", "4:2:0"), ({}, {"progressive": True}, {"restart_marker_rows": 1})
    ):
        data = saved(picture(), "JPEG", quality=quality, subsampling=chroma, **more)
        yield f"JPEG {quality} {chroma} {more}", Case(data)
    for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield f"TIFF {name}", Case(saved(picture(), "TIFF", compression=name))
    for name in ("group3", "group4", "tiff_ccitt"):
        yield f"TIFF {name}", Case(saved(picture("1"), "TIFF", compression=name), (SAID["1"],))


def damaged():
    """Give files that lack something, and files that are none."""
    for kind in ("PNG", "JPEG", "TIFF", "BMP", "GIF", "PPM", "TGA", "PCX", "SGI", "WEBP", "JPEG2000", "QOI"):
        data = saved(picture("P" if kind == "GIF" else "RGB"), kind)
        for part in (0.1, 0.5, 0.95):
            yield f"{kind} cut at {part}", Case(data[: int(part * len(data))], refused=CANNOT)
    for more in ({}, {"progressive": True}, {"restart_marker_rows": 1}):
        data = saved(picture(), "JPEG", **more)
        yield f"JPEG behind an end marker {more}", Case(data[: len(data) * 2 // 3] + b"\xff\xd9", refused="damaged: ")
    whole = png(smooth(), 2)
    yield "PNG of a wrong sum", Case(whole[:70] + b"\0\0" + whole[72:], refused="damaged: the check sum")
    yield "PNG without rows", Case(whole[:33] + whole[-12:], refused="damaged: 0 of 9264 bytes")
    yield "PNG of no width", Case(SIGNATURE + chunk(b"IHDR", bytes(8) + bytes([8, 2, 0, 0, 0])), refused=CANNOT)
    yield "text", Case(b"no picture", refused="not an image of a known format")
    yield "nothing", Case(b"", refused="the file is empty")
    yield "zeros", Case(bytes(1000), refused=CANNOT)


def corpus():
    """Return all cases by name."""
    parts = (modes, turned, coloured, deep, numbers, extra, coded, damaged)
    pairs = [pair for part in parts for pair in part()]
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)
