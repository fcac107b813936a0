"""Damage: what a file lacks, also where its decoder fills it without a word."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from licgate.images.jpeg import jpeg_damage
from licgate.images.png import png_damage

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["damage_of", "lenient"]

_LENIENT = threading.Lock()

JPEG = ("JPEG", "MPO")

# read as a whole by libraries of their own, which refuse what is cut short
WHOLE = ("PNG", "WEBP", "AVIF", "JPEG2000")

COMPRESSION, OFFSETS, COUNTS, TILE_OFFSETS, TILE_COUNTS, TABLES = 259, 273, 279, 324, 325, 347
JPEG_IN_TIFF = 7


def damage_of(picture: Picture, data: bytes) -> tuple[str | None, bool]:
    """Look for what a file lacks.

    Parameters
    ----------
    picture : PIL.Image.Image
        Open, not yet read.
    data : bytes
        The whole file.

    Returns
    -------
    damage : str or None
    known : bool
        False for kinds of which this cannot be told.
    """
    if picture.format in JPEG:
        return jpeg_damage(data)
    if picture.format == "PNG":
        return png_damage(data), True
    if picture.format == "WEBP":
        return _riff_damage(data), True
    if picture.format == "TIFF":
        damage = _tiff_damage(picture, data)
        if damage:
            return damage, True
    if picture.format in WHOLE:
        return None, True
    return _untouched(data), True


def _riff_damage(data: bytes) -> str | None:
    size = int.from_bytes(data[4:8], "little") + 8
    if len(data) < size:
        return f"{len(data)} of {size} bytes are there"
    at = 12
    while at + 8 <= size:
        at += 8 + (int.from_bytes(data[at + 4 : at + 8], "little") + 1) // 2 * 2
    # a last chunk of odd length may do without the byte that fills it
    return "its chunks do not end where it does" if at > size + 1 else None


def _tiff_damage(picture: Picture, data: bytes) -> str | None:
    tags: Any = getattr(picture, "tag_v2", {})
    for offsets, counts, what in ((OFFSETS, COUNTS, "strip"), (TILE_OFFSETS, TILE_COUNTS, "tile")):
        places = list(zip(_numbers(tags, offsets), _numbers(tags, counts), strict=False))
        for number, (start, size) in enumerate(places, 1):
            if start + size > len(data):
                return f"its {what} {number} of {len(places)} ends behind the file"
            if size == 0:
                return f"its {what} {number} of {len(places)} is empty"
            if tags.get(COMPRESSION) == JPEG_IN_TIFF:
                tables, part = bytes(tags.get(TABLES, b"")), data[start : start + size]
                # a stream whose tables stand in a tag: those go first, without their end marker
                damage, _ = jpeg_damage(tables[:-2] + part[2:] if len(tables) > 4 else part)
                if damage:
                    return f"its {what} {number} of {len(places)}: {damage}"
    return None


def _numbers(tags: Any, tag: int) -> tuple[int, ...]:
    found = tags.get(tag, ())
    return found if isinstance(found, tuple) else (found,)


def _untouched(data: bytes) -> str | None:
    """Read a picture over two colours: what its decoder does not write differs."""
    from PIL import Image

    pictures, boxes = [], []
    for level in (0, 1):
        with Image.open(io.BytesIO(data)) as picture:
            boxes = [tile[1] for tile in picture.tile if tile[1]]
            prepare: Any = getattr(picture, "load_prepare", None)
            if not boxes or prepare is None:
                return None

            def filled(picture: Any = picture, prepare: Any = prepare, level: int = level) -> None:
                prepare()
                mode, size = picture.im.mode, picture.im.size
                bands = len(Image.new(mode, (1, 1)).getbands())
                picture.im = Image.new(mode, size, level if bands == 1 else (level,) * bands).im

            setattr(picture, "load_prepare", filled)  # noqa: B010 - of this picture alone, which mypy does not know
            picture.load()
            pictures.append(np.asarray(picture))
    one, other = pictures
    if one.shape != other.shape:
        return None
    height, width = one.shape[:2]
    inside = np.zeros((height, width), dtype=bool)
    for left, top, right, bottom in boxes:
        inside[top:bottom, left:right] = True
    # what is no number is the same as itself here
    differs = (one != other) & ~((one != one) & (other != other))
    differs = (differs if one.ndim == 2 else differs.any(axis=2)) & inside
    return f"{int(differs.sum())} of {height * width} pixels are missing" if differs.any() else None


@contextmanager
def lenient() -> Iterator[None]:
    """Let Pillow read what is cut short; it knows this for all threads at once only."""
    from PIL import ImageFile

    with _LENIENT:
        before, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before
