"""The training loop: R + λ·255²·MSE, resumable, deterministic in seed and iteration number."""

from __future__ import annotations

import json
import math
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
import torch
from torch import Tensor

from licgate.errors import TrainingError
from licgate.train.checkpoint import load_checkpoint, model_config, save_checkpoint
from licgate.train.data import ImageFolder
from licgate.train.models import ModelConfig, ScaleHyperprior, bits

LR_FLOOR = 0.01
WARM_UP = 200


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a model is trained.

    Attributes
    ----------
    rate_lambda : float
        λ of the loss R + λ·255²·MSE.
    iterations, minutes : int, float or None
        The run ends at whichever comes first; the cosine decay follows the larger of the two fractions.
    batch, crop : int
        Crops a step and their side in pixels (divisible by 64).
    lr : float
        Highest learning rate of Adam, reached after 200 steps and decayed to a hundredth.
    seed : int
        Seeds the initial weights, and with the iteration number the crops and the noise.
    bfloat16 : bool
        Run the transforms under bfloat16 autocast; likelihoods and loss stay float32.
    ema : float
        Decay of the weight average that is quantised later.
    """

    rate_lambda: float = 0.013
    iterations: int | None = 100_000
    minutes: float | None = None
    batch: int = 8
    crop: int = 128
    lr: float = 1e-3
    seed: int = 0
    bfloat16: bool = True
    ema: float = 0.999

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
            if value is not None and not value > 0:
                raise TrainingError(f"{name} {value} must be larger than 0")
        if self.crop < 64 or self.crop % 64:
            raise TrainingError(f"crop size {self.crop} must be a multiple of 64 pixels")
        if not 0 <= self.ema < 1:
            raise TrainingError(f"weight average decay {self.ema} must be at least 0 and below 1")

    def learning_rate(self, iteration: int, elapsed_s: float) -> float:
        """Warm-up, then half a cosine."""
        done = self.progress(iteration, elapsed_s)
        cosine = LR_FLOOR + (1 - LR_FLOOR) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
        return self.lr * cosine * min(1.0, (iteration + 1) / WARM_UP)

    def progress(self, iteration: int, elapsed_s: float) -> float:
        """Fraction of the run that is over."""
        by_count = iteration / self.iterations if self.iterations else 0.0
        by_time = elapsed_s / (60 * self.minutes) if self.minutes else 0.0
        return max(by_count, by_time)


def step(
    model: ScaleHyperprior, optimizer: torch.optim.Optimizer, x: Tensor, recipe: Recipe, noise: torch.Generator
) -> dict:
    """One update; gives loss, bpp and mse as floats. The weights stay untouched when the loss is not finite."""
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=recipe.bfloat16):
        out = model(x, noise)
    pixels = x.shape[0] * x.shape[2] * x.shape[3]
    bpp = (bits(out["y_likelihood"]) + bits(out["z_likelihood"])) / pixels
    mse = torch.mean((out["x_hat"] - x) ** 2)
    loss = bpp + recipe.rate_lambda * 255.0**2 * mse
    values = {"loss": loss.item(), "bpp": bpp.item(), "mse": mse.item()}
    if math.isfinite(values["loss"]):
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return values


class _StopFlag:
    """Turns SIGINT and SIGTERM into a flag that the loop reads between two steps."""

    def __init__(self) -> None:
        self.set = False
        self._old: dict[int, object] = {}

    def __enter__(self) -> _StopFlag:
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._old[number] = signal.signal(number, self._raise_flag)
            except ValueError:  # not the main thread: then whoever owns the signals stops us
                break
        return self

    def _raise_flag(self, *_: object) -> None:
        self.set = True

    def __exit__(self, *_: object) -> None:
        for number, old in self._old.items():
            signal.signal(number, old)


def _open_log(out: Path) -> TextIO:
    """Open the log before the first step, so that a folder that cannot be written is known at once."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        return out.with_name(f"{out.name}.jsonl").open("a", encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"checkpoint {out} cannot be written: {error.strerror or error}") from None


