"""``licgate build --memory axi``: the module beside the processor, its report, and what is refused in one line."""

import json

import pytest

from licgate.cli import main
from licgate.gateware.top.module import memory_module
from licgate.gateware.top.zynq import ZynqAccelerator
from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf.streamed.cost import streamed_cost
from licgate.program.cores import core_jobs
from licgate.program.streamed import compile_streamed
from licgate.synth import flow as flow_module
from licgate.synth.buildplan import VERILOG, make_plan
from licgate.synth.cache import BuildCache
from licgate.synth.fit import streamed_fit
from licgate.synth.flow import Flow, find_tools
from licgate.target.axi import AxiTiming
from licgate.target.board import find_board
from licgate.target.streamed import StreamedConfig

TINY = synthetic_manifest(channels=(3, 5, 7), seed=3)
CONFIG = StreamedConfig(rows=8, cols=8, beat_bits=64, page_beats=256, address_bits=28, packing=True, packed_bits=27)
ARGUMENTS = [
    "build",
    "--board",
    "zcu102",
    "--memory",
    "axi",
    "--rows",
    "8",
    "--cols",
    "8",
    "--channels",
    "8,16",
    "--size",
    "40x24",
]


def test_a_build_on_the_command_line(tmp_path, monkeypatch, capsys):
    def run_tool(tool, *arguments, folder, log, label, say):
        cells = {"RAMB18E2": 30, "RAMB36E2": 2, "DSP48E2": 70, "LUT6": 1000, "RAM32M16": 2, "FDRE": 5}
        (folder / "stat.json").write_text(json.dumps({"design": {"num_cells_by_type": cells}}))
        cells = {"accelerator.system.core_0.engine.array.x_LUT6": {"type": "LUT6"}}
        (folder / "top.json").write_text(json.dumps({"modules": {"top": {"cells": cells}}}))
        (folder / "top.rpt").write_text("log")
        assert f"write_verilog -norename {VERILOG}" in (folder / "top.ys").read_text()
        (folder / VERILOG).write_text("module licgate; endmodule\n")

    monkeypatch.setattr(flow_module, "run_tool", run_tool)
    options = ["--synthesis-only", "--no-cache", "--cores", "3", "--clock", "300", "--out", str(tmp_path)]
    assert main([*ARGUMENTS, *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3] == f"Verilog, {tmp_path / VERILOG}: module licgate, 3 of them beside the processor"
    assert (tmp_path / VERILOG).read_text().startswith("module licgate")
    report = json.loads((tmp_path / "report.json").read_text())
    # synthesised once, there three times
    used = {cell: row["used"] for cell, row in report["utilization"].items()}
    assert used == {"LUT": 3 * 1016, "FF": 15, "DSP48E2": 210, "RAMB36": 51}
    assert report["components"][0]["component"] == "array"
    performance = report["performance"]
    assert performance["multipliers"] == 192
    assert performance["fps"] == 3 * 300e6 / performance["cycles"]
    assert performance["utilization"] == pytest.approx(
        performance["macs_per_multiplier_cycle"], rel=1e-9
    )  # nothing is packed
    assert report["cost"]["roofline"]["attainable_fps"] >= performance["fps"]
    assert report["files"]["verilog"] == VERILOG
    assert sum("projection" in line for line in report["assumptions"]) == 1
    page = (tmp_path / "report.html").read_text()
    for text in ("are a projection", "bus AXI4 of 64 bits, 60 cycles", "It stands 3 times on the device"):
        assert text in page


def test_costs_are_those_of_one_core():
    program, timing = compile_streamed([TINY.g_a], CONFIG), AxiTiming(beats=3, per=4)
    jobs = core_jobs(program, program.chains[0], 40, 24, 1)
    prediction, cost = streamed_cost(jobs, 40, 24, timing, clock_mhz=200.0)
    assert sum(cost.cycles.values()) == pytest.approx(prediction.cycles)
    # eight bytes, three quarters of the cycles, each way
    assert cost.bandwidth == 8 * 200e6 * 0.75 * 2
    assert cost.bytes * 200e6 / prediction.cycles < cost.bandwidth


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "there is no open place-and-route for XCZU9EG-2FFVB1156E: --memory axi goes with --synthesis-only, and"),
        (["--max-width", "64"], "--memory axi goes without --max-width: it takes images of any width"),
        (["--cores", "5", "--synthesis-only"], "5 cores make no sense: board zcu102 has AXI4 ports for 4, "),
        (["--board", "ulx3s-85f"], "board ulx3s-85f has no memory behind AXI4: take another --board, or another"),
        (["--rows", "4"], "a word of the input of g_a.0 has 32 bits, a beat of the memory 64: take more rows"),
        (["--axi-latency", "7,0"], "write_latency must be 1 to 10000 cycles, not 0: give another --axi-latency"),
    ],
)
def test_refused_in_one_line(words, message, capsys, tmp_path):
    assert main([*ARGUMENTS, "--out", str(tmp_path / "out"), *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"licgate: error: {message}")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.regress
@pytest.mark.synth
def test_cells_are_those_that_yosys_makes(tmp_path):
    board = find_board("zcu102")
    accelerator = ZynqAccelerator(TINY, CONFIG)
    plan = make_plan(memory_module(accelerator), board=board, frequency=300.0)
    tools = find_tools(board, route=False)
    flow = Flow(plan=plan, board=board, folder=tmp_path, cache=BuildCache(None), say=lambda line: None, tools=tools)
    cells, _ = flow.synthesize()
    program = accelerator.program
    assert cells["DSP48E2"] == program.multiplier_cells
    components = cells.get("RAMB36E2", 0) + cells.get("RAMB18E2", 0) / 2
    # halves of blocks are counted as whole ones before
    assert 0.6 * streamed_fit(program, board, 1).needed <= components
    assert components <= streamed_fit(program, board, 1).needed
    text = (tmp_path / VERILOG).read_text()
    assert "module licgate(" in text
    assert text.count("DSP48E2") == program.multiplier_cells
