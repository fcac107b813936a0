"""Exact integer inference in numpy: what every other engine must equal."""

from licgate.reference.convolution import conv2d
from licgate.reference.normalization import gdn
from licgate.reference.run import image_to_input, run_layer, run_transform

__all__ = ["conv2d", "gdn", "image_to_input", "run_layer", "run_transform"]
