"""What can be evaluated, by its name: manifests and checkpoints, each as something that codes an image."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from licgate.codec import Codec
from licgate.manifest import Manifest, find_model
from licgate.train.measure.evaluate import Coder, code_float, code_stream
from licgate.train.network.checkpoint import load_checkpoint, load_model
from licgate.train.quant.finetune import KIND, export_checkpoint


@dataclass(frozen=True, kw_only=True)
class ImageCodec:
    """A model ready to code images.

    Attributes
    ----------
    name : str
    kind : str
        ``integer`` for a manifest, or the kind of the checkpoint: ``float``, ``quantized``, …
    code : callable
        Takes a padded uint8 image (H, W, 3), gives bits and the decoded image: ideal bits for a float model; those of
        a real file for a manifest, with the ideal ones beside them.
    network : Manifest or nn.Module
        What its cost is counted on.
    details : dict
        JSON values that tell which model it was.
    """

    name: str
    kind: str
    code: Coder
    network: object
    details: dict = field(default_factory=dict)


def open_codec(model: str | Path | None) -> ImageCodec:
    """Open a model name, a model folder or manifest, or a checkpoint file; the default model when None.

    Raises
    ------
    ManifestError, TrainingError
        When there is no such model, or it cannot code images.
    """
    path = Path(model) if model is not None else None
    if path is not None and (path.suffix == ".ckpt" or (path.suffix != ".json" and path.is_file())):
        return open_checkpoint(path)
    return _integer(find_model(model), kind="integer")


def open_checkpoint(path: Path) -> ImageCodec:
    """Open a checkpoint file: quantisation-aware training by its export, anything else by its float model."""
    kind = load_checkpoint(path).get("kind", "float")
    if kind == KIND:
        return _integer(export_checkpoint(path, name=path.stem), kind=kind)
    model, recipe = load_model(path)
    model.eval()
    return ImageCodec(
        name=path.stem,
        kind=kind,
        code=lambda image: code_float(model, image),
        network=model,
        details={"architecture": model.config.architecture, "rate_lambda": recipe.get("rate_lambda")},
    )


def _integer(manifest: Manifest, *, kind: str) -> ImageCodec:
    codec = Codec(manifest)
    return ImageCodec(
        name=manifest.name,
        kind=kind,
        code=lambda image: code_stream(codec, image),
        network=manifest,
        details={"hash": manifest.hash, "architecture": manifest.architecture},
    )
