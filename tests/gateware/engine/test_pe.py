"""The processing element against sums that Python makes."""

import numpy as np
import pytest

from licgate.gateware.engine.multiplier import Multiplier
from licgate.gateware.engine.pe import ProcessingElement
from licgate.program.collecting import FINISHED
from tests.gateware.engine.pairs import wrap
from tests.gateware.waves import trace

SHAPES = [(9, 8, 24), (18, 18, 44), (2, 3, 8)]


def steps_of(sums, idle=()):
    """One dict a cycle: the steps of each sum, its end as late as the products, and `idle` cycles behind each."""
    steps, marks = [], []
    for k, sequence in enumerate(sums):
        steps += [{"a": a, "w": w} for a, w in sequence]
        marks.append(len(steps) - 1)
        steps += [{"a": 0, "w": 0}] * (idle[k] if idle else 0)
    steps += [{"a": 0, "w": 0}] * (FINISHED + 3)
    late = {m + Multiplier.latency + 1 for m in marks}
    return [{**s, "restart": t in late, "quiet": t not in late} for t, s in enumerate(steps)], marks


def random_sums(rng, a_width, w_width, count):
    low = (-(1 << a_width - 1), -(1 << w_width - 1))
    lengths = rng.integers(1, 9, count)
    return [[tuple(int(rng.integers(b, -b)) for b in low) for _ in range(n)] for n in lengths]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_sum_appears_after_the_latency_and_only_then(shape):
    rng = np.random.default_rng(sum(shape))
    sums = random_sums(rng, shape[0], shape[1], 40)
    low_a, low_w = -(1 << shape[0] - 1), -(1 << shape[1] - 1)
    sums += [[(low_a, low_w)] * 3, [(low_a, -low_w - 1)] * 3, [(-low_a - 1, -low_w - 1)], [(0, low_w)]]
    steps, marks = steps_of(sums, idle=[int(v) for v in rng.integers(0, 3, len(sums))])
    arrivals = {m + FINISHED: sum(a * w for a, w in s) for m, s in zip(marks, sums)}
    for cycle, seen in enumerate(trace(ProcessingElement(*shape), steps, ["sum"])):
        assert seen.sum == arrivals.get(cycle, 0), f"cycle {cycle}"
    assert ProcessingElement(*shape).latency == FINISHED == 6
    assert ProcessingElement.interval == 1


def test_the_accumulator_uses_its_whole_width():
    sums = [[(-128, -128)] * 2 + [(-1, 1)], [(-128, 127)] * 2 + [(-127, 2), (-2, 1)]]
    assert [sum(a * w for a, w in s) for s in sums] == [2**15 - 1, -(2**15)]
    steps, marks = steps_of(sums)
    seen = trace(ProcessingElement(8, 8, 16), steps, ["sum"])
    assert [seen[m + 6].sum for m in marks] == [2**15 - 1, -(2**15)]


def test_inputs_reach_the_neighbours_one_cycle_later():
    rng = np.random.default_rng(3)
    steps = [
        {"a": int(a), "w": int(w), "restart": int(b & 1), "quiet": int(b >> 1)}
        for a, w, b in zip(rng.integers(-256, 256, 50), rng.integers(-128, 128, 50), rng.integers(0, 4, 50))
    ]
    seen = trace(ProcessingElement(9, 8, 24), steps, ["a_out", "w_out", "restart_out", "quiet_out"])
    for step, late in zip(steps, seen[1:]):
        assert {"a": late.a_out, "w": late.w_out, "restart": late.restart_out, "quiet": late.quiet_out} == step


def test_a_restart_forgets_the_sum_and_hands_nothing_out():
    before = [{"a": 7, "w": 9, "restart": 0, "quiet": 1}] * 6
    cleared = [{"a": 0, "w": 0, "restart": 1, "quiet": 1}] * (Multiplier.latency + 3)
    after, marks = steps_of([[(2, 3), (4, 5)]])
    seen = trace(ProcessingElement(8, 8, 20), before + cleared + after, ["sum"])
    begin = len(before) + len(cleared)
    assert {t: s.sum for t, s in enumerate(seen) if s.sum} == {begin + marks[0] + 6: 26}


