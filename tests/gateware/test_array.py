"""The systolic array against matrix products, drained at the closest spacing that its timing allows."""

import numpy as np
import pytest

from licgate.gateware.array import SystolicArray
from licgate.gateware.pe import ProcessingElement
from tests.gateware.waves import trace

SHAPES = [(1, 1, 2), (1, 4, 2), (4, 1, 3), (2, 3, 2), (3, 2, 4), (4, 5, 2)]


def build(rows, cols, *, a_width=5, w_width=4, acc_width=16):
    return SystolicArray(rows, cols, a_width=a_width, w_width=w_width, acc_width=acc_width)


def random_tiles(rng, rows, cols, lengths, a_width=5, w_width=4):
    """Matrices (steps, rows) and (steps, cols) for each tile, corners of the range among them."""
    pairs = []
    for n in lengths:
        a = rng.integers(-(1 << a_width - 1), 1 << a_width - 1, (n, rows))
        w = rng.integers(-(1 << w_width - 1), 1 << w_width - 1, (n, cols))
        pairs.append((a, w))
    pairs[0][0][:], pairs[0][1][:] = -(1 << a_width - 1), -(1 << w_width - 1)
    return pairs


def schedule(tiles, rows, cols, beat, first_parity=1):
    """Inputs a cycle, and {(cycle, row): sum} of what the right edge must show; a shift every ``beat`` cycles."""
    gap = max(beat * cols, 2 * cols + beat)
    steps, expected, last = {}, {}, -gap
    for index, (a, w) in enumerate(tiles):
        # back to back, unless the drain of the tile before needs longer
        begin = max(0, last + 1, last + gap - len(a) + 1)
        for t in range(len(a)):
            steps.setdefault(begin + t, {}).update(a=a[t], w=w[t], last=t == len(a) - 1)
        last = begin + len(a) - 1
        for j in range(cols):
            shown = last + cols + 3 + j * beat
            if j:
                steps.setdefault(shown - 1, {})["shift"] = {"enable": 1, "parity": (index + first_parity) & 1}
            for row in range(rows):
                for held in range(beat):
                    expected[shown + row + held, row] = int(a[:, row] @ w[:, cols - 1 - j])
    idle = {"a": [0] * rows, "w": [0] * cols, "last": 0, "shift": {"enable": 0, "parity": 0}}
    return [{**idle, **steps.get(t, {})} for t in range(max(t for t, _ in expected) + 1)], expected


def check(seen, expected, offset=0):
    for (cycle, row), value in expected.items():
        assert seen[cycle + offset].results[row] == value, f"cycle {cycle} row {row}"


@pytest.mark.parametrize("shape", SHAPES)
def test_products_leave_in_order_at_the_closest_spacing(shape):
    rows, cols, beat = shape
    rng = np.random.default_rng(rows * 16 + cols)
    gap = max(beat * cols, 2 * cols + beat)
    tiles = random_tiles(rng, rows, cols, [5, 1, gap, gap + 3, 2, gap])
    steps, expected = schedule(tiles, rows, cols, beat)
    check(trace(build(rows, cols), steps, ["results"]), expected)


@pytest.mark.parametrize("shape", [(1, 2, 4), (3, 2, 4), (2, 3, 6), (2, 1, 8)])
def test_packed_products_leave_in_pairs(shape):
    """Two sums an element, of two weights 9 bits apart; shifted at every second result."""
    rows, cols, beat = shape
    rng = np.random.default_rng(sum(shape))
    gap, shift, bits = max(beat * cols, 2 * cols + beat), 9, 14
    tiles, pairs = [], []
    for n in (5, 1, gap, gap + 3, 2, gap):
        a = rng.integers(-16, 17, (n, rows))
        low, high = rng.integers(-15, 16, (2, n, cols))
        low[0], high[0], a[0] = -15, 15, -16
        pairs.append((a, low, high))
        tiles.append((a, low + (high << shift)))
    steps, sums = schedule(tiles, rows, cols, beat)
    _, lows = schedule([(a, low) for a, low, _ in pairs], rows, cols, beat)
    _, highs = schedule([(a, high) for a, _, high in pairs], rows, cols, beat)
    array = SystolicArray(rows, cols, a_width=6, w_width=14, acc_width=26, pack_shift=shift, high_width=bits)
    seen = trace(array, steps, ["results", "highs"])
    check(seen, sums)
    for (cycle, row), value in highs.items():
        assert seen[cycle].highs[row] == value
        low = (seen[cycle].results[row] - (value << shift)) & ((1 << bits) - 1)
        assert low == lows[cycle, row] & ((1 << bits) - 1)


def test_wide_operands():
    rng = np.random.default_rng(9)
    tiles = random_tiles(rng, 2, 2, [7, 7], a_width=17, w_width=18)
    steps, expected = schedule(tiles, 2, 2, 2)
    array = build(2, 2, a_width=17, w_width=18, acc_width=40)
    check(trace(array, steps, ["results"]), expected)


@pytest.mark.parametrize(("cols", "latency"), [(1, 4), (3, 6), (12, 15)])
def test_latency_is_what_the_class_says(cols, latency):
    array = build(1, cols)
    assert (array.latency, array.interval) == (latency, 1)
    steps = [{"a": [3], "w": [0] * (cols - 1) + [5], "last": 1}, {"a": [0], "w": [0] * cols, "last": 0}]
    seen = trace(array, steps, ["results"], cycles=latency + 3)
    assert [s.results[0] for s in seen] == [0] * latency + [15] * 3


def test_reset_in_the_middle_of_a_tile():
    rng = np.random.default_rng(2)
    before, _ = schedule(random_tiles(rng, 2, 3, [6, 9]), 2, 3, 2)
    steps, expected = schedule(random_tiles(rng, 2, 3, [4, 8, 3]), 2, 3, 2)
    cut = 20
    assert len(before) > cut
    # data registers have no reset: held until operands and products have drained, zeros follow
    hold = 2 + 3 + ProcessingElement.latency
    quiet = [{"a": [0] * 2, "w": [0] * 3, "last": 0, "shift": {"enable": 0, "parity": 0}}] * hold
    seen = trace(build(2, 3), before[:cut] + quiet + steps, ["results"], resets=range(cut, cut + hold))
    assert any(seen[cut].results)
    check(seen, expected, offset=cut + hold)


@pytest.mark.parametrize(("name", "rows", "cols"), [("rows", 0, 4), ("rows", 65, 4), ("cols", 4, 0), ("cols", 4, "4")])
def test_the_shape_is_checked(name, rows, cols):
    value = {"rows": rows, "cols": cols}[name]
    with pytest.raises(ValueError, match=f"{name} must be an integer from 1 to 64, not {value!r}"):
        build(rows, cols)


def test_the_widths_are_checked():
    with pytest.raises(ValueError, match="a_width must be an integer from 1 to 18, not 20"):
        build(2, 2, a_width=20)
    with pytest.raises(ValueError, match="acc_width must be an integer from 2 to 48, not 64"):
        build(2, 2, acc_width=64)
