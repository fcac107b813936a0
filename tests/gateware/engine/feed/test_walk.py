"""The pass at work: every cycle of every tap_row, with and without having to wait."""

import itertools

import numpy as np
import pytest

from licgate.gateware.engine.feed.walk import PassWalk
from tests.gateware.engine.feed.kit import following
from tests.gateware.engine.passes import PROGRAMS, build, conv_pass, random_pass, walk_cycles
from tests.gateware.kit import random_stalls
from tests.gateware.waves import trace

FLAGS = ("step", "tap_row_ends", "row_ends", "finish", "last_step")
WATCH = ("take", "run", *FLAGS, "position", "kind", "gdn", "channels", "release", "released")


def run(program, passes, early, cycles, *, start=0, free=None, resets=()):
    """Let passes wait from cycle ``start`` on."""
    taken = []

    def drive(cycle, records):
        if records and records[-1].take:
            taken.append(cycle - 1)
        step = {"early": early[cycle], "free": 1 if free is None else free[cycle]}
        waits = cycle >= start and len(taken) < len(passes)
        if waits:
            step["i.payload"] = following(program, passes[len(taken)][0])
        return step | {"i.valid": waits}

    return trace(PassWalk(program), drive, WATCH, cycles=cycles, resets=resets)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("p", [0.0, 0.7])
def test_slots_and_flags_of_passes_that_follow_each_other(name, p):
    program = build(name)
    rng = np.random.default_rng(len(name))
    passes = [random_pass(program, rng) for _ in range(6)]
    passes += [
        random_pass(program, rng, pass_kind=pass_kind)
        for pass_kind in rng.permutation(np.array(program.pass_kinds, object))
    ]
    early = list(itertools.islice(random_stalls(3, p), 4000)) if p else [False] * 4000
    expected = walk_cycles(program, passes, early)
    seen = run(program, passes, early, len(expected) + 3)
    assert [t for t, s in enumerate(seen) if s.take] == [
        0,
        *[t for t, one in enumerate(expected) if one and one.finish][:-1],
    ]
    for cycle, (got, one) in enumerate(zip(seen, expected)):
        assert got.run == (one is not None), cycle
        if one is None:
            assert not got.step, cycle
            assert not got.released, cycle
            continue
        assert got.position == one.position, cycle
        assert [getattr(got, flag) for flag in FLAGS] == [getattr(one, flag) for flag in FLAGS], cycle
        descriptor = passes[one.number][0]
        assert got.kind == descriptor["pass_kind"]
        assert got.gdn == one.op.is_gdn
        assert got.channels == max(one.op.words_in, 2 if one.op.is_gdn else 1)
        assert got.release == descriptor["release"]
        assert got.released == (descriptor["release"] if one.finish else 0), cycle
    assert not any(s.run or s.released for s in seen[len(expected) :])


def test_a_pass_that_may_not_read_yet_waits():
    program = build("5x5, 3 rows")
    passes = [conv_pass(program, program.pass_kinds[0])] * 2
    length = len(walk_cycles(program, passes[:1], [False] * 999))
    free = [0] * 5 + [1] * (length - 5 + 3) + [0] * 10 + [1] * (2 * length)
    seen = run(program, passes, [False] * len(free), len(free), free=free)
    assert [t for t, s in enumerate(seen) if s.take] == [5, length + 13]
    assert [t for t, s in enumerate(seen) if s.run] == [
        *range(6, length + 5),
        *range(length + 14, 2 * length + 13),
    ]


def test_latency():
    program = build("5x5, 3 rows")
    seen = run(program, [conv_pass(program, program.pass_kinds[0])], [False] * 20, 20, start=4)
    assert next(t for t, s in enumerate(seen) if s.take) == 4
    assert next(t for t, s in enumerate(seen) if s.step) == 4 + PassWalk.latency


@pytest.mark.parametrize("name", ["5x5, 3 rows", "mixed, 3 rows"])
def test_reset_in_the_middle_of_a_pass(name):
    program = build(name)
    passes = [conv_pass(program, program.pass_kinds[0], release=1)]
    cut = 9
    seen = run(program, passes, [False] * 30, 30, resets=[cut])
    assert seen[cut].run
    assert not any(s.run or s.take or s.finish or s.released for s in seen[cut + 1 :])
