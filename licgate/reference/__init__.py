"""Exact integer inference in numpy: what every other engine must equal."""

from licgate.reference.latents import code_latents, decode_latents
from licgate.reference.run import image_to_input, run_layer, run_transform

__all__ = ["code_latents", "decode_latents", "image_to_input", "run_layer", "run_transform"]
