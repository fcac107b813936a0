"""What a pass waits for: the gate is shut as long as a last step would come too early, or reads would meet."""

import numpy as np
import pytest
from amaranth.back import rtlil

from licgate.gateware.engine.feed.gaps import DrainGap, ReadGap
from licgate.gateware.engine.feed.kinds import PassKinds
from tests.gateware.engine.feed.kit import following
from tests.gateware.engine.passes import build, random_pass
from tests.gateware.waves import small_program, trace
from tests.manifest.kit import chain


def drive_at_random(program, rng, cycles, wait):
    """Steps that take passes and end them, (inputs, kind at work, kind that waits) of each cycle."""
    steps, kinds, at_work = [], [], None
    waiting = random_pass(program, rng)[0]
    for _ in range(cycles):
        ends = at_work is not None and rng.random() < 1 / wait
        take = (at_work is None or ends) and rng.random() < 0.8
        steps.append({"take": take, "next": following(program, waiting), "ends": ends})
        kinds.append((at_work, waiting["pass_kind"]))
        if ends:
            at_work = None
        if take:
            at_work, waiting = waiting["pass_kind"], random_pass(program, rng)[0]
    return steps, kinds


@pytest.mark.parametrize(
    "name", ["5x5, 3 rows", "mixed, 3 rows", "packed", "packed, one by one", "packed GDN", "fip, mixed, 4 rows"]
)
def test_last_steps_keep_their_distance(name):
    """From a gate to its last step lie ``columns - 1`` cycles, or one, of a GDN."""
    program = build(name)
    steps, kinds = drive_at_random(program, np.random.default_rng(7), 400, 6)
    inputs = [{"opens": s["take"], "next": s["next"], "last_step": s["ends"]} for s in steps]
    seen = trace(DrainGap(program), inputs, ("early",))
    next_may_end, shut = 0, 0
    for cycle, (record, (at_work, _), step) in enumerate(zip(seen, kinds, steps, strict=True)):
        if at_work is not None:
            pass_kind = program.pass_kinds[at_work]
            op = program.ops[pass_kind.op]
            gate_to_end = 1 if op.is_gdn else pass_kind.shape.columns - 1
            assert record.early == (cycle + gate_to_end < next_may_end), cycle
            shut += record.early
        if step["ends"]:
            next_may_end = cycle + program.gap_behind(program.ops[program.pass_kinds[at_work].op])
    assert shut > 20


def collisions(rows):
    wide = chain("h_a", 3, (5, 2, 8, "relu"), (3, 1, 2))
    up = chain("g_s", 8, (3, -2, 3, "relu"), (7, 2, 2))
    return small_program(up, wide, rows=rows, cols=2, lanes=rows, max_width=32)


@pytest.mark.parametrize("rows", [4, 8])
def test_reads_of_two_passes_do_not_meet(rows):
    """The reads of a pass end ``words - slot`` cycles behind it; those of the next begin ``margin`` cycles behind its
    start.
    """
    program = collisions(rows)
    steps, kinds = drive_at_random(program, np.random.default_rng(rows), 400, 4)
    inputs = [
        {
            "opens": s["take"],
            "next": s["next"],
            "finish": s["ends"],
            "gdn": at_work is not None and program.ops[program.pass_kinds[at_work].op].is_gdn,
        }
        for s, (at_work, _) in zip(steps, kinds, strict=True)
    ]
    seen = trace(ReadGap(program), inputs, ("free",))
    reads_end, held_back = 0, 0
    for cycle, (record, (at_work, waiting), step) in enumerate(zip(seen, kinds, steps, strict=True)):
        if step["ends"] and (shape := program.pass_kinds[at_work].shape) is not None:
            slot = shape.tap_row_cycles(program.rows)
            if slot < program.window_words:
                reads_end = cycle + program.window_words - slot
        shape = program.pass_kinds[waiting].shape
        margin = program.window_words - (0 if shape is None else shape.words(program.rows))
        assert record.free == (cycle + margin >= reads_end), cycle
        held_back += not record.free
    assert held_back > 5


@pytest.mark.parametrize(("program", "collide"), [(build("5x5, 3 rows"), False), (collisions(4), True)])
def test_the_gap_is_built_where_it_is_needed(program, collide):
    wider = [b.words(program.rows) > a.tap_row_cycles(program.rows) for a in program.shapes for b in program.shapes]
    assert PassKinds(program).reads_collide == any(wider) == collide
    assert ("$dff" in rtlil.convert(ReadGap(program), emit_src=False)) == collide


def test_reset_forgets_what_was_under_way():
    program = build("5x5, 3 rows")
    gap = program.gap_behind(program.ops[0])
    one = following(program, random_pass(program, np.random.default_rng(1), pass_kind=program.pass_kinds[1])[0])
    steps = [{"opens": 1, "next": one}, {"opens": 0, "last_step": 1}, {"last_step": 0}, *[{}] * 6]
    early = [s.early for s in trace(DrainGap(program), steps, ("early",))]
    assert early[2 : 2 + gap - 2] == [1] * (gap - 2)
    assert not any(early[gap:])
    assert not any(s.early for s in trace(DrainGap(program), steps, ("early",), resets=[2])[3:])
