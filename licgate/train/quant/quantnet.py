"""A codec that is trained while it computes in the integers of its manifest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from licgate.manifest import Conv2d, Gdn
from licgate.train.network.entropy import SCALE_MIN, SCALE_STEP, gaussian_likelihood
from licgate.train.network.flow import code
from licgate.train.network.layers import lower_bound
from licgate.train.network.models import ModelConfig
from licgate.train.quant import fakequant
from licgate.train.quant.assemble import choose_grids, export_transform
from licgate.train.quant.calibrate import Stats, real_output
from licgate.train.quant.export import Grid, gdn_steps, quantize_weight, real_weight
from licgate.train.quant.floatnet import FloatConv, FloatGdn
from licgate.train.quant.widths import Widths

TYPICAL = 0.05
"""Parameters are stored in units that make their root mean square this: one learning rate then fits all layers."""

SCALE_GAIN = 10.0
"""How much faster than other parameters the logarithm of a learned scale moves."""


def _unit(rms: np.ndarray) -> np.ndarray:
    floor = max(float(np.max(rms)) * 1e-3, 1e-12)
    return np.maximum(rms, floor) / TYPICAL


class QuantizedConv(nn.Module):
    """The trained numbers of one convolution: weights in units of their output channel's size, and the bias.

    A layer whose integers are chosen already starts on them, and keeps their grid as long as no weight outgrows it.
    """

    def __init__(self, layer: FloatConv) -> None:
        super().__init__()
        self.layer = replace(layer, rounded=None)
        axes = tuple(i for i in range(4) if i != layer.output_axis)
        weight = real_weight(layer)
        unit = _unit(np.sqrt((weight**2).mean(axis=axes)))
        shape = [1, 1, 1, 1]
        shape[layer.output_axis] = -1
        step = np.zeros(len(unit)) if layer.rounded is None else layer.rounded[1]
        mask = np.ones(layer.weight.shape[2:]) if layer.mask is None else layer.mask
        self.register_buffer("unit", torch.from_numpy(unit))
        self.register_buffer("step", torch.from_numpy(np.array(step)))
        self.register_buffer("mask", torch.from_numpy(np.array(mask, dtype=np.float64)), persistent=False)
        self.shape = tuple(shape)
        self.weight = nn.Parameter(torch.from_numpy(weight / unit.reshape(shape)).float())
        self.bias = nn.Parameter(torch.from_numpy(layer.bias / unit).float())

    def real(self) -> tuple[Tensor, Tensor]:
        """Give weight and bias as float64 with their gradient."""
        return self.weight.double() * self.unit.view(self.shape) * self.mask, self.bias.double() * self.unit

    def float_layer(self) -> FloatConv:
        """Give the layer as it is now."""
        weight, bias = (t.detach().cpu().numpy() for t in self.real())
        return replace(self.layer, weight=weight, bias=bias, step=self.step.cpu().numpy())

    def forward(
        self,
        layer: Conv2d,
        source: Grid,
        now: FloatConv,
        x: Tensor,
        gain: Tensor | float,
        *,
        fast: bool,
        rounded: bool,
    ) -> Tensor:
        """Run on integers; ``layer`` was exported from ``now``, these parameters."""
        weight, bias = self.real()
        _, step = quantize_weight(now, layer.weight_type.bits)
        step = torch.from_numpy(step).to(weight.device)
        return fakequant.convolution(
            layer, x, weight / step.view(self.shape), bias / (step * source.scale), gain, fast=fast, rounded=rounded
        )


class QuantizedGdn(nn.Module):
    """The trained numbers of one GDN; β and γ are stored as square roots, which keeps them non-negative."""

    def __init__(self, layer: FloatGdn) -> None:
        super().__init__()
        self.layer = layer
        self.register_buffer("gamma_unit", torch.from_numpy(_unit(layer.gamma.mean(axis=0))))
        self.register_buffer("beta_unit", torch.from_numpy(_unit(layer.beta)))
        self.register_buffer("a_unit", torch.from_numpy(_unit(layer.a)))
        self.register_buffer("b_unit", torch.from_numpy(_unit(np.abs(layer.b) + 1e-3 * np.abs(layer.a).max())))
        self.gamma = nn.Parameter(torch.from_numpy(np.sqrt(layer.gamma)).div(self.gamma_unit.sqrt()).float())
        self.beta = nn.Parameter(torch.from_numpy(np.sqrt(layer.beta)).div(self.beta_unit.sqrt()).float())
        self.a = nn.Parameter(torch.from_numpy(layer.a).div(self.a_unit).float())
        self.b = nn.Parameter(torch.from_numpy(layer.b).div(self.b_unit).float())

    def real(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Give β, γ, a and b as float64 with their gradient."""
        beta = lower_bound(self.beta.double(), 1e-3) ** 2 * self.beta_unit
        gamma = self.gamma.double() ** 2 * self.gamma_unit
        a = lower_bound(self.a.double(), 0.0) * self.a_unit
        return beta, gamma, a, self.b.double() * self.b_unit

    def float_layer(self) -> FloatGdn:
        """Give the layer as it is now."""
        beta, gamma, a, b = (t.detach().cpu().numpy() for t in self.real())
        return replace(self.layer, beta=beta, gamma=gamma, a=a, b=b)

    def forward(self, layer: Gdn, source: Grid, target: Grid, now: FloatGdn, x: Tensor, gain: Tensor | float) -> Tensor:
        """Run on integers; ``layer`` was exported from ``now``, these parameters."""
        beta, gamma, a, b = self.real()
        steps = gdn_steps(now, source, layer.gamma_type.bits, target)
        row, unit = (torch.from_numpy(s).to(beta.device) for s in (steps.gamma, steps.beta))
        slimming = 1 + (a - a.detach()) / a.detach().clamp_min(1e-9)
        gain = slimming.to(x)[:, None, None] * gain
        return fakequant.gdn(layer, x, gamma / row[:, None], beta / unit, b / target.scale, gain)


