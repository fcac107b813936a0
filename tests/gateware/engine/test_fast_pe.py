"""The processing element of the fast inner product: every step at small widths, corners at real ones."""

from itertools import product

import numpy as np
import pytest

from licgate.gateware.engine.multiplier import Multiplier
from licgate.gateware.engine.pe import ProcessingElement
from licgate.target.arithmetic import FIP
from tests.gateware.engine.pairs import word, wrap
from tests.gateware.waves import trace


def check(sums, a_width, w_width, acc_width, idle):
    """Sums of steps (a0, a1, w0, w1) against the definition, each at its cycle and nothing at any other."""
    dut = ProcessingElement(a_width, w_width, acc_width, arithmetic=FIP)
    steps, ends, expected = [], set(), {}
    for sequence, gap in zip(sums, idle, strict=True):
        steps += [{"a": word(a0, a1, a_width), "w": word(w0, w1, w_width)} for a0, a1, w0, w1 in sequence]
        ends.add(len(steps) - 1 + FIP.lead + Multiplier.latency + 1)
        both = sum(a0 * w0 + a1 * w1 + a0 * a1 + w0 * w1 for a0, a1, w0, w1 in sequence)
        expected[len(steps) - 1 + dut.latency] = wrap(int(both), acc_width)
        steps += [{"a": 0, "w": 0}] * gap
    steps += [{"a": 0, "w": 0}] * (dut.latency + 2)
    steps = [{**s, "restart": t in ends, "quiet": t not in ends} for t, s in enumerate(steps)]
    for cycle, seen in enumerate(trace(dut, steps, ["sum"])):
        assert seen.sum == expected.get(cycle, 0), f"cycle {cycle}"


@pytest.mark.parametrize("widths", [(1, 1), (2, 3), (3, 2), (3, 3)])
def test_every_step(widths):
    a, w = (range(-(1 << bits - 1), 1 << bits - 1) for bits in widths)
    sums = [[step] for step in product(a, a, w, w)]
    check(sums, *widths, 10, [0] * len(sums))


@pytest.mark.parametrize(("a_width", "w_width", "acc_width"), [(10, 8, 24), (12, 8, 12), (17, 17, 40), (2, 16, 20)])
def test_sums_of_corners_and_random_steps_with_bubbles(a_width, w_width, acc_width):
    rng = np.random.default_rng(a_width)
    a, w = 1 << a_width - 1, 1 << w_width - 1
    sums = [[step] * 3 for step in product((-a, a - 1), (-a, a - 1), (-w, w - 1), (-w, w - 1))]
    for count in rng.integers(1, 9, 40):
        sums.append([tuple(int(rng.integers(-v, v)) for v in (a, a, w, w)) for _ in range(count)])
    check(sums, a_width, w_width, acc_width, [int(v) for v in rng.integers(0, 3, len(sums))])


def test_latency_is_two_more_than_that_of_the_direct_one():
    assert ProcessingElement(10, 8, 24, arithmetic=FIP).latency == ProcessingElement(10, 8, 24).latency + 2 == 8


@pytest.mark.parametrize(
    ("widths", "options", "message"),
    [
        ((18, 8), {}, "a_width must be an integer from 1 to 18, not 19"),
        ((8, 18), {}, "a_width must be an integer from 1 to 18, not 19"),
        ((8, 16), {"pack_shift": 9, "high_width": 14}, "arithmetic fip does not pack two weights into an operand"),
    ],
)
def test_what_does_not_fit_is_refused(widths, options, message):
    with pytest.raises(ValueError, match=message):
        ProcessingElement(*widths, 24, arithmetic=FIP, **options)
