"""The training loop: resumable, deterministic in seed and iteration number, the same for every objective."""

from __future__ import annotations

import glob
import math
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from licgate.errors import TrainingError
from licgate.train.data import ImageFolder
from licgate.train.network.checkpoint import load_checkpoint, model_config, save_checkpoint
from licgate.train.network.models import ModelConfig
from licgate.train.objective import Objective
from licgate.train.optim import build_optimizer
from licgate.train.precision import has_bfloat16
from licgate.train.progress import Progress
from licgate.train.ranks import Rank, join_ranks
from licgate.train.recipe import CROPS, Recipe

__all__ = ["Recipe", "train"]

GRADIENT_NORM = 1.0


class _StopFlag:
    """Turns SIGINT and SIGTERM into a flag that the loop reads between two steps."""

    def __init__(self) -> None:
        self.number = 0
        self._old: dict[int, object] = {}

    def __enter__(self) -> _StopFlag:
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._old[number] = signal.signal(number, self._raise_flag)
            except ValueError:  # not the main thread: then whoever owns the signals stops us
                break
        return self

    def _raise_flag(self, number: int, _: object) -> None:
        self.number = number

    def __exit__(self, *_: object) -> None:
        for number, old in self._old.items():
            signal.signal(number, old)


class _LossModule(nn.Module):
    """An objective as a module, which is what torch's data parallelism wraps."""

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.model, self.extra = objective.model, objective.extra
        self._loss = objective.loss

    def forward(self, x: Tensor, noise: torch.Generator, iteration: int) -> dict[str, Tensor]:
        return self._loss(x, noise, iteration)


class _Average:
    """Exponential average of a model's parameters; buffers are taken as they are."""

    def __init__(self, model: nn.Module, saved: dict | None) -> None:
        self.model = model
        self.values = {name: p.detach().clone() for name, p in model.named_parameters()}
        for name, value in self.values.items():
            if saved is not None:
                value.copy_(saved[name])
        self._live = [p.detach() for _, p in model.named_parameters()]

    def update(self, decay: float) -> None:
        torch._foreach_lerp_(list(self.values.values()), self._live, 1 - decay)

    def state(self) -> dict[str, Tensor]:
        return {**self.model.state_dict(), **self.values}


class _Batches:
    """Crops of one rank; on a GPU the next batch is made ready during a step."""

    def __init__(self, folder: ImageFolder, recipe: Recipe, rank: Rank) -> None:
        self._folder, self._recipe, self._rank = folder, recipe, rank
        self._pool = ThreadPoolExecutor(1) if rank.device.type == "cuda" else None
        self._next: tuple[int, object] | None = None

    def _make(self, iteration: int) -> Tensor:
        rng = np.random.default_rng((self._recipe.seed, iteration))
        batch = self._recipe.batch
        return self._folder.batch(batch, rng, skip=self._rank.index * batch, device=self._rank.device)

    def get(self, iteration: int) -> Tensor:
        if self._pool is None:
            return self._make(iteration)
        ready = self._next
        x = ready[1].result() if ready and ready[0] == iteration else self._make(iteration)
        self._next = (iteration + 1, self._pool.submit(self._make, iteration + 1))
        return x

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _form(state: dict[str, Tensor], config: ModelConfig) -> tuple:
    """What two models must have in common to exchange weights; widths may be written down in several ways."""
    return replace(config, n=1, m=1, widths=None), {name: value.shape for name, value in state.items()}


