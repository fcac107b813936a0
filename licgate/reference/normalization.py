"""GDN and its inverse, with the table and the rounding of `docs/numerics.md`."""

import numpy as np

from licgate.manifest.layers import Gdn
from licgate.reference.exact import Floats, Narrow, carrier, shift_right

__all__ = ["Normalization"]

# of a floating-point number: its integer type, bits of its mantissa, bias of its exponent
FIELDS = {np.float32: (np.int32, 23, 127), np.float64: (np.int64, 52, 1023)}


class Normalization:
    """One GDN made ready.

    Parameters
    ----------
    layer : Gdn
    """

    def __init__(self, layer: Gdn) -> None:
        self.layer, table = layer, layer.table
        largest = layer.input.magnitude ** (2 if layer.square else 1) + ((1 << layer.norm_shift) >> 1)
        self.magnitude = carrier(largest)
        self.top = (1 << layer.norm_bits) - 1
        self.limited = largest >> layer.norm_shift > self.top
        self.kind = carrier(layer.accumulator.bound)
        if table.index_bits + table.fraction_bits > FIELDS[self.kind][1]:
            self.kind = np.float64
        self.gamma = layer.gamma.astype(self.kind)
        self.beta = layer.beta.astype(self.kind).reshape(-1, 1)
        self.value = table.value.astype(np.float64)
        self.slope = table.slope * 2.0**-table.fraction_bits
        # r is below 2**17
        self.narrow = Narrow(layer.requantize, layer.input.magnitude << 17)

    def __call__(self, x: Floats) -> Floats:
        """Return the output for `x`, both float32 of shape (rows, C, columns)."""
        layer = self.layer
        norm = np.multiply(x, x, dtype=self.magnitude) if layer.square else np.abs(x, dtype=self.magnitude)
        shift_right(norm, layer.norm_shift)
        if self.limited:
            np.clip(norm, 0, self.top, out=norm)
        total = np.matmul(self.gamma, norm.astype(self.kind, copy=False))
        total += self.beta
        r, power = self.factor(total)
        return self.narrow(np.multiply(x, r, dtype=self.narrow.kind), power)

    def factor(self, total: Floats) -> tuple[Floats, Floats]:
        """Return the factor r, float64, and 2**exponent for the weighted sums `total` (v of the numerics page).

        Parameters
        ----------
        total : ndarray of `kind`
            Integers from 1 to the accumulator's bound: as floating-point numbers they are normalised already.
        """
        layer, table = self.layer, self.layer.table
        kind, mantissa, bias = FIELDS[self.kind]
        bits = total.view(kind)
        e = bits >> mantissa
        e -= bias
        index = bits >> (mantissa - table.index_bits)
        index &= (1 << table.index_bits) - 1
        fraction = bits >> (mantissa - table.index_bits - table.fraction_bits)
        fraction &= (1 << table.fraction_bits) - 1
        if layer.root:
            index += (e & 1) << table.index_bits
            e >>= 1
        if not layer.inverse:
            np.negative(e, out=e)
        e += bias
        e <<= mantissa
        r = self.slope.take(index, mode="clip")
        r *= fraction
        np.floor(r, out=r)
        r += self.value.take(index, mode="clip")
        return r, e.view(self.kind)
