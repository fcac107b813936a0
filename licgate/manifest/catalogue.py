"""Models by name: the folder ``models/`` beside the package, and its default."""

import json
from pathlib import Path
from typing import Any

from licgate.errors import LicgateError, ManifestError
from licgate.manifest.model import Manifest
from licgate.manifest.store import MANIFEST_FILE, load_manifest

__all__ = ["default_model", "find_model", "list_models", "models_folder"]


def models_folder() -> Path:
    """Return the folder that holds the models of this installation."""
    return Path(__file__).resolve().parents[2] / "models"


def model_names(folder: str | Path | None = None) -> list[str]:
    """Return the names of the models there are, sorted."""
    folder = models_folder() if folder is None else Path(folder)
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in folder.iterdir() if (entry / MANIFEST_FILE).is_file())


def default_model(folder: str | Path | None = None) -> str | None:
    """Return the name of the default model: the text of ``DEFAULT``, or None where there is none."""
    folder = models_folder() if folder is None else Path(folder)
    try:
        name = (folder / "DEFAULT").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return name or None


def find_model(model: str | Path | None = None, *, folder: str | Path | None = None) -> Manifest:
    """Load a model.

    Parameters
    ----------
    model : str or Path, optional
        A name under ``models/``, a folder, or a ``manifest.json``; the default model when None.
    folder : Path, optional
        Where names are looked up instead of ``models/``.

    Raises
    ------
    ManifestError
        If there is no such model (the line lists those there are) or it is not valid.
    """
    names = model_names(folder)
    if model is None:
        model = default_model(folder)
        if model is None:
            raise ManifestError(f"no default model; name one of: {', '.join(names) or 'none there'}", "models/DEFAULT")
    if str(model) in names:
        return load_manifest((models_folder() if folder is None else Path(folder)) / str(model))
    try:
        path = Path(model)
        there = path.exists() and str(model).strip() != ""
    except (OSError, ValueError):
        there = False
    if there and (path.name.endswith(".json") or (path / MANIFEST_FILE).exists()):
        return load_manifest(path)
    shown = " ".join(str(model).split())
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    raise ManifestError(
        f"unknown model {shown!r}; there are: {', '.join(names) or 'none'} (or give a path to a folder "
        f"with a {MANIFEST_FILE})"
    )


def list_models(folder: str | Path | None = None) -> list[dict[str, Any]]:
    """Return one dict per model: name, hash, default, architecture, channels, bytes of its files, measured results.

    A model that does not load is listed with ``error`` instead, so that one broken folder hides none of the others.
    """
    base = models_folder() if folder is None else Path(folder)
    default = default_model(folder)
    models = []
    for name in model_names(folder):
        entry: dict[str, Any] = {"name": name, "hash": None, "default": name == default}
        try:
            manifest = load_manifest(base / name)
        except LicgateError as error:
            entry["error"] = str(error)
        else:
            g_a = manifest.g_a
            files = [path for path in (base / name).iterdir() if path.is_file()]
            entry.update(
                hash=manifest.hash,
                architecture=manifest.architecture,
                channels=[g_a.in_channels, *(layer.out_channels for layer in g_a.layers if layer.kind == "conv2d")],
                transforms=list(manifest.transforms),
                bytes=sum(path.stat().st_size for path in files),
                measured=json.loads(json.dumps(manifest.measured)),
            )
        models.append(entry)
    return models
