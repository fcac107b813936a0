"""Checkpoint files: plain tensors and numbers, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from licgate.errors import TrainingError
from licgate.files import removed
from licgate.train.network.models import Codec, ModelConfig, build_model, config_from_state

FORMAT = "licgate-checkpoint-1"


def save_checkpoint(path: str | Path, content: dict) -> None:
    """Write ``content`` (tensors, numbers, strings, dicts and lists of them) to a temporary name, then rename it.

    Raises
    ------
    TrainingError
        When the file cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with removed(temporary):
            with temporary.open("wb") as file:
                torch.save({"format": FORMAT, **content}, file)
            temporary.replace(path)
    except OSError as error:
        raise TrainingError(f"checkpoint {path} cannot be written: {error.strerror or error}") from None


def load_checkpoint(path: str | Path) -> dict:
    """Read a checkpoint; nothing in the file is executed.

    Raises
    ------
    TrainingError
        When the file is missing, damaged or not a licgate checkpoint.
    """
    path = Path(path)
    if not path.is_file():
        raise TrainingError(f"checkpoint {path} does not exist")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # on foreign bytes the unpickler raises nearly anything, IndexError among them
        raise TrainingError(f"checkpoint {path} is not readable: train again or name another file") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT or "model" not in content:
        raise TrainingError(f"checkpoint {path} was not written by licgate train")
    return content


def load_model(path: str | Path) -> tuple[Codec, dict]:
    """Build the model of a checkpoint with its averaged weights, ready to evaluate.

    Channel counts come from the tensors, so pruned checkpoints load as they are.

    Returns
    -------
    model : Codec
        In evaluation mode.
    recipe : dict
        The training recipe and how far it went.

    Raises
    ------
    TrainingError
        When the tensors do not form a model of the architecture that the checkpoint names.
    """
    content = load_checkpoint(path)
    state = content.get("ema") or content["model"]
    settings = content.get("config", {})
    known = {key: settings[key] for key in ("architecture", "gdn", "scale", "activation") if key in settings}
    config = config_from_state(state, **known)
    model = build_model(config)
    try:
        model.load_state_dict(state)
    except RuntimeError:
        raise TrainingError(f"checkpoint {path}: its tensors do not fit together as {config.architecture}") from None
    recipe = dict(content.get("recipe", {}))
    recipe.update(iterations_done=content.get("iteration", 0), images=content.get("images", 0))
    return model.eval(), recipe


def model_config(content: dict) -> ModelConfig:
    """Give the model configuration stored in a checkpoint."""
    return ModelConfig(**content["config"])
