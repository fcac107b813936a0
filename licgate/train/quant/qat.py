"""Quantisation-aware training: the baseline of Jacob et al. 2018, and DRAQ (Fang and Chen 2025, section IV)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from licgate.errors import TrainingError
from licgate.train.data import ImageFolder
from licgate.train.objective import BaseObjective, rate_distortion
from licgate.train.quant.calibrate import Stats, collect_stats, draq_k
from licgate.train.quant.floatnet import FloatConv
from licgate.train.quant.quantnet import QuantizedCodec, QuantizedConv

ROUNDINGS = ("compensated", "nearest")
REGULARIZED_QUANTILE = 0.001
"""α of DRAQ eq. 5: weights outside the α and 1−α quantiles of their layer are outliers."""


@dataclass(frozen=True, kw_only=True)
class QatSettings:
    """What quantisation-aware training does; DRAQ is clipping and regularisation, the baseline neither.

    Attributes
    ----------
    clip : bool
        Clip activations at μ ± kσ with k = 625 λ + 2 (eqs. 3, 4 and 8).
    regularization : float
        β of the outlier-aware weight regularisation (eq. 5), relative to each layer's standard deviation; 0 for none.
    learn_scales : bool
        Train the scales of activations with everything else (Esser et al. 2020), from where calibration put them.
    rounding : {"nearest", "compensated"}
        Where weights start: at their float values, or at integers that make up for each other's errors (GPTQ).
    recalibrate : int
        Steps between calibrations of clips, ranges and outlier thresholds; 0 keeps the first ones.
    """

    clip: bool = True
    regularization: float = 1e-4
    learn_scales: bool = False
    rounding: str = "nearest"
    recalibrate: int = 200

    def __post_init__(self) -> None:
        if not 0 <= self.regularization < float("inf"):
            raise TrainingError(f"weight regularisation {self.regularization} must be 0 or more")
        if self.rounding not in ROUNDINGS:
            raise TrainingError(f"rounding {self.rounding!r} is unknown: choose {' or '.join(ROUNDINGS)}")
        if self.recalibrate < 0:
            raise TrainingError(f"{self.recalibrate} steps between calibrations must be 0 (never again) or more")


def draq_clips(net: Mapping[str, list], rate_lambda: float) -> dict[str, float]:
    """Give DRAQ's k to what it clips: the inputs of GDN on both sides, the outputs of ReLU from above."""
    k = draq_k(rate_lambda)
    return {layer.name: k for layers in net.values() for layer in layers[:-1] if isinstance(layer, FloatConv)}


def active_clips(stats: Mapping[str, Stats], clips: Mapping[str, float | None]) -> list[str]:
    """Name the layers whose clip cuts off something that calibration met."""
    given = {name: k for name, k in clips.items() if k is not None}
    return [name for name, k in given.items() if stats[name].interval(k) != stats[name].interval(None)]


def outlier_limits(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Give the α and 1−α quantiles of a layer's weights (eq. 5)."""
    flat = weight.detach().flatten().cpu().double().numpy()
    low, high = np.quantile(flat, [REGULARIZED_QUANTILE, 1 - REGULARIZED_QUANTILE])
    return torch.tensor(low).to(weight), torch.tensor(high).to(weight)


class QuantizationAware(BaseObjective):
    """R + λD of a network that computes in integers, with DRAQ's weight regularisation.

    Parameters
    ----------
    model : QuantizedCodec
    rate_lambda : float
    settings : QatSettings
    crops : Tensor
        Calibration crops (B, 3, H, W) in 0..1.
    """

    kind = "quantized"

    def __init__(self, model: QuantizedCodec, rate_lambda: float, settings: QatSettings, crops: Tensor) -> None:
        super().__init__(model)
        self.rate_lambda, self.settings, self.crops = rate_lambda, settings, crops
        self.limits: dict[str, tuple[Tensor, Tensor]] = {}

    def config(self) -> dict:
        """Give the settings that a resumed run must share."""
        return {"rate_lambda": self.rate_lambda, **asdict(self.settings)}

    def before_step(self, iteration: int, folder: ImageFolder) -> None:
        """Calibrate anew every so many steps."""
        every = self.settings.recalibrate
        if not self.limits or (every and iteration and iteration % every == 0):
            self.calibrate(ranges=bool(iteration))

    def calibrate(self, *, ranges: bool = True) -> None:
        """Measure outlier thresholds, and ranges on the calibration crops unless these are learned."""
        if ranges and not self.settings.learn_scales:
            self.model.set_ranges(collect_stats(self.model.net(), self.crops, architecture=self.model.architecture))
        self.limits = {name: outlier_limits(weight) for name, weight in self._weights()}

    def _weights(self):
        for modules in self.model.parts.values():
            for module in modules:
                if isinstance(module, QuantizedConv):
                    yield module.layer.name, module.real()[0]

    def regularization(self) -> Tensor:
        """Distance of all outliers from their thresholds, in standard deviations of their layers (eq. 5)."""
        total = 0.0
        for name, weight in self._weights():
            low, high = (limit.to(weight) for limit in self.limits[name])
            excess = torch.relu(weight - high) + torch.relu(low - weight)
            total = total + excess.sum() / weight.detach().std().clamp_min(1e-12)
        return total

    def loss(self, x: Tensor, noise: torch.Generator, iteration: int) -> dict[str, Tensor]:
        """Give loss, bpp, mse and the regularisation."""
        values = rate_distortion(self.model(x, noise), x, self.rate_lambda)
        if self.settings.regularization:
            values["outliers"] = self.regularization()
            values["loss"] = values["loss"] + self.settings.regularization * values["outliers"]
        return values

    def state(self) -> dict:
        """Give ranges and thresholds."""
        return {
            "stats": {name: asdict(stats) for name, stats in self.model.stats.items()},
            "limits": {name: [float(limit) for limit in pair] for name, pair in self.limits.items()},
        }

    def load_state(self, state: dict) -> None:
        """Take back ranges and thresholds."""
        if state:
            self.model.restore_ranges({name: Stats(**stats) for name, stats in state["stats"].items()})
            limits = state["limits"].items()
            self.limits = {name: tuple(torch.tensor(v, dtype=torch.float64) for v in pair) for name, pair in limits}
