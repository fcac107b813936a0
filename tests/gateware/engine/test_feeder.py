"""The feeder: every step of every pass against the feature maps and weights in memories that the test plays."""

from itertools import pairwise

import numpy as np
import pytest

from licgate.gateware.engine.feeder import Feeder
from licgate.gateware.engine.points.sums import NOWHERE
from licgate.gateware.passes import address_width, pass_layout
from tests.gateware.engine.passes import PLAIN, PROGRAMS, Maps, build, conv_pass, expected_steps, random_pass
from tests.gateware.engine.points.steps import quad_steps, single_steps
from tests.gateware.kit import random_stalls
from tests.gateware.waves import small_program, trace
from tests.manifest.kit import chain

WATCH = ("i.ready", "line_address", "weight_address", "norm_address", "a", "w", "last", "released", "busy")


def expected_cycles(program, passes, start):
    """Cycles in which the steps of passes are issued that always wait for the feeder; the first is taken in `start`."""
    cycles, begin, drained, read = [], start + 2, 0, -program.window_words
    for descriptor, _ in passes:
        pass_kind = program.pass_kinds[descriptor["pass_kind"]]
        op, shape = program.ops[pass_kind.op], pass_kind.shape
        columns, tap_row = (1, 1) if op.is_gdn else (shape.steps, shape.tap_row_cycles(program.rows))
        tap_rows = op.words_in * (1 if op.is_gdn else descriptor["kernel_rows"])
        if not op.is_gdn:
            begin = max(begin, read + shape.words(program.rows))
        if op.is_gdn:
            # it waits in front of the last step but one, for which a single word has an idle cycle
            final = max(begin + max(tap_rows, 2) - 1, drained)
            begins = [*range(begin, begin + tap_rows - 2), *range(max(final - 1, final - tap_rows + 1), final + 1)]
        else:
            final = max(begin + (tap_rows - 1) * tap_row, drained - columns + 1)
            begins = [*range(begin, begin + (tap_rows - 1) * tap_row, tap_row), final]
        cycles += [at + k for at in begins for k in range(columns)]
        # a pass waits while another one is at work, and there is one place for it
        begin, drained = max(final + tap_row, begin + 2), final + columns - 1 + program.gap_behind(op)
        read = read if op.is_gdn else final
    return cycles


def run(program, maps, passes, *, p=0.0, resets=(), start=0, watch=WATCH):
    """Offer the passes; return the records and the cycles in which passes were taken."""
    stalls, state = random_stalls(11, p), {"next": 0, "offering": False}
    taken = []

    def drive(cycle, records):
        if state["offering"] and records[-1].i_ready:
            taken.append(cycle - 1)
            state["next"] += 1
            state["offering"] = False
        if cycle >= start and state["next"] < len(passes) and not state["offering"]:
            state["offering"] = not next(stalls)
        step = {"i.valid": state["offering"]}
        if state["offering"]:
            step["i.payload"] = passes[state["next"]][0]
        return step | maps.answers(records)

    last = max(expected_cycles(program, passes, start)) + program.feed_latency
    cycles = last + 12 + int(len(passes) * 5 * p / (1 - p))
    return trace(Feeder(program), drive, watch, cycles=cycles, resets=resets), taken


def check(program, maps, passes, seen, taken):
    arrival = program.feed_latency
    expected = [expected_steps(program, maps, *one) for one in passes]
    flat = [step for steps in expected for step in steps]
    lasts = list(np.cumsum([len(steps) for steps in expected]) - 1)
    cycles = [t for t, s in enumerate(seen) if s.busy]
    assert len(taken) == len(passes)
    assert len(cycles) == len(flat)
    for k, (cycle, (a, w)) in enumerate(zip(cycles, flat, strict=True)):
        got = seen[cycle + arrival]
        # by points there are steps for nothing, in which nobody minds what pixels there are
        assert a is None or got.a == a, f"step {k}"
        assert got.w == w, f"step {k}"
        assert got.last == (k in lasts), f"step {k}"
    working = {t + arrival for t in cycles}
    idle = [s for t, s in enumerate(seen) if t not in working and t >= min(working) - 1]
    assert not any(s.last for s in idle)
    assert program.arithmetic.points or not any(any(s.a) for s in idle)
    if program.arithmetic.row_sum:
        # a weight counts without an activation
        assert not any(any(s.w) for s in idle)
    last_cycles = [cycles[k] for k in lasts]
    gaps = [program.gap_behind(program.ops[program.pass_kinds[one["pass_kind"]].op]) for one, _ in passes]
    assert all(b - a >= gap for (a, b), gap in zip(pairwise(last_cycles), gaps))
    assert sum(s.released for s in seen) == sum(one["release"] for one, _ in passes)


