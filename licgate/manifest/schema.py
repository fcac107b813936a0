"""From a JSON document and named tensors to a `Manifest`; every fault is one line with its path and value."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from licgate.errors import ManifestError
from licgate.manifest.checks import check_int, check_text, check_type, frozen_array, located, show
from licgate.manifest.document import SCHEMA, Document
from licgate.manifest.entropy import CdfTables
from licgate.manifest.layers import Conv2d, Gdn, Layer
from licgate.manifest.model import Manifest
from licgate.manifest.transform import TRANSFORM_NAMES, Transform
from licgate.manifest.types import Accumulator, IntType, Requantize, Table

__all__ = ["WEIGHTS_FILE", "build_manifest"]

# of any type: what is no array of integers is refused where it is used
Array: TypeAlias = npt.NDArray[Any]

WEIGHTS_FILE = "weights.safetensors"

TOP = (
    "schema",
    "name",
    "architecture",
    "latent_fraction_bits",
    "transforms",
    "entropy",
    "provenance",
    "measured",
    "hashes",
)
TRANSFORM = ("in_channels", "input", "input_scale", "absolute_input", "layers")
LAYER = ("name", "kind", "input", "accumulator", "requantize", "output", "output_scale")
CONV2D = ("in_channels", "out_channels", "kernel", "stride", "padding", "transposed", "output_padding", "weight")
GDN = ("channels", "root", "square", "inverse", "norm", "gamma", "table")


class Tensors:
    """The arrays of the weights file, each to be taken exactly once."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self.arrays = dict(arrays)
        self.left = set(arrays)

    def take(self, name: str) -> Array:
        """Return the array `name`."""
        if name not in self.arrays:
            raise ManifestError(f"tensor {name} is missing from {WEIGHTS_FILE}")
        if name not in self.left:
            raise ManifestError(f"tensor {name} is used twice")
        self.left.discard(name)
        return self.arrays[name]


def build_manifest(doc: Any, arrays: Mapping[str, Array]) -> Manifest:
    """Return the `Manifest` that a document and its tensors describe; hashes are the caller's to check.

    Parameters
    ----------
    doc : object
        Parsed JSON.
    arrays : dict of str to ndarray
    """
    if isinstance(doc, dict) and "schema" in doc:
        schema = check_int(doc["schema"], 0, 1 << 31, "schema")
        if schema != SCHEMA:
            raise ManifestError(f"{schema} is not {SCHEMA}, which this version reads; export the model again", "schema")
    take_fields(doc, TOP)
    with located("hashes"):
        hashes = take_fields(doc["hashes"], ("weights", "tables", "manifest"))
        for key, value in hashes.items():
            if not (key == "tables" and value is None):
                check_hash(value, key)
    tensors = Tensors(arrays)
    with located("transforms"):
        take_fields(doc["transforms"], (), TRANSFORM_NAMES)
        transforms = {}
        for name in TRANSFORM_NAMES:
            if name in doc["transforms"]:
                with located(name):
                    transforms[name] = _transform(name, doc["transforms"][name], tensors)
    with located("entropy"):
        entropy = _entropy(doc["entropy"], tensors)
    for key in ("provenance", "measured"):
        check_object(doc[key], key)
    manifest = Manifest(
        name=doc["name"],
        architecture=doc["architecture"],
        transforms=transforms,
        entropy=entropy,
        latent_fraction_bits=doc["latent_fraction_bits"],
        provenance=doc["provenance"],
        measured=doc["measured"],
        hash=doc["hashes"]["manifest"],
    )
    if tensors.left:
        raise ManifestError(f"tensor {min(tensors.left)} of {WEIGHTS_FILE} belongs to no layer")
    return manifest


def check_object(value: Any, path: str = "") -> Document:
    """Check that `value` is a JSON object."""
    if not isinstance(value, dict):
        raise ManifestError(f"{show(value)} is not an object {{...}}", path)
    return value


def check_hash(value: object, path: str) -> None:
    """Check that `value` is a SHA-256 in hexadecimal."""
    if not isinstance(value, str) or len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise ManifestError(f"{show(value)} is not a SHA-256 of 64 hexadecimal digits", path)


def take_fields(doc: Any, required: Sequence[str], optional: Sequence[str] = ()) -> Document:
    """Check that `doc` is an object that holds the `required` keys, and no others but `optional` ones."""
    found = check_object(doc)
    for key in found:
        if key not in required and key not in optional:
            raise ManifestError("unknown key", show(key)[1:-1])
    for key in required:
        if key not in found:
            raise ManifestError("missing", key)
    return found


def _int_type(doc: Document, key: str) -> IntType:
    with located(key):
        take_fields(doc[key], ("bits", "signed"))
        return IntType(doc[key]["bits"], doc[key]["signed"])