class QuantizedCodec(nn.Module):
    """All transforms of a codec on integers, with the prior of z.

    Every forward pass exports the parameters to the layers of a manifest and computes with those: what is trained is
    what is shipped.

    Parameters
    ----------
    net : dict of str to list
        From `floatnet.float_layers`, equalised or not.
    prior : nn.Module
        Entropy bottleneck.
    config : ModelConfig
        Of the float model that the layers are from.
    widths : Widths
    stats : dict of str to Stats
        Ranges to start from.
    clips : dict of str to float or None
        k of μ ± kσ by layer name; None (or absent) for everything met in calibration.
    learn_scales : bool
        Train the scale of every grid that is not fixed (LSQ, Esser et al. 2020).
    carrier : torch.dtype
        float64 is exact, float32 fast.
    """

    downsampling = 64

    def __init__(
        self,
        net: Mapping[str, list],
        prior: nn.Module,
        *,
        config: ModelConfig,
        widths: Widths,
        stats: Mapping[str, Stats],
        clips: Mapping[str, float | None],
        learn_scales: bool = False,
        carrier: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.config, self.architecture = config, config.architecture
        self.widths, self.clips, self.carrier = widths, dict(clips), carrier
        self.entropy_bottleneck = prior
        kinds = {FloatConv: QuantizedConv, FloatGdn: QuantizedGdn}
        self.part_names = tuple(net)
        self.modules_by_part = nn.ModuleDict(
            {_module(part): nn.ModuleList([kinds[type(layer)](layer) for layer in net[part]]) for part in net}
        )
        self.fast = True
        self.set_ranges(stats)
        free = [layer.name for layers in net.values() for layer in layers[:-1]] if learn_scales else []
        self.log_scales = nn.ParameterDict({_key(name): nn.Parameter(torch.zeros(())) for name in free})

    def net(self) -> dict[str, list]:
        """Give the float layers as they are now."""
        return {part: [module.float_layer() for module in modules] for part, modules in self.parts.items()}

    @property
    def parts(self) -> dict[str, nn.ModuleList]:
        """The trained layers of every transform."""
        return {part: self.modules_by_part[_module(part)] for part in self.part_names}

    def set_ranges(self, stats: Mapping[str, Stats]) -> None:
        """Choose the grids anew; learned scales go on from 1."""
        self.restore_ranges(stats)
        for parameter in getattr(self, "log_scales", {}).values():
            parameter.data.zero_()

    def restore_ranges(self, stats: Mapping[str, Stats]) -> None:
        """Choose the grids of a checkpoint, under its learned scales."""
        self.stats = dict(stats)
        self.base_grids = choose_grids(self.net(), stats, self.widths, self.clips)

    def grids(self) -> dict[str, Grid]:
        """Give the grids as they are now, learned scales included."""
        grids = dict(self.base_grids)
        for name, grid in self.base_grids.items():
            if _key(name) in self.log_scales:
                factor = math.exp(SCALE_GAIN * float(self.log_scales[_key(name)].detach().double()))
                grids[name] = replace(grid, scale=grid.scale * factor)
        return grids

    def _gain(self, source: str | None, target: str) -> Tensor | float:
        """1 in value: carries the gradient of learned scales."""
        gain: Tensor | float = 0.0
        for name, sign in ((source, 1.0), (target, -1.0)):
            if name is not None and _key(name) in self.log_scales:
                p = SCALE_GAIN * self.log_scales[_key(name)]
                gain = gain + sign * (p - p.detach())
        return 1.0 + gain

    def runner(self):
        """Export, and give ``run(part, x)`` that takes and gives real numbers at the borders of a transform."""
        net, grids = self.net(), self.grids()
        transforms = {part: export_transform(part, net, grids, self.widths) for part in net}

        def run(part: str, x: Tensor) -> Tensor:
            transform = transforms[part]
            real = x.to(self.carrier) / transform.input_scale
            x = fakequant.straight_through(real, torch.floor(real.detach() + 0.5))
            x = x.clamp(transform.input.min, transform.input.max)
            source, before = Grid(type=transform.input, scale=transform.input_scale, clip=(0, 0)), None
            for module, layer, now in zip(self.parts[part], transform.layers, net[part], strict=True):
                target, gain = grids[layer.name], self._gain(before, layer.name)
                if isinstance(module, QuantizedConv):
                    # The rate of z is taken at unrounded values: rounded ones would mislead its gradient.
                    rounded = not (self.training and part == "h_a" and layer is transform.layers[-1])
                    x = module(layer, source, now, x, gain, fast=self.fast, rounded=rounded)
                else:
                    x = module(layer, source, target, now, x, gain)
                source, before = target, layer.name
            last = net[part][-1]
            x = x * torch.from_numpy(grids[last.name].steps(x.shape[1])).to(x)[:, None, None]
            return real_output(part, x, self.architecture, linear=getattr(last, "linear", False))

        return run

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Code a batch as the float models do: what `flow.code` gives, with ``y_likelihood`` and ``z_likelihood``."""
        with torch.autocast(x.device.type, enabled=False):
            out = code(self.runner(), x, self.architecture, generator=generator, training=self.training)
            scale = SCALE_MIN * torch.exp(SCALE_STEP * out["level"])
            out["y_likelihood"] = gaussian_likelihood(out["y_rate"] - out["mean"], scale)
            out["z_likelihood"] = self.entropy_bottleneck(out["z_rate"])
        return out


def _module(part: str) -> str:
    """Name a transform as torch allows it: modules have a method `parameters` already."""
    return f"{part}_layers"


def _key(name: str) -> str:
    return name.replace(".", "_")
