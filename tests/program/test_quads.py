"""Whole layers by points against the reference, in the widths that elements have; the order of their weights."""

import numpy as np
import pytest

from licgate.errors import ConfigError
from licgate.program.depthform import from_depth_form
from licgate.program.ops import matrices, steps_of
from licgate.program.quads import quad_shape, quad_words, step_weights, surplus
from licgate.program.shape import Shape
from licgate.reference.run import run_layer
from licgate.target.arithmetic import FIP_F4
from licgate.target.points import tap_row
from tests.manifest.kit import chain
from tests.program.quadmodel import Ranges, quad_layer
from tests.reference.slow import requantize

# kernel, stride; channels in and out; bits of activations and weights; height and width
LAYERS = {
    "5x5 strided": ((5, 2), (4, 3), (10, 8), (6, 13)),
    "5x5, odd channels": ((5, 2), (3, 5), (10, 8), (7, 17)),
    "5x5, one pixel": ((5, 2), (1, 2), (10, 8), (1, 1)),
    "5x5, a column": ((5, 2), (2, 2), (8, 8), (9, 1)),
    "3x3 strided": ((3, 2), (5, 2), (8, 6), (5, 10)),
    "7x7 strided": ((7, 2), (2, 3), (8, 8), (8, 15)),
    "3x3": ((3, 1), (3, 4), (10, 8), (4, 9)),
    "5x5": ((5, 1), (2, 1), (8, 8), (5, 6)),
    "1x1": ((1, 1), (5, 3), (8, 8), (3, 7)),
    "transposed": ((5, -2), (3, 4), (10, 8), (4, 5)),
    "transposed, one pixel": ((5, -2), (1, 1), (8, 8), (1, 1)),
    "transposed 3x3": ((3, -2), (4, 2), (8, 8), (3, 6)),
    "transposed 4x4": ((4, -2), (2, 2), (8, 8), (3, 9)),
    "weights of 12 bits": ((5, 2), (3, 2), (4, 12), (4, 6)),
}


def made(name):
    (kernel, stride), (inside, outside), (bits, weight_bits), size = LAYERS[name]
    transform = chain("h_a", inside, (kernel, stride, outside), bits=(bits, 8), weight_bits=weight_bits)
    (layer,) = transform.layers
    low, high = layer.input.min, layer.input.max
    rng = np.random.default_rng(len(name))
    return layer, [rng.choice([low, high], (inside, *size)), rng.integers(low, high + 1, (inside, *size))]


def stored(layer, sums):
    """What a layer stores of its sums."""
    shifts = layer.requantize.shift
    return [[[requantize(int(v), layer, c, int(shifts[c])) for v in row] for row in p] for c, p in enumerate(sums)]


@pytest.mark.parametrize("name", LAYERS)
def test_equal_to_the_reference(name):
    layer, inputs = made(name)
    for x in inputs:
        assert np.array_equal(stored(layer, quad_layer(layer, x, FIP_F4)), run_layer(layer, x))


@pytest.mark.parametrize("name", ["transposed", "transposed 3x3"])
def test_depth_form(name):
    layer, inputs = made(name)
    for x in inputs:
        sums = from_depth_form(quad_layer(layer, x, FIP_F4, depth_form=True))
        assert np.array_equal(stored(layer, sums), run_layer(layer, x))


def test_operands_stay_within_what_is_proved():
    """Of 10 x 8 bits 14 and 11, and 14 of their sum."""
    layer, inputs = made("5x5, odd channels")
    ranges = Ranges()
    for x in inputs:
        quad_layer(layer, x, FIP_F4, ranges=ranges)
    a, w = FIP_F4.operand_extents(layer.input.min, layer.input.max, layer.weight_type.max)
    assert (a, w) == (5118, 889)
    largest = {name: max(-low, high) for name, (low, high) in ranges.found.items()}
    assert 1 << 12 < largest["a"] <= a < 1 << 13
    assert largest["w"] <= w < 1 << 10
    assert largest["multiplicand"] <= a + w < 1 << 13


@pytest.mark.parametrize("rows", [1, 2, 3, 8, 12])
def test_every_fourth_column_is_in_a_word(rows):
    shape = Shape(2, -2, 5, 4)
    # the words of a row, by their definition
    words = {}
    for column in range(-4 * rows, 16 * rows):
        words[column] = (4 * (column // (4 * rows)) + column % 4, column % (4 * rows) // 4)
    assert [shape.place(p, rows) for p in range(8 * rows + 3)] == [words[p - 2] for p in range(8 * rows + 3)]
    assert shape.pixels(rows) == 8 * rows + 3
    assert (shape.first_word(rows), shape.words(rows), shape.tap_row_cycles(rows)) == (-2, 11, 11)
    three = Shape(1, -1, 3, 4)
    assert (three.first_word(rows), three.words(rows), three.tap_row_cycles(rows)) == (-1, 6, 6)


@pytest.mark.parametrize(("columns", "stride"), [(5, 2), (3, 1), (1, 1), (7, 2)])
def test_weights_lie_in_the_order_in_which_they_are_fetched(columns, stride):
    matrix = np.random.default_rng(1).integers(-9, 10, (3, 2, 5, columns))
    row = tap_row(columns, stride)
    words = quad_words(matrix, row, FIP_F4)
    assert words.shape == (3, 2 * 3 * len(row.fetches), 2)
    for o, ky, c, k in np.ndindex(3, 2, 6, len(row.fetches)):
        column = row.fetches[k].column
        expected = 0 if c == 5 or column is None else matrix[o, ky, c, column]
        assert words[o, (ky * 3 + c // 2) * len(row.fetches) + k, c % 2] == expected


def test_what_outputs_have_too_much_differs_from_output_to_output():
    layer, _ = made("5x5 strided")
    ((*_, matrix),) = matrices(layer)
    row = quad_shape(layer, 2, -2, 5).tap_row
    found = surplus(matrix, row, FIP_F4)
    assert found.shape == (3, 4)
    assert len(set(found[0].tolist())) == 4
    # of one output channel, by hand
    sums = [0] * 6
    for ky in range(5):
        for pair in (0, 2):
            for step in row.steps:
                first, second = (int(step_weights(matrix, row, step)[0, ky, pair + k]) for k in range(2))
                sums[step.point] += first * second
    p0, p1, m1, p2, m2, infinity = sums
    assert found[0].tolist() == [
        2 * p0 - 4 * (p1 + m1) + p2 + m2,
        -4 * (p1 - m1) + 2 * (p2 - m2),
        -4 * (p1 + m1) + 4 * (p2 + m2),
        -4 * (p1 - m1) + 8 * (p2 - m2) + 8 * infinity,
    ]


def test_a_kernel_that_has_too_many_columns():
    (layer,) = chain("h_a", 1, (11, 2, 1)).layers
    with pytest.raises(ConfigError, match=r"^h_a.0: 11 taps of stride 2 overtake each other by points: choose arith"):
        quad_shape(layer, 2, -5, 11)


def test_steps_of_all_weights_are_those_of_the_fast_inner_product():
    """Two channels a step, the odd one with nothing."""
    matrix = np.arange(2 * 1 * 3 * 2).reshape(2, 1, 3, 2)
    assert np.array_equal(quad_words(matrix, tap_row(2, 1), FIP_F4), steps_of(matrix, FIP_F4))
