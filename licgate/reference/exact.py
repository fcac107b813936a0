"""Integers carried by floating point: which carrier is exact, and how a wide number is narrowed in it.

float32 holds every integer up to 2**24 and float64 up to 2**53, halves and quarters of smaller ones with them. Every
product and sum below stays within these, by bounds that the manifest has proven, and powers of two scale without loss,
so that nothing is ever rounded but by `floor`, and the order in which a library sums, or whether it fuses a product
with a sum, cannot be seen.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from licgate.manifest.checks import Integers
from licgate.manifest.types import Requantize

__all__ = ["Floats", "Narrow", "carrier", "shift_right"]

PORT = 1 << 17

Floats: TypeAlias = npt.NDArray[np.floating]
"""Integers in floating point: float32 or float64."""

Carrier: TypeAlias = type[np.float32] | type[np.float64]


def carrier(bound: int) -> Carrier:
    """Return the floating-point type that holds every integer of magnitude up to `bound`, which is below 2**53."""
    return np.float32 if bound <= 1 << 24 else np.float64


def shift_right(value: Floats, shift: int) -> Floats:
    """Do `rsr(value, shift)` of the numerics page in place, on integers held in floating point."""
    if shift:
        value += value.dtype.type((1 << shift) >> 1)
        value *= value.dtype.type(2.0**-shift)
        np.floor(value, out=value)
    return value


class Narrow:
    """The requantisation of one layer, for feature maps (rows, C, columns) or (..., C, columns).

    Parameters
    ----------
    parameters : Requantize
    bound : int
        Largest magnitude of a wide number, bias included; below 2**49.
    bias : array of int, shape (C,), optional
        Added to the wide numbers first.

    Attributes
    ----------
    kind : type
        The floating-point type that wide numbers come in.
    """

    def __init__(self, parameters: Requantize, bound: int, bias: Integers | int = 0) -> None:
        shift = parameters.pre_shift
        most = bound + ((1 << shift) >> 1)
        self.kind = carrier(most)
        self.bias: Floats = np.asarray(bias, dtype=np.dtype(self.kind)).reshape(-1, 1)
        self.shift, self.saturates = shift, most >> shift >= PORT
        # 17 bits and a power of two: exact, as is its product with the 18 bits of the port
        self.scale = (parameters.multiplier * 2.0**-parameters.shift).reshape(-1, 1)
        self.leak = parameters.leak * 2.0**-16
        self.offset = parameters.offset.astype(np.float64).reshape(-1, 1) if parameters.offset.any() else None
        self.clip = tuple(map(float, parameters.clip))

    def __call__(self, wide: Floats, power: Floats | None = None) -> Floats:
        """Return the output as float32; `wide` is overwritten.

        Parameters
        ----------
        wide : ndarray of `kind`, shape (..., C, columns)
        power : ndarray of float, same shape, optional
            2**exponent of GDN.
        """
        wide += self.bias
        shift_right(wide, self.shift)
        if self.saturates:
            np.clip(wide, -PORT, PORT - 1, out=wide)
        product = np.multiply(wide, self.scale, dtype=np.float64)
        if power is not None:
            product *= power
        _round(product)
        if self.leak:
            np.copyto(product, _round(product * self.leak), where=product < 0)
        if self.offset is not None:
            product += self.offset
        return np.clip(product, *self.clip, out=np.empty(product.shape, np.float32), casting="same_kind")


def _round(value: Floats) -> Floats:
    """Round halves up, in place: `rsr` of what was scaled by a power of two before.

    The sum is exact while the scaled number has a bit of weight 2**-53 or more, as 35 bits and a shift of 53 have.
    Beyond that the number is nearer to 0 than 2**-18, and floor gives 0 however the sum is rounded.
    """
    value += 0.5
    return np.floor(value, out=value)