def train(
    data: str | Path,
    out: str | Path,
    *,
    config: ModelConfig | None = None,
    recipe: Recipe | None = None,
    checkpoint_minutes: float = 3.0,
    log_every: int = 200,
    quiet: bool = False,
) -> dict:
    """Train a scale hyperprior, or carry on where the checkpoint at ``out`` stopped.

    A line of progress goes to stderr and one JSON object to ``<out>.jsonl`` every ``log_every`` steps. SIGINT and
    SIGTERM end the run after the current step with a checkpoint. A resumed model keeps the shape in its checkpoint.

    Returns
    -------
    dict
        The content of the last checkpoint.

    Raises
    ------
    TrainingError
        For a bad folder or recipe, a checkpoint of another shape, or a loss that is not finite (the last good
        checkpoint stays).
    """
    out, recipe = Path(out), recipe or Recipe()
    folder = ImageFolder(data, crop=recipe.crop)
    torch.manual_seed(recipe.seed)
    saved = load_checkpoint(out) if out.exists() else None
    if saved and config and model_config(saved) != config:
        raise TrainingError(f"checkpoint {out} holds a model of another shape: give another --out or its own sizes")
    config = model_config(saved) if saved else (config or ModelConfig())
    model = ScaleHyperprior(config).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.lr)
    iteration, elapsed = 0, 0.0
    if saved:
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        iteration, elapsed = saved["iteration"], saved["elapsed_s"]
    average = {k: v.detach().clone() for k, v in (saved["ema"] if saved else model.state_dict()).items()}
    live = [model.state_dict(keep_vars=False)[k] for k in average]

    def content() -> dict:
        return {
            "config": config.as_dict(),
            "recipe": asdict(recipe),
            "model": model.state_dict(),
            "ema": average,
            "optimizer": optimizer.state_dict(),
            "iteration": iteration,
            "elapsed_s": elapsed,
            "images": len(folder),
        }

    if not quiet:
        skipped = f", {folder.skipped} skipped" if folder.skipped else ""
        print(f"{len(folder)} images{skipped}; starting at iteration {iteration}", file=sys.stderr, flush=True)
    noise = torch.Generator()
    sums, start, base, last_save, last_log = (
        {},
        time.monotonic(),
        elapsed,
        time.monotonic(),
        (iteration, time.monotonic()),
    )
    with _StopFlag() as stop, _open_log(out) as log:
        while recipe.progress(iteration, elapsed) < 1.0 and not stop.set:
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate(iteration, elapsed)
            # Crops and noise depend on nothing but seed and iteration, so a resumed run repeats an uninterrupted one.
            x = folder.batch(recipe.batch, np.random.default_rng((recipe.seed, iteration)))
            noise.manual_seed((recipe.seed << 40) + iteration)
            values = step(model, optimizer, x, recipe, noise)
            if not math.isfinite(values["loss"]):
                raise TrainingError(
                    f"loss became {values['loss']} at iteration {iteration}: lower --lr; {out} is kept as last saved"
                )
            decay = min(recipe.ema, (1 + iteration) / (10 + iteration))
            torch._foreach_lerp_(list(average.values()), live, 1 - decay)
            iteration += 1
            elapsed = base + time.monotonic() - start
            for key, value in values.items():
                sums[key] = sums.get(key, 0.0) + value
            if iteration % log_every == 0:
                count, now = iteration - last_log[0], time.monotonic()
                mean = {k: v / count for k, v in sums.items()}
                speed = count / (now - last_log[1])
                done = recipe.progress(iteration, elapsed)
                record = {
                    "iteration": iteration,
                    **mean,
                    "psnr": -10 * math.log10(mean["mse"]),
                    "it_s": speed,
                    "lr": optimizer.param_groups[0]["lr"],
                    "elapsed_s": elapsed,
                }
                log.write(json.dumps({k: round(v, 7) for k, v in record.items()}) + "\n")
                log.flush()
                if not quiet:
                    left = elapsed / done - elapsed
                    print(
                        f"{iteration:8d}  loss {mean['loss']:.4f}  {mean['bpp']:.4f} bpp  {record['psnr']:.2f} dB  "
                        f"{speed:.1f} it/s  {left / 60:.1f} min left",
                        file=sys.stderr,
                        flush=True,
                    )
                sums, last_log = {}, (iteration, now)
            if time.monotonic() - last_save > 60 * checkpoint_minutes:
                save_checkpoint(out, content())
                last_save = time.monotonic()
    save_checkpoint(out, content())
    return content()
