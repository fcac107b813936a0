"""Photographs: whatever a file holds becomes RGB of 8 bits, and a notice says what was changed."""

from licgate.images.load import MAX_PIXELS, SUFFIXES, Pixels, load_image
from licgate.images.made import demo_image, synthetic_image
from licgate.images.save import check_image_name, png_bytes, save_image

__all__ = [
    "MAX_PIXELS",
    "SUFFIXES",
    "Pixels",
    "check_image_name",
    "demo_image",
    "load_image",
    "png_bytes",
    "save_image",
    "synthetic_image",
]
