"""The systolic array of the fast inner product against matrix products, with bubbles and resets."""

import numpy as np
import pytest

from licgate.gateware.engine.array import SystolicArray
from licgate.program.timing import array_latency
from licgate.target.arithmetic import FIP
from tests.gateware.engine.pairs import word, wrap
from tests.gateware.waves import trace

SHAPES = [(1, 1, 2), (1, 4, 2), (4, 1, 3), (2, 3, 2), (3, 5, 2), (1, 17, 2)]
WIDTHS = [(5, 4, 16), (10, 8, 24), (13, 13, 30), (17, 9, 36)]


def build(rows, cols, widths):
    a, w, acc = widths
    return SystolicArray(rows, cols, a_width=a, w_width=w, acc_width=acc, arithmetic=FIP)


def schedule(rng, rows, cols, spacing, lengths, widths):
    """Inputs a cycle, and {(cycle, row): what is read there with eta in it, plain products}; bubbles between steps.

    Activations of bubbles are as they come: their weights alone are zero.
    """
    a_width, w_width, acc_width = widths
    latency, gap, last = array_latency(cols, FIP, a_width), spacing * cols, -spacing * cols
    steps, expected = [], {}
    for index, n in enumerate(lengths):
        a = rng.integers(-(1 << a_width - 1), 1 << a_width - 1, (2 * n, rows))
        w = rng.integers(-(1 << w_width - 1), 1 << w_width - 1, (2 * n, cols))
        if index == 0:
            a[:], w[:] = -(1 << a_width - 1), -(1 << w_width - 1)
        for t in range(n):
            while rng.random() < 0.3 or (t == n - 1 and len(steps) < last + gap):
                noise = rng.integers(-(1 << 2 * a_width - 1), 1 << 2 * a_width - 1, rows)
                steps.append({"a": [int(v) for v in noise], "w": [0] * cols, "last": 0})
            lines = [
                [word(low, high, b) for low, high in zip(*v[2 * t : 2 * t + 2])]
                for v, b in ((a, a_width), (w, w_width))
            ]
            steps.append({"a": lines[0], "w": lines[1], "last": t == n - 1})
        last = len(steps) - 1
        for j in range(cols):
            for row in range(rows):
                plain = int(a[:, row] @ w[:, j])
                eta = int(FIP.weight_sum(w)[j])
                expected[last + latency + j * spacing + row, row] = (
                    wrap(plain + eta, acc_width),
                    wrap(plain, acc_width),
                    eta,
                )
    idle = {"a": [0] * rows, "w": [0] * cols, "last": 0}
    steps += [idle] * (max(t for t, _ in expected) + 1 - len(steps))
    steps = [{**s, "drain": {"enable": 0, "column": 0}} for s in steps]
    ends = [t for t, s in enumerate(steps) if s["last"]]
    for end in ends:
        for j in range(cols):
            steps[end + latency + j * spacing - 2]["drain"] = {"enable": 1, "column": j}
    return steps, expected


def check(seen, expected, acc_width, offset=0):
    for cycle, record in enumerate(seen[offset:]):
        for row, got in enumerate(record.results):
            with_eta, plain, eta = expected.get((cycle, row), (0, 0, 0))
            assert got == with_eta, f"cycle {cycle}, row {row}"
            assert wrap(got - eta, acc_width) == plain


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("shape", SHAPES)
def test_products_leave_in_order_at_the_closest_spacing(shape, widths):
    rows, cols, spacing = shape
    rng = np.random.default_rng(rows * 16 + cols)
    gap = spacing * cols
    steps, expected = schedule(rng, rows, cols, spacing, [5, 1, gap, gap + 3, 2, gap, 1, 1], widths)
    check(trace(build(rows, cols, widths), steps, ["results"]), expected, widths[2])


@pytest.mark.parametrize("cols", [1, 4, 17])
def test_sums_may_end_as_many_cycles_apart_as_there_are_columns(cols):
    """The row's own sum is held for exactly as long."""
    rng = np.random.default_rng(cols)
    steps, expected = schedule(rng, 2, cols, 1, [1] * 6, WIDTHS[0])
    ends = [t for t, s in enumerate(steps) if s["last"]]
    assert min(np.diff(ends)) == cols
    check(trace(build(2, cols, WIDTHS[0]), steps, ["results"]), expected, WIDTHS[0][2])


@pytest.mark.parametrize(("cols", "latency"), [(1, 12), (3, 12), (12, 13), (17, 14)])
def test_latency_is_what_the_class_says(cols, latency):
    array = build(1, cols, WIDTHS[1])
    assert (array.latency, array.interval) == (latency, 1)
    # asked for all the time, column 0 comes when it can, and stays
    first = {"a": [word(3, 2, 10)], "w": [word(5, 4, 8)] + [0] * (cols - 1), "last": 1}
    steps = [{**first, "drain": {"enable": 1, "column": 0}}, {"a": [0], "w": [0] * cols, "last": 0}]
    seen = trace(array, steps, ["results"], cycles=latency + 3)
    assert [s.results[0] for s in seen] == [0] * latency + [3 * 5 + 2 * 4 + 5 * 4] * 3


def test_reset_in_the_middle_of_a_tile():
    rng = np.random.default_rng(2)
    before, _ = schedule(rng, 2, 3, 2, [6, 9], WIDTHS[0])
    steps, expected = schedule(rng, 2, 3, 2, [4, 8, 3], WIDTHS[0])
    cut = next(t for t, s in enumerate(before) if t > 10 and not s["last"] and any(s["w"]))
    hold = 2 + 3 + array_latency(3, FIP, WIDTHS[0][0])
    quiet = [{"a": [0] * 2, "w": [0] * 3, "last": 0, "drain": {"enable": 0, "column": 0}}] * hold
    seen = trace(build(2, 3, WIDTHS[0]), before[:cut] + quiet + steps, ["results"], resets=range(cut, cut + hold))
    check(seen, expected, WIDTHS[0][2], offset=cut + hold)


def test_packing_is_refused():
    with pytest.raises(ValueError, match="arithmetic fip does not pack"):
        SystolicArray(2, 2, a_width=6, w_width=14, acc_width=26, pack_shift=9, high_width=14, arithmetic=FIP)
