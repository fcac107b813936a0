"""The evaluator of a search that trains: a few steps of quantisation-aware training before each answer."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import Tensor

from licgate.errors import TrainingError
from licgate.train.loop import train
from licgate.train.network.checkpoint import load_checkpoint, save_checkpoint
from licgate.train.objective import rate_distortion
from licgate.train.quant.calibrate import collect_stats
from licgate.train.quant.qat import QatSettings, QuantizationAware
from licgate.train.quant.quantnet import QuantizedCodec
from licgate.train.quant.widths import Widths, widths_to_json
from licgate.train.recipe import Recipe, crops_of
from licgate.train.search.imitation import ImitationEvaluator
from licgate.train.search.sensitivity import Point

# Crops a step and their side, highest learning rate of each fine-tuning.
STEP = {"batch": 4, "crop": 128, "lr": 1e-4, "seed": 0}
SETTINGS = QatSettings(clip=False, regularization=0.0, learn_scales=True, recalibrate=0)


class TrainingEvaluator(ImitationEvaluator):
    """Measure losses in the integers of a manifest, from weights that were fine-tuned for the widths kept last.

    DRAQ's search fine-tunes the model after each decrease of a width (Fig. 7); weights go on from trial to trial.

    Parameters
    ----------
    model, recipe, data, options
        As `ImitationEvaluator`.
    kept : path
        File of the weights kept last, with which an interrupted search goes on.
    """

    def __init__(self, model, recipe: dict, data: str | Path, *, kept: str | Path, **options) -> None:
        super().__init__(model, recipe, data, **options)
        self._data, self._config, self._kept_path = data, model.config, Path(kept)
        self._kinds = crops_of(recipe)
        self.settings |= {"method": "quantisation-aware training", **STEP}
        start = Widths()
        self._kept = self._codec(self._net, model.entropy_bottleneck, start)
        self._last_path = self._kept_path.with_name(f"{self._kept_path.name}.last")

    def _codec(self, net: dict, prior: torch.nn.Module, widths: Widths) -> QuantizedCodec:
        return QuantizedCodec(
            net,
            copy.deepcopy(prior),
            config=self._config,
            widths=widths,
            stats=self._stats,
            clips={},
            learn_scales=True,
        )

    def loss(self, widths: Widths) -> float:
        """Loss with these widths, weights as they were kept last; infinite where latents do not fit."""
        try:
            codec = self._codec(self._kept.net(), self._kept.entropy_bottleneck, widths)
        except TrainingError:
            return float("inf")
        return self._measure(codec, self.crops).loss

    def finetune(self, widths: Widths, iterations: int) -> float:
        """Loss after so many steps of training with these widths, from the weights kept last."""
        try:
            codec = self._codec(self._kept.net(), self._kept.entropy_bottleneck, widths)
        except TrainingError:
            return float("inf")
        out = self._kept_path.with_name(f"{self._kept_path.name}.trial")
        leftovers = out, out.with_name(f"{out.name}.jsonl")
        for leftover in leftovers:
            leftover.unlink(missing_ok=True)
        objective = QuantizationAware(codec, self.rate_lambda, SETTINGS, self.crops)
        recipe = Recipe(
            rate_lambda=self.rate_lambda,
            iterations=iterations,
            optimizer="adam",
            warm_up=0,
            ema=0.0,
            **STEP,
            **self._kinds,
        )
        done = train(self._data, out, objective=objective, recipe=recipe, quiet=True)
        for leftover in leftovers:
            leftover.unlink(missing_ok=True)
        if done["signal"]:
            raise KeyboardInterrupt
        # Written down before the answer is: a search killed in between keeps these weights when it goes on.
        save_checkpoint(self._last_path, {"widths": widths_to_json(widths), "model": codec.state_dict()})
        return self._measure(codec, self.crops).loss

    def keep(self, widths: Widths) -> None:
        """Go on from these widths, with the weights fine-tuned for them."""
        plain = widths_to_json(widths)
        for path in (self._last_path, self._kept_path):
            saved = load_checkpoint(path) if path.exists() else None
            if saved is not None and saved["widths"] == plain:
                self._kept = self._codec(self._net, self._kept.entropy_bottleneck, widths)
                self._kept.load_state_dict(saved["model"])
                path.replace(self._kept_path)
                break
        self._stats = collect_stats(self._kept.net(), self.crops, self._architecture)

    def measure_kept(self, crops: Tensor) -> Point:
        """Measure the weights kept last, with their widths."""
        return self._measure(self._kept, crops)

    @torch.no_grad()
    def _measure(self, codec: QuantizedCodec, crops: Tensor) -> Point:
        codec.eval()
        rate = square = 0.0
        for batch in crops.split(4):
            values = rate_distortion(codec(batch), batch, self.rate_lambda)
            rate += float(values["bpp"]) * len(batch) / len(crops)
            square += float(values["mse"]) * len(batch) / len(crops)
        return Point(rate + self.rate_lambda * 255.0**2 * square, rate, square)
