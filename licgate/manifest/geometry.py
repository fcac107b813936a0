"""Geometry of a chain of layers: sizes, receptive field, multiply-accumulates."""

from collections.abc import Sequence
from fractions import Fraction

from licgate.manifest.layers import Layer

__all__ = ["layer_macs", "layer_sizes", "receptive_field", "total_stride"]


def total_stride(layers: Sequence[Layer]) -> int | Fraction:
    """Return the downsampling of a chain: an int, or a Fraction below 1 when it upsamples."""
    stride = Fraction(1)
    for layer in layers:
        if layer.kind == "conv2d":
            stride = stride / layer.stride if layer.transposed else stride * layer.stride
    return int(stride) if stride.denominator == 1 else stride


def receptive_field(layers: Sequence[Layer]) -> int:
    """Return how many input pixels along an axis one output can depend on, at most."""
    field = 1
    for layer in reversed(layers):
        if layer.kind != "conv2d":
            continue
        if layer.transposed:
            field = (field + layer.kernel - 2) // layer.stride + 1
        else:
            field = (field - 1) * layer.stride + layer.kernel
    return field


def layer_sizes(layers: Sequence[Layer], height: int, width: int) -> list[tuple[int, int]]:
    """Return [(height, width), ...]: the input's size, then the output's size of every layer."""
    sizes = [(height, width)]
    for layer in layers:
        sizes.append(layer.output_size(*sizes[-1]))
    return sizes


def real_taps(kernel: int, stride: int, padding: int, inner: int, outer: int) -> int:
    """Count pairs (o, k) with o in 0..outer-1, k in 0..kernel-1 and 0 <= o*stride + k - padding < inner."""
    count = 0
    for tap in range(kernel):
        first = max(-((tap - padding) // stride), 0)
        last = min((inner - 1 + padding - tap) // stride, outer - 1)
        count += max(last - first + 1, 0)
    return count


def layer_macs(layer: Layer, height: int, width: int, *, strict: bool = True) -> int:
    """Return the multiply-accumulates of one layer for an input of `height` x `width`.

    Parameters
    ----------
    strict : bool
        Count only taps that fall on real pixels; otherwise the usual formula, zero padding included.
    """
    if layer.kind == "gdn":
        return layer.channels * layer.channels * height * width
    out_height, out_width = layer.output_size(height, width)
    pairs = layer.in_channels * layer.out_channels
    if not strict:
        area = height * width if layer.transposed else out_height * out_width
        return pairs * area * layer.kernel**2
    taps = 1
    for length, out_length in ((height, out_height), (width, out_width)):
        # the scatter of a transposed convolution is the gather of a plain one with the ends exchanged
        inner, outer = (out_length, length) if layer.transposed else (length, out_length)
        taps *= real_taps(layer.kernel, layer.stride, layer.padding, inner, outer)
    return pairs * taps
