"""``licgate plan --memory sdram``: what it prints, writes and returns, and what it refuses in one line."""

import json
import re

import pytest

from licgate.cli import main
from licgate.manifest import find_model, save_manifest
from licgate.manifest.scaled import scaled_manifest
from licgate.perf.streamed.frame import StreamedModel
from licgate.program.cores import core_jobs
from licgate.program.streamed import compile_streamed
from licgate.target.sdram import ULX3S_SDRAM, SdramCycles
from licgate.target.streamed import StreamedConfig
from tests.explore.kit import tiny_board, tiny_model

SHAPE = ["--memory", "sdram", "--rows", "4", "--cols", "3"]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr("licgate.target.board.find_board", lambda name: tiny_board())


def plan(*words):
    return main(["plan", "--board", "ulx3s-85f", "--size", "33x18", *words])


def test_a_plan_is_what_the_cycle_model_says(tmp_path, capsys):
    file = tmp_path / "plan.json"
    words = [*SHAPE, "--channels", "4,6", "6,5", "--clock", "80", "--json", str(file)]
    assert plan(*words) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].endswith("on 1 x 4 x 3 with SDRAM, 80 MHz assumed: a prediction, nothing is placed or routed")
    result = json.loads(file.read_text())
    assert (result["memory"], result["image"], result["clock_mhz"]) == ("sdram", [33, 18], 80)
    assert [row["model"] for row in result["plans"]] == ["made-up-n4m6", "made-up-n6m5"]
    for row, pair, line in zip(result["plans"], [(4, 6), (6, 5)], out[1:], strict=True):
        manifest = scaled_manifest(find_model(), *pair)
        config = StreamedConfig(rows=4, cols=3, weight_words=row["config"]["weight_words"])
        program = compile_streamed([manifest.g_a], config)
        jobs = core_jobs(program, program.chains[0], 33, 18, 1)
        cycles = SdramCycles.at(ULX3S_SDRAM, 80)
        model = StreamedModel([job.schedule for job in jobs], cycles, start=cycles.start + 1)
        (run,) = model.runs
        assert row["cycles"] == run.done - run.start == sum(row["cycles_by_cause"].values())
        assert row["fps"] == 80e6 / row["cycles"]
        assert row["macs"] == manifest.g_a.macs(18, 33)
        # the peak is never exceeded
        assert row["utilization"] == pytest.approx(row["macs"] / (12 * row["cycles"]))
        assert sum(row["traffic"].values()) * row["fps"] <= row["bandwidth"] == 160e6
        assert row["fits"]
        assert line.startswith(f"{row['model']}  {row['fps']:.3f} frames/s: ")


def test_a_decoder_is_planned_with_the_same_options(tmp_path, capsys):
    file = tmp_path / "plan.json"
    assert plan(*SHAPE, "--channels", "4,6", "--mode", "decoder", "--json", str(file)) == 0
    assert ", decoder of 33 x 18 on 1 x 4 x 3 with SDRAM, " in capsys.readouterr().out
    result = json.loads(file.read_text())
    (row,) = result["plans"]
    manifest = scaled_manifest(find_model(), 4, 6)
    program = compile_streamed([manifest.h_s, manifest.g_s], StreamedConfig(**row["config"]))
    cycles, expected = SdramCycles.at(ULX3S_SDRAM, 100), 0
    # padded to one hyper latent of 64 x 64 pixels
    for name, size in (("h_s", (1, 1)), ("g_s", (4, 4))):
        jobs = core_jobs(program, program.chain_of(name), *size, 1)
        model = StreamedModel([job.schedule for job in jobs], cycles, start=cycles.start + 1)
        expected += model.runs[0].done - model.runs[0].start
    assert result["mode"] == "decoder"
    assert row["cycles"] == expected == sum(row["cycles_by_cause"].values())
    assert row["macs"] == manifest.h_s.macs(1, 1) + manifest.g_s.macs(4, 4)


