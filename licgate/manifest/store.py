"""Saving and loading a manifest: two files, written whole or not at all, read with every doubt."""

import dataclasses
import hashlib
import json
import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import numpy.typing as npt
import safetensors.numpy

from licgate.errors import ManifestError
from licgate.manifest.checks import located
from licgate.manifest.document import Document, document, manifest_digest, tables_digest, weights_bytes
from licgate.manifest.model import Manifest
from licgate.manifest.schema import WEIGHTS_FILE, build_manifest

__all__ = ["MANIFEST_FILE", "load_manifest", "save_manifest", "sealed"]

MANIFEST_FILE = "manifest.json"

# more than any model that fits an FPGA; what is larger is not a manifest
JSON_BYTES, WEIGHTS_BYTES = 16 << 20, 1 << 30


def sealed(manifest: Manifest) -> Manifest:
    """Return `manifest` with the hash that it has on disk."""
    return dataclasses.replace(manifest, hash=_documents(manifest)[0]["hashes"]["manifest"])


def save_manifest(manifest: Manifest, folder: str | Path) -> Manifest:
    """Write ``manifest.json`` and ``weights.safetensors`` into `folder`, which is made if it is missing.

    Returns
    -------
    Manifest
        The same with its hash.

    Raises
    ------
    ManifestError
        If the folder cannot be written, or provenance or measured results are not JSON.
    """
    doc, weights = _documents(manifest)
    text = json.dumps(doc, indent=1, ensure_ascii=True, allow_nan=False) + "\n"
    folder = Path(folder)
    # the document goes last: with the weights of another model beside it, its hash tells
    files = [(folder / WEIGHTS_FILE, weights), (folder / MANIFEST_FILE, text.encode())]
    temporary = [path.with_name(f".{path.name}.{os.getpid()}.tmp") for path, _ in files]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, (_, content) in zip(temporary, files):
            name.write_bytes(content)
        for name, (path, _) in zip(temporary, files):
            name.replace(path)
    except OSError as error:
        raise ManifestError(f"cannot write: {error.strerror or error}", str(folder)) from None
    finally:
        for name in temporary:
            with suppress(OSError):  # of a folder that cannot be written
                name.unlink(missing_ok=True)
    return dataclasses.replace(manifest, hash=doc["hashes"]["manifest"])


def load_manifest(path: str | Path) -> Manifest:
    """Read and check a manifest.

    Parameters
    ----------
    path : str or Path
        Its folder, or its ``manifest.json``.

    Raises
    ------
    ManifestError
        One line that names file, field and value, for whatever is wrong with it.
    """
    path = Path(path)
    if path.is_dir():
        path = path / MANIFEST_FILE
    with located(path.name):
        doc = _parse(_read(path, JSON_BYTES))
    weights = path.with_name(WEIGHTS_FILE)
    with located(WEIGHTS_FILE):
        content = _read(weights, WEIGHTS_BYTES)
        arrays = _arrays(content)
    with located(path.name):
        manifest = build_manifest(doc, arrays)
        _check_hashes(doc, manifest, content)
    return manifest


def _documents(manifest: Manifest) -> tuple[Document, bytes]:
    weights = weights_bytes(manifest)
    try:
        doc = document(manifest, hashlib.sha256(weights).hexdigest())
        doc["hashes"]["manifest"] = manifest_digest(doc)
    except (TypeError, ValueError) as error:
        raise ManifestError(f"not JSON: {error}", "provenance or measured") from None
    return doc, weights


def _read(path: Path, limit: int) -> bytes:
    try:
        # a pipe or a device would wait or never end
        if not path.is_file():
            raise ManifestError(f"{'is not a file' if path.exists() else 'no such file'} in {path.parent}")
        size = path.stat().st_size
        if size > limit:
            raise ManifestError(f"has {size} bytes, more than {limit}")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise ManifestError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _parse(content: bytes) -> Any:
    def number(text: str) -> float:
        value = float(text)
        if not math.isfinite(value):
            raise ManifestError(f"{text} is not a finite number")
        return value

    def constant(text: str) -> NoReturn:
        raise ManifestError(f"{text} is not a number that JSON knows")

    def pairs(items: list[tuple[str, Any]]) -> Document:
        keys = [key for key, _ in items]
        for key in keys:
            if keys.count(key) > 1:
                raise ManifestError(f"key {key!r} stands twice")
        return dict(items)

    try:
        return json.loads(content.decode("utf-8"), parse_float=number, parse_constant=constant, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        raise ManifestError(f"not JSON (line {error.lineno}, column {error.colno}): {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"not JSON: {str(error).splitlines()[0]}") from None


def _arrays(content: bytes) -> dict[str, npt.NDArray[Any]]:
    try:
        return safetensors.numpy.load(content)
    except Exception as error:  # the parser's own exceptions, and KeyError for types that numpy lacks
        reason = " ".join(str(error).split())
        raise ManifestError(f"not a safetensors file of integers: {type(error).__name__} {reason}") from None


def _check_hashes(doc: Document, manifest: Manifest, weights: bytes) -> None:
    found = {
        "weights": hashlib.sha256(weights).hexdigest(),
        "tables": tables_digest(manifest.entropy),
        "manifest": manifest_digest(doc),
    }
    what = {"weights": f"{WEIGHTS_FILE} has", "tables": "the entropy tables have", "manifest": "this document has"}
    for key, value in found.items():
        if doc["hashes"][key] != value:
            raise ManifestError(
                f"{doc['hashes'][key]} is stored, but {what[key]} {value}; it was edited or mixed up", f"hashes.{key}"
            )
