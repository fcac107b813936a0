"""Convolution and transposed convolution as matrix products, exact in floating point.

Feature maps are held row by row, (rows, channels, columns). The columns under a kernel's width are laid side by side
as further channels; then the `n` rows under its height are one matrix as they stand in memory, (n * channels, columns),
and the product with the weights gives a whole output row.

A transposed convolution of stride s gives, for each of s x s phases of the output, a plain convolution of stride 1 with
every s-th tap. Its output is computed in units of s x s positions; a plain convolution's unit is one position.
"""

from collections.abc import Collection

import numpy as np
from numpy.lib.stride_tricks import as_strided

from licgate.manifest.checks import AnyIntegers, Integers
from licgate.manifest.layers import Conv2d
from licgate.reference.exact import Floats, Narrow

__all__ = ["Convolution"]


def axis_taps(layer: Conv2d) -> list[dict[int, int]]:
    """Return, for each phase of the output along an axis, {offset of the input: tap}.

    Output position ``unit * phases + phase`` sums the inputs at ``unit * step + offset``.
    """
    if not layer.transposed:
        return [{tap - layer.padding: tap for tap in range(layer.kernel)}]
    phases: list[dict[int, int]] = [{} for _ in range(layer.stride)]
    for phase, taps in enumerate(phases):
        for tap in range(layer.kernel):
            offset, rest = divmod(phase + layer.padding - tap, layer.stride)
            if not rest:
                taps[offset] = tap
    return phases


def span(offsets: Collection[int]) -> tuple[int, int]:
    """Return the first of some offsets and how many there are up to the last; (0, 1) for none."""
    return (min(offsets), max(offsets) - min(offsets) + 1) if offsets else (0, 1)


class Convolution:
    """One convolution made ready.

    Parameters
    ----------
    layer : Conv2d

    Attributes
    ----------
    unit : int
        Output rows, and columns, that are computed together.
    spread : int
        Numbers that are held for each unit of the output, about.
    """

    def __init__(self, layer: Conv2d) -> None:
        phases = axis_taps(layer)
        self.layer, self.unit = layer, len(phases)
        self.step = 1 if layer.transposed else layer.stride
        self.narrow = Narrow(layer.requantize, layer.accumulator.bound, layer.bias)
        weight = layer.weight.swapaxes(0, 1) if layer.transposed else layer.weight
        self.columns = span([offset for taps in phases for offset in taps])
        self.rows = [span(taps) for taps in phases]
        self.matrices = [self._matrix(weight, phases, taps, *rows) for taps, rows in zip(phases, self.rows)]
        self.spread = max(self.columns[1] * layer.in_channels * self.step, layer.out_channels * self.unit**2)

    def _matrix(
        self, weight: Integers, phases: list[dict[int, int]], row_taps: dict[int, int], first: int, count: int
    ) -> Floats:
        """Return the weights of one phase of rows: (phase of columns, O) x (row, column, I)."""
        out_channels, in_channels = weight.shape[:2]
        matrix = np.zeros((len(phases), out_channels, count, self.columns[1], in_channels), self.narrow.kind)
        for phase, taps in enumerate(phases):
            for y, ky in row_taps.items():
                for x, kx in taps.items():
                    matrix[phase, :, y - first, x - self.columns[0]] = weight[:, :, ky, kx]
        return matrix.reshape(len(phases) * out_channels, -1)

    def __call__(self, x: AnyIntegers, top: int, bottom: int, left: int, right: int) -> Floats:
        """Return a part of the output, float32 of shape (rows, O, columns); its edges are in cells.

        Parameters
        ----------
        x : ndarray of int, shape (H, I, W)
            The whole input.
        """
        first = min(first for first, _ in self.rows)
        last = (bottom - 1 - top) * self.step + max(start + count for start, count in self.rows)
        unfolded = self._unfold(x, top * self.step + first, last - first, left, right - left)
        rows, width, out_channels = bottom - top, right - left, self.layer.out_channels
        out = np.empty((rows, self.unit, out_channels, width, self.unit), np.float32)
        for phase, (matrix, (start, count)) in enumerate(zip(self.matrices, self.rows)):
            lines, pitch = unfolded.shape[1], unfolded.strides[1]
            windows = as_strided(
                unfolded[start - first :],
                (rows, count * lines, width),
                (self.step * unfolded.strides[0], pitch, unfolded.itemsize),
                writeable=False,
            )
            wide = np.matmul(matrix, windows).reshape(rows, self.unit, out_channels, width)
            out[:, phase] = self.narrow(wide).transpose(0, 2, 3, 1)
        return out.reshape(rows * self.unit, out_channels, width * self.unit)

    def _unfold(self, x: AnyIntegers, first: int, rows: int, left: int, width: int) -> Floats:
        """Return input rows with the columns under the kernel side by side: (rows, columns * I, width)."""
        height, in_channels, in_width = x.shape
        offset, count = self.columns
        unfolded = np.empty((rows, count, in_channels, width), self.narrow.kind)
        # outside of the image everything is zero
        top, bottom = min(max(-first, 0), rows), max(min(height - first, rows), 0)
        unfolded[:top] = 0
        unfolded[bottom:] = 0
        for index in range(count if top < bottom else 0):
            start = left * self.step + offset + index
            low = min(max(-(start // self.step), 0), width)
            high = max(min((in_width - 1 - start) // self.step + 1, width), low)
            target = unfolded[top:bottom, index]
            target[:, :, :low] = 0
            target[:, :, high:] = 0
            begin = start + low * self.step
            target[:, :, low:high] = x[
                first + top : first + bottom, :, begin : begin + (high - low) * self.step : self.step
            ]
        return unfolded.reshape(rows, count * in_channels, width)
