"""Depth form: the four parities of a map's rows and columns as four times its channels, half as high and wide."""

from licgate.manifest.checks import AnyIntegers

__all__ = ["depth_form", "from_depth_form"]


def depth_form(x: AnyIntegers) -> AnyIntegers:
    """(C, 2 H, 2 W) to (4 C, H, W): channel ``(2 * p + q) * C + c`` at (i, j) is channel c at (2 i + p, 2 j + q)."""
    channels, height, width = x.shape
    cells = x.reshape(channels, height // 2, 2, width // 2, 2)
    return cells.transpose(2, 4, 0, 1, 3).reshape(4 * channels, height // 2, width // 2)


def from_depth_form(x: AnyIntegers) -> AnyIntegers:
    """The inverse of `depth_form`."""
    channels, height, width = x.shape
    cells = x.reshape(2, 2, channels // 4, height, width)
    return cells.transpose(2, 3, 0, 4, 1).reshape(channels // 4, 2 * height, 2 * width)
