"""Samples: from grey of any depth, numbers with a point and other modes to 8 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from licgate.errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["deep_grey", "plain_mode"]

Values = npt.NDArray[np.float64]

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

STRAY = 0.1
"""Part of the values that may lie outside of the range that is meant."""


def plain_mode(picture: Picture, name: str) -> tuple[Picture, list[str]]:
    """Bring a picture of 8 bits to mode L, RGB, CMYK or LAB, without transparency.

    Returns
    -------
    picture : PIL.Image.Image
    notices : list of str
    """
    notices, mode = [], picture.mode
    if mode in NOTICES:
        notices.append(f"{name}: {NOTICES[mode]} converted to RGB")
    if mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        notices.append(f"{name}: transparency dropped")
        # the colours themselves, not blended with any background
        picture = picture.convert("LA" if mode in ("La", "LA") else "RGBA")
        picture = picture.convert("L" if mode in ("La", "LA") else "RGB")
    if picture.mode == "1":
        picture = picture.convert("L")
    elif picture.mode not in ("L", "RGB", "CMYK", "LAB"):
        picture = picture.convert("RGB")
    return picture, notices


def deep_grey(
    picture: Picture, name: str, *, bits: int, signed: bool, accept_damaged: bool
) -> tuple[npt.NDArray[np.uint8], list[str]]:
    """Turn grey of more than 8 bits, or with a point, into 8 bits.

    Parameters
    ----------
    picture : PIL.Image.Image
        Of a mode that begins with I, or F.
    name : str
    bits : int
        Of a sample, as the file has it.
    signed : bool
        Whether whole numbers have a sign.
    accept_damaged : bool
        Take what is no number for black, and infinity for white.

    Returns
    -------
    grey : ndarray of uint8, shape (H, W)
    notices : list of str

    Raises
    ------
    ImageError
        If the range of the values is none that a picture has.
    """
    values = np.array(picture, dtype=np.float64)
    if picture.mode == "F":
        values, notices = _finite(values, name, accept_damaged)
        top, kind = _float_top(values, name), "floating-point"
    else:
        if bits == 32 and not signed:
            values = np.where(values < 0, values + 2.0**32, values)  # Pillow has no type for them
        notices = []
        top, kind = _integer_top(values, name, bits, signed), f"{bits}-bit"
    outside = int(((values < 0) | (values > top)).sum())
    if outside > STRAY * values.size:
        raise ImageError(
            f"{name}: {kind} values from {values.min():g} to {values.max():g} are no picture's: "
            f"scale them to 0..{top:g}"
        )
    notices.append(f"{name}: {kind} grey converted to 8-bit RGB" + ("" if top == 65535 else f", {top:g} as white"))
    if outside:
        notices.append(
            f"{name}: {outside} of {values.size} values outside of 0..{top:g} clipped "
            f"(they go from {values.min():g} to {values.max():g})"
        )
    return np.floor(np.clip(values, 0, top) * (255 / top) + 0.5).astype(np.uint8), notices


def _finite(values: Values, name: str, accept_damaged: bool) -> tuple[Values, list[str]]:
    """Refuse what is no number, or replace it."""
    missing = int((~np.isfinite(values)).sum())
    if not missing:
        return values, []
    if missing == values.size:
        raise ImageError(f"{name}: holds no number at all")
    if not accept_damaged:
        raise ImageError(
            f"{name}: {missing} of {values.size} values are no finite numbers; --accept-damaged takes them for black, "
            "and infinity for white"
        )
    finite = values[np.isfinite(values)]
    values = np.nan_to_num(values, nan=0.0, posinf=max(float(finite.max()), 1.0), neginf=0.0)
    return values, [f"{name}: {missing} of {values.size} values are no finite numbers, taken for black or white"]


def _float_top(values: Values, name: str) -> float:
    """Return what is white: 1, or 255 or 65535 where numbers with a point stand for whole ones."""
    # below one step of 8 bits a value is black either way
    shown = values[values > 1 / 255]
    if values.max() <= 1 or (shown <= 1).mean() >= 0.5:
        return 1.0
    for top in (255.0, 65535.0):
        if values.max() <= top:
            return top
    raise ImageError(
        f"{name}: floating-point values from {values.min():g} to {values.max():g} are no picture's: scale them to 0..1"
    )


def _integer_top(values: Values, name: str, bits: int, signed: bool) -> float:
    """Return what is white in whole numbers of so many bits."""
    if bits <= 16:
        return 65535.0 if not signed else 32767.0
    largest = values.max()
    for top in (255.0, 65535.0):
        if largest <= top:
            return top
    full = 2.0 ** (bits - signed) - 1
    if largest < full / 256:
        raise ImageError(
            f"{name}: {bits}-bit values up to {largest:g} are neither 8, 16 nor {bits} bits: scale them to 0..65535"
        )
    return full
