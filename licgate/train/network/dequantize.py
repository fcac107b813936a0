"""The float model that a manifest's integers stand for: where training can start when only they are left."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from licgate.errors import TrainingError
from licgate.manifest import CdfTables, Conv2d, Gdn, Manifest
from licgate.train.network.entropy import SCALE_MIN, SCALE_STEP, EntropyBottleneck
from licgate.train.network.layers import GDN, non_negative_init
from licgate.train.network.models import Codec, ModelConfig, build_model

PRIOR_STEPS, PRIOR_LR = 1500, 0.03
PIXEL = 255.0


def dequantize(manifest: Manifest) -> Codec:
    """Build the float model of a manifest: its real weights, without any rounding between layers.

    The prior of z is fitted to the manifest's table, from random numbers of torch's generator.

    Parameters
    ----------
    manifest : Manifest
        Whole, and with log σ as its entropy parameters.

    Returns
    -------
    Codec
        In training mode. Every factor a of a GDN is 1, its size being in β and γ.

    Raises
    ------
    TrainingError
        When the manifest lacks a transform or gives σ itself.
    """
    model = build_model(_config(manifest))
    for part in model.config.kind.parts:
        transform = manifest.transforms[part]
        modules = _layers(model, part)
        scale = transform.input_scale
        for module, layer in zip(modules, transform.layers, strict=True):
            steps = np.full(len(layer.requantize.multiplier), layer.output_scale)
            last = layer is transform.layers[-1]
            if last and part == model.config.kind.source:
                steps[: model.config.m] = SCALE_STEP
            if last and part == "g_s":
                steps /= PIXEL
            if isinstance(layer, Gdn):
                _fill_gdn(module, layer, scale)
            else:
                _fill_convolution(module, layer, scale, steps)
            if last and part == model.config.kind.source:
                module.bias.data[: model.config.m] += math.log(SCALE_MIN)
            scale = layer.output_scale
    fit_prior(model.entropy_bottleneck, manifest.entropy["factorized"])
    return model


def _config(manifest: Manifest) -> ModelConfig:
    transforms = manifest.transforms
    missing = [part for part in ("g_a", "h_a", "h_s", "g_s") if part not in transforms]
    if missing:
        raise TrainingError(f"model {manifest.name} has no {missing[0]}: training needs all transforms")
    if manifest.entropy["gaussian"].thresholds is not None:
        raise TrainingError(f"model {manifest.name} gives sigma, not its logarithm: start from its float checkpoint")
    layers = {layer.name: layer for transform in transforms.values() for layer in transform.layers}
    gdn = next((layer for layer in layers.values() if isinstance(layer, Gdn)), None)
    leak = max((layer.requantize.leak for layer in layers.values()), default=0)
    fixed = {
        "g_s.6",
        "parameters.4",
        *(layer.name for layer in transforms.get("context", transforms["g_s"]).layers[-1:]),
    }
    return ModelConfig(
        architecture=manifest.architecture,
        n=layers["g_a.0"].out_channels,
        m=layers["g_a.6"].out_channels,
        gdn="none" if gdn is None else "square_root" if gdn.root else "abs",
        activation="leaky" if leak else "relu",
        widths={n: layer.out_channels for n, layer in layers.items() if isinstance(layer, Conv2d) and n not in fixed},
    )


def _layers(model: Codec, part: str) -> list[nn.Module]:
    """Modules of a transform that have layers in a manifest, in order."""
    modules = [model.part(part)] if part == "context" else list(model.part(part))
    return [module for module in modules if not isinstance(module, nn.ReLU | nn.LeakyReLU)]


def _fill(parameter: Tensor, value: np.ndarray) -> None:
    parameter.data.copy_(torch.from_numpy(np.asarray(value, dtype=np.float64)).float())


def _factor(layer: Conv2d | Gdn, bits: int = 0) -> np.ndarray:
    """Output steps per wide step in each channel."""
    form = layer.requantize
    return form.multiplier * 2.0 ** (bits - form.shift - form.pre_shift)


def _fill_convolution(module: nn.Module, layer: Conv2d, scale: float, steps: np.ndarray) -> None:
    gain = _factor(layer) * steps
    shape = [1, -1, 1, 1] if layer.transposed else [-1, 1, 1, 1]
    _fill(module.weight, layer.weight * (gain / scale).reshape(shape))
    _fill(module.bias, layer.bias * gain)


def _fill_gdn(module: GDN, layer: Gdn, scale: float) -> None:
    power = 2 if layer.square else 1
    gain = _factor(layer, 16) * layer.output_scale / scale
    # z = a x / root(v) with a = 1: the size of v, in which the integers count, makes up for the gain.
    size = gain if layer.inverse else 1 / np.maximum(gain, 1e-30)
    size = size**2 if layer.root else size
    _fill(module.beta, non_negative_init(torch.from_numpy(layer.beta * size)))
    gamma = layer.gamma * size[:, None] / (scale**power * 2.0**layer.norm_shift)
    _fill(module.gamma, non_negative_init(torch.from_numpy(gamma)))
    _fill(module.b, layer.requantize.offset * layer.output_scale)


def fit_prior(prior: EntropyBottleneck, tables: CdfTables) -> float:
    """Fit an entropy bottleneck to a table of each channel.

    Returns
    -------
    float
        Bits a symbol that the fit costs over the tables, mean over channels.
    """
    count = max(len(table) - 1 for table in tables.cdf)
    share = np.zeros((tables.count, count))
    value = tables.offset[:, None] + np.arange(count)
    for row, table in zip(share, tables.cdf, strict=True):
        row[: len(table) - 1] = np.diff(table) / 2.0**tables.precision
    entropy = -(share * np.log2(np.maximum(share, 1e-30))).sum(axis=1).mean()
    share, value = (torch.from_numpy(x).float()[:, None, :] for x in (share, value))
    optimizer = torch.optim.Adam(prior.parameters(), lr=PRIOR_LR)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, PRIOR_STEPS)
    for _ in range(PRIOR_STEPS):
        cost = -(share * torch.log2(prior.interval(value).clamp_min(1e-9))).sum() / tables.count
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        schedule.step()
    return float(cost.detach()) - entropy
