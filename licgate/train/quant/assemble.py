"""Choose the grids of a model and put its manifest together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from licgate.errors import TrainingError
from licgate.manifest import Conv2d, Gdn, IntType, Transform
from licgate.train.quant.calibrate import Stats
from licgate.train.quant.export import Grid, export_convolution, export_gdn, grid_for, real_weight
from licgate.train.quant.floatnet import FloatConv, FloatGdn
from licgate.train.quant.widths import LayerBits, Widths

HYPER_HEADROOM = 1.25
"""Hyper latents, whose steps are whole numbers anyway, get this much room over the largest magnitude in calibration."""

MAX_FRACTION_BITS = 12
LEVEL_BITS = 6
SIGMA_BITS = 16
"""σ itself spans three decades and more, which log σ does in six bits."""


def latent_fraction_bits(stats: Stats, bits: int) -> int:
    """Largest number of fraction bits with which ``bits`` hold the latents met in calibration.

    Raises
    ------
    TrainingError
        When not even whole latents fit.
    """
    reach = max(abs(stats.low), abs(stats.high), 0.5)
    fraction = math.floor(math.log2(((1 << (bits - 1)) - 1) / reach))
    if fraction < 0:
        raise TrainingError(f"latents reach {reach:.0f}, which {bits} bits do not hold: give a larger --latent-bits")
    return min(fraction, MAX_FRACTION_BITS)


def _fixed(kind: IntType, scale: float = 1.0) -> Grid:
    return Grid(type=kind, scale=scale, clip=(-kind.max if kind.signed else 0, kind.max))


def _hyper_latent(stats: Stats) -> Grid:
    reach = max(abs(stats.low), abs(stats.high)) * HYPER_HEADROOM
    bits = max(5, math.ceil(math.log2(reach + 1)) + 1) if math.isfinite(reach) else 17
    if bits > 16:
        raise TrainingError(f"hyper latents reach {reach / HYPER_HEADROOM:.0f}: train again with a lower learning rate")
    return _fixed(IntType(bits))


def choose_grids(
    net: Mapping[str, list], stats: Mapping[str, Stats], widths: Widths, clips: Mapping[str, float | None]
) -> dict[str, Grid]:
    """Give every layer's output its grid.

    Latents, hyper latents, entropy parameters and pixels have fixed scales, and what the entropy parameters are made of
    (the outputs of ``h_s`` and ``context``, where there is a context) one for all; the others follow ``clips``: k of
    μ ± kσ by layer name, None (or absent) for everything met in calibration.

    Returns
    -------
    dict of str to Grid
        By layer name, besides ``symbols``, the type of rounded latents.
    """
    grids: dict[str, Grid] = {}
    for layers in net.values():
        for position, layer in enumerate(layers):
            last = position + 1 == len(layers)
            owner = layer.name if isinstance(layer, FloatConv) else layers[position - 1].name
            bits = widths.of(owner)
            low, high = stats[layer.name].interval(clips.get(layer.name))
            if last:
                continue
            if isinstance(layer, FloatConv) and isinstance(layers[position + 1], FloatGdn):
                grids[layer.name] = grid_for(low, high, bits.gdn)
            else:
                signed = isinstance(layer, FloatGdn) or not layer.relu
                grids[layer.name] = grid_for(low, high, bits.activation, signed=signed)
    latent = net["g_a"][-1].name
    fraction = latent_fraction_bits(stats[latent], widths.latent)
    grids[latent] = _fixed(IntType(widths.latent), 2.0**-fraction)
    # Rounding the largest latent up gives one symbol more than its whole bits hold.
    grids["symbols"] = _fixed(IntType(max(widths.latent - fraction + 1, 2)))
    hyper = net["h_a"][-1].name
    grids[hyper] = _hyper_latent(stats[hyper])
    if "context" in net:
        ends = [net[part][-1].name for part in ("h_s", "context")]
        low, high = min(stats[name].low for name in ends), max(stats[name].high for name in ends)
        grids |= dict.fromkeys(ends, grid_for(low, high, widths.of(ends[0]).activation))
    source = net[source_part(net)][-1]
    grids[source.name] = _parameters(source, stats[source.name], grids[latent], has_means(net))
    grids[net["g_s"][-1].name] = _fixed(IntType(8, signed=False))
    return grids


def source_part(net: Mapping[str, list]) -> str:
    """Name of the transform that ends in the entropy parameters."""
    return "parameters" if "parameters" in net else "h_s"


def has_means(net: Mapping[str, list]) -> bool:
    """Whether the entropy parameters hold means beside the scales."""
    return len(net[source_part(net)][-1].bias) > len(net["g_a"][-1].bias)


def _parameters(source: FloatConv, stats: Stats, latent: Grid, means: bool) -> Grid:
    """Grid of the entropy parameters: levels as they are or σ in steps of its own; means in steps of the latents."""
    sigma = max(stats.high, 1.0)
    if not means:
        if not source.linear:
            return _fixed(IntType(LEVEL_BITS, signed=False))
        kind = IntType(SIGMA_BITS, signed=False)
        return _fixed(kind, sigma / kind.max)
    # A mean may lie as far out as a latent, and a level of 63 has to fit beside it.
    kind = IntType(SIGMA_BITS) if source.linear else IntType(max(latent.type.bits, LEVEL_BITS + 1))
    step = sigma / kind.max if source.linear else 1.0
    return replace(_fixed(kind, latent.scale), heads=(len(source.bias) // 2, step))


def sigma_step(net: Mapping[str, list], grids: Mapping[str, Grid]) -> float | None:
    """Real value of one step of σ, or None where a network gives levels."""
    last = net[source_part(net)][-1]
    return float(grids[last.name].steps(1)[0]) if last.linear else None


def settle_offsets(net: Mapping[str, list], grids: Mapping[str, Grid]) -> dict[str, list]:
    """Put the b of every slimmable affine on its grid, where a manifest has it, and the rest into the next bias.

    Left alone, the rest is a constant error in each channel: two levels of red in the pictures of an 8-bit model. In a
    transposed convolution the bias makes up for the mean over the output phases.
    """
    result = {}
    for part, layers in net.items():
        own = list(layers)
        for position, layer in enumerate(layers):
            if not isinstance(layer, FloatGdn):
                continue
            step = grids[layer.name].scale
            b = np.floor(layer.b / step + 0.5) * step
            own[position] = replace(layer, b=b)
            follower = own[position + 1]
            weight = real_weight(follower).sum(axis=(2, 3))
            weight = weight.T / follower.stride**2 if follower.transposed else weight
            own[position + 1] = replace(follower, bias=follower.bias + weight @ (layer.b - b))
        result[part] = own
    return result


def transform_input(part: str, net: Mapping[str, list], grids: Mapping[str, Grid]) -> tuple[IntType, float]:
    """Type and scale of what enters a transform."""
    if part == "g_a":
        return IntType(8, signed=False), 1 / 255
    latent = grids[net["g_a"][-1].name]
    if part == "g_s":
        grid = latent if has_means(net) else grids["symbols"]
    elif part in ("h_a", "context"):
        grid = latent
    else:
        grid = grids[net["h_a" if part == "h_s" else "h_s"][-1].name]
    return grid.type, grid.scale


def export_transform(part: str, net: Mapping[str, list], grids: Mapping[str, Grid], widths: Widths) -> Transform:
    """Quantise one transform of a network that went through `settle_offsets`."""
    kind, scale = transform_input(part, net, grids)
    channels_in = net[part][0].weight.shape[1 - net[part][0].output_axis]
    absolute = net[part][0].absolute
    source = _fixed(IntType(kind.bits, signed=False) if absolute else kind, scale)
    bits = LayerBits()
    layers: list[Conv2d | Gdn] = []
    for layer in net[part]:
        target = grids[layer.name]
        if isinstance(layer, FloatConv):
            bits = widths.of(layer.name)
            layers.append(export_convolution(layer, source.type, source.scale, bits.weight, target))
        else:
            layers.append(export_gdn(layer, source, bits.gamma, target))
        source = target
    return Transform(
        name=part, in_channels=channels_in, input=kind, input_scale=scale, layers=tuple(layers), absolute_input=absolute
    )
