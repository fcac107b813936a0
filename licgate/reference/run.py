"""Layers and whole transforms on feature maps."""

import numpy as np

from licgate.errors import ConfigError, ImageError
from licgate.reference.convolution import conv2d
from licgate.reference.normalization import gdn

__all__ = ["image_to_input", "run_layer", "run_transform"]


def run_layer(layer, x):
    """Return the output of `layer` for the feature map `x`, shape (C, H, W), integers in the layer's input type."""
    x = _checked(layer.name, x, layer.in_channels, layer.input)
    return conv2d(layer, x) if layer.kind == "conv2d" else gdn(layer, x)


def run_transform(transform, x, *, trace=None):
    """Return the output of a whole transform.

    Parameters
    ----------
    transform : Transform
    x : ndarray of int, shape (C, H, W)
        In the transform's input type.
    trace : list, optional
        Every layer's output is appended to it.

    Returns
    -------
    ndarray of int64, shape (C', H', W')

    Raises
    ------
    ConfigError
        If `x` has another shape or type, or numbers out of range.
    """
    x = _checked(transform.name, x, transform.in_channels, transform.input)
    if transform.absolute_input:
        x = np.abs(x.astype(np.int64))
    for layer in transform.layers:
        x = conv2d(layer, x) if layer.kind == "conv2d" else gdn(layer, x)
        if trace is not None:
            trace.append(x)
    return x


def image_to_input(image):
    """Return an RGB image, uint8 of shape (H, W, 3), as the input of g_a: int64 of shape (3, H, W)."""
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ImageError(f"image is {image.dtype} of shape {image.shape}, expected uint8 of shape (height, width, 3)")
    return np.ascontiguousarray(image.transpose(2, 0, 1)).astype(np.int64)


def _checked(name, x, channels, kind):
    x = np.asarray(x)
    if x.dtype.kind not in "iu":
        raise ConfigError(f"{name}: input is {x.dtype}, expected integers")
    if x.ndim != 3 or x.shape[0] != channels or not x.size:
        raise ConfigError(f"{name}: input has shape {x.shape}, expected ({channels}, height, width)")
    low, high = int(x.min()), int(x.max())
    if low < kind.min or high > kind.max:
        raise ConfigError(f"{name}: input holds {low}..{high}, outside of {kind} ({kind.min}..{kind.max})")
    return x
