"""``licgate plan --memory axi``: a projection that is what the cycle model says, and what it refuses in one line."""

import json
from dataclasses import replace

import pytest

from licgate.cli import main
from licgate.explore.planaxi import project
from licgate.manifest import find_model
from licgate.manifest.scaled import scaled_manifest
from licgate.perf.streamed.frame import StreamedModel
from licgate.program.schedule import make_schedule
from licgate.program.streamed import compile_streamed
from licgate.synth.design import Design
from licgate.target.axi import AxiTiming
from licgate.target.board import find_board
from licgate.target.streamed import StreamedConfig

SHAPE = ["--memory", "axi", "--rows", "8", "--cols", "8", "--channels", "8,16"]
CONFIG = StreamedConfig(
    rows=8, cols=8, beat_bits=64, page_beats=256, burst_beats=128, weight_burst=256, address_bits=28, packed_bits=27
)
MANIFEST = scaled_manifest(find_model(), 8, 16)


def plan(*words):
    return main(["plan", "--board", "zcu102", "--size", "50x34", *words])


def test_a_projection_is_what_the_cycle_model_says(tmp_path, capsys):
    file = tmp_path / "plan.json"
    words = ["--cores", "3", "--clock", "300", "--axi-latency", "40,20", "--axi-rate", "3,4", "--json", str(file)]
    assert plan(*SHAPE, *words) == 0
    headline, line = capsys.readouterr().out.splitlines()
    assert headline.endswith(
        "g_a of 50 x 34 on 3 x 8 x 8, a frame and an AXI4 bus of 64 bits each: a projection. 300 MHz are assumed, and "
        "a memory that answers after 40 cycles, writes after 20, and moves 0.75 beats a cycle each way; nothing is "
        "placed or routed"
    )
    result = json.loads(file.read_text())
    assert result["projection"] is True
    assert result["axi"] == {"data_bits": 64, "read_latency": 40, "write_latency": 20, "beats": 3, "per": 4}
    (row,) = result["plans"]
    config = StreamedConfig(**row["config"])
    program = compile_streamed([MANIFEST.g_a], config)
    timing = AxiTiming(read_latency=40, write_latency=20, beats=3, per=4)
    (run,) = StreamedModel([make_schedule(program, program.chains[0], 50, 34)], timing).runs
    assert row["cycles"] == run.done - run.start
    # a frame each
    assert row["fps"] == 3 * 300e6 / row["cycles"]
    assert row["roofline_fps"] == pytest.approx(3 * 64 * 300e6 / MANIFEST.g_a.macs(34, 50))
    assert row["fps"] < row["roofline_fps"]
    assert row["multiplier_blocks"] == 3 * program.multiplier_cells
    told = f"made-up-n8m16  {row['fps']:.3f} frames/s projected, {row['roofline_fps']:.2f} by the roofline"
    assert line.startswith(told)


def test_a_slow_memory_bounds_the_frames():
    board = find_board("zcu102")

    def at(timing, cores):
        design = Design(manifest=MANIFEST, board=board, config=CONFIG, clock_mhz=200, memory="axi")
        return project(replace(design, timing=timing, cores=cores, copies=cores), (50, 34))

    fast = at(AxiTiming(), 2)
    late = at(AxiTiming(read_latency=400), 2)
    slow = at(AxiTiming(beats=1, per=8), 2)
    assert late["fps"] < fast["fps"] < fast["roofline_fps"]
    assert slow["fps"] < fast["fps"]
    assert not fast["memory_bound"]
    # each way at its rate and no faster
    assert slow["bus_share"] <= 2 / 8
    halves = {name: at(AxiTiming(), n)["fps"] for name, n in (("one", 1), ("two", 2))}
    assert halves["two"] == 2 * halves["one"]


def test_lanes_of_logic_leave_multipliers(tmp_path):
    found = {}
    for kind in ("dsp", "mixed", "fabric"):
        file = tmp_path / f"{kind}.json"
        assert plan(*SHAPE, "--lanes", "2", "--lane-multipliers", kind, "--json", str(file)) == 0
        (found[kind],) = json.loads(file.read_text())["plans"]
    assert [found[kind]["multiplier_blocks"] for kind in found] == [64 + 2 * n for n in (3, 2, 0)]
    assert len({row["cycles"] for row in found.values()}) == 1


def test_a_wish_that_nothing_grants_ends_with_4(capsys):
    assert plan(*SHAPE, "--fps", "1000000") == 4
    assert capsys.readouterr().out.splitlines()[-1] == "no model that fits is projected to reach 1e+06 frames/s"
    assert plan(*SHAPE, "--fps", "1") == 0
    assert "the widest model projected to reach 1 frames/s is made-up-n8m16, " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cores", "5"], "5 cores make no sense: board zcu102 has AXI4 ports for 4, give --cores from 1"),
        (["--axi-latency", "0,3"], "read_latency must be 1 to 10000 cycles, not 0: give another --axi-latency or"),
        (["--axi-rate", "3,2"], "a rate of 3 beats in 2 cycles makes no sense: "),
        (["--rows", "60", "--cols", "50"], "1 x 60 x 50 need 3000 multipliers, XCZU9EG-2FFVB1156E has 2520 DSP48E2"),
        (["--board", "ulx3s-85f"], "board ulx3s-85f has no memory behind AXI4: take another --board, or another"),
    ],
)
def test_refused_in_one_line(words, message, capsys):
    assert plan(*SHAPE, *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"licgate: error: {message}")