def test_reset_forgets_the_sum_once_the_products_have_drained():
    before = [{"a": 7, "w": 9, "restart": t == 4, "quiet": t != 4} for t in range(10)]
    quiet = [{"a": 0, "w": 0, "restart": 0, "quiet": 1}] * (Multiplier.latency + 3)
    after, marks = steps_of([[(2, 3), (4, 5)]])
    begin = len(before) + len(quiet)
    seen = trace(ProcessingElement(8, 8, 20), before + quiet + after, ["sum"], resets=range(len(before), begin))
    assert seen[6].sum == 63
    assert {t: s.sum for t, s in enumerate(seen) if s.sum} == {6: 63, begin + marks[0] + 6: 26}


@pytest.mark.parametrize("width", [1, 49, 8.0, "8", None])
def test_the_width_of_the_accumulator_is_checked(width):
    with pytest.raises(ValueError, match=f"acc_width must be an integer from 2 to 48, not {width!r}"):
        ProcessingElement(8, 8, width)


def test_the_widths_of_the_operands_are_checked():
    with pytest.raises(ValueError, match="a_width must be an integer from 1 to 18, not 19"):
        ProcessingElement(19, 8, 24)
    with pytest.raises(ValueError, match="b_width must be an integer from 1 to 27, not 0"):
        ProcessingElement(8, 0, 24)


PACKED = [(9, 18, 24, 13, 20), (8, 17, 22, 12, 22), (18, 27, 40, 17, 30), (4, 14, 17, 7, 12)]


def field(w_width, shift):
    """Largest magnitude of two symmetric weights that fill the operand."""
    return (1 << w_width - shift - 1) - 1


@pytest.mark.parametrize("shape", PACKED)
def test_packed_sums_part_again(shape):
    """Sums of two products a step among plain ones; the second sum of a plain one is of no meaning."""
    a_width, w_width, acc_width, shift, high_width = shape
    rng = np.random.default_rng(sum(shape))
    most, half = field(w_width, shift), 1 << shift - 1
    top = min((half - 1) // most, (1 << a_width - 1) - 1)
    sums, expected = [], []
    for index in range(40):
        count = int(rng.integers(1, 9))
        a = [int(v) for v in rng.integers(-top, top + 1, count)]
        low, high = ([int(v) for v in rng.integers(-most, most + 1, count)] for _ in range(2))
        if index < 4:
            # corners: every sign of both
            a, low, high = [top if index else -top] * 3, [most * (-1) ** index] * 3, [most * (-1) ** (index // 2)] * 3
        if index % 3 == 2:
            sums.append([(-a[0], v) for v in rng.integers(-(1 << w_width - 2), 1 << w_width - 2, 2)])
            expected.append((sum(x * int(y) for x, y in sums[-1]), None))
        else:
            sums.append([(x, y + (z << shift)) for x, y, z in zip(a, low, high)])
            expected.append((sum(x * y for x, y in zip(a, low)), sum(x * z for x, z in zip(a, high))))
    steps, marks = steps_of(sums, idle=[int(v) for v in rng.integers(0, 3, len(sums))])
    dut = ProcessingElement(a_width, w_width, acc_width, pack_shift=shift, high_width=high_width)
    seen = trace(dut, steps, ["sum", "high"])
    for mark, (low, high) in zip(marks, expected):
        got = seen[mark + FINISHED]
        if high is None:
            assert got.sum == wrap(low, acc_width)
        else:
            assert got.high == high
            assert wrap(got.sum - (got.high << shift), high_width) == low


def test_both_sums_are_handed_out_together():
    steps, marks = steps_of([[(5, 3 + (4 << 8))]])
    seen = trace(ProcessingElement(6, 12, 20, pack_shift=8, high_width=9), steps, ["sum", "high"])
    shown = {t: (s.sum, s.high) for t, s in enumerate(seen) if s.sum or s.high}
    assert shown == {marks[0] + 6: (15 + (20 << 8), 20)}


def test_an_element_that_does_not_pack_has_one_sum():
    plain, packed = ProcessingElement(9, 18, 24), ProcessingElement(9, 18, 24, pack_shift=13, high_width=20)
    assert {*packed.signature.members} - {*plain.signature.members} == {"high"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pack_shift": 1, "high_width": 20}, "pack_shift must be an integer from 2 to 25, not 1"),
        ({"pack_shift": 26, "high_width": 20}, "pack_shift must be an integer from 2 to 25, not 26"),
        ({"pack_shift": 13, "high_width": 25}, "high_width must be an integer from 2 to 24, not 25"),
        ({"pack_shift": 13}, "high_width must be an integer from 2 to 24, not None"),
    ],
)
def test_the_widths_of_packing_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        ProcessingElement(9, 18, 24, **options)
