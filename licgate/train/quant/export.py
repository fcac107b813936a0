"""From float layers and ranges to the integer layers of a manifest (docs/numerics.md)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from licgate.errors import TrainingError
from licgate.manifest import Conv2d, Gdn, IntType
from licgate.manifest.scaling import make_requantize
from licgate.manifest.tables import gdn_table
from licgate.manifest.types import prove_convolution, prove_gdn
from licgate.train.quant.floatnet import FloatConv, FloatGdn

TABLE_INDEX_BITS = 6
TABLE_FRACTION_BITS = 10
BETA_BITS = 22
"""β takes at most this many bits: rows whose γ is far below β get a coarser γ, which then hardly counts."""

NORM_BITS = {False: 12, True: 16}
"""Bits of |x| and x² in the weighted sum, by root: more would leave γ too few, as v has to stay below about 24 bits."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """An integer type with the real value of one step and the clip inside the type.

    ``heads``, (n, step), gives the first n channels another step: scales share an array with means.
    """

    type: IntType
    scale: float
    clip: tuple[int, int]
    heads: tuple[int, float] = (0, 1.0)

    def steps(self, channels: int) -> np.ndarray:
        """Real value of one step in each channel (C,)."""
        count, step = self.heads
        return np.where(np.arange(channels) < count, step, self.scale)

    @property
    def reach(self) -> int:
        """Largest magnitude that the clip lets through."""
        return max(abs(self.clip[0]), abs(self.clip[1]))


def grid_for(low: float, high: float, bits: int, *, signed: bool = True) -> Grid:
    """Give the finest grid of ``bits`` bits that holds the reals ``low`` ... ``high``, symmetric when signed."""
    kind = IntType(bits, signed=signed)
    reach = max(abs(low), abs(high)) if signed else high
    if not np.isfinite(reach):
        raise TrainingError("calibration met activations that are not finite: train again with a lower learning rate")
    scale = max(float(reach), 1e-9) / kind.max
    bottom = max(int(np.floor(low / scale + 0.5)), -kind.max) if signed else 0
    return Grid(type=kind, scale=scale, clip=(bottom, min(int(np.floor(high / scale + 0.5)), kind.max)))


def quantize_weight(layer: FloatConv, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Quantise weights symmetrically per output channel: the integers chosen before, or else the nearest.

    Returns
    -------
    integers : ndarray of int64, shape of the weight
    scale : ndarray of float64, shape (O,)
        Real value of one step in each output channel.
    """
    if layer.rounded is not None:
        return layer.rounded
    top = (1 << (bits - 1)) - 1
    axes = tuple(i for i in range(4) if i != layer.output_axis)
    peak = np.abs(layer.weight).max(axis=axes)
    # A channel of (almost) no weights would blow up its bias and its multiplier; it gets the grid of a small one.
    scale = np.maximum(peak, max(peak.max() * 2.0**-10, 1e-12)) / top
    if layer.step is not None:
        scale = np.maximum(scale, layer.step)
    shape = [1, 1, 1, 1]
    shape[layer.output_axis] = -1
    return np.floor(layer.weight / scale.reshape(shape) + 0.5).astype(np.int64), scale


def real_weight(layer: FloatConv) -> np.ndarray:
    """Give the weights that will be computed with: those of the integers where they are chosen."""
    if layer.rounded is None:
        return layer.weight
    integers, step = layer.rounded
    shape = [1, 1, 1, 1]
    shape[layer.output_axis] = -1
    return integers * step.reshape(shape)


def export_convolution(
    layer: FloatConv, source: IntType, source_scale: float, weight_bits: int, target: Grid
) -> Conv2d:
    """Quantise one convolution between two given grids."""
    weight, scale = quantize_weight(layer, weight_bits)
    step = scale * source_scale
    bias = np.floor(layer.bias / step + 0.5).astype(np.int64)
    axes = tuple(i for i in range(4) if i != layer.output_axis)
    bound = np.abs(weight).sum(axis=axes) * source.magnitude + np.abs(bias)
    inputs, outputs = weight.shape[1 - layer.output_axis], weight.shape[layer.output_axis]
    return Conv2d(
        name=layer.name,
        in_channels=inputs,
        out_channels=outputs,
        kernel=weight.shape[2],
        stride=layer.stride,
        padding=layer.padding,
        transposed=layer.transposed,
        output_padding=layer.output_padding,
        input=source,
        weight_type=IntType(weight_bits),
        weight=weight,
        bias=bias,
        accumulator=prove_convolution(weight, bias, source, transposed=layer.transposed),
        requantize=make_requantize(
            step / target.steps(outputs), bound=bound, clip=target.clip, leak=int(layer.leak * 2**16 + 0.5)
        ),
        output=target.type,
        output_scale=target.scale,
    )


