"""The systolic array against matrix products, drained at the closest spacing that its timing allows."""

import numpy as np
import pytest

from licgate.gateware.engine.array import SystolicArray
from licgate.program.timing import array_latency
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


def schedule(tiles, rows, cols, drain_interval):
    """Inputs a cycle, and {(cycle, row): sum} of what is read there, as early as it can be."""
    gap, latency = drain_interval * cols, array_latency(cols)
    steps, expected, last = {}, {}, -gap
    for a, w in tiles:
        # back to back, unless the drain of the tile before needs longer
        begin = max(0, last + 1, last + gap - len(a) + 1)
        for t in range(len(a)):
            steps.setdefault(begin + t, {}).update(a=a[t], w=w[t], last=t == len(a) - 1)
        last = begin + len(a) - 1
        for j in range(cols):
            shown = last + latency + j * drain_interval
            steps.setdefault(shown - 2, {})["drain"] = {"enable": 1, "column": j}
            for row in range(rows):
                expected[shown + row, row] = int(a[:, row] @ w[:, j])
    idle = {"a": [0] * rows, "w": [0] * cols, "last": 0, "drain": {"enable": 0, "column": 0}}
    return [{**idle, **steps.get(t, {})} for t in range(max(t for t, _ in expected) + 1)], expected


def check(seen, expected, offset=0):
    for cycle, record in enumerate(seen[offset:]):
        assert record.results == [expected.get((cycle, row), 0) for row in range(len(record.results))], f"cycle {cycle}"


@pytest.mark.parametrize("shape", SHAPES)
def test_products_leave_in_order_at_the_closest_spacing(shape):
    rows, cols, drain_interval = shape
    rng = np.random.default_rng(rows * 16 + cols)
    gap = drain_interval * cols
    tiles = random_tiles(rng, rows, cols, [5, 1, gap, gap + 3, 2, gap])
    steps, expected = schedule(tiles, rows, cols, drain_interval)
    check(trace(build(rows, cols), steps, ["results"]), expected)


@pytest.mark.parametrize("shape", [(1, 2, 4), (3, 2, 4), (2, 3, 6), (2, 1, 8)])
def test_packed_products_leave_in_pairs(shape):
    """Two sums an element, of two weights 9 bits apart; a column is read at every second result."""
    rows, cols, drain_interval = shape
    rng = np.random.default_rng(sum(shape))
    gap, shift, bits = drain_interval * cols, 9, 14
    tiles, pairs = [], []
    for n in (5, 1, gap, gap + 3, 2, gap):
        a = rng.integers(-16, 17, (n, rows))
        low, high = rng.integers(-15, 16, (2, n, cols))
        low[0], high[0], a[0] = -15, 15, -16
        pairs.append((a, low, high))
        tiles.append((a, low + (high << shift)))
    steps, sums = schedule(tiles, rows, cols, drain_interval)
    _, lows = schedule([(a, low) for a, low, _ in pairs], rows, cols, drain_interval)
    _, highs = schedule([(a, high) for a, _, high in pairs], rows, cols, drain_interval)
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


@pytest.mark.parametrize("shape", [(2, 4), (3, 5), (1, 17), (2, 1)])
def test_sums_are_read_in_any_order_until_the_next_ones_come(shape):
    rows, cols = shape
    rng = np.random.default_rng(cols)
    latency, gap = array_latency(cols), 3 * cols + 2
    tiles = random_tiles(rng, rows, cols, [gap] * 5)
    steps = [{"a": a[t], "w": w[t], "last": t == gap - 1, "drain": {"enable": 0}} for a, w in tiles for t in range(gap)]
    steps += [{"a": [0] * rows, "w": [0] * cols, "last": 0, "drain": {"enable": 0}}] * (gap + latency)
    expected = {}
    for index, (a, w) in enumerate(tiles):
        # from the cycle after the last column has come until that of the next sum's first one
        free = range((index + 1) * gap - 1 + latency + cols - 1, (index + 2) * gap - 1 + latency)
        order = rng.integers(cols, size=len(free))
        for cycle, column in zip(free, order, strict=True):
            steps[cycle - 2] = {**steps[cycle - 2], "drain": {"enable": 1, "column": int(column)}}
            for row in range(rows):
                expected[cycle + row, row] = int(a[:, row] @ w[:, column])
    seen = trace(build(rows, cols), steps, ["results"])
    check(seen, {key: value for key, value in expected.items() if key[0] < len(seen)})


@pytest.mark.parametrize(("cols", "latency"), [(1, 8), (3, 9), (12, 10), (17, 11)])
def test_latency_is_what_the_class_says(cols, latency):
    array = build(1, cols)
    assert (array.latency, array.interval) == (latency, 1)
    # asked for all the time, column 0 comes when it can, and stays
    steps = [{"a": [3], "w": [5] + [0] * (cols - 1), "last": 1, "drain": {"enable": 1, "column": 0}}]
    steps += [{"a": [0], "w": [0] * cols, "last": 0}]
    seen = trace(array, steps, ["results"], cycles=latency + 3)
    assert [s.results[0] for s in seen] == [0] * latency + [15] * 3


def test_reset_in_the_middle_of_a_tile():
    rng = np.random.default_rng(2)
    before, _ = schedule(random_tiles(rng, 2, 3, [6, 9]), 2, 3, 2)
    steps, expected = schedule(random_tiles(rng, 2, 3, [4, 8, 3]), 2, 3, 2)
    cut = 20
    assert len(before) > cut
    # data registers have no reset: held until operands and products have drained, zeros follow
    hold = 2 + 3 + array_latency(3)
    quiet = [{"a": [0] * 2, "w": [0] * 3, "last": 0, "drain": {"enable": 0, "column": 0}}] * hold
    seen = trace(build(2, 3), before[:cut] + quiet + steps, ["results"], resets=range(cut, cut + hold))
    assert any(any(s.results) for s in seen[:cut])
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
