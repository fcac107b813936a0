"""Weights of passes whose rows make four outputs each, and what the array's results have too much of them."""

import numpy as np

from licgate.errors import ConfigError
from licgate.manifest.checks import Integers
from licgate.manifest.layers import Conv2d
from licgate.program.ops import steps_of
from licgate.program.shape import Shape
from licgate.target.arithmetic import Arithmetic
from licgate.target.points import INFINITY, OUTPUTS, QUAD, SUMS, TAPS, TapRow, TapStep

__all__ = ["biases_of_quads", "biases_of_singles", "quad_shape", "quad_words", "step_weights", "surplus"]


def quad_shape(layer: Conv2d, stride: int, left: int, columns: int) -> Shape:
    """The window of a pass that makes quads.

    Raises
    ------
    ConfigError
        The kernel has too many columns.
    """
    shape = Shape(stride, left, columns, QUAD)
    try:
        shape.tap_row  # noqa: B018 - for its errors
    except ValueError as error:
        raise ConfigError(f"{layer.name}: {error} by points: choose arithmetic fip") from error
    return shape


def quad_words(matrix: Integers, row: TapRow, arithmetic: Arithmetic) -> Integers:
    """Weights of a pass kind in the order in which they are fetched.

    Parameters
    ----------
    matrix : ndarray
        (O, kernel rows, I, kernel columns).
    row : TapRow
    arithmetic : Arithmetic

    Returns
    -------
    ndarray
        (O, words, reduction indices of a word).
    """
    padded = np.pad(matrix, ((0, 0), (0, 0), (0, 0), (0, 1)))
    columns = [matrix.shape[3] if fetch.column is None else fetch.column for fetch in row.fetches]
    return steps_of(padded[..., columns], arithmetic)


def step_weights(matrix: Integers, row: TapRow, step: TapStep) -> Integers:
    """What an element multiplies with in a step: ``matrix`` (..., kernel columns) at its point."""
    taps = matrix[..., list(step.taps)]
    point = 0 if step.point == INFINITY else step.point
    if point is None or not step.taps:
        return np.zeros(matrix.shape[:-1], dtype=np.int64)
    return np.asarray(taps @ TAPS[point][: len(step.taps)])


def surplus(matrix: Integers, row: TapRow, arithmetic: Arithmetic) -> Integers:
    """24 times what a quad's outputs have too much: eta of the weights at all points, as outputs.

    Parameters
    ----------
    matrix : ndarray
        (O, kernel rows, I, kernel columns).

    Returns
    -------
    ndarray
        (O, 4).
    """
    sums = np.zeros((len(matrix), SUMS), dtype=np.int64)
    for step in row.steps:
        if step.point is not None:
            weights = steps_of(step_weights(matrix, row, step)[..., None], arithmetic)
            sums[:, step.point] += arithmetic.weight_sum(weights.reshape(len(matrix), -1).T)
    return np.asarray(sums @ OUTPUTS.T)


def biases_of_quads(added: list[int], matrix: Integers, row: TapRow, arithmetic: Arithmetic) -> list[int]:
    """From what sums are taken off, channel by channel and output by output: -24 times the results.

    That is 24 times the layer's biases, less what the sums have too much, less than nothing.
    """
    biases = surplus(matrix, row, arithmetic) - 24 * np.asarray(added, dtype=np.int64)[:, None]
    return [int(v) for v in biases.ravel()]


def biases_of_singles(biases: list[int]) -> list[int]:
    """The same of single sums, which come twofold.

    What is left is ``-2 * result - 2``: its half has the result as its complement, which takes no adder.
    """
    return [-2 * (bias + 1) for bias in biases]
