"""Exact integer inference in numpy: what every other engine must equal."""

from licgate.reference.convolution import conv2d
from licgate.reference.latents import code_latents, decode_latents
from licgate.reference.normalization import gdn
from licgate.reference.run import image_to_input, run_layer, run_transform

__all__ = ["code_latents", "conv2d", "decode_latents", "gdn", "image_to_input", "run_layer", "run_transform"]
