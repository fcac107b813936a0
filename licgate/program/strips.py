"""Strips: a feature map wider than the line buffers, cut into patches whose results together are those of the whole."""

from dataclasses import dataclass

from licgate.errors import ConfigError
from licgate.manifest.transform import Transform

__all__ = ["Strip", "cut", "least_width", "reach", "strips"]


@dataclass(frozen=True)
class Strip:
    """Columns of a feature map that are run as a map of their own.

    Attributes
    ----------
    x, width : int
        Columns of the input.
    out_x, out_width : int
        Columns of the whole output that are taken from it.
    skip : int
        Columns of its own output before those.
    """

    x: int
    width: int
    out_x: int
    out_width: int
    skip: int


def reach(transform: Transform) -> tuple[int, int]:
    """Output columns that are not those of the whole map where a strip was cut: (before, after).

    At a cut edge the padding is zero where the map has values; every convolution carries that further inwards. Other
    than :func:`licgate.manifest.patches.margins`, this holds for stride 1 and for transposed convolutions too.

    Raises
    ------
    ConfigError
        A convolution neither keeps, divides nor multiplies the size exactly.
    """
    before = after = 0
    for layer in transform.layers:
        if layer.kind != "conv2d":
            continue
        kernel, stride, padding = layer.kernel, layer.stride, layer.padding
        if layer.transposed:
            if kernel - 2 * padding + layer.output_padding != stride:
                raise ConfigError(
                    f"{layer.name}: strips need a transposed convolution that gives {stride} times the "
                    f"size; kernel {kernel}, padding {padding} does not"
                )
            # output o reads inputs from ceil((o + padding - kernel + 1) / stride) to floor((o + padding) / stride)
            before = max(0, stride * (before - 1) + kernel - padding)
            after = stride * after + padding
        else:
            if not 1 <= kernel - 2 * padding <= stride:
                raise ConfigError(
                    f"{layer.name}: strips need a convolution whose output is the input divided by the "
                    f"stride; kernel {kernel}, padding {padding}, stride {stride} is not"
                )
            before = -(-(before + padding) // stride)
            after = max((after + kernel - 1 - padding) // stride, 0)
    return before, after


def least_width(transform: Transform) -> int:
    """Columns of the narrowest strip that gives something beside its margin."""
    down, _, before, after = _units(transform)
    return (before + after + 1) * down


def _units(transform: Transform) -> tuple[int, int, int, int]:
    """How a transform divides and multiplies columns, and its reach in units of columns that make whole ones."""
    down, up = (int(transform.stride), 1) if transform.stride >= 1 else (1, int(1 / transform.stride))
    before, after = (-(-columns // up) for columns in reach(transform))
    return down, up, before, after


def strips(transform: Transform, width: int, max_width: int) -> list[Strip]:
    """Cut a map of ``width`` columns into the fewest strips of at most ``max_width``, from left to right.

    Parameters
    ----------
    transform : Transform
    width, max_width : int
        Columns of the input.

    Returns
    -------
    list of Strip

    Raises
    ------
    ConfigError
        A strip of ``max_width`` is nothing but margin.
    """
    if width <= max_width:
        return [Strip(0, width, 0, transform.output_size(1, width)[1], 0)]
    down, _, before, after = _units(transform)
    kept = (max_width // down - before - after) * down
    if kept < 1:
        raise ConfigError(
            f"{transform.name}: lines of {max_width} columns leave none beside the margin of a strip; "
            f"it takes {least_width(transform)}: take a greater max_width"
        )
    return cut(transform, width, kept)


def cut(transform: Transform, width: int, kept: int) -> list[Strip]:
    """Cut a map of ``width`` columns into strips each of which gives what belongs to ``kept`` of them, in whole units.

    Returns
    -------
    list of Strip
        With the margins that they need.
    """
    down, up, before, after = _units(transform)
    found: list[Strip] = []
    for start in range(0, width, kept):
        stop = min(start + kept, width)
        first, last = max(start - before * down, 0), min(stop + after * down, width)
        out_start, out_stop = start * up // down, -(-stop * up // down)
        found.append(Strip(first, last - first, out_start, out_stop - out_start, (start - first) * up // down))
        if last == width and stop < width:
            # the margin was all that was left, so this strip has the rest too
            out_stop = -(-width * up // down)
            found[-1] = Strip(first, last - first, out_start, out_stop - out_start, found[-1].skip)
            break
    return found
