"""The verbs: what they print, write and return, and what they refuse in one line."""

import json
import xml.etree.ElementTree as ET

import pytest

from licgate.cli import main
from licgate.explore.route import run_here
from licgate.manifest import save_manifest
from tests.explore.kit import tiny_board, tiny_model


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "tiny"
    save_manifest(tiny_model(), folder)
    return str(folder)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr("licgate.target.board.find_board", lambda name: tiny_board())


def plan(*words):
    return main(["plan", "--board", "ulx3s-85f", "--size", "32x32", *words])


def explore(*words):
    return main(["explore", "--board", "ulx3s-85f", "--size", "64x32", *words])


def test_plan_says_what_is_reached(model, tmp_path, capsys):
    file = tmp_path / "plan.json"
    assert plan("--model", model, "--fps", "10", "--json", str(file)) == 0
    out = capsys.readouterr().out
    assert "100 MHz assumed, arithmetic fip: a prediction, nothing is placed or routed" in out
    result = json.loads(file.read_text())
    (row,) = result["plans"]
    assert result["widest"] == row["model"] == "four"
    assert f"the widest model that reaches 10 frames/s is four, with {row['fps']:.2f}" in out
    assert row["fps"] <= row["peak_fps"] <= row["device_peak_fps"]
    # at half the clock, half the rate
    assert plan("--model", model, "--clock", "50", "--json", str(file)) == 0
    assert json.loads(file.read_text())["plans"][0]["fps"] == pytest.approx(row["fps"] / 2)


@pytest.mark.parametrize(
    ("words", "told"),
    [(["--packing"], "two products a multiplier where widths allow it"), (["--arithmetic", "fip"], "arithmetic fip")],
    ids=lambda value: value[0],
)
def test_what_a_multiplier_does_more_is_asked_for_and_told(words, told, tmp_path, capsys):
    folder, files = tmp_path / "narrow", [tmp_path / name for name in ("plan.json", "plain.json", "packed.json")]
    save_manifest(tiny_model(weight_bits=5), folder)
    assert plan("--model", str(folder), *words, "--json", str(files[0])) == 0
    assert told in capsys.readouterr().out
    assert explore("--model", str(folder), "--arithmetic", "direct", "--json", str(files[1])) == 0
    assert told not in capsys.readouterr().out
    assert explore("--model", str(folder), *words, "--json", str(files[2]), "--plot", str(tmp_path / "p.svg")) == 0
    assert told in capsys.readouterr().out
    planned, plain, more = (json.loads(file.read_text()) for file in files)
    for name, usual in (("packing", False), ("arithmetic", "direct")):
        assert (planned[name] == usual) == (name not in words[0])
        assert (planned[name], plain[name]) == (more[name], usual)
    fastest = [max(row["fps"] for row in one["pareto"]) for one in (plain, more)]
    assert fastest[1] > 1.4 * fastest[0]
    assert all(row["utilization"] <= 1 for row in more["pareto"])


def test_plan_returns_four_where_nothing_reaches_the_rate(model, tmp_path, capsys):
    file = tmp_path / "plan.json"
    assert plan("--model", model, "--fps", "1000000", "--json", str(file)) == 4
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith("no model reaches 1e+06 frames/s: the fastest is four, with ")
    assert "; all 24 MULT18X18D, never idle, would give " in line
    assert json.loads(file.read_text())["widest"] is None


def test_plan_of_a_model_that_does_not_fit(model, monkeypatch, capsys):
    monkeypatch.setattr("licgate.target.board.find_board", lambda name: tiny_board(DP16KD=2))
    assert plan("--model", model, "--fps", "1") == 4
    out = capsys.readouterr().out
    assert "fits in no shape, it takes" in out
    assert "no model reaches 1 frames/s: none of them fits the device" in out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--fps", "0"], "0 frames a second make no sense: give --fps above 0"),
        (["--fps", "nan"], "nan frames a second make no sense: give --fps above 0"),
        (["--clock", "0.5"], "a clock of 0.5 MHz makes no sense: give --clock from 1 to 1000"),
        (["--size", "12"], "argument --size: '12' is not WIDTHxHEIGHT (see: licgate plan --help)"),
        (["--size", "20000x2"], "argument --size: 20000x2 is larger than 16384x16384 (see: licgate plan --help)"),
        (["--channels", "3"], "argument --channels: '' is not a positive number (see: licgate plan --help)"),
        (["--model", "nothing"], "unknown model 'nothing'"),
    ],
)
def test_plan_refuses_in_one_line(words, line, capsys):
    assert plan(*words) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"licgate: error: {line}")
    assert error.count("\n") == 1


def test_explore_shows_the_pareto_set(model, tmp_path, capsys):
    file, plot = tmp_path / "set.json", tmp_path / "set.svg"
    assert explore("--model", model, "--json", str(file), "--plot", str(plot), "--points", "6") == 0
    out = capsys.readouterr().out
    result = json.loads(file.read_text())
    rows = result["pareto"]
    assert len(rows) >= 2
    assert len(out.splitlines()) == 3 + len(rows)
    for row in rows:
        assert f"{row['rows']} x {row['cols']}" in out
        assert row["utilization"] <= 1
        assert not any(
            other is not row
            and other["fps"] >= row["fps"]
            and other["multipliers"] <= row["multipliers"]
            and other["block_rams"] <= row["block_rams"]
            for other in rows
        )
    circles = [node for node in ET.fromstring(plot.read_text()).iter() if node.tag.endswith("circle")]
    assert len(circles) == len(rows)
    assert len({(node.get("cx"), node.get("cy")) for node in circles}) > 1
    assert not list(tmp_path.glob(".*"))


def test_explore_routes_the_fastest(model, tmp_path, monkeypatch, capsys):
    calls = []

    def route(space, candidates, **options):
        calls.append((candidates, options))
        return [{"status": "met"}, {"status": "missed"}]

    monkeypatch.setattr("licgate.explore.route.route_shapes", route)
    file = tmp_path / "set.json"
    words = ["--route", "2", "--out", str(tmp_path / "o"), "--jobs", "2", "--seed", "5", "6", "--json", str(file)]
    assert explore("--model", model, *words) == 0
    assert capsys.readouterr().out.endswith(f"1 of 2 met 100 MHz; results: {tmp_path / 'o'}\n")
    ((candidates, options),) = calls
    fastest = sorted(json.loads(file.read_text())["pareto"], key=lambda row: row["cycles"])[:2]
    assert [(c.config.rows, c.config.cols) for c in candidates] == [(row["rows"], row["cols"]) for row in fastest]
    assert (options["seeds"], options["clock_mhz"]) == ([5, 6], 100.0)
    assert options["run"].func is run_here
    assert options["run"].keywords == {"model": model, "jobs": 2}


def test_explore_refuses_in_one_line(model, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("licgate.target.board.find_board", lambda name: tiny_board(DP16KD=2))
    assert explore("--model", model) == 2
    error = capsys.readouterr().err
    assert error.startswith("licgate: error: mode analysis of four fits LFE5U-85F-6BG381C in no shape: it takes ")
    assert error.count("\n") == 1
    monkeypatch.setattr("licgate.target.board.find_board", lambda name: tiny_board())
    assert explore("--model", model, "--json", str(tmp_path / "no" / "x.json")) == 2
    assert "cannot write" in capsys.readouterr().err
