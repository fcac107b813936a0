"""What a file says of its picture, and Pillow does not when the picture is read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from licgate.images.colour import Colours, colours_of_code, colours_of_png
from licgate.images.png import png_chunks

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

__all__ = ["Facts", "facts_of"]

ORIENTATION, BITS, PHOTOMETRIC, SAMPLES, EXTRA, KIND = 0x0112, 258, 262, 277, 338, 339
SIGNED = 2
ALPHA = {1, 2}
COLOURS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3, 9: 3}

# Pillow reads colour of 16 bits a channel as 8 and tells so only here; ``BGR;16`` is another thing, 5-6-5 bits
DEEP_COLOUR = re.compile(r"(RGB|RGBA|RGBX|RGBXX|RGBXXX|RGBa|LA|CMYK|CMYKX|CMYKXX);16[BLN]")

BOXES = 4096
"""Bytes at the start of an AVIF in which its properties stand."""


@dataclass
class Facts:
    """What is known before a picture is read.

    Attributes
    ----------
    frames : int
    turned : bool
        Whether its orientation is not upright.
    bits : int
        Of a sample.
    signed : bool
        Whether samples are whole numbers with a sign.
    deep_colour : bool
        Whether colours have more than 8 bits, which will be lost.
    colours : Colours or None
        Other than by an ICC profile.
    notices : list of str
        What else reading changes, without the name of the file.
    """

    frames: int = 1
    turned: bool = False
    bits: int = 8
    signed: bool = False
    deep_colour: bool = False
    colours: Colours | None = None
    notices: list[str] = field(default_factory=list)


def facts_of(picture: ImageFile, data: bytes, name: str) -> Facts:
    """Look at a picture that is open and not yet read.

    Raises
    ------
    ImageError
        If its colours cannot be converted.
    """
    kind = picture.format or ""
    # first what stands in the tiles: asking for EXIF reads some kinds of pictures
    facts = Facts(deep_colour=any(DEEP_COLOUR.search(str(tile)) for tile in picture.tile))
    if kind == "PPM":
        _read_header(picture, facts)
    facts.frames = getattr(picture, "n_frames", 1)
    facts.turned = picture.getexif().get(ORIENTATION, 1) in range(2, 9)
    facts.bits = 16 if picture.mode.startswith("I;16") else 32 if picture.mode in ("I", "F") else 8
    if kind == "PNG":
        chunks = png_chunks(data)[0]
        facts.colours = colours_of_png(chunks, name=name)
        if picture.mode == "I":
            facts.bits = 16
    elif kind == "TIFF":
        _read_tags(picture, facts)
    elif kind == "PPM" and picture.mode == "I":
        facts.bits = 16  # Pillow has scaled it
    elif kind == "JPEG2000":
        start = data.find(b"\xff\x4f\xff\x51")
        facts.bits = (data[start + 42] & 127) + 1 if 0 <= start < len(data) - 42 else 8
        facts.deep_colour = facts.bits > 8 and picture.mode not in ("I", "I;16")
        facts.bits = 16 if facts.bits > 8 else 8
    elif kind == "AVIF":
        _read_boxes(data[:BOXES], facts, name)
    return facts


def _read_tags(picture: ImageFile, facts: Facts) -> None:
    tags: Any = getattr(picture, "tag_v2", {})
    facts.turned = facts.turned or tags.get(ORIENTATION, 1) in range(2, 9)
    bits = tags.get(BITS, (8,))
    facts.bits = int(bits[0] if isinstance(bits, tuple) else bits)
    kind = tags.get(KIND, (1,))
    facts.signed = (kind[0] if isinstance(kind, tuple) else kind) == SIGNED
    facts.deep_colour = facts.deep_colour or (facts.bits > 8 and picture.mode in ("RGB", "RGBA", "CMYK", "LA", "RGBX"))
    extra = tags.get(EXTRA, ())
    alphas = sum(kind in ALPHA for kind in extra[:1])
    dropped = int(tags.get(SAMPLES, 1)) - COLOURS.get(tags.get(PHOTOMETRIC, 1), 3) - alphas
    if dropped > 0:
        facts.notices.append(f"{dropped} extra sample{'s' * (dropped > 1)} of each pixel dropped")


def _read_header(picture: ImageFile, facts: Facts) -> None:
    """Take the largest value of a PNM from what it gives its decoder."""
    for tile in picture.tile:
        args: Any = tile[3]
        largest = args[-1] if isinstance(args, tuple) else args
        if tile[0] in ("ppm", "ppm_plain") and isinstance(largest, int) and picture.mode != "I":
            if largest > 255:
                facts.deep_colour = True
            elif largest < 255:
                facts.notices.append(f"values of 0..{largest} scaled to 0..255")


def _read_boxes(head: bytes, facts: Facts, name: str) -> None:
    config, code = head.find(b"av1C"), head.find(b"colrnclx")
    if 0 <= config < len(head) - 6 and head[config + 6] & 0x40:
        facts.deep_colour = True
    if 0 <= code < len(head) - 12:
        primaries, transfer = int.from_bytes(head[code + 8 : code + 10]), int.from_bytes(head[code + 10 : code + 12])
        facts.colours = colours_of_code(primaries, transfer, name=name)
