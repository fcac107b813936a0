"""Quantisation-aware fine-tuning of a float checkpoint, and the way back from its own checkpoint to a manifest."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from licgate.errors import TrainingError
from licgate.manifest import Manifest
from licgate.train.loop import Recipe, train
from licgate.train.network.checkpoint import load_checkpoint, model_config
from licgate.train.network.models import Codec, build_model
from licgate.train.quant.calibrate import Stats
from licgate.train.quant.floatnet import float_layers
from licgate.train.quant.manifests import make_manifest
from licgate.train.quant.qat import QatSettings, QuantizationAware, active_clips, draq_clips
from licgate.train.quant.quantize import prepare, quantization_record
from licgate.train.quant.quantnet import QuantizedCodec
from licgate.train.quant.rounding import round_weights
from licgate.train.quant.widths import Widths, widths_from_json, widths_to_json
from licgate.train.recipe import crops_of

ROUNDING_CROPS = 16
KIND = QuantizationAware.kind


class _Objective(QuantizationAware):
    """Quantisation-aware training whose checkpoint can be exported without anything else."""

    def __init__(self, *args, provenance: dict) -> None:
        super().__init__(*args)
        self.provenance = provenance

    def config(self) -> dict:
        return {**super().config(), **self.provenance}


def fine_tune(
    model: Codec,
    source: dict,
    data: str | Path,
    out: str | Path,
    *,
    recipe: Recipe,
    settings: QatSettings,
    widths: Widths,
    equalization: float,
    crops: int = 32,
    quiet: bool = False,
) -> dict:
    """Train a float model on in the integers of its manifest, or carry on where the checkpoint at ``out`` stopped.

    Parameters
    ----------
    model : Codec
        Float model to start from.
    source : dict
        Its own training recipe, for the provenance.
    data, out : path
        Photographs, and the checkpoint to write.
    recipe : Recipe
        Of the fine-tuning; its λ is the model's.
    settings : QatSettings
    widths : Widths
    equalization : float
        See `licgate.train.quant.equalize`; 0 for none.
    crops : int
        Calibration crops of 256².
    quiet : bool
        Print nothing.

    Returns
    -------
    dict
        As `licgate.train.loop.train`.
    """
    own = prepare(model, data, equalization=equalization, crops=crops, corners=crops_of(source)["drawn"] > 0)
    clips = draq_clips(own.net, recipe.rate_lambda) if settings.clip else {}
    net = own.net
    if settings.rounding == "compensated":
        net = round_weights(net, widths, own.crops[:ROUNDING_CROPS], own.architecture)
    codec = QuantizedCodec(
        net,
        model.entropy_bottleneck,
        config=model.config,
        widths=widths,
        stats=own.stats,
        clips=clips,
        learn_scales=settings.learn_scales,
    )
    provenance = {
        "widths": widths_to_json(widths),
        "clips": clips,
        "equalization": equalization,
        "crops": crops,
        "source": source,
    }
    objective = _Objective(codec, recipe.rate_lambda, settings, own.crops, provenance=provenance)
    return train(data, out, objective=objective, recipe=recipe, quiet=quiet)


def load_codec(path: str | Path) -> tuple[QuantizedCodec, dict]:
    """Build the quantised codec of a checkpoint with its averaged weights.

    Returns
    -------
    codec : QuantizedCodec
        In evaluation mode, exact.
    content : dict
        The checkpoint.

    Raises
    ------
    TrainingError
        When the file is no checkpoint of quantisation-aware training.
    """
    content = load_checkpoint(path)
    if content.get("kind") != KIND:
        raise TrainingError(f"checkpoint {path} is not quantised: make it so with licgate quantize --method draq")
    made = content["objective_config"]
    model = build_model(model_config(content))
    stats = {name: Stats(**values) for name, values in content["objective"]["stats"].items()}
    codec = QuantizedCodec(
        float_layers(model),
        model.entropy_bottleneck,
        config=model.config,
        widths=widths_from_json(made["widths"]),
        stats=stats,
        clips=made["clips"],
        learn_scales=made["learn_scales"],
        carrier=torch.float64,
    )
    try:
        codec.load_state_dict(content.get("ema") or content["model"])
    except RuntimeError:
        raise TrainingError(f"checkpoint {path}: its tensors do not fit a quantised codec: quantise again") from None
    codec.restore_ranges(stats)
    codec.fast = False
    return codec.eval(), content


def export_checkpoint(path: str | Path, *, name: str) -> Manifest:
    """Turn a checkpoint of quantisation-aware training into a manifest, with its hash, without measurements."""
    codec, content = load_codec(path)
    made, recipe = content["objective_config"], content["recipe"]
    settings = {key: made[key] for key in asdict(QatSettings())}
    record = quantization_record(
        codec.widths,
        made["clips"],
        method="DRAQ" if settings["clip"] and settings["regularization"] else "quantisation-aware training",
        rounding=settings["rounding"],
        equalization=made["equalization"],
        calibration_crops=made["crops"],
        clip="625 lambda + 2" if settings["clip"] else "none",
        clips_active=active_clips(codec.stats, made["clips"]),
        settings=settings,
        fine_tuning={**recipe, "iterations_done": content["iteration"], "images": content["images"]},
    )
    return make_manifest(
        codec.net(),
        codec.grids(),
        codec.widths,
        codec.entropy_bottleneck,
        name=name,
        architecture=codec.architecture,
        provenance={"training": made["source"], "quantization": record},
    )