@dataclass(frozen=True, kw_only=True)
class GdnSteps:
    """Real values of the integer steps of a GDN between two grids.

    Attributes
    ----------
    norm_bits, norm_shift : int
        Of |x| or x² in the weighted sum.
    gamma, beta : ndarray (C,)
        One step of γ in each row, and of β.
    gain : ndarray (C,)
        What the requantisation multiplies ``x * r`` by at exponent 0.
    """

    norm_bits: int
    norm_shift: int
    gamma: np.ndarray
    beta: np.ndarray
    gain: np.ndarray


def gdn_steps(layer: FloatGdn, source: Grid, gamma_bits: int, target: Grid) -> GdnSteps:
    """Choose the steps of a GDN: γ fills its bits in each row, as far as β and the multiplier allow."""
    magnitude_bits = source.type.bits - 1
    size_bits = 2 * magnitude_bits if layer.root else magnitude_bits
    norm_bits = min(size_bits, NORM_BITS[layer.root])
    norm_shift = size_bits - norm_bits
    norm_scale = (source.scale**2 if layer.root else source.scale) * 2.0**norm_shift
    top = (1 << gamma_bits) - 1
    row = np.maximum(layer.gamma.max(axis=1) / top, layer.beta / (norm_scale * 2.0**BETA_BITS))
    while True:
        size = np.sqrt(row * norm_scale) if layer.root else row * norm_scale
        gain = layer.a * source.scale / target.scale * 2.0**-16 * (size if layer.inverse else 1 / size)
        # Forward, a multiplier of 17 bits has to reach the gain: a coarser row makes it smaller.
        too_large = gain * 2.0 ** _pre_shift(layer, source) >= 2.0**17
        if layer.inverse or not too_large.any():
            return GdnSteps(norm_bits=norm_bits, norm_shift=norm_shift, gamma=row, beta=row * norm_scale, gain=gain)
        row = np.where(too_large, row * 2, row)


def export_gdn(layer: FloatGdn, source: Grid, gamma_bits: int, target: Grid) -> Gdn:
    """Quantise one GDN between two given grids; the scale of each row of γ goes into the row's multiplier."""
    steps = gdn_steps(layer, source, gamma_bits, target)
    norm_bits, norm_shift, top = steps.norm_bits, steps.norm_shift, (1 << gamma_bits) - 1
    gamma = np.minimum(np.floor(layer.gamma / steps.gamma[:, None] + 0.5).astype(np.int64), top)
    beta = np.maximum(np.floor(layer.beta / steps.beta + 0.5).astype(np.int64), 1)
    offset = np.floor(layer.b / target.scale + 0.5).astype(np.int64)
    port = (1 << 17) - 1
    return Gdn(
        name=layer.name,
        channels=len(beta),
        root=layer.root,
        square=layer.root,
        inverse=layer.inverse,
        input=source.type,
        norm_shift=norm_shift,
        norm_bits=norm_bits,
        gamma_type=IntType(gamma_bits, signed=False),
        gamma=gamma,
        beta=beta,
        accumulator=prove_gdn(gamma, beta, norm_bits),
        table=gdn_table(
            root=layer.root, inverse=layer.inverse, index_bits=TABLE_INDEX_BITS, fraction_bits=TABLE_FRACTION_BITS
        ),
        requantize=make_requantize(
            steps.gain,
            bound=port << _pre_shift(layer, source),
            clip=target.clip,
            offset=np.clip(offset, -port, port),
            early=False,
        ),
        output=target.type,
        output_scale=target.scale,
    )


def _pre_shift(layer: FloatGdn, source: Grid) -> int:
    """Shift that brings every ``x * r`` into 18 bits: r stays below 2**16 forward and 2**17 inverse."""
    return max(0, source.type.bits - 1 + (17 if layer.inverse else 16) - 17)
