"""Choose each layer's clip by the rate-distortion loss it leaves, on a float imitation of the integer network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from licgate.train.network.entropy import SCALE_MIN, SCALE_STEP, gaussian_likelihood
from licgate.train.network.models import bits
from licgate.train.quant.assemble import choose_grids, settle_offsets
from licgate.train.quant.calibrate import Stats, run_float
from licgate.train.quant.export import BETA_BITS, Grid, quantize_weight, real_weight
from licgate.train.quant.floatnet import FloatConv, FloatGdn
from licgate.train.quant.widths import LayerBits, Widths


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
    step = torch.from_numpy(grid.steps(x.shape[1])).to(x)[:, None, None]
    return torch.clamp(torch.floor(x / step + 0.5), *grid.clip) * step


@torch.no_grad()
def loss_of(
    net: Mapping[str, list],
    grids: Mapping[str, Grid],
    prior: nn.Module,
    crops: Tensor,
    rate_lambda: float,
    architecture: str,
) -> tuple[float, float, float]:
    """Run the imitation on crops.

    Returns
    -------
    loss, bpp, mse : float
        R + λ·255²·MSE in bits a pixel, its rate, and the mean squared error of pixels in 0..1.
    """
    net = settle_offsets(net, grids)
    rate = square = 0.0
    for batch in crops.split(4):
        out = run_float(net, batch, architecture, lambda layer, _, x: snap(x, grids[layer.name]))
        scale = SCALE_MIN * torch.exp(SCALE_STEP * out["level"])
        rate += float(bits(gaussian_likelihood(out["symbols"], scale)) + bits(prior(out["z"])))
        square += float(((out["x_hat"] - batch) ** 2).sum())
    bpp = rate / (crops.shape[0] * crops.shape[2] * crops.shape[3])
    mse = square / crops.numel()
    return bpp + rate_lambda * 255.0**2 * mse, bpp, mse


def search_clips(
    net: Mapping[str, list],
    stats: Mapping[str, Stats],
    widths: Widths,
    loss_of_grids: Callable[[Mapping[str, list], Mapping[str, Grid]], float],
    candidates: tuple[float | None, ...],
    report: Callable[[str], None] | None = None,
) -> tuple[dict[str, float | None], float]:
    """Go once through the layers and keep for each the candidate k (None: no clip) of smallest loss.

    The loss is that of the imitated network with its grids, as `loss_of` measures it.

    Returns
    -------
    clips : dict of str to float or None
        By name of the layer whose output it bounds.
    loss : float
        With all of them in place.
    """
    quantized = imitate_weights(net, widths)
    clips: dict[str, float | None] = {layer.name: None for layers in net.values() for layer in layers[:-1]}
    best = loss_of_grids(quantized, choose_grids(net, stats, widths, clips))
    for name in clips:
        for k in candidates:
            if k is None or stats[name].interval(k) == stats[name].interval(None):
                continue
            trial = {**clips, name: k}
            loss = loss_of_grids(quantized, choose_grids(net, stats, widths, trial))
            if loss < best:
                best, clips = loss, trial
        if report:
            report(f"{name}: {'no clip' if clips[name] is None else f'{clips[name]:.4g} sigma'}, loss {best:.4f}")
    return clips, best
