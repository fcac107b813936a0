"""Rows as they are chosen and cut into bands, and the cycles between what begins."""

import random
from itertools import pairwise

import pytest

from licgate.gateware.resident.rowbands import RowBands
from licgate.gateware.resident.rows import RowTracker
from tests.gateware.resident.programs import PROGRAMS, build
from tests.gateware.waves import trace

ROW = {"odd": 1, "width": 33, "above": 1, "kernel_rows": 2, "read_base": 3, "write_base": 5, "advance": 2}
WATCH = ("done", "stage", "skip", "finish", "wait_input", "o.valid", "o.payload")


def cut(stage, columns, rows):
    """Bands of a row of so many pixels: groups, pixels of the last one, parity, and whether it begins and ends it."""
    count, size = -(-columns // rows), 1 if stage.last else 4
    lengths = [size] * (count // size - 1) + [size + count % size] if count >= size else [count]
    found = []
    for k, length in enumerate(lengths):
        last = k == len(lengths) - 1
        pixels = columns - (count - 1) * rows if last else rows
        parities = (0, 1) if stage.upsampling else (0,)
        found += [(length, pixels, q, k == 0 and q == 0, last and q == parities[-1]) for q in parities]
    return found


def play(program, rows, *, seed=None, reset=None):
    """Rows, each (stage, columns) that is ready; return what was seen, and the bands as they were taken, by row."""
    coin, state, bands = random.Random(seed), {"row": 0, "ready": 0, "pause": 0}, [[]]

    def drive(cycle, records):
        if cycle == reset:
            state.update(row=0, ready=0)
            bands[:] = [[]]
            return {"start": 0, "o.ready": 0, "ready": 0}
        if records and cycle - 1 != reset:
            last = records[-1]
            if last.o_valid and state["ready"]:
                bands[-1].append((cycle - 1, last.o_payload))
            if last.finish:
                bands.append([])
                state["row"] += 1
                state["pause"] = 0 if seed is None else coin.randrange(9)
            if cycle > 3 and last.done and state["row"] == len(rows):
                return None
        state["ready"] = seed is None or coin.random() < 0.3
        state["pause"] -= state["pause"] > 0
        more = state["row"] < len(rows)
        stage, columns = rows[min(state["row"], len(rows) - 1)]
        return {
            "start": cycle == 0 or (reset is not None and cycle == reset + 1),
            # shallower stages are ready as well
            "ready": (2 << stage) - 1 if more and not state["pause"] else 0,
            "finished": not more,
            "idle": 1,
            "input_missing": 1,
            "row": ROW | {"columns": columns},
            "o.ready": state["ready"],
        }

    seen = trace(RowBands(program), drive, WATCH, cycles=6000, resets=() if reset is None else {reset})
    return seen, bands[:-1]


def check(program, rows, bands):
    assert len(bands) == len(rows)
    for (number, columns), taken in zip(rows, bands, strict=True):
        assert {band.stage for _, band in taken} == {number}
        got = [(b.groups, b.pixels, b.column, bool(b.begins), bool(b.ends)) for _, b in taken]
        assert got == cut(program.stages[number], columns, program.rows)
        for _, band in taken:
            assert all(band[name] == ROW[name] for name in ("odd", "width", "above", "read_base", "write_base"))


@pytest.mark.parametrize("name", PROGRAMS)
def test_rows_of_all_lengths_are_cut_by_the_rule_whenever_bands_are_taken(name):
    program = build(name)
    rows = [(k, c) for k in range(len(program.stages)) for c in (1, program.rows, 5 * program.rows + 1)]
    rows += [(0, count * program.rows - 1) for count in range(2, 14)]
    seen, bands = play(program, rows, seed=len(name))
    check(program, rows, bands)
    assert seen[-1].done
    # an offered band stays as it is until it is taken
    taken = {cycle for row in bands for cycle, _ in row}
    for cycle, (before, after) in enumerate(pairwise(seen)):
        if before.o_valid and cycle not in taken:
            assert after.o_valid
            assert after.o_payload == before.o_payload


def test_cycles_between_what_begins():
    """As the cycle model has them."""
    program = build("GDN")
    seen, bands = play(program, [(0, 9 * program.rows), (0, program.rows)])
    (first, _), (second, _) = bands[0]
    # the last cycle of SETTLE, and SELECT in the one behind it
    select = RowTracker.settle + len(program.stages) + 2
    assert first - select == 3 + 2 * 4
    assert second - first == 2 * 5
    assert [cycle for cycle, record in enumerate(seen) if record.skip][:2] == [second + 1, second + 2]
    assert seen[second + 3].finish
    assert bands[1][0][0] == second + 3 + RowTracker.settle + 2 + (3 + 2 * 1)


def test_parities_follow_each_other_at_once():
    program = build("upsampling")
    number = next(k for k, stage in enumerate(program.stages) if stage.upsampling)
    _, bands = play(program, [(number, 3 * program.rows)])
    (even, _), (odd, _) = bands[0]
    assert odd - even == 1


def test_waiting_for_the_host_is_told():
    steps = [{"start": 1}, *[{"start": 0, "idle": 1, "input_missing": 1}] * 14, {"finished": 1}, {}]
    seen = trace(RowBands(build("GDN")), steps, WATCH)
    assert [s.done for s in seen] == [1, *[0] * 15, 1]
    assert seen[14].wait_input
    assert not seen[0].wait_input


def test_reset_in_the_middle_of_a_row():
    program = build("GDN")
    rows = [(0, 30 * program.rows), (1, 7)]
    seen, bands = play(program, rows, seed=3, reset=40)
    assert not seen[40].done
    assert seen[41].done
    check(program, rows, bands)