def _check_same_run(out: Path, saved: dict, objective: Objective, recipe: Recipe) -> None:
    """Refuse a checkpoint that this run would not have written."""
    advice = "give another --out, or start from it with --from"
    if saved.get("kind", "float") != objective.kind:
        raise TrainingError(
            f"checkpoint {out} is of a {saved.get('kind', 'float')} run, not of a {objective.kind} one: {advice}"
        )
    if _form(saved["model"], model_config(saved)) != _form(objective.model.state_dict(), objective.model.config):
        raise TrainingError(f"checkpoint {out} holds a model of another shape: give another --out or its own sizes")
    for name in ("rate_lambda", "seed", "batch", "crop", "optimizer", *CROPS):
        then, now = saved["recipe"].get(name, CROPS.get(name)), getattr(recipe, name)
        if then is not None and then != now:
            raise TrainingError(f"checkpoint {out} was trained with {name} {then}, not {now}: {advice}")
    if saved.get("objective_config", {}) != objective.config():
        raise TrainingError(f"checkpoint {out} was trained with other settings of its {objective.kind} run: {advice}")


def _load(out: Path, saved: dict, objective: Objective, optimizer: torch.optim.Optimizer) -> None:
    try:
        objective.model.load_state_dict(saved["model"])
        if objective.extra is not None:
            objective.extra.load_state_dict(saved["extra"])
        optimizer.load_state_dict(saved["optimizer"])
        objective.load_state(saved.get("objective", {}))
    except (KeyError, ValueError, RuntimeError):
        raise TrainingError(
            f"checkpoint {out} does not fit this run: give another --out, or start from it with --from"
        ) from None


class _Run:
    """A model on its way: what a step changes, and what a checkpoint holds."""

    def __init__(
        self, folder: ImageFolder, out: Path, saved: dict | None, objective: Objective, recipe: Recipe, rank: Rank
    ) -> None:
        self.folder, self.out, self.recipe, self.rank = folder, out, recipe, rank
        self._objective = objective
        modules = [objective.model] if objective.extra is None else [objective.model, objective.extra]
        for module in modules:
            module.to(device=rank.device, memory_format=torch.channels_last).train()
        self._optimizer = build_optimizer(recipe.optimizer, *modules, lr=recipe.lr)
        self.iteration, self.elapsed, self.stopped = 0, 0.0, 0
        if saved is not None:
            _load(out, saved, objective, self._optimizer)
            self.iteration, self.elapsed = saved["iteration"], saved["elapsed_s"]
        self._loss = rank.wrap(_LossModule(objective))
        self._average = _Average(objective.model, saved["ema"] if saved else None)
        self._parameters = [p for module in modules for p in module.parameters()]
        self._noise = torch.Generator(device=rank.device)
        self._start = time.monotonic() - self.elapsed

    def content(self) -> dict:
        """Return what a checkpoint holds."""
        objective = self._objective
        return {
            "kind": objective.kind,
            "config": objective.model.config.as_dict(),
            "recipe": asdict(self.recipe),
            "objective_config": objective.config(),
            "objective": objective.state(),
            "model": objective.model.state_dict(),
            "ema": self._average.state(),
            "optimizer": self._optimizer.state_dict(),
            "iteration": self.iteration,
            "elapsed_s": self.elapsed,
            "images": len(self.folder),
            **({"extra": objective.extra.state_dict()} if objective.extra is not None else {}),
        }

    def save(self) -> None:
        """Write the checkpoint, once for all ranks."""
        if self.rank.first:
            save_checkpoint(self.out, self.content())

    def step(self, batches: _Batches, lr: float, flag: _StopFlag) -> dict[str, float]:
        """Make one step; return its losses, as means of the ranks."""
        rank, iteration = self.rank, self.iteration
        for group in self._optimizer.param_groups:
            group["lr"] = lr
        self._objective.before_step(iteration, self.folder)
        self._noise.manual_seed((self.recipe.seed << 40) + (rank.index << 32) + iteration)
        x = batches.get(iteration)
        with torch.autocast(rank.device.type, dtype=torch.bfloat16, enabled=self.recipe.bfloat16):
            losses = self._loss(x, self._noise, iteration)
        numbers = torch.stack([value.detach().double() for value in losses.values()]).tolist()
        values = dict(zip(losses, numbers, strict=True))
        # All ranks must take the same decisions, so they share what decisions hang on.
        shared = rank.mean(values | {"_signal": flag.number, "_elapsed": time.monotonic() - self._start})
        self.stopped, self.elapsed = math.ceil(shared.pop("_signal")), shared.pop("_elapsed")
        self._descend(losses["loss"], shared["loss"])
        self._average.update(min(self.recipe.ema, (1 + iteration) / (10 + iteration)))
        self._objective.after_step(shared, iteration)
        self.iteration += 1
        return shared

    def _descend(self, loss: Tensor, value: float) -> None:
        norm = math.nan
        if math.isfinite(value):
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()
            norm = float(nn.utils.clip_grad_norm_(self._parameters, GRADIENT_NORM))
        if not math.isfinite(norm):
            what = f"loss became {value}" if not math.isfinite(value) else "a gradient overflowed"
            kept = f"{self.out} is kept as last saved" if self.out.exists() else "nothing was saved yet"
            raise TrainingError(f"{what} at iteration {self.iteration}: lower --lr; {kept}")
        self._optimizer.step()


