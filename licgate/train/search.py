"""Choose each layer's clip by the rate-distortion loss it leaves, on a float imitation of the integer network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from licgate.train.assemble import choose_grids, settle_offsets
from licgate.train.calibrate import Stats, apply_layer
from licgate.train.entropy import SCALE_MIN, SCALE_STEP, EntropyBottleneck, gaussian_likelihood
from licgate.train.export import BETA_BITS, Grid, quantize_weight, real_weight
from licgate.train.floatnet import FloatConv, FloatGdn
from licgate.train.models import bits
from licgate.train.widths import LayerBits, Widths


def imitate_weights(net: Mapping[str, list], widths: Widths) -> dict[str, list]:
    """Replace weights and γ by the real values of their integers."""
    result = {}
    for part, layers in net.items():
        own, width = [], LayerBits()
        for layer in layers:
            if isinstance(layer, FloatConv):
                width = widths.of(layer.name)
                layer = replace(layer, rounded=quantize_weight(layer, width.weight))
                own.append(replace(layer, weight=real_weight(layer)))
            else:
                own.append(_imitate_gdn(layer, width.gamma))
        result[part] = own
    return result


def _imitate_gdn(layer: FloatGdn, gamma_bits: int) -> FloatGdn:
    row = np.maximum(
        layer.gamma.max(axis=1, keepdims=True) / ((1 << gamma_bits) - 1), layer.beta[:, None] * 2.0**-BETA_BITS
    )
    return replace(layer, gamma=np.floor(layer.gamma / row + 0.5) * row)


def snap(x: Tensor, grid: Grid) -> Tensor:
    """Round real values to a grid and clip them."""
    return torch.clamp(torch.floor(x / grid.scale + 0.5), *grid.clip) * grid.scale


@torch.no_grad()
def loss_of(
    net: Mapping[str, list], grids: Mapping[str, Grid], prior: EntropyBottleneck, crops: Tensor, rate_lambda: float
) -> tuple[float, float, float]:
    """Run the imitation on crops.

    Returns
    -------
    loss, bpp, mse : float
        R + λ·255²·MSE in bits a pixel, its rate, and the mean squared error of pixels in 0..1.
    """
    net = settle_offsets(net, grids)

    def run(part: str, x: Tensor) -> Tensor:
        for layer in net[part]:
            x = snap(apply_layer(layer, x), grids[layer.name])
        return x

    rate = square = 0.0
    for batch in crops.split(4):
        y = run("g_a", batch)
        z = run("h_a", y.abs())
        level = run("h_s", z)
        symbols = torch.floor(y + 0.5)
        pixels = run("g_s", symbols)
        rate += float(bits(gaussian_likelihood(symbols, SCALE_MIN * torch.exp(SCALE_STEP * level))) + bits(prior(z)))
        square += float(((pixels / 255 - batch) ** 2).sum())
    bpp = rate / (crops.shape[0] * crops.shape[2] * crops.shape[3])
    mse = square / crops.numel()
    return bpp + rate_lambda * 255.0**2 * mse, bpp, mse


def search_clips(
    net: Mapping[str, list],
    stats: Mapping[str, Stats],
    widths: Widths,
    prior: EntropyBottleneck,
    crops: Tensor,
    rate_lambda: float,
    candidates: tuple[float | None, ...],
    report: Callable[[str], None] | None = None,
) -> tuple[dict[str, float | None], float]:
    """Go once through the layers and keep for each the candidate k (None: no clip) of smallest loss.

    Returns
    -------
    clips : dict of str to float or None
        By name of the layer whose output it bounds.
    loss : float
        With all of them in place.
    """
    quantized = imitate_weights(net, widths)
    clips: dict[str, float | None] = {layer.name: None for layers in net.values() for layer in layers[:-1]}
    best = loss_of(quantized, choose_grids(net, stats, widths, clips), prior, crops, rate_lambda)[0]
    for name in clips:
        for k in candidates:
            if k is None or stats[name].interval(k) == stats[name].interval(None):
                continue
            trial = {**clips, name: k}
            loss = loss_of(quantized, choose_grids(net, stats, widths, trial), prior, crops, rate_lambda)[0]
            if loss < best:
                best, clips = loss, trial
        if report:
            report(f"{name}: {'no clip' if clips[name] is None else f'{clips[name]:.4g} sigma'}, loss {best:.4f}")
    return clips, best
