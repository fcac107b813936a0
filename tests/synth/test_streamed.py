"""Builds with external memory: what fits is known beforehand, the pins are there, the report tells the traffic."""

import json
from dataclasses import replace

import pytest

from licgate.backends import get_backend
from licgate.cli import main
from licgate.errors import ConfigError
from licgate.gateware.top.streamed import StreamedAccelerator
from licgate.manifest import find_model
from licgate.manifest.scaled import scaled_manifest
from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf.streamed.cost import streamed_cost
from licgate.perf.streamed.frame import StreamedModel
from licgate.program.cores import core_jobs
from licgate.program.streamed import compile_streamed
from licgate.synth import flow as flow_module
from licgate.synth.buildplan import make_plan
from licgate.synth.cache import BuildCache
from licgate.synth.design import Design
from licgate.synth.fit import streamed_fit
from licgate.synth.flow import Flow, find_tools
from licgate.target.board import find_board
from licgate.target.sdram import ULX3S_SDRAM, SdramCycles
from licgate.target.streamed import StreamedConfig
from tests.marks import regress

ULX3S = find_board("ulx3s-85f")
TINY = synthetic_manifest(channels=(3, 5, 7), seed=3)
ARGUMENTS = ["build", "--board", "ulx3s-85f", "--memory", "sdram"]


@pytest.fixture(scope="module")
def wide():
    return scaled_manifest(find_model("hyperprior-n36m96-l0067-int8"), 128, 192)


def fitted(manifest, config, *, must_fit=True):
    design = Design(manifest=manifest, board=ULX3S, config=config, clock_mhz=100.0, memory="sdram")
    return get_backend("sdram").fit(design, must_fit=must_fit)


def test_the_wide_model_fits_the_default_board(wide):
    design = fitted(wide, StreamedConfig(rows=9, cols=16))
    config, program, fit = design.config, design.program, design.fit
    parts = {name: row["cells"] for name, row in fit.by.items()}
    assert parts == {
        "line buffers": 100,
        "weights": 60,
        "parameters": 5,
        "GDN inputs": 15,
        "GDN tables": 3,
        "queues": 8,
        "host link": 2,
    }
    # as many as Yosys makes of it
    assert (fit.needed, fit.available, config.lane_multipliers) == (193, 208, "dsp")
    # the ring has grown as far as its blocks are deep
    assert program.weight_words == 8192
    more = replace(config, weight_words=8192 + 1024)
    assert streamed_fit(compile_streamed([wide.g_a], more, weights=False), ULX3S, 1).needed > 193


def test_a_ring_of_a_given_length_stays(wide):
    config = StreamedConfig(rows=9, cols=16, weight_words=6400)
    assert fitted(wide, config).config == config