def train(
    data: str | Path,
    out: str | Path,
    *,
    objective: Objective,
    recipe: Recipe,
    checkpoint_minutes: float = 3.0,
    log_every: int = 200,
    quiet: bool = False,
) -> dict:
    """Train the model of an objective, or carry on where the checkpoint at ``out`` stopped.

    A line of progress goes to stderr and one JSON object to ``<out>.jsonl`` every ``log_every`` steps. SIGINT and
    SIGTERM end the run after the current step with a checkpoint. Crops and noise depend on nothing but seed, iteration
    and rank, so a resumed run repeats an uninterrupted one to the last bit. Under torchrun every process trains on its
    own device; the first one reports and saves.

    Returns
    -------
    dict
        The content of the last checkpoint, and ``signal``: the signal that ended the run, or 0.

    Raises
    ------
    TrainingError
        For a bad folder or device, a checkpoint of another run, or a loss that is not finite (the last good
        checkpoint stays).
    """
    out = Path(out)
    saved = load_checkpoint(out) if out.exists() else None
    if saved is not None:
        _check_same_run(out, saved, objective, recipe)
    folder = ImageFolder(data, crop=recipe.crop, drawn=recipe.drawn, reduced=recipe.reduced)
    with join_ranks(recipe.device) as rank:
        if recipe.bfloat16 is None:
            recipe = replace(recipe, bfloat16=has_bfloat16(rank.device))
        run = _Run(folder, out, saved, objective, recipe, rank)
        log = Progress(out, iteration=run.iteration, every=log_every, quiet=quiet, silent=not rank.first)
        return _train(run, log, checkpoint_minutes)


def _train(run: _Run, log: Progress, checkpoint_minutes: float) -> dict:
    """Make steps until the recipe is done, or somebody stops it."""
    recipe, rank, out = run.recipe, run.rank, run.out
    last_save, batches = time.monotonic(), _Batches(run.folder, recipe, rank)
    if rank.first:  # what a killed run was writing
        for path in out.parent.glob(f".{glob.escape(out.name)}.*.tmp"):
            path.unlink(missing_ok=True)
    log.say(f"{run.folder.describe()}; {rank.describe()}; starting at iteration {run.iteration}")
    with _StopFlag() as flag, log:
        while recipe.progress(run.iteration, run.elapsed) < 1.0 and not run.stopped:
            lr = recipe.learning_rate(run.iteration, run.elapsed)
            shared = run.step(batches, lr, flag)
            done = recipe.progress(run.iteration, run.elapsed)
            log.add(shared, iteration=run.iteration, elapsed_s=run.elapsed, done=done, lr=lr)
            if time.monotonic() - last_save > 60 * checkpoint_minutes:
                run.save()
                last_save = time.monotonic()
        if run.stopped:
            log.say(f"stopped at iteration {run.iteration}: the same command carries on from {out}")
    batches.close()
    run.save()
    rank.wait()
    return {**run.content(), "signal": run.stopped}
