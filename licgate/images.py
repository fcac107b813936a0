"""Reading photographs: whatever a file holds becomes RGB of 8 bits, and a notice says what was changed."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from licgate.errors import ImageError
from licgate.files import temporary_beside

if TYPE_CHECKING:
    from PIL.Image import Image as Picture  # Pillow is loaded where a file is read or written

__all__ = ["MAX_PIXELS", "check_image_name", "demo_image", "load_image", "save_image"]

Pixels: TypeAlias = npt.NDArray[np.uint8]
"""An image: shape (H, W, 3)."""

# about 35 bytes a pixel at the codec's peak; larger files are more likely made to exhaust memory than photographs
MAX_PIXELS = 100_000_000

ORIENTATION = 0x0112

# Pillow reads colour of 16 bits a channel as 8 and tells so only here; ``BGR;16`` is another thing, 5-6-5 bits
DEEP_COLOUR = re.compile(r"(RGB|RGBA|RGBX|LA|CMYK);16[BLN]")

NOTICES = {
    "1": "bilevel",
    "L": "grey",
    "LA": "grey",
    "La": "grey",
    "P": "palette",
    "PA": "palette",
    "CMYK": "CMYK",
    "YCbCr": "YCbCr",
    "LAB": "Lab",
    "HSV": "HSV",
}

# Pillow's name of each format that can be written, and how
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".ppm": ("PPM", {}),
    ".bmp": ("BMP", {}),
    ".tif": ("TIFF", {}),
    ".tiff": ("TIFF", {}),
    ".webp": ("WEBP", {"lossless": True}),
    ".jpg": ("JPEG", {"quality": 95}),
    ".jpeg": ("JPEG", {"quality": 95}),
}


def load_image(path: str | Path) -> tuple[Pixels, list[str]]:
    """Read an image file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    image : ndarray of uint8, shape (H, W, 3)
        RGB, upright as EXIF says.
    notices : list of str
        One line for each conversion that lost or changed something.

    Raises
    ------
    ImageError
        If the file is missing, empty, cut short, no image, or has more than `MAX_PIXELS` pixels.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    path = Path(path)
    name = " ".join(str(path).split())
    _check_file(path, name)
    try:
        with warnings.catch_warnings():
            # Pillow warns of large files before it refuses still larger ones; the limit here is our own
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                width, height = picture.size
                if width < 1 or height < 1:
                    raise ImageError(f"{name}: image of {width} x {height} pixels has no pixel")
                if width * height > MAX_PIXELS:
                    raise ImageError(f"{name}: {width} x {height} pixels are more than {MAX_PIXELS}; make it smaller")
                frames = getattr(picture, "n_frames", 1)
                # how the file stores its samples, known only until they are read
                deep = any(DEEP_COLOUR.search(str(tile)) for tile in picture.tile)
                picture.load()
                notices = [f"{name}: {frames} frames, the first is used"] if frames > 1 else []
                if _other_colours(picture.info.get("icc_profile")):
                    notices.append(f"{name}: its colour profile, not sRGB by name, is ignored")
                if picture.getexif().get(ORIENTATION, 1) in range(2, 9):
                    notices.append(f"{name}: turned upright as its EXIF orientation says")
                array, more = _to_rgb(ImageOps.exif_transpose(picture), name, deep)
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
    return array, notices + more


def _other_colours(profile: bytes | None) -> bool:
    """Return whether an ICC profile is there and does not call itself sRGB."""
    # the description is ASCII or UTF-16; reading it for good would take a library of colours
    return profile is not None and profile != b"" and b"sRGB" not in profile.replace(b"\0", b"")


def _check_file(path: Path, name: str) -> None:
    try:
        if path.is_dir():
            raise ImageError(f"{name}: is a folder, not an image")
        if not path.exists():
            raise ImageError(f"{name}: no such file")
        # a pipe or a device would wait or never end
        if not path.is_file():
            raise ImageError(f"{name}: not a regular file")
        if path.stat().st_size == 0:
            raise ImageError(f"{name}: the file is empty")
    except (OSError, ValueError) as error:
        raise ImageError(f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _to_rgb(picture: Picture, name: str, deep: bool) -> tuple[Pixels, list[str]]:
    notices = []
    if picture.mode.startswith("I") or picture.mode == "F":
        notices.append(f"{name}: {'16-bit' if picture.mode != 'F' else 'floating-point'} grey converted to 8-bit RGB")
        return _deep_grey(picture), notices
    if picture.mode in NOTICES:
        notices.append(f"{name}: {NOTICES[picture.mode]} converted to RGB")
    if deep:
        notices.append(f"{name}: 16 bits a channel converted to 8")
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        notices.append(f"{name}: transparency dropped")
        # the colours themselves, not blended with any background
        picture = picture.convert("RGBA")
    return np.array(picture.convert("RGB"), dtype=np.uint8), notices


def _deep_grey(picture: Picture) -> Pixels:
    values = np.array(picture, dtype=np.float64)
    # whole numbers up to 65535 are 16-bit samples; a floating-point picture may also go from 0 to 1
    top = 1.0 if picture.mode == "F" and values.max(initial=0) <= 1 else 65535.0
    grey = np.floor(np.clip(np.nan_to_num(values), 0, top) * (255 / top) + 0.5).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def check_image_name(path: str | Path) -> None:
    """Raise an `ImageError` unless an image can be written under this name."""
    if Path(path).suffix.lower() not in FORMATS:
        raise ImageError(f"{path}: unknown format {Path(path).suffix!r}; there are {', '.join(FORMATS)}")


def save_image(image: Pixels, path: str | Path) -> None:
    """Write an image, whole or not at all; its suffix says in which format, without loss but for JPEG.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
    path : str or Path

    Raises
    ------
    ImageError
        If the format is unknown, or the file cannot be written.
    """
    from PIL import Image

    path = Path(path)
    check_image_name(path)
    name, options = FORMATS[path.suffix.lower()]
    temporary = temporary_beside(path)
    try:
        Image.fromarray(image).save(temporary, format=name, **options)
        temporary.replace(path)
    except (OSError, ValueError) as error:  # formats have limits of their own
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise ImageError(f"{path}: cannot be written: {reason}") from None
    finally:
        temporary.unlink(missing_ok=True)


def demo_image() -> Pixels:
    """Return a photograph for demos and tests, uint8 of shape (H, W, 3).

    scikit-image's packaged cat (300 x 451), or a made-up picture of that size where the package is absent.
    """
    try:
        import skimage.data

        return np.ascontiguousarray(skimage.data.chelsea()[:, :, :3]).astype(np.uint8)
    except (ImportError, OSError, AttributeError):
        return synthetic_image(300, 451)


def synthetic_image(height: int, width: int, seed: int = 0) -> Pixels:
    """Return a made-up picture with edges, gradients and grain, uint8 of shape (height, width, 3)."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    picture: npt.NDArray[np.float64] = np.stack([x, y, 1 - (x + y) / 2], axis=2)
    for _ in range(24):
        centre, radius, colour = random.random(2), random.uniform(0.02, 0.2), random.random(3)
        inside = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2
        picture[inside] = 0.5 * picture[inside] + 0.5 * colour
    picture += random.normal(0, 0.02, picture.shape)
    return np.floor(np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
