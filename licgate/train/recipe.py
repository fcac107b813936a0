"""How a model is trained: plain numbers, checked when they are given."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from licgate.errors import TrainingError

OPTIMIZERS = ("muon", "adam")
DEVICES = ("auto", "cpu", "cuda")


CROPS = {"drawn": 0.0, "reduced": 0.0}
"""What is done to crops, with what runs did whose record does not say."""


def crops_of(record: Mapping) -> dict[str, float]:
    """Give what a recorded recipe did to its crops, so that a fine-tuning does the same."""
    return {name: record.get(name, before) for name, before in CROPS.items()}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a model is trained.

    Attributes
    ----------
    rate_lambda : float
        λ of the loss R + λ·255²·MSE.
    iterations, minutes : int, float or None
        The run ends at whichever comes first; the cosine decay follows the larger of the two fractions. Only runs
        that end by iterations repeat exactly.
    batch, crop : int
        Crops a step (on each device) and their side in pixels (divisible by 64).
    lr : float
        Highest learning rate, reached after the warm-up and decayed to a ``lr_floor``-th.
    lr_floor : float
        Last learning rate as a fraction of the highest.
    warm_up : int
        Steps in which the learning rate rises from nothing.
    optimizer : {"muon", "adam"}
        See `licgate.train.optim`.
    drawn : float
        Part of the crops that are drawn: plain colours, gradients, text, line art, panels, noise.
    reduced : float
        Part of the crops from photographs of at least twice their side that show four times the area at half the scale.
    start : str or None
        Name of the model whose weights the run started from; for the record.
    seed : int
        Seeds the initial weights, and with the iteration number the crops and the noise.
    bfloat16 : bool or None
        Run the transforms under bfloat16 autocast; likelihoods and loss stay float32. None: where the device has units
        for it (`licgate.train.precision`), as it is slower than float32 elsewhere.
    ema : float
        Decay of the weight average that is quantised later.
    device : {"auto", "cpu", "cuda"}
        Where to train; auto takes a GPU when there is one.
    """

    rate_lambda: float = 0.013
    iterations: int | None = 100_000
    minutes: float | None = None
    batch: int = 8
    crop: int = 128
    drawn: float = 0.05
    reduced: float = 0.0
    start: str | None = None
    lr: float = 1e-3
    lr_floor: float = 0.01
    warm_up: int = 200
    optimizer: str = "muon"
    seed: int = 0
    bfloat16: bool | None = None
    ema: float = 0.999
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.iterations is None and self.minutes is None:
            raise TrainingError("training needs an end: give iterations or minutes")
        positive = {
            "iterations": self.iterations,
            "minutes": self.minutes,
            "batch": self.batch,
            "lambda": self.rate_lambda,
            "learning rate": self.lr,
        }
        for name, value in positive.items():
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise TrainingError(f"{name} {value} must be larger than 0")
        if self.crop < 64 or self.crop % 64:
            raise TrainingError(f"crop size {self.crop} must be a multiple of 64 pixels")
        for name, value in (("part of drawn crops", self.drawn), ("part of reduced crops", self.reduced)):
            if not 0 <= value <= 1:
                raise TrainingError(f"{name} {value} must be from 0 to 1")
        if not 0 <= self.ema < 1:
            raise TrainingError(f"weight average decay {self.ema} must be at least 0 and below 1")
        if not 0 < self.lr_floor <= 1:
            raise TrainingError(f"last learning rate {self.lr_floor} must be a fraction above 0 of the highest")
        if self.warm_up < 0:
            raise TrainingError(f"warm-up {self.warm_up} must be at least 0 steps")
        if not 0 <= self.seed < 1 << 23:
            raise TrainingError(f"seed {self.seed} must be from 0 to {(1 << 23) - 1}")
        for name, value, known in (
            ("optimizer", self.optimizer, OPTIMIZERS),
            ("device", self.device, DEVICES),
        ):
            if value not in known:
                raise TrainingError(f"{name} {value!r} is unknown: choose {' or '.join(known)}")

    def learning_rate(self, iteration: int, elapsed_s: float) -> float:
        """Warm-up, then half a cosine."""
        done = self.progress(iteration, elapsed_s)
        cosine = self.lr_floor + (1 - self.lr_floor) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
        return self.lr * cosine * min(1.0, (iteration + 1) / max(self.warm_up, 1))

    def progress(self, iteration: int, elapsed_s: float) -> float:
        """Fraction of the run that is over."""
        by_count = iteration / self.iterations if self.iterations else 0.0
        by_time = elapsed_s / (60 * self.minutes) if self.minutes else 0.0
        return max(by_count, by_time)
