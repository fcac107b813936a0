"""Base operations on integers, as `docs/numerics.md` defines them.

All of them take Python integers or integer arrays and broadcast as numpy does.
"""

from typing import overload

import numpy as np

from licgate.manifest.checks import Integers
from licgate.manifest.types import Requantize

__all__ = ["requantize", "rsr", "saturate", "saturate18"]


@overload
def rsr(value: int, shift: int) -> int: ...
@overload
def rsr(value: Integers, shift: int | Integers) -> Integers: ...
@overload
def rsr(value: int | Integers, shift: Integers) -> Integers: ...
def rsr(value: int | Integers, shift: int | Integers) -> int | Integers:
    """Shift right and round halves up: ``(value + (1 << (shift - 1))) >> shift``; `value` where `shift` is 0.

    Parameters
    ----------
    value : int or ndarray of int64
    shift : int or ndarray of int64
        0 to 63.
    """
    if isinstance(value, int) and isinstance(shift, int):
        return (value + (1 << (shift - 1))) >> shift if shift else value
    value = np.asarray(value, dtype=np.int64)
    if isinstance(shift, int):
        return (value + (1 << (shift - 1))) >> shift if shift else value
    shift = np.asarray(shift, dtype=np.int64)
    half = np.where(shift > 0, np.int64(1) << np.maximum(shift - 1, 0), 0)
    return (value + half) >> shift


@overload
def saturate(value: int, low: int, high: int) -> int: ...
@overload
def saturate(value: Integers, low: int | Integers, high: int | Integers) -> Integers: ...
def saturate(value: int | Integers, low: int | Integers, high: int | Integers) -> int | Integers:
    """Clip `value` to `low` ... `high`, both included."""
    if isinstance(value, int) and isinstance(low, int) and isinstance(high, int):
        return min(max(value, low), high)
    return np.minimum(np.maximum(value, low), high)


@overload
def saturate18(value: int) -> int: ...
@overload
def saturate18(value: Integers) -> Integers: ...
def saturate18(value: int | Integers) -> int | Integers:
    """Clip `value` to what one signed port of an 18x18 multiplier holds."""
    return saturate(value, -(1 << 17), (1 << 17) - 1)


def requantize(value: Integers, parameters: Requantize, *, exponent: int | Integers = 0) -> Integers:
    """Bring a wide number to the layer's output type.

    Parameters
    ----------
    value : ndarray of int64, shape (C, ...)
        Accumulator plus bias of a convolution, or ``x * r`` of GDN.
    parameters : Requantize
    exponent : int or ndarray of int64, shape (C, ...)
        Subtracted from the shift (GDN only).

    Returns
    -------
    ndarray of int64, shape (C, ...)
    """
    value = np.asarray(value, dtype=np.int64)
    channels = (-1,) + (1,) * (value.ndim - 1)
    port = saturate18(rsr(value, parameters.pre_shift))
    shift = parameters.shift.reshape(channels) - exponent
    product = rsr(port * parameters.multiplier.reshape(channels), shift)
    if parameters.leak:
        product = np.where(product < 0, rsr(product * parameters.leak, 16), product)
    return saturate(product + parameters.offset.reshape(channels), *parameters.clip)
