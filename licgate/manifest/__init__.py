"""The manifest: the one contract between training and everything that runs a model."""

from licgate.manifest.catalogue import find_model, list_models
from licgate.manifest.describe import describe, describe_text
from licgate.manifest.entropy import CdfTables
from licgate.manifest.layers import Conv2d, Gdn
from licgate.manifest.model import Manifest
from licgate.manifest.store import load_manifest, save_manifest, sealed
from licgate.manifest.transform import Transform
from licgate.manifest.types import Accumulator, IntType, Requantize, Table

__all__ = [
    "Accumulator",
    "CdfTables",
    "Conv2d",
    "Gdn",
    "IntType",
    "Manifest",
    "Requantize",
    "Table",
    "Transform",
    "describe",
    "describe_text",
    "find_model",
    "list_models",
    "load_manifest",
    "save_manifest",
    "sealed",
]
