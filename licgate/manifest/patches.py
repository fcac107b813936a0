"""Patches: how an image is cut, and what a cut costs at its edges."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from licgate.errors import ConfigError
from licgate.manifest.transform import Transform

__all__ = ["Patch", "margins", "patches", "recompute_factor"]

# along one axis: first pixel and length of the window, first latent and their number, latents dropped in front
Cell: TypeAlias = tuple[int, int, int, int, int]


def margins(transform: Transform) -> tuple[int, int]:
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
    """A part of an image that is computed on its own.

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


def patches(
    width: int,
    height: int,
    *,
    patch_width: int,
    patch_height: int,
    transform: Transform,
    independent: bool = False,
    overlap: int = 0,
) -> list[Patch]:
    """Return the patches that cover an image, in raster order.

    Parameters
    ----------
    width, height : int
        Of the image, in pixels.
    patch_width, patch_height : int
        Pixels whose latents are kept, multiples of the total stride: kept part k starts at ``k * patch`` and its patch
        is larger by the margins on every side that is cut, so that the kept latents are those of the whole image.
        With `independent`, the whole patch in pixels.
    transform : Transform
    independent : bool
        Each patch is an image of its own, as in the paper: no margin, nothing dropped, seams as they come.
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
            raise ConfigError(f"overlap {overlap} goes with independent patches only; others have the margin they need")
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


def _halo_cells(name: str, length: int, patch: int, transform: Transform) -> list[Cell]:
    before, after = margins(transform)
    stride = int(transform.stride)  # whole, or there were no margins
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


def _independent_cells(name: str, length: int, patch: int, overlap: int, transform: Transform) -> list[Cell]:
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


def recompute_factor(transform: Transform, patches: Iterable[Patch], width: int, height: int) -> float:
    """Return strict multiply-accumulates over all `patches` by those of the whole image."""
    spent = sum(transform.macs(patch.height, patch.width) for patch in patches)
    return spent / transform.macs(height, width)