def _transform(name: str, doc: Any, tensors: Tensors) -> Transform:
    take_fields(doc, TRANSFORM)
    kind = _int_type(doc, "input")
    check_list(doc["layers"], "layers")
    layers = []
    for index, item in enumerate(doc["layers"]):
        with located(f"layers[{index}]"):
            layers.append(_layer(item, tensors))
    return Transform(
        name=name,
        in_channels=doc["in_channels"],
        input=kind,
        input_scale=doc["input_scale"],
        layers=tuple(layers),
        absolute_input=doc["absolute_input"],
    )


def check_list(value: object, path: str) -> None:
    """Check that `value` is a JSON list."""
    if not isinstance(value, list):
        raise ManifestError(f"{show(value)} is not a list [...]", path)


def _layer(doc: Any, tensors: Tensors) -> Layer:
    check_object(doc)
    kind = doc.get("kind")
    if kind not in ("conv2d", "gdn"):
        raise ManifestError("missing" if kind is None else f"{show(kind)} is not conv2d or gdn", "kind")
    take_fields(doc, LAYER + (CONV2D if kind == "conv2d" else GDN))
    name = check_text(doc["name"], "name")
    with located("accumulator"):
        take_fields(doc["accumulator"], ("bits", "bound"))
        accumulator = Accumulator(doc["accumulator"]["bits"], doc["accumulator"]["bound"])
    with located("requantize"):
        own = take_fields(doc["requantize"], ("pre_shift", "clip"), ("leak",))
        requantize = Requantize(
            pre_shift=own["pre_shift"],
            clip=own["clip"],
            leak=own.get("leak", 0),
            **{key: tensors.take(f"{name}.{key}") for key in ("multiplier", "shift", "offset")},
        )
    common = {
        "name": name,
        "input": _int_type(doc, "input"),
        "output": _int_type(doc, "output"),
        "accumulator": accumulator,
        "requantize": requantize,
        "output_scale": doc["output_scale"],
    }
    return (_conv2d if kind == "conv2d" else _gdn)(doc, tensors, common)


def _conv2d(doc: Document, tensors: Tensors, common: Document) -> Conv2d:
    name = common["name"]
    shape = {key: doc[key] for key in CONV2D if key != "weight"}
    return Conv2d(
        **common,
        **shape,
        weight_type=_int_type(doc, "weight"),
        weight=tensors.take(f"{name}.weight"),
        bias=tensors.take(f"{name}.bias"),
    )


def _gdn(doc: Document, tensors: Tensors, common: Document) -> Gdn:
    name = common["name"]
    with located("norm"):
        take_fields(doc["norm"], ("shift", "bits"))
    with located("table"):
        take_fields(doc["table"], ("index_bits", "fraction_bits"))
        table = Table(
            index_bits=doc["table"]["index_bits"],
            fraction_bits=doc["table"]["fraction_bits"],
            value=tensors.take(f"{name}.table_value"),
            slope=tensors.take(f"{name}.table_slope"),
        )
    form = {key: doc[key] for key in ("channels", "root", "square", "inverse")}
    return Gdn(
        **common,
        **form,
        norm_shift=doc["norm"]["shift"],
        norm_bits=doc["norm"]["bits"],
        gamma_type=_int_type(doc, "gamma"),
        gamma=tensors.take(f"{name}.gamma"),
        beta=tensors.take(f"{name}.beta"),
        table=table,
    )


def _entropy(doc: Any, tensors: Tensors) -> dict[str, CdfTables] | None:
    if doc is None:
        return None
    take_fields(doc, (), ("factorized", "gaussian"))
    return {name: _cdf_tables(name, doc[name], tensors) for name in doc}


def _cdf_tables(name: str, doc: Any, tensors: Tensors) -> CdfTables:
    with located(name):
        take_fields(doc, ("precision", "count", "scales"), ("thresholds",))
        count = check_int(doc["count"], 1, 4096, "count")
        length = frozen_array(tensors.take(f"entropy.{name}.length"), (count,), "length")
        flat = frozen_array(tensors.take(f"entropy.{name}.cdf"), (None,), "cdf")
        if (length < 2).any() or length.sum() != len(flat):
            raise ManifestError(f"sums to {length.sum()} for {len(flat)} numbers, each to be 2 or more", "length")
        if doc["scales"] is not None:
            check_type(doc["scales"], list, "scales")
        thresholds = tensors.take(f"entropy.{name}.thresholds") if "thresholds" in doc else None
        if thresholds is not None:
            check_int(doc["thresholds"], thresholds.size, thresholds.size, "thresholds")
        return CdfTables(
            precision=doc["precision"],
            offset=tensors.take(f"entropy.{name}.offset"),
            cdf=tuple(np.split(flat, np.cumsum(length)[:-1])),
            scales=doc["scales"],
            thresholds=thresholds,
        )