def test_cores_share_the_image_and_the_memory(tmp_path):
    files = [tmp_path / "one.json", tmp_path / "two.json"]
    for cores, file in zip("12", files, strict=True):
        words = [*SHAPE[:4], "--cols", "2", "--cores", cores, "--channels", "4,6", "--json", str(file)]
        assert plan(*words) == 0
    one, two = (json.loads(file.read_text())["plans"][0] for file in files)
    assert (one["multipliers"], two["multipliers"]) == (8, 16)
    assert one["recompute_factor"] == 1 < two["recompute_factor"]
    # what the strips share is fetched and made twice, and each reads all weights
    assert two["traffic"]["weights"] == 2 * one["traffic"]["weights"]
    assert all(two["traffic"][name] > one["traffic"][name] for name in one["traffic"])


@pytest.mark.parametrize("enough", [True, False])
def test_exit_code_and_line_tell_whether_the_rate_is_reached(enough, capsys):
    assert plan(*SHAPE, "--channels", "4,6", "--fps", "1" if enough else "1e6") == (0 if enough else 4)
    line = capsys.readouterr().out.splitlines()[-1]
    if enough:
        assert line.startswith("the widest model that reaches 1 frames/s is made-up-n4m6, with ")
    else:
        assert line == "no model that fits reaches 1e+06 frames/s"


def test_what_does_not_fit_is_told_and_is_no_answer(monkeypatch, capsys):
    monkeypatch.setattr("licgate.target.board.find_board", lambda name: tiny_board(DP16KD=3))
    assert plan(*SHAPE, "--channels", "4,6", "--fps", "1") == 4
    out = capsys.readouterr().out
    assert ": DOES NOT FIT" in out
    assert out.endswith("no model that fits reaches 1 frames/s\n")


def test_a_saved_model_is_planned_too(tmp_path, capsys):
    save_manifest(tiny_model(), tmp_path / "tiny")
    assert plan(*SHAPE, "--model", str(tmp_path / "tiny")) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("four  ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*SHAPE, "--clock", "150"], r"150.*: take another --clock$"),
        (["--rows", "4"], r"^--rows, --cols and --lanes go with --memory sdram or axi: without it "),
        ([*SHAPE, "--cores", "0"], r"^0 cores make no sense: give --cores from 1 to 16$"),
        ([*SHAPE, "--cores", "3"], r"^3 x 4 x 3 need 36 multipliers, "),
        ([*SHAPE, "--block-rows", "17"], r"^block_rows is 17: give an integer from 1 to 16$"),
        ([*SHAPE, "--weight-words", "5"], r"^weight_words is 5: the largest tile of this model has 100$"),
        ([*SHAPE, "--fps", "0"], r"^0 frames a second make no sense: give --fps above 0$"),
        ([*SHAPE, "--size", "9000x9000"], r"of external memory; there are \d+: cut the image$"),
    ],
)
def test_refused_in_one_line(words, message, capsys):
    assert plan("--channels", "4,6", *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("licgate: error: ")
    assert re.search(message, line.removeprefix("licgate: error: "))


def test_without_a_shape_the_fastest_that_fits_is_taken(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("licgate.target.board.find_board", lambda name: tiny_board(MULT18X18D=6, DP16KD=24))
    files = [tmp_path / "found.json", tmp_path / "given.json"]
    words = ["--memory", "sdram", "--channels", "4,6", "--fps", "1"]
    assert plan(*words, "--json", str(files[0])) == 0
    out = capsys.readouterr().out.splitlines()
    assert "g_a of 33 x 18 on the fastest shape that fits with SDRAM" in out[0]
    assert plan(*words, "--rows", "3", "--cols", "2", "--json", str(files[1])) == 0
    found, given = (json.loads(file.read_text())["plans"][0] for file in files)
    assert (found["searched"], given["searched"]) == (True, False)
    assert found["fits"]
    assert found["block_rams"] <= 24
    assert found["multipliers"] <= 6
    assert found["fps"] >= 0.99 * given["fps"]
    assert f" on {found['config']['rows']} x {found['config']['cols']}, blocks of " in out[1]
    assert out[-1].startswith("the widest model that reaches 1 frames/s is made-up-n4m6, with ")


def test_a_model_that_fits_in_no_shape_is_told(monkeypatch, capsys):
    monkeypatch.setattr("licgate.target.board.find_board", lambda name: tiny_board(MULT18X18D=6, DP16KD=4))
    assert plan("--memory", "sdram", "--channels", "4,6", "--fps", "1") == 4
    out = capsys.readouterr().out.splitlines()
    assert out[1:] == ["made-up-n4m6  fits in no shape of 1 core", "no model that fits reaches 1 frames/s"]
