"""Layers and whole transforms on feature maps, tile by tile, on one thread or several."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from licgate.errors import ConfigError, ImageError
from licgate.manifest.checks import AnyIntegers, Integers
from licgate.manifest.layers import Layer
from licgate.manifest.transform import Transform
from licgate.manifest.types import IntType
from licgate.reference.blas import check_products, one_thread
from licgate.reference.convolution import Convolution
from licgate.reference.exact import Floats
from licgate.reference.normalization import Normalization

__all__ = ["image_to_input", "run_layer", "run_transform"]

# numbers of a tile's unfolded input, or of its output: few enough for a core's own cache
TILE = 1 << 17
# cells of a tile along a row: enough for a matrix product to be worth it
COLUMNS = 512

# top, bottom, left, right in cells of the output
Area: TypeAlias = tuple[int, int, int, int]

_ready: WeakKeyDictionary[Layer, Convolution | Normalization] = WeakKeyDictionary()


def run_layer(layer: Layer, x: AnyIntegers) -> Integers:
    """Return the output of `layer`, int64, for the feature map `x`, (C, H, W), integers in the layer's input type."""
    x = _checked(layer.name, x, layer.in_channels, layer.input)
    check_products()
    with one_thread():
        out = _store([layer], x.transpose(1, 0, 2), np.int64, map).transpose(1, 0, 2)
    return out.astype(np.int64, copy=False)


def run_transform(
    transform: Transform,
    x: AnyIntegers,
    *,
    trace: list[AnyIntegers] | None = None,
    threads: int = 1,
    dtype: npt.DTypeLike | None = np.int64,
) -> AnyIntegers:
    """Return the output of a whole transform.

    Parameters
    ----------
    transform : Transform
    x : ndarray of int, shape (C, H, W)
        In the transform's input type.
    trace : list, optional
        Every layer's output is appended to it.
    threads : int
        How many work at it; the result is the same for any number.
    dtype : numpy integer type, optional
        Of the output; it must hold the transform's output type. None: the smallest that does.

    Returns
    -------
    ndarray of `dtype`, shape (C', H', W')

    Raises
    ------
    ConfigError
        If `x` has another shape or type, or numbers out of range, or is smaller than a kernel; if `dtype` is too
        narrow or there are fewer than 1 threads; if numpy's matrix products are not exact.
    """
    x = _checked(transform.name, x, transform.in_channels, transform.input)
    dtype = _narrowest(transform.output) if dtype is None else dtype
    limits = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else None
    if limits is None or limits.min > transform.output.min or limits.max < transform.output.max:
        raise ConfigError(f"{transform.name}: {np.dtype(dtype)} does not hold its output, {transform.output}")
    if threads < 1:
        raise ConfigError(f"{transform.name}: {threads} threads; give 1 or more")
    if transform.absolute_input:
        x = np.abs(x, dtype=np.int32)
    # feature maps are (H, C, W) from here on
    x = x.transpose(1, 0, 2)
    stages = [[layer] for layer in transform.layers] if trace is not None else _stages(transform.layers)
    check_products()
    with one_thread(), ThreadPoolExecutor(threads) if threads > 1 else nullcontext() as pool:
        for stage in stages:
            last = stage is stages[-1]
            kind = dtype if last else np.int64 if trace is not None else _narrowest(stage[-1].output)
            x = _store(stage, x, kind, pool.map if pool else map)
            if trace is not None:
                trace.append(x.transpose(1, 0, 2))
    return x.transpose(1, 0, 2) if trace is None else trace[-1]


def image_to_input(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return an RGB image, uint8 of shape (H, W, 3), as the input of g_a: uint8 of shape (3, H, W)."""
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ImageError(f"image is {image.dtype} of shape {image.shape}, expected uint8 of shape (height, width, 3)")
    return np.ascontiguousarray(image.transpose(2, 0, 1))


def _stages(layers: Sequence[Layer]) -> list[list[Layer]]:
    """Return layers in groups: a convolution and the GDNs behind it, which work on its output position by position."""
    stages: list[list[Layer]] = []
    for layer in layers:
        if layer.kind == "conv2d" or not stages:
            stages.append([])
        stages[-1].append(layer)
    return stages


def _narrowest(kind: IntType) -> np.dtype[np.integer]:
    """Return the smallest numpy type that holds an `IntType`."""
    bits = 8 if kind.bits <= 8 else 16
    return np.dtype(f"{'int' if kind.signed else 'uint'}{bits}")


def _made_ready(layer: Layer) -> Convolution | Normalization:
    ready = _ready.get(layer)
    if ready is None:
        ready = _ready[layer] = Convolution(layer) if layer.kind == "conv2d" else Normalization(layer)
    return ready


def _store(
    stage: Sequence[Layer], x: AnyIntegers, dtype: npt.DTypeLike, every: Callable[..., Iterable[None]]
) -> AnyIntegers:
    """Return the output (H', C', W') of some layers behind each other, the first of which may be a convolution."""
    height, _, width = x.shape
    ready = [_made_ready(layer) for layer in stage]
    convolution = ready[0] if isinstance(ready[0], Convolution) else None
    pointwise = [layer for layer in ready if isinstance(layer, Normalization)]
    size = stage[0].output_size(height, width)
    if not all(size):
        raise ConfigError(f"{stage[0].name}: nothing comes out of an input of {width} x {height}; it is too small")
    # a view of (C, H, W), which is what callers get
    out = np.empty((stage[-1].out_channels, *size), dtype=dtype).transpose(1, 0, 2)
    unit = convolution.unit if convolution else 1
    spread = convolution.spread if convolution else stage[0].in_channels

    def compute(tile: Area) -> None:
        top, bottom, left, right = tile
        target = out[top * unit : bottom * unit, :, left * unit : right * unit]
        if convolution:
            # a unit may reach beyond the output's end
            part: Floats = convolution(x, *tile)[: target.shape[0], :, : target.shape[2]]
        else:
            part = x[top:bottom, :, left:right].astype(np.float32)
        for layer in pointwise:
            part = layer(part)
        target[...] = part

    rows, columns = (-(-length // unit) for length in size)
    for _ in every(compute, list(_areas(rows, columns, spread))):
        pass
    return out


def _areas(height: int, width: int, spread: int) -> Iterator[Area]:
    """Yield (top, bottom, left, right) of tiles that cover height x width cells."""
    columns = -(-width // -(-width // COLUMNS))
    rows = max(TILE // (spread * columns), 1)
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            yield top, min(top + rows, height), left, min(left + columns, width)


def _checked(name: str, x: npt.ArrayLike, channels: int, kind: IntType) -> AnyIntegers:
    x = np.asarray(x)
    if x.dtype.kind not in "iu":
        raise ConfigError(f"{name}: input is {x.dtype}, expected integers")
    if x.ndim != 3 or x.shape[0] != channels or not x.size:
        raise ConfigError(f"{name}: input has shape {x.shape}, expected ({channels}, height, width)")
    low, high = int(x.min()), int(x.max())
    if low < kind.min or high > kind.max:
        raise ConfigError(f"{name}: input holds {low}..{high}, outside of {kind} ({kind.min}..{kind.max})")
    return x
