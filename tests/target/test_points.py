"""Four outputs by points: the identity, which steps a tap row has, and what their registers hold when."""

from itertools import pairwise

import numpy as np
import pytest

from licgate.target.arithmetic import FIP, FIP_F4
from licgate.target.points import (
    DIVISOR_SHIFT,
    INFINITY,
    OUTPUTS,
    PIXELS,
    POINTS,
    QUAD,
    SUMS,
    TAPS,
    divided,
    extent,
    tap_row,
)
from tests.gateware.engine.pairs import wrap

ROWS = [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (7, 1), (1, 2), (2, 2), (3, 2), (4, 2), (5, 2), (7, 2), (9, 2)]


def at_point(row, step, pixels, taps):
    """Product of a step of a tap row."""
    if step.point is None or not step.taps:
        return 0
    point = 0 if step.point == INFINITY else step.point
    five = [pixels[step.shift + k * row.stride] for k in range(len(POINTS))]
    return int(PIXELS[point] @ five) * int(TAPS[point][: len(step.taps)] @ [taps[k] for k in step.taps])


@pytest.mark.parametrize(("columns", "stride"), ROWS)
def test_a_quad_is_that_of_the_definition(columns, stride):
    """Also from sums that wrap in as many bits as a result needs and three."""
    row, rng = tap_row(columns, stride), np.random.default_rng(columns)
    wrapped = False
    for bits in (13, 15, 16, 24):
        for _ in range(40):
            pixels, taps = rng.choice([-512, 511], row.pixels), rng.integers(-8, 9, columns)
            expected = [int(taps @ pixels[stride * i :][:columns]) for i in range(QUAD)]
            if any(wrap(v, bits) != v for v in expected):
                continue
            sums = np.zeros(SUMS, dtype=np.int64)
            for step in row.steps:
                if step.point is not None:
                    sums[step.point] += at_point(row, step, pixels, taps)
            short = wrap(sums, bits + DIVISOR_SHIFT)
            wrapped |= bool((short != sums).any())
            assert divided(wrap(OUTPUTS @ short, bits + DIVISOR_SHIFT), bits).tolist() == expected
    assert wrapped


@pytest.mark.parametrize(
    ("columns", "stride", "steps"),
    [(5, 2, 11), (3, 1, 6), (2, 1, 5), (1, 1, 5), (3, 2, 10), (7, 2, 17), (4, 1, 11), (5, 1, 13)],
)
def test_steps_of_a_tap_row(columns, stride, steps):
    assert len(tap_row(columns, stride).steps) == steps


@pytest.mark.parametrize(("columns", "stride"), ROWS)
def test_the_window_moves_by_a_pixel_a_step_at_most(columns, stride):
    shifts = [step.shift for step in tap_row(columns, stride).steps]
    assert shifts[0] == 0
    assert all(0 <= after - before <= 1 for before, after in pairwise(shifts))


@pytest.mark.parametrize(("columns", "stride"), ROWS)
def test_sums_are_visited_at_every_third_step_at_most_and_end_within_six(columns, stride):
    row = tap_row(columns, stride)
    points = [step.point for step in row.steps] * 2
    for point in range(SUMS):
        at = [k for k, p in enumerate(points) if p == point]
        assert all(b - a >= 3 for a, b in pairwise(at))
    ends = [k for k in range(len(row.steps)) if row.last(k)]
    assert [row.steps[k].point for k in ends].count(INFINITY) == row.has_infinity
    assert len(ends) == len(POINTS) + row.has_infinity
    assert ends[-1] - ends[0] < SUMS
    assert ends[-1] == len(row.steps) - 1
    assert sum(row.first(k) for k in range(len(row.steps)) if row.steps[k].point is not None) == len(ends)


@pytest.mark.parametrize(("columns", "stride"), ROWS)
def test_registers_hold_the_taps_of_every_step(columns, stride):
    """A weight is in its register a cycle behind its fetch; the third tap moves to the first one's for infinity."""
    row = tap_row(columns, stride)
    count = len(row.steps)
    assert len({fetch.position for fetch in row.fetches}) == len(row.fetches)
    assert max(fetch.position for fetch in row.fetches) < count
    registers = dict.fromkeys("xyz", "stale")
    rows = 3
    for cycle in range(rows * count + row.LEAD):
        tap, step = divmod(cycle - row.LEAD, count)
        if 0 <= tap < rows and row.steps[step].taps:
            taps = row.steps[step].taps
            wanted = zip("xyz", taps, strict=False)
            if row.steps[step].point in (0, INFINITY):
                wanted = [("x", taps[0])]
            for register, column in wanted:
                assert registers[register] == (tap, column), (cycle, step, register)
        # what this cycle's edge does: the weight fetched arrives, the third tap moves
        following = step + 1
        after = dict(registers)
        if 0 <= tap < rows and following < count and row.steps[following].point == INFINITY:
            after["x"] = registers["z"]
        fetched, position = divmod(cycle, count)
        if 0 <= fetched < rows:
            for fetch in row.fetches:
                if fetch.position == position:
                    after[fetch.register] = (fetched, fetch.column)
        registers = after


def test_taps_that_overtake_each_other():
    with pytest.raises(ValueError, match=r"^11 taps of stride 2 overtake each other$"):
        tap_row(11, 2)


def test_extents_are_met():
    """Pixels of 10 bits and weights of 8 make operands of 14 and 11 bits, whose sum still has 14."""
    assert FIP_F4.operand_extents(-512, 511, 127) == (5118, 889)
    assert FIP.operand_extents(-512, 511, 127) == (512, 127)
    assert 5118 + 889 < 1 << 13
    rng = np.random.default_rng(0)
    for matrix, low, high in ((PIXELS, -512, 511), (TAPS, -127, 127), (PIXELS, 0, 255)):
        ends = rng.choice([low, high], (2000, matrix.shape[1]))
        assert np.abs(ends @ matrix.T).max() == extent(matrix, low, high)


def test_there_are_four_outputs_a_row():
    assert (FIP_F4.outputs, FIP_F4.sum_bits, FIP_F4.indices, FIP_F4.points) == (4, 3, 2, True)
    assert (FIP.outputs, FIP.sum_bits, FIP.points) == (1, 0, False)
