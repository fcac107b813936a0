"""Pictures that photographs lack: plain colours, gradients, text, line art, panels of an interface, noise."""

from __future__ import annotations

import colorsys
import math
import string

import numpy as np
from PIL import Image, ImageDraw, ImageFont

__all__ = ["KINDS", "draw_corners", "draw_crop"]

TILED = 0.4
"""Part of the crops that are made of four drawings, with borders between them."""

SMALLEST = 32
LETTERS = string.ascii_letters + string.digits + "     .,:;!?()[]{}<>+-*/=%&#@"


def draw_crop(rng: np.random.Generator, side: int) -> np.ndarray:
    """Draw a crop.

    Parameters
    ----------
    rng : numpy.random.Generator
        Decides everything.
    side : int

    Returns
    -------
    ndarray of uint8 (side, side, 3)
    """
    half = -(-side // 2)
    if half < SMALLEST or rng.random() >= TILED:
        return _one(rng, side)
    columns = [np.concatenate([_one(rng, half) for _ in range(2)]) for _ in range(2)]
    return np.concatenate(columns, axis=1)[:side, :side]


def draw_corners(side: int) -> np.ndarray:
    """Draw the eight corners of the RGB cube, each a plain picture: uint8 (8, side, side, 3).

    No photograph drives a network as far as these do.
    """
    corners = np.indices((2, 2, 2), dtype=np.uint8).reshape(3, 8).T * 255
    return np.broadcast_to(corners[:, None, None], (8, side, side, 3)).copy()


def _one(rng: np.random.Generator, side: int) -> np.ndarray:
    names, shares = zip(*((name, share) for name, (_, share) in KINDS.items()), strict=True)
    return KINDS[names[rng.choice(len(names), p=shares)]][0](rng, side)


def _colour(rng: np.random.Generator) -> tuple[int, int, int]:
    """A saturated colour, a pastel, a grey, or a corner of the cube (black, white, pure green, …)."""
    kind = rng.integers(4)
    if kind == 0:
        return tuple(int(c) * 255 for c in rng.integers(0, 2, 3))
    if kind == 1:
        return (int(rng.integers(256)),) * 3
    saturation, value = (rng.uniform(0.7, 1), rng.uniform(0.3, 1)) if kind == 2 else (rng.uniform(0.05, 0.4), 0.95)
    return tuple(round(255 * c) for c in colorsys.hsv_to_rgb(rng.random(), saturation, value))


def _plain(rng: np.random.Generator, side: int) -> np.ndarray:
    return np.full((side, side, 3), _colour(rng), dtype=np.uint8)


def _gradient(rng: np.random.Generator, side: int) -> np.ndarray:
    """Between two colours, along a line or from a centre outwards."""
    y, x = np.mgrid[0:side, 0:side] / side
    if rng.random() < 0.5:
        angle = rng.uniform(0, 2 * math.pi)
        place = x * math.cos(angle) + y * math.sin(angle)
    else:
        place = np.hypot(x - rng.random(), y - rng.random())
    # a crop of a larger picture shows a part of its gradient
    place = (place - place.min()) / max(np.ptp(place), 1e-9) * rng.uniform(0.1, 1)
    first, second = (np.array(_colour(rng), dtype=float) for _ in range(2))
    return np.rint(first + (second - first) * place[:, :, None]).astype(np.uint8)


def _canvas(rng: np.random.Generator, side: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.fromarray(_plain(rng, side) if rng.random() < 0.8 else _gradient(rng, side))
    return image, ImageDraw.Draw(image)


def _write(
    rng: np.random.Generator, draw: ImageDraw.ImageDraw, corner: tuple[int, int], width: int, lines: int
) -> None:
    size = int(rng.integers(9, 26))
    font = ImageFont.load_default(size)
    colour = _colour(rng)
    for line in range(lines):
        text = "".join(rng.choice(list(LETTERS), max(width // size, 1) * 2))
        draw.text((corner[0], corner[1] + line * round(1.3 * size)), text, fill=colour, font=font)


def _text(rng: np.random.Generator, side: int) -> np.ndarray:
    image, draw = _canvas(rng, side)
    _write(rng, draw, (int(rng.integers(-20, 10)), int(rng.integers(-10, 10))), side, side // 12)
    return np.asarray(image)


def _line_art(rng: np.random.Generator, side: int) -> np.ndarray:
    image, draw = _canvas(rng, side)
    colour = _colour(rng)
    for _ in range(int(rng.integers(3, 25))):
        box = [int(v) for v in rng.integers(-side // 4, side + side // 4, 4)]
        ordered = [min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]) + 1, max(box[1], box[3]) + 1]
        width, kind = int(rng.integers(1, 5)), rng.integers(4)
        if kind == 0:
            draw.line(box, fill=colour, width=width)
        elif kind == 1:
            draw.ellipse(ordered, outline=colour, width=width)
        elif kind == 2:
            start = rng.uniform(0, 360)
            draw.arc(ordered, start, start + rng.uniform(30, 300), fill=colour, width=width)
        else:
            points = rng.integers(0, side, (3, 2))
            draw.polygon([tuple(int(v) for v in p) for p in points], fill=_colour(rng), outline=colour)
    return np.asarray(image)


def _panels(rng: np.random.Generator, side: int) -> np.ndarray:
    """Rectangles as an interface has them, some with rounded corners, a border, or a line of text."""
    image, draw = _canvas(rng, side)
    for _ in range(int(rng.integers(2, 9))):
        left, top = (int(v) for v in rng.integers(-10, side - 10, 2))
        width, height = (int(v) for v in rng.integers(10, max(side * 3 // 4, 11), 2))
        outline = _colour(rng) if rng.random() < 0.5 else None
        radius = int(rng.integers(0, min(width, height) // 3 + 1)) if rng.random() < 0.5 else 0
        box = (left, top, left + width, top + height)
        draw.rounded_rectangle(box, radius, fill=_colour(rng), outline=outline, width=int(rng.integers(1, 4)))
        if rng.random() < 0.5:
            _write(rng, draw, (left + 4, top + 2), width // 2, 1)
    return np.asarray(image)


def _noise(rng: np.random.Generator, side: int) -> np.ndarray:
    """Noise of one colour or of all, fine or coarse, on a plain colour or a gradient."""
    base = (_plain if rng.random() < 0.5 else _gradient)(rng, side).astype(float)
    channels, grain = (1 if rng.random() < 0.5 else 3), int(rng.integers(1, 4))
    cells = -(-side // grain)
    noise = rng.normal(0, rng.uniform(2, 60), (cells, cells, channels))
    noise = noise.repeat(grain, axis=0).repeat(grain, axis=1)[:side, :side]
    return np.clip(np.rint(base + noise), 0, 255).astype(np.uint8)


KINDS = {
    "plain": (_plain, 0.35),
    "gradient": (_gradient, 0.15),
    "text": (_text, 0.15),
    "line art": (_line_art, 0.1),
    "panels": (_panels, 0.15),
    "noise": (_noise, 0.1),
}
"""What is drawn, and how often."""
