"""The manifest: the one contract between training and everything that runs a model."""

from licgate.manifest.layers import Conv2d, Gdn
from licgate.manifest.model import Manifest
from licgate.manifest.store import sealed
from licgate.manifest.transform import Transform
from licgate.manifest.types import Accumulator, IntType, Requantize, Table

__all__ = ["IntType", "Requantize", "Table", "Accumulator", "Conv2d", "Gdn", "Transform", "Manifest", "sealed"]
