"""Reading photographs: whatever a file holds becomes RGB of 8 bits, and a notice says what was changed."""

from __future__ import annotations

import io
import sys
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from licgate.errors import ImageError
from licgate.images.colour import by_profile, convert
from licgate.images.damage import damage_of, lenient
from licgate.images.facts import Facts, facts_of
from licgate.images.samples import deep_grey, plain_mode

if TYPE_CHECKING:
    from PIL.Image import Image as Picture  # Pillow is loaded where a file is read or written

__all__ = ["MAX_PIXELS", "STANDARD", "SUFFIXES", "Pixels", "load_image"]

Pixels: TypeAlias = npt.NDArray[np.uint8]
"""An image: shape (H, W, 3)."""

# about 35 bytes a pixel at the codec's peak; larger files are more likely made to exhaust memory than photographs
MAX_PIXELS = 100_000_000

MAX_BYTES = 2 << 30

STANDARD = "-"
"""A name that stands for standard input or output."""

SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("png", "jpg", "jpeg", "jpe", "jfif", "mpo", "webp", "avif", "jp2", "j2k", "gif", "tif", "tiff"),
        *("ppm", "pgm", "pbm", "pnm", "pfm", "bmp", "dib", "tga", "pcx", "sgi", "ico", "dds", "qoi"),
    )
)
"""Names that files of pictures end in, where a folder is searched for them."""


def load_image(path: str | Path, *, accept_damaged: bool = False) -> tuple[Pixels, list[str]]:
    """Read an image file.

    Parameters
    ----------
    path : str or Path
        ``-`` for standard input.
    accept_damaged : bool
        Read a file with missing data, too; a notice says what is missing.

    Returns
    -------
    image : ndarray of uint8, shape (H, W, 3)
        sRGB, upright as EXIF says.
    notices : list of str
        One line for each conversion that lost or changed something.

    Raises
    ------
    ImageError
        If the file is missing, empty, damaged, no image, of values or colours without a meaning, or has more than
        `MAX_PIXELS` pixels.
    """
    from PIL import Image, UnidentifiedImageError

    name = "standard input" if str(path) == STANDARD else " ".join(str(path).split())
    data = _read(path, name)
    try:
        with warnings.catch_warnings(), lenient() if accept_damaged else nullcontext():
            # Pillow warns of large files before it refuses still larger ones; the limit here is our own
            warnings.simplefilter("ignore")
            return _decoded(data, name, accept_damaged)
    except ImageError:
        raise
    except MemoryError:
        raise ImageError(f"{name}: not enough memory to read it; make it smaller") from None
    except Image.DecompressionBombError:
        raise ImageError(f"{name}: more than {MAX_PIXELS} pixels; make it smaller") from None
    except UnidentifiedImageError:
        raise ImageError(f"{name}: not an image of a known format, or damaged") from None
    except Exception as error:  # decoders raise nearly anything on damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{name}: cannot be read: {reason}") from None


def _decoded(data: bytes, name: str, accept_damaged: bool) -> tuple[Pixels, list[str]]:
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(data)) as picture:
        width, height = picture.size
        if width < 1 or height < 1:
            raise ImageError(f"{name}: image of {width} x {height} pixels has no pixel")
        if width * height > MAX_PIXELS:
            raise ImageError(f"{name}: {width} x {height} pixels are more than {MAX_PIXELS}; make it smaller")
        notices = []
        damage, known = damage_of(picture, data)
        if damage and not accept_damaged:
            raise ImageError(f"{name}: damaged: {damage}; --accept-damaged takes it as it is")
        if damage:
            notices.append(f"{name}: damaged: {damage}; read as far as it goes")
        if not known:
            notices.append(f"{name}: whether data are missing cannot be told of its kind of JPEG")
        facts = facts_of(picture, data, name)
        picture.load()
        if facts.frames > 1:
            notices.append(f"{name}: {facts.frames} frames, the first is used")
        if facts.turned:
            notices.append(f"{name}: turned upright as its EXIF orientation says")
        array, more = _to_srgb(ImageOps.exif_transpose(picture), facts, name, accept_damaged)
    return array, notices + more


def _to_srgb(picture: Picture, facts: Facts, name: str, accept_damaged: bool) -> tuple[Pixels, list[str]]:
    profile = picture.info.get("icc_profile")
    if picture.mode.startswith("I") or picture.mode == "F":
        from PIL import Image

        grey, notices = deep_grey(picture, name, bits=facts.bits, signed=facts.signed, accept_damaged=accept_damaged)
        picture = Image.fromarray(grey)
    else:
        picture, notices = plain_mode(picture, name)
        notices = [f"{name}: 16 bits a channel converted to 8"] * facts.deep_colour + notices
    notices += [f"{name}: {notice}" for notice in facts.notices]
    # a code of its colours, where a file has one, goes before a profile
    if profile and facts.colours is None:
        picture, notice = by_profile(picture, profile)
        notices += [f"{name}: {notice}"] if notice else []
    pixels = np.array(picture.convert("RGB"), dtype=np.uint8)
    if facts.colours is not None and not facts.colours.srgb:
        notices.append(f"{name}: converted to sRGB from {facts.colours.name}")
        pixels = convert(pixels, facts.colours)
    return pixels, notices


def _read(path: str | Path, name: str) -> bytes:
    """Read a whole file, or standard input."""
    if str(path) == STANDARD:
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ImageError(f"{name}: more than {MAX_BYTES} bytes")
        if not data:
            raise ImageError(f"{name}: is empty")
        return data
    path = Path(path)
    try:
        if path.is_dir():
            raise ImageError(f"{name}: is a folder, not an image")
        if not path.exists():
            raise ImageError(f"{name}: no such file")
        # a pipe or a device would wait or never end
        if not path.is_file():
            raise ImageError(f"{name}: not a regular file")
        size = path.stat().st_size
        if size == 0:
            raise ImageError(f"{name}: the file is empty")
        if size > MAX_BYTES:
            raise ImageError(f"{name}: {size} bytes are more than {MAX_BYTES}")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise ImageError(f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except MemoryError:
        raise ImageError(f"{name}: not enough memory to read it; make it smaller") from None
