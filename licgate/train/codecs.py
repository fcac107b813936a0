"""What can be evaluated, by its name: manifests and checkpoints, each as something that codes an image."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from licgate.errors import TrainingError
from licgate.manifest import find_model
from licgate.train.checkpoint import load_checkpoint, load_model
from licgate.train.evaluate import Coder, code_float, code_integer


@dataclass(frozen=True, kw_only=True)
class ImageCodec:
    """A model ready to code images.

    Attributes
    ----------
    name : str
    kind : str
        ``integer``, or the kind of the checkpoint: ``float``, …
    code : callable
        Takes a padded uint8 image (H, W, 3), gives bits and the decoded image.
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
    manifest = find_model(model)
    return ImageCodec(
        name=manifest.name,
        kind="integer",
        code=lambda image: code_integer(manifest, image),
        network=manifest,
        details={"hash": manifest.hash, "architecture": manifest.architecture},
    )


def open_checkpoint(path: Path) -> ImageCodec:
    """Open a checkpoint file by its kind; files without one are float models."""
    kind = load_checkpoint(path).get("kind", "float")
    if kind not in CHECKPOINTS:
        raise TrainingError(f"checkpoint {path} is of kind {kind!r}, which cannot be evaluated: export it first")
    return CHECKPOINTS[kind](path)


def _open_float(path: Path) -> ImageCodec:
    model, recipe = load_model(path)
    model.eval()
    return ImageCodec(
        name=path.stem,
        kind="float",
        code=lambda image: code_float(model, image),
        network=model,
        details={"rate_lambda": recipe.get("rate_lambda")},
    )


CHECKPOINTS = {"float": _open_float}
"""How each kind of checkpoint is opened."""
