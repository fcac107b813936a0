"""GDN-slimming (DRAQ eqs. 10 to 12): an L1 pull on the affine behind every GDN, then fewer channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from licgate.errors import TrainingError
from licgate.train.measure.cost import model_cost
from licgate.train.network.checkpoint import load_model
from licgate.train.network.layers import GDN
from licgate.train.network.models import Codec, ModelConfig, build_model
from licgate.train.objective import RateDistortion
from licgate.train.quant.calibrate import calibration_crops
from licgate.train.recipe import Recipe
from licgate.train.shrink.stages import model_of, run_stage
from licgate.train.shrink.surgery import TRANSFORMS, ChannelMeans, channel_means, hidden_layers, remove_channels

KODAK = (512, 768)
CALIBRATION_CROPS = 16
IMPORTANCES = ("energy", "a")


@dataclass(frozen=True, kw_only=True)
class SlimSettings:
    """What is removed.

    Attributes
    ----------
    eta : float
        Strength η of the L1 term.
    epsilon : float
        Channels with ``|a|`` below it are removed.
    target_macs : float or None
        Instead of ``epsilon``: thresholds (one for g_a, one for g_s) such that at most this part of the transform's
        multiply-accumulates remains.
    importance : {"energy", "a"}
        What ``target_macs`` goes by: ``|a|``, or what the channel contributes to the next layer for its
        multiply-accumulates, which also knows how large the channel is before its factor and behind it, and so needs
        no L1 term that has run its course.
    multiple_of : int
        Round channel counts up to a multiple of it.
    """

    eta: float = 1e-3
    epsilon: float = 0.01
    target_macs: float | None = None
    importance: str = "energy"
    multiple_of: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.eta < float("inf"):
            raise TrainingError(f"eta {self.eta} must be 0 or more")
        if not self.epsilon >= 0:
            raise TrainingError(f"epsilon {self.epsilon} must be 0 or more")
        if self.target_macs is not None and not 0 < self.target_macs < 1:
            raise TrainingError(f"target of {self.target_macs} of the multiply-accumulates must be between 0 and 1")
        if self.importance not in IMPORTANCES:
            raise TrainingError(f"importance {self.importance!r} is unknown: choose {' or '.join(IMPORTANCES)}")
        if self.multiple_of < 1:
            raise TrainingError(f"channel counts cannot be multiples of {self.multiple_of}: give 1 or more")


class Slimming(RateDistortion):
    """R + λD + η‖a‖₁ over the GDNs of g_a and g_s (DRAQ eq. 12).

    Parameters
    ----------
    model : Codec
        With the slimmable affine.
    rate_lambda, eta : float
        λ and η.

    Raises
    ------
    TrainingError
        When the model has no GDN.
    """

    kind = "slimming"

    def __init__(self, model: Codec, rate_lambda: float, eta: float) -> None:
        super().__init__(model, rate_lambda, {"eta": eta})
        self.eta = eta
        self.layers = [h.activation for h in hidden_layers(model) if isinstance(h.activation, GDN)]
        if not self.layers:
            raise TrainingError("the model has no GDN to slim: use licgate prune")

    def loss(self, x: Tensor, noise: torch.Generator, iteration: int) -> dict[str, Tensor]:
        """Give loss, bpp, mse and ``l1`` = ‖a‖₁."""
        losses = super().loss(x, noise, iteration)
        l1 = sum(layer.a.abs().sum() for layer in self.layers)
        return losses | {"loss": losses["loss"] + self.eta * l1, "l1": l1}


def with_affine(model: Codec) -> Codec:
    """Give a model whose GDNs have the slimmable affine; a = 1 and b = 0 where there was none."""
    if model.config.affine:
        return model
    affine = build_model(replace(model.config, affine=True))
    affine.load_state_dict({**affine.state_dict(), **model.state_dict()})
    return affine.train(model.training)


def factors(model: Codec) -> dict[str, Tensor]:
    """Give ``|a|`` (C,) of every hidden layer with a GDN, by name of the convolution before it."""
    layers = [h for h in hidden_layers(model) if isinstance(h.activation, GDN)]
    return {h.name: h.activation.a.detach().abs().double() for h in layers}


def energies(model: Codec, means: Mapping[str, ChannelMeans]) -> dict[str, Tensor]:
    """Give the part (C,) of every channel in what its reader makes: ``|a|`` σ(z) ‖w‖, of 1 in each layer's square sum.

    Parameters
    ----------
    model : Codec
    means : mapping
        From `channel_means`; the activation's output has σ = ``|a|`` σ(z).
    """
    found = {}
    for hidden in hidden_layers(model):
        if isinstance(hidden.activation, GDN):
            weight = hidden.reader.weight.detach().double()
            weight = weight if hidden.reader.transposed else weight.transpose(0, 1)
            energy = means[hidden.name].power * weight.flatten(1).square().sum(dim=1)
            found[hidden.name] = torch.sqrt(energy / energy.sum().clamp_min(1e-30))
    return found


def rounded_up(count: int, multiple: int, most: int) -> int:
    """Round a channel count up to a multiple, at least one of it and at most what there is."""
    return min(-(-max(count, 1) // multiple) * multiple, most)


def choose(scores: Mapping[str, Tensor], threshold: float, multiple_of: int = 1) -> dict[str, Tensor]:
    """Choose the channels that stay: those that reach a threshold, and the best of the rest to fill up.

    Returns
    -------
    dict of str to Tensor
        Channel numbers in order, for the layers that lose any.
    """
    keep = {}
    for name, score in scores.items():
        count = rounded_up(int((score >= threshold).sum()), multiple_of, len(score))
        if count < len(score):
            keep[name] = torch.sort(torch.argsort(score, descending=True, stable=True)[:count]).values
    return keep


def transform_macs(config: ModelConfig, widths: Mapping[str, int]) -> dict[str, int]:
    """Multiply-accumulates (strict) of each transform for a 512 x 768 image, with some layers of other widths."""
    with torch.device("meta"):
        model = build_model(replace(config, widths={**(config.widths or {}), **widths}))
    return {name: cost["macs"] for name, cost in model_cost(model, *KODAK, strict=True)["transforms"].items()}


def per_mac(model: Codec, scores: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Divide contributions by the root of what a channel of that layer costs: the loss goes with their square."""
    before = transform_macs(model.config, {})
    found = {}
    for name, score in scores.items():
        part = name.split(".")[0]
        without = transform_macs(model.config, {name: max(len(score) - 1, 1)})[part]
        found[name] = score / max(1 - without / before[part], 1e-9) ** 0.5
    return found


