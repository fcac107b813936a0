"""Geometry of a chain of layers: sizes, receptive field, multiply-accumulates, margins, patches."""

from dataclasses import dataclass
from fractions import Fraction

from licgate.errors import ConfigError

__all__ = [
    "Patch",
    "layer_macs",
    "layer_sizes",
    "margins",
    "patches",
    "receptive_field",
    "recompute_factor",
    "total_stride",
]


def total_stride(layers):
    """Return the downsampling of a chain: an int, or a Fraction below 1 when it upsamples."""
    stride = Fraction(1)
    for layer in layers:
        if layer.kind == "conv2d":
            stride = stride / layer.stride if layer.transposed else stride * layer.stride
    return int(stride) if stride.denominator == 1 else stride


def receptive_field(layers):
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


def layer_sizes(layers, height, width):
    """Return [(height, width), ...]: the input's size, then the output's size of every layer."""
    sizes = [(height, width)]
    for layer in layers:
        sizes.append(layer.output_size(*sizes[-1]))
    return sizes


def real_taps(kernel, stride, padding, inner, outer):
    """Count pairs (o, k) with o in 0..outer-1, k in 0..kernel-1 and 0 <= o*stride + k - padding < inner."""
    count = 0
    for tap in range(kernel):
        first = max(-((tap - padding) // stride), 0)
        last = min((inner - 1 + padding - tap) // stride, outer - 1)
        count += max(last - first + 1, 0)
    return count


def layer_macs(layer, height, width, *, strict=True):
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


def margins(transform):
    """Return how many latents at a cut edge of a crop are not those of the whole image: (before, after).

    A crop is taken as an image of its own, padded with zeros. It must start at a multiple of the total stride and be
    as long as one, or end where the image ends. At an edge where the crop was cut, the zeros are not what the image
    has there; each convolution carries that further inwards.

    Parameters
    ----------
    transform : Transform

    Returns
    -------
    before, after : int
        In latent rows or columns; (2, 1) for four 5x5 convolutions of stride 2.

    Raises
    ------
    ConfigError
        If a convolution is transposed or its output is not ``ceil(input / stride)``.
    """
    before = after = 0
    for layer in transform.layers:
        if layer.kind != "conv2d":
            continue
        excess = layer.kernel - 2 * layer.padding
        if layer.transposed or not 1 <= excess <= layer.stride:
            raise ConfigError(
                f"{layer.name}: patches need convolutions whose output is the input divided by the "
                f"stride; kernel {layer.kernel}, padding {layer.padding}, stride {layer.stride} is not"
            )
        # output o reads inputs o*stride - padding up to o*stride - padding + kernel - 1
        before = -(-(before + layer.padding) // layer.stride)
        after = max((after + layer.kernel - 1 - layer.padding) // layer.stride, 0)
    return before, after


@dataclass(frozen=True, kw_only=True)
class Patch:
    """One piece of an image that is computed on its own.

    Parameters
    ----------
    x, y, width, height : int
        Its window in the image, in pixels.
    out_x, out_y, out_width, out_height : int
        The latents it contributes, in latents of the whole image (of the patch itself where patches are independent:
        then out_x = out_y = 0).
    skip_x, skip_y : int
        Latents at the left and the top of its own output that are dropped; at the right and the bottom, all beyond
        `out_width` and `out_height` are.
    """

    x: int
    y: int
    width: int
    height: int
    out_x: int
    out_y: int
    out_width: int
    out_height: int
    skip_x: int
    skip_y: int


def patches(width, height, *, patch_width, patch_height, transform, independent=False, overlap=0):
    """Return the patches that cover an image, in raster order.

    Parameters
    ----------
    width, height : int
        Of the image, in pixels.
    patch_width, patch_height : int
        Pixels whose latents are kept, multiples of the total stride: cell k starts at ``k * patch`` and its window is
        larger by the margins on every side that is cut, so that the kept latents are those of the whole image.
        With `independent`, the whole patch in pixels.
    transform : Transform
    independent : bool
        Each patch is an image of its own, as in the paper: no halo, nothing dropped, seams as they come.
    overlap : int
        Pixels that neighbouring independent patches share.

    Returns
    -------
    list of Patch

    Raises
    ------
    ConfigError
        If a size is not positive, not a multiple of the stride, or the overlap not below the patch.
    """
    if width < 1 or height < 1:
        raise ConfigError(f"image of {width} x {height} pixels has no pixel")
    axes = []
    for name, length, patch in (("patch_width", width, patch_width), ("patch_height", height, patch_height)):
        if independent:
            axes.append(_independent_cells(name, length, patch, overlap, transform))
        elif overlap:
            raise ConfigError(f"overlap {overlap} goes with independent patches only; others have the halo they need")
        else:
            axes.append(_halo_cells(name, length, patch, transform))
    columns, rows = axes
    return [
        Patch(
            x=x,
            width=w,
            out_x=out_x,
            out_width=out_w,
            skip_x=skip_x,
            y=y,
            height=h,
            out_y=out_y,
            out_height=out_h,
            skip_y=skip_y,
        )
        for y, h, out_y, out_h, skip_y in rows
        for x, w, out_x, out_w, skip_x in columns
    ]


def _halo_cells(name, length, patch, transform):
    stride = transform.stride
    before, after = margins(transform)
    if patch < stride or patch % stride:
        raise ConfigError(f"{name} {patch} is not a positive multiple of the stride {stride} of {transform.name}")
    cells = []
    for start in range(0, length, patch):
        stop = min(start + patch, length)
        first = max(start - before * stride, 0)
        last = min(stop + after * stride, length)
        # a stop inside the image is a multiple of the stride; the image's own end need not be
        out_start, out_stop = start // stride, -(-stop // stride)
        cells.append((first, last - first, out_start, out_stop - out_start, (start - first) // stride))
    return cells


def _independent_cells(name, length, patch, overlap, transform):
    if patch < 1:
        raise ConfigError(f"{name} {patch} is not positive")
    if not 0 <= overlap < patch:
        raise ConfigError(f"overlap {overlap} is outside 0..{patch - 1} for {name} {patch}")
    step = patch - overlap
    cells = []
    for start in range(0, max(length - overlap, 1), step):
        size = min(patch, length - start)
        cells.append((start, size, 0, transform.output_size(size, size)[0], 0))
    return cells


def recompute_factor(transform, patches, width, height):
    """Return strict multiply-accumulates over all `patches` by those of the whole image."""
    spent = sum(transform.macs(patch.height, patch.width) for patch in patches)
    return spent / transform.macs(height, width)
