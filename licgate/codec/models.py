"""The model of a codec: by its name, or by the hash that a file gives."""

from __future__ import annotations

import json
from pathlib import Path

from licgate.codec.codec import Codec
from licgate.codec.container import Header
from licgate.errors import StreamError
from licgate.manifest import Manifest, find_model
from licgate.manifest.catalogue import model_folders
from licgate.manifest.store import MANIFEST_FILE, load_manifest

__all__ = ["load_model", "model_of"]


def load_model(model: str | Path | None = None, *, threads: int = 1) -> Codec:
    """Load a model as a codec.

    Parameters
    ----------
    model : str or Path, optional
        A name (``licgate models`` lists them), a folder, or a ``manifest.json``; the default model if left out.
    threads : int
        That encoding and decoding may use.

    Raises
    ------
    ManifestError
        If there is no such model, or it is not valid.
    """
    return Codec(find_model(model), threads=threads)


def model_of(header: Header, *, folder: Path | None = None) -> Manifest:
    """Return the model that made a file.

    Parameters
    ----------
    header : Header
        As `read_header` gives it.
    folder : Path, optional
        Where models are looked for instead of the search path.

    Raises
    ------
    StreamError
        If none of them has that hash.
    ManifestError
        If the one that has it is not valid.
    """
    # also those whose name another one bears: a file asks for a hash
    folders = model_folders(folder)
    for place in folders:
        if _hash(place / MANIFEST_FILE) == header.manifest:
            return load_manifest(place)
    names = sorted({place.name for place in folders})
    raise StreamError(
        f"made by the model of hash {header.manifest[:16]}, which is none of {', '.join(names) or 'none'}"
        "; name its folder with --model"
    )


def _hash(path: Path) -> str | None:
    """Return what a manifest says its hash is, without a check: loading does that."""
    try:
        found = json.loads(path.read_bytes())["hashes"]["manifest"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return found if isinstance(found, str) else None