def choose_for_macs(
    model: Codec, scores: Mapping[str, Tensor], fraction: float, multiple_of: int = 1
) -> dict[str, Tensor]:
    """Choose channels by the lowest threshold that leaves at most ``fraction`` of the MACs of g_a, and one for g_s.

    Raises
    ------
    TrainingError
        When even the least number of channels leaves more.
    """
    before = transform_macs(model.config, {})
    keep: dict[str, Tensor] = {}
    for part in TRANSFORMS:
        own = {name: score for name, score in scores.items() if name.startswith(part + ".")}
        if not own:
            continue
        levels = [*torch.unique(torch.cat(list(own.values()))).tolist(), float("inf")]

        def left(threshold: float, own=own, part=part) -> float:
            chosen = choose(own, threshold, multiple_of)
            return transform_macs(model.config, {n: len(k) for n, k in chosen.items()})[part] / before[part]

        if left(levels[-1]) > fraction:
            raise TrainingError(
                f"{part} cannot shrink to {fraction:g} of its multiply-accumulates: ask for more, "
                "or a smaller multiple of channels"
            )
        low, high = 0, len(levels) - 1
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if left(levels[middle]) <= fraction else (middle + 1, high)
        keep |= choose(own, levels[low], multiple_of)
    return keep


def shrink(model: Codec, settings: SlimSettings, crops: Tensor) -> Codec:
    """Remove the channels that matter least.

    Parameters
    ----------
    model : Codec
        After slimming.
    settings : SlimSettings
    crops : Tensor
        Calibration crops (B, 3, H, W) in 0..1.
    """
    means = channel_means(model, crops)
    if settings.target_macs is None:
        keep = choose(factors(model), settings.epsilon, settings.multiple_of)
    else:
        scores = factors(model) if settings.importance == "a" else per_mac(model, energies(model, means))
        keep = choose_for_macs(model, scores, settings.target_macs, settings.multiple_of)
    return remove_channels(model, keep, means) if keep else model


def slim(
    data: str | Path,
    source: str | Path,
    out: str | Path,
    *,
    settings: SlimSettings,
    slimming: Recipe,
    finetuning: Recipe,
    slimmed: str | Path | None = None,
    **options: object,
) -> dict:
    """Slim a trained model, prune it and fine-tune what is left; an interrupted run is carried on.

    Parameters
    ----------
    data : path
        Photographs.
    source, out : path
        Checkpoint to start from, and of the smaller model.
    settings : SlimSettings
    slimming, finetuning : Recipe
        Of the two training runs.
    slimmed : path, optional
        Checkpoint of the first run, to prune it in several ways; otherwise ``<out>.slimming``, removed at the end.
    **options
        For `licgate.train.loop.train`.

    Returns
    -------
    dict
        What the last run returned.
    """
    out = Path(out)
    first = Path(slimmed) if slimmed else out.with_name(f"{out.name}.slimming")
    if not out.exists():

        def starting_model() -> Codec:
            return with_affine(load_model(source)[0])

        content = run_stage(
            data,
            first,
            starting_model,
            recipe=slimming,
            objective=lambda model: Slimming(model, slimming.rate_lambda, settings.eta),
            **options,
        )
        if content["signal"]:
            return content
        start = model_of(content)
    crops = None if out.exists() else calibration_crops(str(data), count=CALIBRATION_CROPS)
    content = run_stage(
        data,
        out,
        lambda: shrink(start, settings, crops),
        recipe=finetuning,
        settings={"slim": asdict(settings)},
        **options,
    )
    if not slimmed and not content["signal"]:
        for path in (first, first.with_name(f"{first.name}.jsonl")):
            path.unlink(missing_ok=True)
    return content