@pytest.mark.parametrize("name", PROGRAMS)
def test_steps_and_their_cycles(name):
    """Passes wait for the drain, for tap rows of their windows, and for reads of the one before; for nothing else."""
    program = build(name)
    rng, maps = np.random.default_rng(len(name)), Maps(program, seed=1)
    passes = [random_pass(program, rng) for _ in range(8)]
    passes += [
        random_pass(program, rng, pass_kind=pass_kind)
        for pass_kind in rng.permutation(np.array(program.pass_kinds, object))
    ]
    seen, taken = run(program, maps, passes)
    check(program, maps, passes, seen, taken)
    assert [t for t, s in enumerate(seen) if s.busy] == expected_cycles(program, passes, 0)


@pytest.mark.parametrize(
    "name",
    ["5x5, 3 rows", "upsampling, 3 rows", "mixed, 1 rows", "mixed, 8 rows", "packed, one by one", "fip, mixed, 4 rows"],
)
def test_steps_of_passes_that_come_now_and_then(name):
    program = build(name)
    rng, maps = np.random.default_rng(3), Maps(program, seed=2)
    passes = [random_pass(program, rng) for _ in range(10)]
    seen, taken = run(program, maps, passes, p=0.9)
    check(program, maps, passes, seen, taken)


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in PLAIN])
def test_what_is_said_of_sums(name):
    """Of each step to which sum it belongs, and whether it begins and ends it; of other cycles nothing."""
    program = build(name)
    rng, maps = np.random.default_rng(len(name)), Maps(program, seed=1)
    passes = [
        random_pass(program, rng, pass_kind=kind) for kind in rng.permutation(np.array(program.pass_kinds, object))
    ]
    passes += [random_pass(program, rng) for _ in range(3)]
    seen, _ = run(program, maps, passes, watch=(*WATCH, "step"))
    expected = []
    for descriptor, _ in passes:
        kind = program.pass_kinds[descriptor["pass_kind"]]
        op = program.ops[kind.op]
        if op.is_gdn:
            steps, row = single_steps(op.words_in), None
        else:
            row = kind.shape.tap_row
            steps = quad_steps(row, descriptor["kernel_rows"] * op.words_in)
        for k, step in enumerate(steps):
            last = int(k == len(steps) - 1)
            expected.append((step, last, int(row is None), int(row is not None and row.has_infinity)))
    cycles = [t for t, s in enumerate(seen) if s.busy]
    for cycle, (step, last, single, infinity) in zip(cycles, expected, strict=True):
        got = seen[cycle + program.feed_latency].step
        assert {name: int(got.sum[name]) for name in step} == step, cycle
        assert (got.last, got.single) == (last, single), cycle
        assert single or got.infinity == infinity
    arrived = {cycle + program.feed_latency for cycle in cycles}
    for t in range(min(arrived), len(seen)):
        if t not in arrived:
            got = seen[t].step
            assert (got.sum.place, got.sum.chain, got.sum.ends, got.last) == (NOWHERE, 1, 0, 0), t


def test_rings_wrap_inside_a_shared_memory():
    program = build("shared memories")
    stage = program.stages[2]
    assert stage.memory == program.stages[1].memory
    assert stage.base > 0
    maps = Maps(program, seed=7)
    passes = [conv_pass(program, stage.conv.pass_kinds[0], ring_row=row) for row in range(stage.ring)]
    check(program, maps, passes, *run(program, maps, passes))


@pytest.mark.parametrize(
    ("name", "latency"), [("5x5, 3 rows", 14), ("5x5, 1 row", 15), ("3x3, 2 rows", 13), ("mixed, 3 rows", 14)]
)
def test_latency_of_a_pass(name, latency):
    """It is the same whatever the window: narrower ones are read later."""
    program = build(name)
    assert Feeder(program).latency == program.feed_latency + 2 == program.window_words + 10 == latency
    maps = Maps(program, seed=2)
    for lines in maps.lines:
        lines[:] = 1
    for pass_kind in program.pass_kinds:
        if pass_kind.shape is None:
            continue
        # the middle of the row, so that the first tap of some array row is inside
        one = conv_pass(program, pass_kind, group=1 if pass_kind.shape.first_word(program.rows) < 0 else 0)
        seen, taken = run(program, maps, [one], start=7)
        assert taken == [7]
        assert next(t for t, s in enumerate(seen) if any(s.a)) == 7 + latency
        assert (seen[8].busy, seen[9].busy) == (0, 1)


def test_passes_follow_each_other_without_a_bubble():
    program = build("5x5, 3 rows")
    maps, rng = Maps(program, seed=3), np.random.default_rng(0)
    full = [p for p in (random_pass(program, rng) for _ in range(60)) if p[1] and p[0]["kernel_rows"] > 2][:5]
    seen, taken = run(program, maps, full)
    lengths = [len(expected_steps(program, maps, *one)) for one in full]
    assert [t for t, s in enumerate(seen) if s.busy] == list(range(2, sum(lengths) + 2))
    assert Feeder.interval == 1
    # one pass waits while another is at work, and leaves its place in the cycle of that one's last step
    assert taken == [0, 2, *(2 + np.cumsum(lengths)[:-2])]


