"""Writing pictures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from licgate.errors import ImageError
from licgate.files import removed, temporary_beside
from licgate.images.load import Pixels

__all__ = ["FORMATS", "check_image_name", "png_bytes", "save_image"]

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
        with removed(temporary):
            Image.fromarray(image).save(temporary, format=name, **options)
            temporary.replace(path)
    except (OSError, ValueError) as error:  # formats have limits of their own
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise ImageError(f"{path}: cannot be written: {reason}") from None


def png_bytes(image: Pixels) -> bytes:
    """Return an image, uint8 of shape (H, W, 3), as a PNG."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, format="PNG")
    return file.getvalue()
