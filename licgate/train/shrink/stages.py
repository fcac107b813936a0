"""Runs of several stages, each a training run of its own that is carried on where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from licgate.train.loop import train
from licgate.train.network.checkpoint import load_checkpoint, model_config
from licgate.train.network.models import Codec, build_model
from licgate.train.objective import RateDistortion
from licgate.train.recipe import Recipe


def model_of(content: dict) -> Codec:
    """Build the model of a run with its averaged weights, on the CPU and ready to evaluate."""
    model = build_model(model_config(content))
    model.load_state_dict(content["ema"])
    return model.eval()


def run_stage(
    data: str | Path,
    out: str | Path,
    make: Callable[[], Codec],
    *,
    recipe: Recipe,
    settings: dict | None = None,
    objective: Callable[[Codec], object] | None = None,
    **options: object,
) -> dict:
    """Train what ``make`` gives, or carry on with the model at ``out``.

    Parameters
    ----------
    data, out : path
    make : callable
        Gives the model to start from; not called when there is a checkpoint.
    recipe : Recipe
    settings : dict, optional
        Plain data that a resumed run must share.
    objective : callable, optional
        Makes the objective of a model; R + λD by default.
    **options
        For `licgate.train.loop.train`.
    """
    out = Path(out)
    model = build_model(model_config(load_checkpoint(out))) if out.exists() else make()
    chosen = objective(model) if objective else RateDistortion(model, recipe.rate_lambda, settings)
    return train(data, out, objective=chosen, recipe=recipe, **options)
