"""The two faces of a manifest on disk: a JSON document, and named integer tensors."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from licgate.manifest.checks import Integers
from licgate.manifest.entropy import CdfTables
from licgate.manifest.layers import Layer
from licgate.manifest.model import Manifest
from licgate.manifest.transform import Transform
from licgate.manifest.types import IntType, Requantize

__all__ = [
    "SCHEMA",
    "Document",
    "canonical",
    "document",
    "manifest_digest",
    "tables_digest",
    "tensors",
    "weights_bytes",
]

SCHEMA = 1

Document: TypeAlias = dict[str, Any]
"""An object of JSON."""

WEIGHT_FIELDS = {"conv2d": ("weight", "bias"), "gdn": ("gamma", "beta")}


def canonical(value: object) -> str:
    """Return `value` as canonical JSON text: sorted keys, no spaces, ASCII, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def document(manifest: Manifest, weights_hash: str) -> Document:
    """Return the JSON document of a manifest, its own hash still missing.

    Parameters
    ----------
    manifest : Manifest
    weights_hash : str
        Hex SHA-256 of the weights file.
    """
    return {
        "schema": SCHEMA,
        "name": manifest.name,
        "architecture": manifest.architecture,
        "latent_fraction_bits": manifest.latent_fraction_bits,
        "transforms": {name: _transform(t) for name, t in manifest.transforms.items()},
        "entropy": None if manifest.entropy is None else {k: v.document() for k, v in manifest.entropy.items()},
        "provenance": manifest.provenance,
        "measured": manifest.measured,
        "hashes": {"weights": weights_hash, "tables": tables_digest(manifest.entropy)},
    }


def manifest_digest(doc: Document) -> str:
    """Return the hex SHA-256 of a document without its own hash."""
    hashes = {key: value for key, value in doc["hashes"].items() if key != "manifest"}
    return hashlib.sha256(canonical({**doc, "hashes": hashes}).encode()).hexdigest()


@overload
def tables_digest(entropy: Mapping[str, CdfTables]) -> str: ...
@overload
def tables_digest(entropy: Mapping[str, CdfTables] | None) -> str | None: ...
def tables_digest(entropy: Mapping[str, CdfTables] | None) -> str | None:
    """Return the hex SHA-256 of the entropy tables, or None without any."""
    if entropy is None:
        return None
    digest = hashlib.sha256()
    for name in sorted(entropy):
        digest.update(canonical({name: entropy[name].document()}).encode())
        for key, array in sorted(entropy[name].tensors().items()):
            digest.update(f"{key}:{array.shape}".encode() + array.astype("<i8").tobytes())
    return digest.hexdigest()


def tensors(manifest: Manifest) -> dict[str, npt.NDArray[np.integer]]:
    """Return the arrays of a manifest by name, each in the smallest signed or unsigned type that holds it."""
    arrays = {}
    for transform in manifest.transforms.values():
        for layer in transform.layers:
            for field in WEIGHT_FIELDS[layer.kind]:
                arrays[f"{layer.name}.{field}"] = getattr(layer, field)
            for field in ("multiplier", "shift", "offset"):
                arrays[f"{layer.name}.{field}"] = getattr(layer.requantize, field)
            if layer.kind == "gdn":
                arrays[f"{layer.name}.table_value"] = layer.table.value
                arrays[f"{layer.name}.table_slope"] = layer.table.slope
    for name, table in (manifest.entropy or {}).items():
        arrays.update({f"entropy.{name}.{field}": array for field, array in table.tensors().items()})
    return {name: smallest(array) for name, array in arrays.items()}


def smallest(array: Integers) -> npt.NDArray[np.integer]:
    """Return `array` in the smallest integer type that holds it."""
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    for kind in (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return np.ascontiguousarray(array, dtype=kind)
    return np.ascontiguousarray(array, dtype=np.int64)


def weights_bytes(manifest: Manifest) -> bytes:
    """Return the content of the weights file, the same for the same arrays."""
    return safetensors.numpy.save(tensors(manifest))


def _transform(transform: Transform) -> Document:
    return {
        "in_channels": transform.in_channels,
        "input": _type(transform.input),
        "input_scale": transform.input_scale,
        "absolute_input": transform.absolute_input,
        "layers": [_layer(layer) for layer in transform.layers],
    }


def _requantize(parameters: Requantize) -> Document:
    # A field that came later stands there only where it says something, so that older documents keep their hash.
    own = {"leak": parameters.leak} if parameters.leak else {}
    return {"pre_shift": parameters.pre_shift, "clip": list(parameters.clip), **own}


def _type(kind: IntType) -> Document:
    return {"bits": kind.bits, "signed": kind.signed}


def _layer(layer: Layer) -> Document:
    if layer.kind == "conv2d":
        own = {
            "in_channels": layer.in_channels,
            "out_channels": layer.out_channels,
            "kernel": layer.kernel,
            "stride": layer.stride,
            "padding": layer.padding,
            "transposed": layer.transposed,
            "output_padding": layer.output_padding,
            "weight": _type(layer.weight_type),
        }
    else:
        own = {
            "channels": layer.channels,
            "root": layer.root,
            "square": layer.square,
            "inverse": layer.inverse,
            "norm": {"shift": layer.norm_shift, "bits": layer.norm_bits},
            "gamma": _type(layer.gamma_type),
            "table": {"index_bits": layer.table.index_bits, "fraction_bits": layer.table.fraction_bits},
        }
    return {
        "name": layer.name,
        "kind": layer.kind,
        **own,
        "input": _type(layer.input),
        "accumulator": {"bits": layer.accumulator.bits, "bound": layer.accumulator.bound},
        "requantize": _requantize(layer.requantize),
        "output": _type(layer.output),
        "output_scale": layer.output_scale,
    }
