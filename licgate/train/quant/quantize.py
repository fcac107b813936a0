"""Quantise a checkpoint after training and export it as a manifest."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import Tensor

from licgate.errors import TrainingError
from licgate.manifest import Manifest
from licgate.train.network.checkpoint import load_model
from licgate.train.network.models import Codec
from licgate.train.quant.assemble import choose_grids, settle_offsets
from licgate.train.quant.calibrate import Stats, calibration_crops, collect_stats, draq_k
from licgate.train.quant.clipsearch import loss_of, search_clips
from licgate.train.quant.equalize import channel_ranges, equalize
from licgate.train.quant.floatnet import float_layers
from licgate.train.quant.manifests import make_manifest
from licgate.train.quant.qat import ROUNDINGS
from licgate.train.quant.rounding import round_weights
from licgate.train.quant.widths import Widths
from licgate.train.recipe import crops_of

SEARCH_CROPS = 16
EQUALIZATION = 0.75
"""Full strength asks too much of 8-bit weights: measured on one model, 0.95 % of rate against 0.80 % at this one."""


def clip_candidates(clip: str, rate_lambda: float) -> tuple[float | None, ...]:
    """Read ``auto`` (no clip, 20σ, 14σ and DRAQ's k), ``none`` or a number k.

    Raises
    ------
    TrainingError
        For anything else.
    """
    if clip == "auto":
        return (None, 20.0, 14.0, draq_k(rate_lambda))
    if clip == "none":
        return (None,)
    try:
        k = float(clip)
    except ValueError:
        k = -1.0
    if not 0 < k < 1000:
        raise TrainingError(f"clip {clip!r} is neither auto, none nor a number of standard deviations above 0")
    return (k,)


@dataclass(frozen=True)
class Prepared:
    """A float model taken apart and measured.

    Attributes
    ----------
    net : dict of str to list
        Float layers, equalised.
    stats : dict of str to Stats
        Of every layer's output.
    crops : Tensor
        The calibration crops, (B, 3, H, W) in 0..1.
    architecture : str
    """

    net: dict[str, list]
    stats: dict[str, Stats]
    crops: Tensor
    architecture: str


def prepare(model: Codec, data: str | Path, *, equalization: float, crops: int, corners: bool = False) -> Prepared:
    """Take a float model apart, equalise its channels and measure its ranges on photographs.

    With ``corners`` on the plainest and strongest colours, too: a model that has learned drawn pictures should keep
    what it gives for them.
    """
    if not 0 <= equalization <= 1:
        raise TrainingError(f"equalization {equalization} is outside 0..1")
    architecture = model.config.architecture
    batch = calibration_crops(data, count=crops, corners=corners)
    net = float_layers(model)
    net = equalize(net, channel_ranges(net, batch, architecture), equalization)
    return Prepared(net, collect_stats(net, batch, architecture), batch, architecture)


def quantization_record(widths: Widths, clips: Mapping[str, float | None], **more) -> dict:
    """What a manifest's provenance says of its quantisation."""
    return {
        **more,
        "bits": {**asdict(widths.default), "latent": widths.latent},
        "bits_of_layers": {layer: asdict(bits) for layer, bits in widths.layers.items()},
        "clip_sigma": {layer: k for layer, k in clips.items() if k is not None},
    }


def quantize_model(
    model: Codec,
    recipe: dict,
    data: str | Path,
    *,
    name: str,
    widths: Widths | None = None,
    clip: str = "auto",
    rounding: str = "compensated",
    equalization: float = EQUALIZATION,
    crops: int = 64,
    quiet: bool = False,
) -> Manifest:
    """Quantise a float model after training.

    Parameters
    ----------
    model : Codec
        Any architecture and channel counts.
    recipe : dict
        How it was trained; λ is read from it, all of it goes into the provenance.
    data : path
        Folder of photographs to calibrate on, best those it was trained on.
    name : str
        Of the new model.
    widths : Widths, optional
    clip : str
        ``auto`` searches each layer's clip by loss, ``none`` keeps everything met in calibration, a number k clips
        every layer at μ ± kσ.
    rounding : {"compensated", "nearest"}
        How weights are rounded; see `licgate.train.quant.rounding`.
    equalization : float
        Strength, 0 to 1, of the equalisation of channels around a GDN; see `licgate.train.quant.equalize`.
    crops : int
        Calibration crops of 256².
    quiet : bool
        Print nothing.

    Returns
    -------
    Manifest
        With its hash, without measurements.
    """
    widths = widths or Widths()
    rate_lambda = float(recipe.get("rate_lambda", 0.013))
    candidates = clip_candidates(clip, rate_lambda)
    if rounding not in ROUNDINGS:
        raise TrainingError(f"rounding {rounding!r} is unknown: choose {' or '.join(ROUNDINGS)}")
    own = prepare(model, data, equalization=equalization, crops=crops, corners=crops_of(recipe)["drawn"] > 0)
    net, few = own.net, own.crops[:SEARCH_CROPS]
    if rounding == "compensated":
        net = round_weights(net, widths, few, own.architecture)
    report = None if quiet else (lambda line: print(line, file=sys.stderr, flush=True))
    if len(candidates) == 1:
        clips = {layer.name: candidates[0] for layers in net.values() for layer in layers[:-1]}
    else:
        prior = model.entropy_bottleneck
        loss = lambda net, grids: loss_of(net, grids, prior, few, rate_lambda, own.architecture)[0]  # noqa: E731
        clips, _ = search_clips(net, own.stats, widths, loss, candidates, report)
    grids = choose_grids(net, own.stats, widths, clips)
    record = quantization_record(
        widths,
        clips,
        method="after training, no fine-tuning",
        rounding=rounding,
        equalization=equalization,
        calibration_crops=crops,
        clip=clip,
    )
    return make_manifest(
        settle_offsets(net, grids),
        grids,
        widths,
        model.entropy_bottleneck,
        name=name,
        architecture=own.architecture,
        provenance={"training": recipe, "quantization": record},
    )


def quantize(checkpoint: str | Path, data: str | Path, *, name: str, **options) -> Manifest:
    """Quantise a checkpoint file; options as in `quantize_model`."""
    model, recipe = load_model(checkpoint)
    return quantize_model(model, recipe, data, name=name, **options)
