"""Sums point by point: the accumulator and the element against their definition."""

import numpy as np
import pytest

from licgate.gateware.engine.points.element import PointElement
from licgate.gateware.engine.points.sums import NOWHERE, PointSums
from tests.gateware.engine.pairs import word, wrap
from tests.gateware.engine.points.steps import random_steps
from tests.gateware.waves import trace


def sums_of(steps, values, width):
    """Sum behind each step of those that it belongs to, by the definition."""
    kept, found, before = {}, [], 0
    for step, value in zip(steps, values, strict=True):
        base = before if step["chain"] else 0 if step["first"] else kept.get(step["place"], 0)
        before = wrap(base + int(value), width)
        kept[step["place"]] = before
        found.append(before)
    return found


@pytest.mark.parametrize(("step_width", "width"), [(2, 2), (5, 9), (28, 28), (20, 33)])
def test_every_sum_has_its_place(step_width, width):
    rng = np.random.default_rng(width)
    steps = random_steps(rng, 40)
    values = rng.integers(-(1 << step_width - 1), 1 << step_width - 1, len(steps))
    drive = [{"step": s, "p": int(values[t - 1]) if t else 0} for t, s in enumerate(steps)]
    dut = PointSums(step_width, width)
    assert (dut.latency, dut.interval) == (2, 1)
    drive += [{"p": int(values[-1])}, {}, {}]
    seen = trace(dut, drive, ["sum", "place", "ends"])[dut.latency :]
    for expected, step, got in zip(sums_of(steps, values, width), steps, seen):
        assert (got.place, got.ends) == (step["place"], step["ends"])
        assert got.sum == expected


@pytest.mark.parametrize(("step_width", "width", "name"), [(3, 2, "step_width"), (2, 1, "width"), (4, 49, "width")])
def test_widths_of_sums_are_checked(step_width, width, name):
    with pytest.raises(ValueError, match=f"^{name} must be an integer from 2 to "):
        PointSums(step_width, width)


def element_steps(dut, rng, count, widths):
    """Inputs a cycle, and what must come out: {cycle: sum}."""
    a_width, w_width, width, acc_width = widths
    steps = random_steps(rng, count)
    high = (1 << width - 1) - 1
    a_most = min((1 << a_width - 1) - 1, high - ((1 << w_width - 1) - 1))
    a = rng.choice([-a_most, a_most, *rng.integers(-a_most, a_most + 1, 4)], (len(steps), 2))
    w_low = -(1 << w_width - 1) if a_width < width else -(1 << w_width - 1) + 1
    w = rng.integers(w_low, 1 << w_width - 1, (len(steps), 2))
    for t, step in enumerate(steps):
        if step["place"] == NOWHERE and step["chain"]:
            a[t] = w[t] = 0
    products = [int((x[0] + y[1]) * (x[1] + y[0])) for x, y in zip(a, w, strict=True)]
    expected = {
        t + dut.latency: found
        for t, (step, found) in enumerate(zip(steps, sums_of(steps, products, acc_width), strict=True))
        if step["ends"]
    }
    nothing = {"place": NOWHERE, "first": 0, "chain": 0, "ends": 0}
    drive = []
    for t in range(len(steps) + dut.latency + 2):
        late = t - dut.lead
        drive.append(
            {
                "a": word(*a[t], a_width) if t < len(steps) else 0,
                "w": word(*w[t], w_width) if t < len(steps) else 0,
                "step": steps[late] if 0 <= late < len(steps) else nothing,
            }
        )
    return drive, expected


WIDTHS = [(3, 2, 4, 6), (5, 4, 6, 12), (14, 11, 14, 28), (14, 14, 15, 28), (16, 12, 17, 40)]


@pytest.mark.parametrize("widths", WIDTHS)
def test_an_element_hands_out_sums_as_they_end(widths):
    dut = PointElement(*widths)
    assert (dut.lead, dut.latency, dut.interval) == (2, 5, 1)
    drive, expected = element_steps(dut, np.random.default_rng(widths[0]), 40, widths)
    for cycle, seen in enumerate(trace(dut, drive, ["sum"])):
        assert seen.sum == expected.get(cycle, 0), f"cycle {cycle}"


def test_the_neighbours_get_the_inputs_a_cycle_later():
    widths = WIDTHS[1]
    dut = PointElement(*widths)
    drive, _ = element_steps(dut, np.random.default_rng(5), 5, widths)
    names = ("a", "w", "step")
    seen = trace(dut, drive, [*names, *(f"{name}_out" for name in names)])
    for name in names:
        assert [str(getattr(s, f"{name}_out")) for s in seen[1:]] == [str(getattr(s, name)) for s in seen[:-1]]


def test_reset_in_the_middle_of_sums():
    widths = WIDTHS[1]
    dut, rng = PointElement(*widths), np.random.default_rng(3)
    before, _ = element_steps(dut, rng, 8, widths)
    after, expected = element_steps(dut, rng, 8, widths)
    cut, hold = 23, dut.latency
    drive = before[:cut] + [{"a": 0, "w": 0, "step": before[0]["step"]}] * hold + after
    seen = trace(dut, drive, ["sum"], resets=range(cut, cut + hold))
    assert not any(s.sum for s in seen[cut + hold - 1 : cut + hold])
    for cycle, record in enumerate(seen[cut + hold :]):
        assert record.sum == expected.get(cycle, 0), f"cycle {cycle}"


@pytest.mark.parametrize(
    ("widths", "message"),
    [
        ((14, 11, 19, 28), "a_width must be an integer from 1 to 18, not 19"),
        ((15, 11, 14, 28), "operands of 15 and 11 bits do not fit into 14"),
        ((14, 11, 14, 49), "width must be an integer from 2 to 48, not 49"),
    ],
)
def test_widths_are_checked(widths, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        PointElement(*widths)
