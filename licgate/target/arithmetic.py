"""How the systolic array forms a sum of products: what program compiler, gateware and cycle model read of it.

Direct: a step is one reduction index, ``a * w``. Fast inner product (Winograd 1968; on systolic arrays Pogue and
Nicolici, arXiv 2311.12224): a step is two of them, for one product::

    (a0 + w1) * (a1 + w0) = a0 * w0 + a1 * w1 + a0 * a1 + w0 * w1

The sum of ``a0 * a1`` (xi) is the same for all columns of a row: the array sums it once a row and takes it off. The sum
of ``w0 * w1`` (eta) is a constant of the weights, which whoever reads the array's results takes off. Everything is kept
modulo ``2**accumulator_width``: what is left in the end fits, so what is on the way need not.

A step whose weights are zero adds nothing, whatever its activations are; one whose activations alone are zero adds its
part of eta.

With points (:mod:`licgate.target.points`) a row of the array makes four neighbouring outputs of a convolution, from six
sums of such products: of pixels and weights evaluated at a point each. GDN takes the products as they are.
"""

from dataclasses import dataclass

import numpy as np

from licgate.target.points import DIVISOR_SHIFT, PIXELS, QUAD, TAPS, extent

__all__ = ["ARITHMETICS", "DIRECT", "FIP", "FIP_F4", "Arithmetic"]


@dataclass(frozen=True)
class Arithmetic:
    """An arithmetic of the array.

    Attributes
    ----------
    name : str
    indices : int
        Reduction indices of a step, and so multiply-accumulates a multiplier and cycle at most.
    lead : int
        Registers in front of an element's multiplier that its operands go through.
    row_sum : bool
        Rows have a sum of activations of their own (xi), which is taken off their results.
    outputs : int
        Neighbouring outputs of a convolution that a row of the array makes: 1, or 4 by points.
    """

    name: str
    indices: int
    lead: int
    row_sum: bool
    outputs: int = 1

    @property
    def points(self) -> bool:
        """Convolutions are summed point by point."""
        return self.outputs > 1

    @property
    def sum_bits(self) -> int:
        """Bits that a sum has beside those of a result."""
        return DIVISOR_SHIFT if self.points else 0

    def operand_extents(self, low: int, high: int, weight: int) -> tuple[int, int]:
        """Largest magnitudes of what an element of the array is fed for a convolution.

        Parameters
        ----------
        low, high : int
            Least and greatest pixel.
        weight : int
            Largest magnitude of a weight.
        """
        if not self.points:
            return max(-low, high), weight
        return extent(PIXELS, low, high), extent(TAPS, -weight, weight)

    @property
    def part_bits(self) -> int:
        """Bits that say which part of a word a channel is."""
        return (self.indices - 1).bit_length()

    @property
    def whole_passes(self) -> bool:
        """Passes take kernel rows outside the image too, as zeros: the weights' sum is that of all rows."""
        return self.row_sum

    def words(self, channels: int) -> int:
        """Words that hold as many channels, ``indices`` in a word: so many steps a tap."""
        return -(-channels // self.indices)

    def padded(self, channels: int) -> int:
        """Channels that whole words hold."""
        return self.words(channels) * self.indices

    def multiplicand_widths(self, a_width: int, w_width: int) -> tuple[int, int]:
        """Widths of the signed operands of an element's multiplier."""
        if self.indices == 1:
            return a_width, w_width
        wide = max(a_width, w_width) + 1
        return wide, wide

    def weight_sum(self, weights: np.ndarray) -> np.ndarray:
        """What the array's results have too much: eta, of weights (reduction indices, columns), for each column.

        Raises
        ------
        ValueError
            The reduction indices do not fill steps.
        """
        weights = np.asarray(weights, dtype=np.int64)
        if len(weights) % self.indices:
            raise ValueError(f"{len(weights)} reduction indices are no steps of {self.indices}")
        if self.indices == 1:
            return np.zeros(weights.shape[1], dtype=np.int64)
        return np.asarray((weights[0::2] * weights[1::2]).sum(0))


DIRECT = Arithmetic("direct", indices=1, lead=0, row_sum=False)
FIP = Arithmetic("fip", indices=2, lead=2, row_sum=True)
FIP_F4 = Arithmetic("fip-f4", indices=2, lead=1, row_sum=True, outputs=QUAD)
ARITHMETICS = {arithmetic.name: arithmetic for arithmetic in (DIRECT, FIP, FIP_F4)}
