"""Quantise a checkpoint after training and export it as a manifest."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from licgate.errors import TrainingError
from licgate.manifest import Manifest, sealed
from licgate.train.assemble import choose_grids, export_transform, settle_offsets
from licgate.train.calibrate import calibration_crops, collect_stats, draq_k
from licgate.train.checkpoint import load_model
from licgate.train.equalize import channel_ranges, equalize
from licgate.train.floatnet import float_layers
from licgate.train.models import ScaleHyperprior
from licgate.train.rounding import round_weights
from licgate.train.search import search_clips
from licgate.train.tables import factorized_tables, gaussian_tables
from licgate.train.widths import Widths

ARCHITECTURE = "bmshj2018-hyperprior"
SEARCH_CROPS = 16
ROUNDINGS = ("compensated", "nearest")
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


def quantize_model(
    model: ScaleHyperprior,
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
    """Quantise a float model.

    Parameters
    ----------
    model : ScaleHyperprior
        Any channel counts.
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
        How weights are rounded; see `licgate.train.rounding`.
    equalization : float
        Strength, 0 to 1, of the equalisation of channels around a GDN; see `licgate.train.equalize`.
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
    if not 0 <= equalization <= 1:
        raise TrainingError(f"equalization {equalization} is outside 0..1")
    batch = calibration_crops(data, count=crops)
    net = float_layers(model)
    net = equalize(net, channel_ranges(net, batch), equalization)
    stats = collect_stats(net, batch)
    if rounding == "compensated":
        net = round_weights(net, widths, batch[:SEARCH_CROPS])
    report = None if quiet else (lambda line: print(line, file=sys.stderr, flush=True))
    if len(candidates) == 1:
        clips = {layer.name: candidates[0] for layers in net.values() for layer in layers[:-1]}
    else:
        clips, _ = search_clips(
            net, stats, widths, model.entropy_bottleneck, batch[:SEARCH_CROPS], rate_lambda, candidates, report
        )
    grids = choose_grids(net, stats, widths, clips)
    net = settle_offsets(net, grids)
    transforms = {part: export_transform(part, net, grids, widths) for part in ("g_a", "h_a", "h_s", "g_s")}
    entropy = {
        "factorized": factorized_tables(model.entropy_bottleneck, transforms["h_a"].output),
        "gaussian": gaussian_tables(_symbol_reach(transforms["g_a"])),
    }
    provenance = {
        "training": recipe,
        "quantization": {
            "method": "after training, no fine-tuning",
            "rounding": rounding,
            "equalization": equalization,
            "calibration_crops": crops,
            "bits": {**asdict(widths.default), "latent": widths.latent},
            "bits_of_layers": {layer: asdict(bits) for layer, bits in widths.layers.items()},
            "clip": clip,
            "clip_sigma": {layer: k for layer, k in clips.items() if k is not None},
        },
    }
    return sealed(
        Manifest(
            name=name,
            architecture=ARCHITECTURE,
            transforms=transforms,
            entropy=entropy,
            provenance=provenance,
            latent_fraction_bits=_fraction_bits(transforms["g_a"].output_scale),
        )
    )


def _fraction_bits(scale: float) -> int:
    return round(1 / scale).bit_length() - 1


def _symbol_reach(analysis) -> int:
    """Largest symbol that the clip of the last layer lets through, after rounding."""
    fraction = _fraction_bits(analysis.output_scale)
    low, high = analysis.layers[-1].requantize.clip
    half = (1 << fraction) >> 1
    return max((high + half) >> fraction, -((low + half) >> fraction))


def quantize(checkpoint: str | Path, data: str | Path, *, name: str, **options) -> Manifest:
    """Quantise a checkpoint file; options as in `quantize_model`."""
    model, recipe = load_model(checkpoint)
    return quantize_model(model, recipe, data, name=name, **options)
