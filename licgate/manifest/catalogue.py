"""Models by name: those of this installation, those of one's own, and the default."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from licgate.errors import LicgateError, ManifestError
from licgate.manifest.model import Manifest
from licgate.manifest.store import MANIFEST_FILE, load_manifest
from licgate.resources import search_path

__all__ = ["default_model", "find_model", "list_models", "model_folders"]


def model_folders(folder: Path | str | None = None) -> list[Path]:
    """Return the folders of the models there are.

    Parameters
    ----------
    folder : Path, optional
        Where models are looked for instead of the search path, see `licgate.resources.search_path`.

    Returns
    -------
    list of Path
        In the order of the search path, then by name. Where a name comes twice, the first one is the one that it means.
    """
    found: list[Path] = []
    for base in _bases(folder):
        if base.is_dir():
            found += sorted(entry for entry in base.iterdir() if (entry / MANIFEST_FILE).is_file())
    return found


def default_model(folder: Path | str | None = None) -> str | None:
    """Return the name of the default model: the text of the first ``DEFAULT``, or None where there is none."""
    for base in _bases(folder):
        try:
            name = (base / "DEFAULT").read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            continue
        if name:
            return name
    return None


def find_model(model: str | Path | None = None, *, folder: Path | str | None = None) -> Manifest:
    """Load a model.

    Parameters
    ----------
    model : str or Path, optional
        A name in the search path, a folder, or a ``manifest.json``; the default model when None.
    folder : Path, optional
        Where names are looked up instead of the search path.

    Raises
    ------
    ManifestError
        If there is no such model (the line lists those there are) or it is not valid.
    ConfigError
        If the search path names a folder that is missing.
    """
    named = _by_name(folder)
    there = ", ".join(named) or "none"
    if model is None:
        model = default_model(folder)
        if model is None:
            raise ManifestError(f"no default model; name one of: {there}", "models/DEFAULT")
    if str(model) in named:
        return load_manifest(named[str(model)])
    try:
        path = Path(model)
        exists = path.exists() and str(model).strip() != ""
    except (OSError, ValueError):
        exists = False
    if exists and (path.name.endswith(".json") or (path / MANIFEST_FILE).exists()):
        return load_manifest(path)
    shown = " ".join(str(model).split())
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    raise ManifestError(
        f"unknown model {shown!r}; there are: {there} (or give a path to a folder with a {MANIFEST_FILE})"
    )


def list_models(folder: Path | str | None = None) -> list[dict[str, Any]]:
    """Return one dict per model: name, folder, hash, default, architecture, channels, bytes, measured results.

    A model that does not load is listed with ``error`` instead, so that one broken folder hides none of the others.
    """
    default = default_model(folder)
    models = []
    for name, place in _by_name(folder).items():
        entry: dict[str, Any] = {"name": name, "folder": str(place), "hash": None, "default": name == default}
        try:
            manifest = load_manifest(place)
        except LicgateError as error:
            entry["error"] = str(error)
        else:
            g_a = manifest.g_a
            entry.update(
                hash=manifest.hash,
                architecture=manifest.architecture,
                channels=[g_a.in_channels, *(layer.out_channels for layer in g_a.layers if layer.kind == "conv2d")],
                transforms=list(manifest.transforms),
                bytes=sum(path.stat().st_size for path in place.iterdir() if path.is_file()),
                measured=json.loads(json.dumps(manifest.measured)),
            )
        models.append(entry)
    return models


def _bases(folder: Path | str | None) -> list[Path]:
    return search_path("models") if folder is None else [Path(folder)]


def _by_name(folder: Path | str | None) -> dict[str, Path]:
    return dict(sorted({path.name: path for path in reversed(model_folders(folder))}.items()))
