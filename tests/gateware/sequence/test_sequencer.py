"""Cycles between passes and between bands when nothing has to be waited for, and what holds a pass back."""

from dataclasses import replace
from itertools import pairwise

import pytest

from licgate.gateware.resident.rowpasses import RowPasses
from licgate.perf.sequence import band_passes
from tests.gateware.resident.programs import build
from tests.gateware.waves import trace

BAND = {"stage": 0, "groups": 3, "pixels": 1, "begins": 1, "ends": 0, "width": 9, "kernel_rows": 1}
WATCH = ("o_pass.valid", "o_tile.valid", "o_write.payload", "i.ready", "idle", "wait_output")


def run(program, *, bands=2, cycles=400, **held):
    """Bands without a pause; results are there two cycles after their pass, unless inputs are ``held``."""
    words = 4 * program.leaving_words
    dut, state = RowPasses(replace(program, output_words=words)), {"taken": 0}

    def drive(_cycle, records):
        state["taken"] += bool(records and records[-1].i_ready and state["taken"] < bands)
        step = {"o_pass.ready": 1, "o_tile.ready": 1, "o_write.ready": 1, "output_words": words}
        step["written"] = len(records) > 1 and records[-2].o_tile_valid
        return step | {"i.valid": state["taken"] < bands, "i.payload": BAND} | held

    return trace(dut, drive, WATCH, cycles=cycles)


@pytest.mark.parametrize("name", ["GDN", "ReLU", "packed"])
def test_latency_and_intervals_are_what_they_are_said_to_be(name):
    program = build(name)
    seen = run(program)
    passes = [cycle for cycle, record in enumerate(seen) if record.o_tile_valid]
    one = list(band_passes(program.stages[0], BAND["groups"]))
    assert len(passes) == 2 * len(one)
    assert passes[0] == RowPasses.latency
    inside = [RowPasses.interval + (later.op.is_gdn and not now.op.is_gdn) for now, later in pairwise(one)]
    between = [later - now for now, later in pairwise(passes)]
    # three cycles to the next band, which has its latency
    assert between == [*inside, 3 + RowPasses.latency, *inside]
    assert seen[-1].idle


def test_nothing_is_offered_without_a_place_for_its_descriptors():
    program = build("GDN")
    for name in ("o_tile.ready", "o_write.ready"):
        assert not any(record.o_pass_valid for record in run(program, **{name: 0}))


def test_gdn_waits_for_its_inputs():
    """Of three groups and two tiles: all of the convolution, and no pass of GDN."""
    program = build("GDN")
    seen = run(program, written=0)
    assert sum(record.o_tile_valid for record in seen) == 3 * program.stages[0].conv.tiles
    assert not any(record.wait_output for record in seen)