def test_arrays_come_before_lanes(wide):
    config = StreamedConfig(rows=13, cols=12, lanes=4)
    found = fitted(wide, config, must_fit=False)
    assert (found.config.lane_multipliers, found.program.multiplier_cells) == ("fabric", 156)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--channels", "320,320"], r"needs \d+ DP16KD \(.*\), LFE5U-85F-6BG381C has 208: take smaller --block-rows"),
        (["--rows", "20"], r"^1 x 20 x 16 need 320 multipliers, LFE5U-85F-6BG381C has 156 MULT18X18D: take fewer rows"),
        (["--cores", "2"], r"^2 x 9 x 16 need 288 multipliers"),
        (["--cores", "0"], r"^0 cores make no sense: give --cores from 1 to 16$"),
        (["--packing", "27"], r"^--packing 27 is not for board ulx3s-85f, whose multipliers have 18 bits: leave the "),
        (["--max-width", "64"], r"^--memory sdram goes without --max-width: it takes images of any width$"),
        (["--clock", "150"], r"^ULX3S runs at 1 to 143 MHz .*, not at 150 MHz: take another --clock$"),
        (["--channels", "8,8", "--size", "4000x4000"], r"of external memory; there are 16777216: cut the image$"),
        (["--block-rows", "17"], r"^block_rows is 17: give an integer from 1 to 16$"),
        (["--board", "zcu102"], r"^board zcu102 has no SDRAM for a build: take another --board, or --memory chip$"),
    ],
)
def test_refused_in_one_line(arguments, message, capsys, tmp_path):
    assert main([*ARGUMENTS, "--out", str(tmp_path / "out"), *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("licgate: error: ")
    with pytest.raises(ConfigError, match=message):
        raise ConfigError(line.removeprefix("licgate: error: "))
    assert not (tmp_path / "out").exists()


def test_the_pins_of_the_sdram_are_constrained():
    accelerator = StreamedAccelerator(TINY, StreamedConfig(rows=4, cols=4), ULX3S_SDRAM, 100.0)
    plan = make_plan(accelerator, board=ULX3S, frequency=100.0)
    lpf = plan.files.files["top.lpf"]
    for pin in ("clk__io", "dq__io[15]", "a__io[12]", "dqm__io[1]", "ras__io", "cas__io", "we__io", "cs__io"):
        assert f'"sdram_0__{pin}" SITE' in lpf
    text = plan.files.files["top.il"]
    text = text if isinstance(text, str) else text.decode()
    # the array's multipliers are placed
    assert text.count("\\BEL") == 16


@pytest.mark.parametrize("cores", [1, 2])
def test_costs_are_those_of_the_model(cores):
    program = compile_streamed([TINY.g_a], StreamedConfig(rows=4, cols=4))
    cycles = SdramCycles.at(ULX3S_SDRAM, 100.0)
    jobs = core_jobs(program, program.chains[0], 40, 24, cores)
    prediction, cost = streamed_cost(jobs, 40, 24, cycles, clock_mhz=100.0)
    model = StreamedModel([job.schedule for job in jobs], cycles, start=cycles.start + 1)
    assert prediction.cycles == max(run.done - run.start for run in model.runs)
    assert sum(cost.cycles.values()) == pytest.approx(prediction.cycles)
    assert cost.bytes == 2 * model.memory.beats
    assert cost.bandwidth == 2e8
    assert prediction.macs == pytest.approx(TINY.g_a.macs(24, 40) * prediction.recompute_factor)
    assert (prediction.recompute_factor == 1) == (cores == 1)
    assert sum(row["macs"] for row in prediction.layers) == prediction.macs
    assert prediction.utilization == pytest.approx(prediction.macs / (16 * cores * prediction.cycles))


@pytest.mark.slow
@pytest.mark.synth
@pytest.mark.parametrize("arithmetic", ["direct", regress("fip")])
def test_blocks_are_those_that_yosys_makes(arithmetic, tmp_path):
    config = StreamedConfig(rows=2, cols=2, arithmetic=arithmetic)
    accelerator = StreamedAccelerator(TINY, config, ULX3S_SDRAM, 100.0)
    plan = make_plan(accelerator, board=ULX3S, frequency=100.0)
    cells, _ = Flow(
        plan=plan,
        board=ULX3S,
        folder=tmp_path,
        cache=BuildCache(None),
        say=lambda line: None,
        tools=find_tools(ULX3S, route=False),
    ).synthesize()
    program = accelerator.program
    assert cells["DP16KD"] == streamed_fit(program, ULX3S, 1).needed
    assert cells["MULT18X18D"] == program.multiplier_cells


@pytest.fixture
def synthesised(monkeypatch):
    """What Yosys would leave."""

    def run_tool(tool, *arguments, folder, log, label, say):
        cells = {"DP16KD": 30, "MULT18X18D": 20, "LUT4": 1600}
        (folder / "stat.json").write_text(json.dumps({"design": {"num_cells_by_type": cells}}))
        (folder / "top.json").write_text(json.dumps({"modules": {"top": {"cells": {}}}}))
        (folder / "top.rpt").write_text("log")

    monkeypatch.setattr(flow_module, "run_tool", run_tool)


def test_a_decoder_is_built_from_the_same_options(tmp_path, synthesised, capsys):
    shape = ["--rows", "4", "--cols", "4", "--channels", "5,7", "--size", "40x24", "--mode", "decoder"]
    assert main([*ARGUMENTS, *shape, "--synthesis-only", "--no-cache", "--out", str(tmp_path)]) == 0
    assert (
        capsys.readouterr()
        .out.splitlines()[0]
        .startswith("made-up-n5m7 on Radiona ULX3S 85F (LFE5U-85F-6BG381C): h_s, g_s on 1 x 4 x 4, blocks of 4 rows, ")
    )
    report = json.loads((tmp_path / "report.json").read_text())
    manifest = scaled_manifest(find_model(), 5, 7)
    assert [row["name"] for row in report["transforms"]] == ["h_s", "g_s"]
    names = [layer.name for name in ("h_s", "g_s") for layer in manifest.transforms[name].layers]
    assert [row["name"] for row in report["layers"]] == names
    assert all(row["macs"] > 0 and 0 < row["utilization"] <= 1 for row in report["layers"])
    performance, cost = report["performance"], report["cost"]
    # one after the other, on the same array, at the same memory
    cycles, program = SdramCycles.at(ULX3S_SDRAM, 100.0), None
    program = compile_streamed(
        [manifest.h_s, manifest.g_s],
        StreamedConfig(rows=4, cols=4, weight_words=performance["external"]["weight_words"]),
    )
    beats, each = 0, []
    # the image counts as padded to one hyper latent of 64 x 64 pixels
    for name, size in (("h_s", (1, 1)), ("g_s", (4, 4))):
        jobs = core_jobs(program, program.chain_of(name), *size, 1)
        model = StreamedModel([job.schedule for job in jobs], cycles, start=cycles.start + 1)
        each += [run.done - run.start for run in model.runs]
        beats += model.memory.beats
    assert [row["cycles"] for row in report["transforms"]] == each
    assert performance["cycles"] == sum(each) == pytest.approx(sum(cost["cycles"].values()))
    assert cost["bytes"] == 2 * beats
    assert performance["recompute_factor"] == 1


def test_a_build_on_the_command_line(tmp_path, synthesised, capsys):
    shape = ["--rows", "4", "--cols", "4", "--block-rows", "2", "--channels", "5,7", "--size", "40x24"]
    options = ["--synthesis-only", "--no-cache", "--out", str(tmp_path)]
    assert main([*ARGUMENTS, *shape, *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("made-up-n5m7 on Radiona ULX3S 85F (LFE5U-85F-6BG381C): g_a on 1 x 4 x 4, blocks of 2 ")
    assert lines[-1] == f"report: {tmp_path / 'report.html'}"
    report = json.loads((tmp_path / "report.json").read_text())
    performance, cost = report["performance"], report["cost"]
    assert performance["external"]["cores"] == 1
    assert performance["multipliers"] == 16
    assert performance["lut_per_multiplier"] == 100
    assert list(cost["traffic"]) == ["weights", "maps read", "maps written", "commands"]
    assert min(cost["traffic"].values()) > 0
    assert cost["roofline"]["attainable_fps"] >= performance["fps"]
    page = (tmp_path / "report.html").read_text()
    for text in ("external memory, cores 1, block rows 2", "external memory: weights", "bandwidth of external memory"):
        assert text in page
