"""Iterative filter pruning by L2 norm (Mazouz et al., "Lightweight FPGA Deployment of LIC", section III-C)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from licgate.errors import TrainingError
from licgate.train.network.checkpoint import load_model
from licgate.train.network.models import Codec
from licgate.train.quant.calibrate import calibration_crops
from licgate.train.recipe import Recipe
from licgate.train.shrink.slim import CALIBRATION_CROPS, rounded_up
from licgate.train.shrink.stages import model_of, run_stage
from licgate.train.shrink.surgery import channel_means, hidden_layers, remove_channels


@dataclass(frozen=True, kw_only=True)
class PruneSettings:
    """What is removed.

    Attributes
    ----------
    part : float
        Part of the original filters of every hidden layer of g_a and g_s that a round removes.
    rounds : int
        Each ends in fine-tuning.
    multiple_of : int
        Round channel counts up to a multiple of it.
    """

    part: float = 0.1
    rounds: int = 3
    multiple_of: int = 1

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise TrainingError(f"{self.rounds} rounds of pruning: give 1 or more")
        if not 0 < self.part * self.rounds < 1:
            raise TrainingError(
                f"{self.rounds} rounds of {self.part:g} of the filters remove none or all: give a part between 0 "
                f"and {1 / self.rounds:.3g}"
            )
        if self.multiple_of < 1:
            raise TrainingError(f"channel counts cannot be multiples of {self.multiple_of}: give 1 or more")


def filter_norms(model: Codec) -> dict[str, Tensor]:
    """Give the L2 norm (C,) of every filter of the hidden layers of g_a and g_s, by layer."""
    norms = {}
    for hidden in hidden_layers(model):
        weight = hidden.maker.weight.detach().double()
        weight = weight.transpose(0, 1) if hidden.maker.transposed else weight
        norms[hidden.name] = weight.flatten(1).norm(dim=1)
    return norms


def smallest_out(model: Codec, counts: Mapping[str, int]) -> dict[str, Tensor]:
    """Choose the filters of largest norm, so many of each layer, for the layers that lose any."""
    norms = filter_norms(model)
    return {
        name: torch.sort(torch.argsort(norms[name], descending=True, stable=True)[:count]).values
        for name, count in counts.items()
        if count < len(norms[name])
    }


def prune(
    data: str | Path,
    source: str | Path,
    out: str | Path,
    *,
    settings: PruneSettings,
    recipe: Recipe,
    **options: object,
) -> dict:
    """Prune and fine-tune a trained model in rounds; an interrupted run is carried on.

    Parameters
    ----------
    data : path
        Photographs.
    source, out : path
        Checkpoint to start from, and of the smaller model. Rounds before the last are kept beside it until the end.
    settings : PruneSettings
    recipe : Recipe
        Of the fine-tuning of each round.
    **options
        For `licgate.train.loop.train`.

    Returns
    -------
    dict
        What the last run returned.
    """
    out = Path(out)
    rounds = [out.with_name(f"{out.name}.round{i}") for i in range(1, settings.rounds)] + [out]
    first = settings.rounds - 1 if out.exists() else 0
    content: dict | None = None
    original: dict[str, int] = {}
    crops = None
    if not first:
        start = load_model(source)[0]
        original = {hidden.name: hidden.channels for hidden in hidden_layers(start)}
        crops = calibration_crops(str(data), count=CALIBRATION_CROPS)
    for number, path in list(enumerate(rounds, start=1))[first:]:

        def smaller(number: int = number, before: dict | None = content) -> Codec:
            model = model_of(before) if before else start
            left = {
                name: rounded_up(round(count * (1 - settings.part * number)), settings.multiple_of, count)
                for name, count in original.items()
            }
            return remove_channels(model, smallest_out(model, left), channel_means(model, crops))

        note = {"prune": asdict(settings) | {"round": number}}
        content = run_stage(data, path, smaller, recipe=recipe, settings=note, **options)
        if content["signal"]:
            return content
    for path in rounds[:-1]:
        for file in (path, path.with_name(f"{path.name}.jsonl")):
            file.unlink(missing_ok=True)
    return content
