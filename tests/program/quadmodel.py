"""A golden model of quads: a convolution step by step, as an array does it, in words that wrap."""

from __future__ import annotations

import numpy as np

from licgate.program.ops import matrices
from licgate.program.quads import quad_shape, step_weights, surplus
from licgate.target.points import INFINITY, OUTPUTS, PIXELS, POINTS, QUAD, SUMS, divided
from tests.gateware.engine.pairs import wrap

__all__ = ["Ranges", "quad_layer"]


class Ranges:
    """Least and greatest number of each kind that was met."""

    def __init__(self):
        self.found = {}

    def see(self, name, values):
        low, high = self.found.get(name, (0, 0))
        self.found[name] = (min(low, int(np.min(values))), max(high, int(np.max(values))))


def quad_layer(layer, x, arithmetic, *, depth_form=False, ranges=None):
    """Sums with their biases of a convolution (O, H', W') for ``x`` (I, H, W), before requantisation.

    Of a transposed one all parities; in depth form four times the channels. Steps go kernel row by kernel row, pair of
    channels by pair of channels, through the tap row; a sum of a point wraps at the width of the layer's accumulator
    and three bits.
    """
    ranges = ranges or Ranges()
    bits = layer.accumulator.bits
    phases = matrices(layer, depth_form=depth_form)
    spaced = layer.transposed and not depth_form
    height, width = (
        (n if layer.transposed else (n + 2 * layer.padding - layer.kernel) // layer.stride + 1) for n in x.shape[1:]
    )
    found = np.zeros((len(phases[0][-1]), height * (1 + spaced), width * (1 + spaced)), dtype=np.int64)
    for p, q, top, left, matrix in phases:
        stride = 1 if layer.transposed else layer.stride
        row = quad_shape(layer, stride, left, matrix.shape[3]).tap_row
        quads = -(-width // QUAD)
        made = _phase(x, matrix, row, (top, left, height, quads), bits, arithmetic, ranges)
        bias = 24 * np.tile(layer.bias, 4 if depth_form else 1)[:, None] - surplus(matrix, row, arithmetic)
        results = divided(wrap(made + bias[:, None, None, :], bits + 3), bits).astype(np.int64)
        results = results.reshape(len(matrix), height, quads * QUAD)[:, :, :width]
        found[:, p :: 1 + spaced, q :: 1 + spaced] = results
    return found


def _phase(x, matrix, row, place, bits, arithmetic, ranges):
    """24 times the outputs of one phase (O, H', quads, 4), eta in them, xi taken off sum by sum."""
    top, left, height, quads = place
    width, channels = bits + arithmetic.sum_bits, x.shape[0]
    stride = row.stride
    # pixels around the image are zero, as far as any window reaches
    reach = 64
    padded = np.pad(x.astype(np.int64), ((0, channels % 2), (reach, reach), (reach, reach)))
    matrix = np.pad(matrix, ((0, 0), (0, 0), (0, channels % 2), (0, 0)))
    sums = np.zeros((SUMS, len(matrix), height, quads), dtype=np.int64)
    xi = np.zeros((SUMS, height, quads), dtype=np.int64)
    ys = np.arange(height) * stride + top + reach
    xs = np.arange(quads) * QUAD * stride + left + reach
    for ky in range(matrix.shape[1]):
        for pair in range(0, matrix.shape[2], 2):
            for step in row.steps:
                if step.point is None:
                    continue
                point = 0 if step.point == INFINITY else step.point
                columns = xs[:, None] + step.shift + stride * np.arange(len(POINTS))
                a = [padded[pair + k][ys + ky][:, columns] @ PIXELS[point] for k in range(2)]
                w = [step_weights(matrix[:, ky, pair + k], row, step)[:, None, None] for k in range(2)]
                first, second = a[0] + w[1], a[1] + w[0]
                for name, values in (("a", a), ("w", w), ("multiplicand", (first, second))):
                    ranges.see(name, values)
                sums[step.point] = wrap(sums[step.point] + first * second, width)
                xi[step.point] = wrap(xi[step.point] + a[0] * a[1], width)
    return np.moveaxis(wrap(np.tensordot(OUTPUTS, wrap(sums - xi[:, None], width), 1), width), 0, -1)
