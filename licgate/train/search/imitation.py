"""The evaluator of a search without training: a float imitation of the integer network on a few crops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from licgate.errors import TrainingError
from licgate.train.quant.assemble import choose_grids, transform_input
from licgate.train.quant.calibrate import draq_k
from licgate.train.quant.clipsearch import imitate_weights, loss_of
from licgate.train.quant.floatnet import FloatConv
from licgate.train.quant.quantize import EQUALIZATION, prepare
from licgate.train.quant.widths import LayerBits, Widths
from licgate.train.recipe import crops_of
from licgate.train.search.sensitivity import WIDEST, Point

CLIP_CROPS = 4
FLOAT = Widths(default=LayerBits(activation=WIDEST, weight=WIDEST, gdn=WIDEST, gamma=WIDEST), latent=WIDEST)
"""Sixteen bits stand for the float model, as in DRAQ."""


class ImitationEvaluator:
    """Measure the loss of post-training quantisation, weights rounded to the nearest.

    The clip of an activation depends on its width: for each the k of μ ± kσ is chosen that leaves the smallest loss
    when this activation alone is quantised, so that the answer does not hang on how the search came there.

    Parameters
    ----------
    model : Codec
        A float model of any architecture.
    recipe : dict
        Of its training; gives λ.
    data : path
        Photographs.
    crops : int
        Crops of 256² that a loss is measured on, the first of those for calibration.
    calibration : int
        Crops that ranges are taken from.
    clips : sequence of float or None
        Candidates k, None for everything met in calibration; by default none, 20σ, 10σ and DRAQ's 625 λ + 2.

    Attributes
    ----------
    crops : Tensor
        What losses are measured on.
    """

    def __init__(
        self,
        model,
        recipe: dict,
        data: str | Path,
        *,
        crops: int = 8,
        calibration: int = 32,
        clips: Sequence[float | None] | None = None,
    ) -> None:
        self.rate_lambda = float(recipe.get("rate_lambda", 0.013))
        self._prior = model.entropy_bottleneck
        corners = crops_of(recipe)["drawn"] > 0
        own = prepare(model, data, equalization=EQUALIZATION, crops=max(calibration, crops), corners=corners)
        self._net, self._stats, self._architecture = own.net, own.stats, own.architecture
        self.crops = own.crops[:crops]
        self._candidates = tuple(clips) if clips is not None else (None, 20.0, 10.0, draq_k(self.rate_lambda))
        self._weights: dict[tuple, list] = {}
        self._clips: dict[tuple, float | None] = {}
        self.settings = {
            "method": "after training, rounded to the nearest",
            "rate_lambda": self.rate_lambda,
            "crops": list(self.crops.shape),
            "sum_of_crops": float(self.crops.double().sum()),
            "calibration": calibration,
            "clips": list(self._candidates),
        }
        self.reference = self.measure(FLOAT, self.crops)

    @property
    def inputs(self) -> dict[str, int]:
        """Bits of the inputs whose width calibration decides."""
        grids = self._grids(FLOAT, {})
        return {part: transform_input(part, self._net, grids)[0].bits for part in ("h_s", "g_s")}

    def measure_float(self, crops: Tensor) -> Point:
        """Measure the float model."""
        return self.measure(FLOAT, crops)

    def loss(self, widths: Widths) -> float:
        """Loss R + λ·255²·MSE with these widths; infinite where latents do not fit theirs."""
        try:
            return self.measure(widths, self.crops).loss
        except TrainingError:
            return math.inf

    def finetune(self, widths: Widths, iterations: int) -> float:
        """Refuse: nothing is trained here.

        Raises
        ------
        TrainingError
            Always.
        """
        raise TrainingError("a search after training fine-tunes nothing: leave --finetune-iterations at 0")

    def keep(self, widths: Widths) -> None:
        """Do nothing: there are no weights to keep."""

    def measure(self, widths: Widths, crops: Tensor) -> Point:
        """Measure on any crops (B, 3, H, W) in 0..1.

        Raises
        ------
        TrainingError
            When latents do not fit their width.
        """
        return Point(*self._run(widths, self._clips_for(widths), crops))

    def _run(self, widths: Widths, clips: dict, crops: Tensor) -> tuple[float, float, float]:
        net = self._imitated(widths)
        return loss_of(net, self._grids(widths, clips), self._prior, crops, self.rate_lambda, self._architecture)

    def _grids(self, widths: Widths, clips: dict) -> dict:
        return choose_grids(self._net, self._stats, widths, clips)

    def _imitated(self, widths: Widths) -> dict[str, list]:
        """Weights as their integers have them, each convolution and its GDN made once for each of their widths."""
        result = {}
        for part, layers in self._net.items():
            result[part] = []
            for block in _blocks(layers):
                own = widths.of(block[0].name)
                key = (block[0].name, own.weight, own.gamma)
                if key not in self._weights:
                    self._weights[key] = imitate_weights({part: block}, widths)[part]
                result[part] += self._weights[key]
        return result

    def _clips_for(self, widths: Widths) -> dict[str, float | None]:
        clips = {}
        for layers in self._net.values():
            for block in _blocks(layers):
                own = widths.of(block[0].name)
                if len(block) > 1:
                    clips[block[0].name] = self._clip(block[0].name, block[0].name, "gdn", own.gdn)
                if block[-1] is not layers[-1]:
                    clips[block[-1].name] = self._clip(block[-1].name, block[0].name, "activation", own.activation)
        return clips

    def _clip(self, name: str, owner: str, kind: str, bits: int) -> float | None:
        """Best k for one tensor, the rest of the network being wide."""
        key = (name, bits)
        if key not in self._clips:
            own = LayerBits(**{**FLOAT.default.__dict__, kind: bits})
            widths = Widths(default=FLOAT.default, layers={owner: own}, latent=WIDEST)
            best, self._clips[key] = math.inf, None
            for k in self._candidates if bits < WIDEST else (None,):
                if k is not None and self._stats[name].interval(k) == self._stats[name].interval(None):
                    continue
                loss = self._run(widths, {name: k}, self.crops[:CLIP_CROPS])[0]
                if loss < best:
                    best, self._clips[key] = loss, k
        return self._clips[key]


def _blocks(layers: list) -> list[list]:
    """Split a transform into convolutions with the GDN behind them."""
    blocks: list[list] = []
    for layer in layers:
        if isinstance(layer, FloatConv):
            blocks.append([layer])
        else:
            blocks[-1].append(layer)
    return blocks