@pytest.mark.parametrize(("rows", "first", "second"), [(4, 3, 5), (8, 0, 6), (2, 3, 0)])
def test_a_bubble_where_the_next_window_has_more_words_than_a_slot_has_cycles(rows, first, second):
    """Of ``words - tap_row`` cycles, no more."""
    wide = chain("h_a", 3, (5, 2, 8, "relu"), (3, 1, 2))
    up = chain("g_s", 8, (3, -2, 3, "relu"), (7, 2, 2))
    program = small_program(up, wide, rows=rows, cols=2, lanes=rows, max_width=32)
    one, two = program.pass_kinds[first], program.pass_kinds[second]
    bubble = max(0, two.shape.words(rows) - one.shape.tap_row_cycles(rows))
    passes = [conv_pass(program, pass_kind, group=1, words=4) for pass_kind in (one, two)]
    maps = Maps(program, seed=1)
    seen, taken = run(program, maps, passes)
    check(program, maps, passes, seen, taken)
    busy = [t for t, s in enumerate(seen) if s.busy]
    assert busy[one.steps] - busy[one.steps - 1] - 1 == bubble + one.shape.tap_row_cycles(rows) - one.shape.columns
    assert bubble == {4: 2, 8: 1, 2: 0}[rows]


def test_short_passes_wait_for_the_drain():
    program = build("5x5, 3 rows")
    maps, rng = Maps(program, seed=3), np.random.default_rng(4)
    gdns = [random_pass(program, rng, pass_kind=program.pass_kinds[1]) for _ in range(5)]
    seen, _taken = run(program, maps, gdns)
    lasts = [t for t, s in enumerate(seen) if s.last]
    assert program.drain_gap == 4 > program.ops[1].steps == 3
    assert [b - a for a, b in pairwise(lasts)] == [4] * 4


def test_whoever_follows_a_packed_pass_waits_for_its_results():
    program = small_program(rows=4, lanes=1, channels=(1, 4, 2), kernel=3, weight_bits=(5, 8), gdn="none", packing=True)
    packed, plain = program.pass_kinds
    assert [op.packed for op in program.ops] == [True, False]
    passes = [conv_pass(program, pass_kind) for pass_kind in (packed, packed, plain, plain, packed, packed)]
    maps = Maps(program, seed=1)
    seen, taken = run(program, maps, passes)
    check(program, maps, passes, seen, taken)
    lasts = [t for t, s in enumerate(seen) if s.last]
    # four rows by one lane, two columns: 16 cycles for four channels; 9 steps of a channel, 36 of four
    assert [b - a for a, b in pairwise(lasts)] == [16, 36, 36, 9, 16]


def test_release_comes_with_the_end_of_the_pass():
    program = build("3x3, 2 rows")
    maps, one = Maps(program, seed=3), conv_pass(program, program.pass_kinds[0], release=1)
    seen, taken = run(program, maps, [one])
    assert [t for t, s in enumerate(seen) if s.released] == [taken[0] + 1 + len(expected_steps(program, maps, *one))]


@pytest.mark.parametrize(
    ("name", "cut"),
    [("5x5, 3 rows", 30), ("mixed, 3 rows", 31), ("packed, one by one", 33), ("fip, mixed, 4 rows", 24)],
)
def test_reset_in_the_middle_of_a_pass(name, cut):
    program = build(name)
    maps, rng = Maps(program, seed=5), np.random.default_rng(6)
    long, _ = conv_pass(program, program.pass_kinds[0], release=1)
    passes = [random_pass(program, rng) for _ in range(6)]
    restart = cut + 14
    state, taken = {"next": 0, "offering": False}, []

    def drive(cycle, records):
        if state["offering"] and records[-1].i_ready:
            taken.append(cycle - 1)
            state.update(next=state["next"] + 1, offering=False)
        if cycle < cut:
            step = {"i.valid": 1, "i.payload": long}
        else:
            state["offering"] = cycle >= restart and state["next"] < len(passes)
            step = {"i.valid": state["offering"]}
            if state["offering"]:
                step["i.payload"] = passes[state["next"]][0]
        return step | maps.answers(records)

    cycles = max(expected_cycles(program, passes, restart)) + program.feed_latency + 10
    seen = trace(Feeder(program), drive, WATCH, cycles=cycles, resets=range(cut, restart))
    assert seen[cut - 1].busy
    assert any(seen[cut].a)
    assert not any(s.busy or s.released or s.last for s in seen[cut + 1 : restart])
    check(program, maps, passes, seen[restart:], taken)


@pytest.mark.parametrize("name", ["5x5, 3 rows", "mixed, 3 rows"])
def test_descriptor_holds_every_pass(name):
    program = build(name)
    layout = pass_layout(program)
    assert 1 << layout["pass_kind"].width >= len(program.pass_kinds) == {"5x5, 3 rows": 3, "mixed, 3 rows": 15}[name]
    assert layout["mask"].width == program.window_words
    assert 1 << layout["row"].width > max(s.last_row for s in program.stages)
    assert 1 << layout["kernel_rows"].width > max(pass_kind.kernel_rows for pass_kind in program.pass_kinds)
    assert 1 << address_width(program) >= 2 * max(s.base + s.depth for s in program.stages)
    assert 1 << layout["weight"].width >= max(op.base + len(op.words) for op in program.ops)
