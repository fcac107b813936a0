"""Checks shared by the parts of the manifest; each raises a one-line `ManifestError`."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from licgate.errors import ManifestError

__all__ = [
    "AnyIntegers",
    "Integers",
    "check_bool",
    "check_int",
    "check_positive",
    "check_span",
    "check_text",
    "check_type",
    "frozen_array",
    "located",
]

Integers: TypeAlias = npt.NDArray[np.int64]
"""What every array of a manifest is, and every array of numbers that the reference computes."""

AnyIntegers: TypeAlias = npt.NDArray[np.integer]
"""Integers of whichever width."""

T = TypeVar("T")


@contextmanager
def located(path: str) -> Iterator[None]:
    """Put `path` in front of the location of every `ManifestError` raised inside."""
    try:
        yield
    except ManifestError as error:
        raise error.within(path) from None


def show(value: object) -> str:
    """Return `value` as short one-line text."""
    text = repr(value) if not isinstance(value, np.generic) else repr(value.item())
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."


def check_int(value: object, low: int, high: int, path: str) -> int:
    """Return `value` as an int after checking that it is one in `low` ... `high`."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise ManifestError(f"{show(value)} is not an integer; give one in {low}..{high}", path)
    if not low <= value <= high:
        raise ManifestError(f"{show(value)} is outside {low}..{high}", path)
    return int(value)


def check_bool(value: object, path: str) -> bool:
    """Return `value` after checking that it is a truth value."""
    if not isinstance(value, bool | np.bool_):
        raise ManifestError(f"{show(value)} is not true or false", path)
    return bool(value)


def check_text(value: object, path: str) -> str:
    """Return `value` after checking that it is a text of one line, and not an empty one."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ManifestError(f"{show(value)} is not a non-empty text of one line", path)
    return value


def check_positive(value: object, path: str) -> float:
    """Return `value` as a float after checking that it is a finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise ManifestError(f"{show(value)} is not a number", path)
    if not math.isfinite(value) or value <= 0:
        raise ManifestError(f"{show(value)} is not a finite number above 0", path)
    return float(value)


def check_type(value: object, kind: type[T], path: str) -> T:
    """Return `value` after checking that it is a `kind`."""
    if not isinstance(value, kind):
        raise ManifestError(f"{show(value)} is not {kind.__name__}", path)
    return value


def frozen_array(value: npt.ArrayLike, shape: tuple[int | None, ...], path: str) -> Integers:
    """Return a read-only int64 copy of `value`, which must be an integer array of `shape` (None: any length)."""
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        broken = array.dtype.kind == "f" and not np.isfinite(array).all()
        what = "NaN or infinity" if broken else f"{array.dtype} numbers"
        raise ManifestError(f"holds {what}, not integers", path)
    fits = array.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    if array.dtype == np.uint64 and array.size and array.max() >= 1 << 63:
        raise ManifestError(f"holds {array.max()}, above 63 bits", path)
    if not fits:
        wanted = ", ".join("any" if n is None else str(n) for n in shape) + ("," if len(shape) == 1 else "")
        raise ManifestError(f"has shape {show(array.shape)}, expected ({wanted})", path)
    array = array.astype(np.int64)
    array.setflags(write=False)
    return array


def check_span(array: Integers, low: int, high: int, path: str) -> None:
    """Check that every element of `array` lies in `low` ... `high`; name the first that does not."""
    if array.size and (array.min() < low or array.max() > high):
        where = tuple(int(i) for i in np.argwhere((array < low) | (array > high))[0])
        index = ", ".join(str(i) for i in where)
        raise ManifestError(f"{int(array[where])} is outside {low}..{high}", f"{path}[{index}]")
