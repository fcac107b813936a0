"""Shapes with external memory: what is found fits, is estimated right, and is shown, counted and built."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise

import pytest

from licgate.backends import get_backend
from licgate.backends.sdram import sdram_cycles
from licgate.cli import main
from licgate.errors import ConfigError
from licgate.explore.route import build_command, result_key
from licgate.explore.space import Budget
from licgate.explore.streamedsearch import fastest_stream, search_streams
from licgate.explore.streamedspace import StreamSpace
from licgate.manifest import find_model
from licgate.manifest.scaled import scaled_manifest
from licgate.perf.streamed.cost import streamed_cost
from licgate.program.cores import core_jobs
from licgate.synth.fit import streamed_fit
from licgate.target.board import find_board
from licgate.target.streamed import StreamedConfig
from tests.explore.kit import tiny_board

SIZE = (40, 36)
# frames of two dozen blocks, whose rows of a few pixels are transactions of three beats
SMALL = 0.15


@pytest.fixture(scope="module")
def board():
    return tiny_board(MULT18X18D=6, DP16KD=24)


@pytest.fixture(scope="module")
def space(board):
    return StreamSpace(scaled_manifest(find_model(), 4, 6), board, *SIZE, sdram_cycles(board, 100.0))


@pytest.fixture(scope="module")
def found(space):
    return search_streams(space, Budget.of(space.board), least=0.5)


def test_all_that_is_found_fits_and_is_within_the_bound_of_the_exact_model(space, board, found):
    assert len(found) > 5
    for candidate in found:
        program = space.program(candidate.config)
        fit = streamed_fit(program, board, candidate.cores)
        assert candidate.block_rams == fit.needed <= 24
        assert candidate.multipliers == program.multiplier_cells <= 6
        assert candidate.config.weight_words == program.weight_words
        assert candidate.bound == candidate.estimate.cycles
        # what a build makes of it is the same
        built = get_backend("sdram").fit(space.design(candidate, 100.0))
        assert (built.config, built.fit.needed) == (candidate.config, fit.needed)
        assert built.program.weight_words == program.weight_words
    fastest = min(found, key=lambda candidate: candidate.bound)
    jobs = core_jobs(space.program(fastest.config), space.program(fastest.config).chains[0], *SIZE, 1)
    prediction, _ = streamed_cost(jobs, *SIZE, space.cycles, clock_mhz=100.0)
    assert fastest.bound == pytest.approx(prediction.cycles, rel=SMALL)


def test_the_fastest_alone_is_found_too_and_a_smaller_device_is_no_faster(space, found):
    budget = Budget.of(space.board)
    best = fastest_stream(space, budget)
    assert best.bound <= 1.005 * min(candidate.bound for candidate in found)
    small = fastest_stream(space, replace(budget, block_rams=18))
    assert small.block_rams <= 18
    assert small.bound >= best.bound
    assert fastest_stream(space, replace(budget, block_rams=3)) is None


def test_blocks_are_counted_without_compiling_anew(space):
    (array, *_) = space.arrays(Budget.of(space.board), 1.0)
    counted = 0
    for bands in space.bands(array, 1000):
        ring, results = bands.rings[-1], bands.results[0]
        config = replace(bands.wide.config, prefetch_words=bands.prefetch[0], weight_words=ring, output_words=results)
        assert space.block_rams(bands, bands.prefetch[0], ring, results) == space.candidate(config, 1).block_rams
        counted += 1
    assert counted > 10


def test_transforms_of_a_mode_run_one_after_the_other(board):
    manifest = scaled_manifest(find_model(), 4, 6)
    space = StreamSpace(manifest, board, *SIZE, sdram_cycles(board, 100.0), mode="decoder")
    found = space.estimated(space.usual(3, 2))
    frame = get_backend("sdram").cost(space.design(found, 100.0), *SIZE)
    assert [row["name"] for row in frame.prediction.transforms] == ["h_s", "g_s"]
    assert space.macs == frame.prediction.macs == manifest.h_s.macs(1, 1) + manifest.g_s.macs(4, 4)
    assert found.bound == pytest.approx(frame.prediction.cycles, rel=SMALL)
    assert space.least_work <= 6 * found.bound


def test_cores_are_tried_and_share_multipliers():
    board = tiny_board(MULT18X18D=8)
    manifest = scaled_manifest(find_model(), 4, 6)
    space = StreamSpace(manifest, board, 64, 20, sdram_cycles(board, 100.0), cores=(2, 1))
    arrays = space.arrays(Budget.of(board), 0.5)
    assert {array.cores for array in arrays} == {1, 2}
    assert all(array.cores * array.config.multipliers <= 8 for array in arrays)
    two = next(array for array in arrays if array.cores == 2)
    assert two.block_rams == streamed_fit(space.program(two.config), board, 2).needed


def test_a_build_is_told_the_whole_shape(space, found):
    candidate = found[0]
    words = build_command(space, candidate, "m", 90.0, [1], "o")
    parsed = dict(pairwise(words))
    config = candidate.config
    assert (parsed["--memory"], parsed["--cores"], parsed["--rows"]) == ("sdram", "1", str(config.rows))
    assert parsed["--block-rows"] == str(config.block_rows)
    assert parsed["--weight-words"] == str(config.weight_words)
    assert parsed["--output-words"] == str(config.output_words)
    assert "--max-width" not in parsed
    keys = {result_key(space, one, 90.0, [1]) for one in (candidate, replace(candidate, cores=2))}
    assert len(keys) == 2


@pytest.fixture
def searched(monkeypatch, found):
    """The search, done once."""
    monkeypatch.setattr("licgate.explore.searches.search_streams", lambda space, budget, **_: found)


def explore(monkeypatch, board, *words):
    monkeypatch.setattr("licgate.target.board.find_board", lambda name: board)
    return main(["explore", "--board", "ulx3s-85f", "--memory", "sdram", "--size", "x".join(map(str, SIZE)), *words])


def test_explore_shows_counts_and_goes_on(searched, monkeypatch, board, tmp_path, capsys):
    file, plot, out = tmp_path / "set.json", tmp_path / "set.svg", tmp_path / "out"
    words = ["--channels", "4,6", "--json", str(file), "--plot", str(plot), "--points", "5", "--exact", "1"]
    words += ["--out", str(out)]
    assert explore(monkeypatch, board, *words) == 0
    lines = capsys.readouterr().out.splitlines()
    result = json.loads(file.read_text())
    rows = result["pareto"]
    assert (result["memory"], result["cycles"], result["image"]) == ("sdram", "estimated", list(SIZE))
    assert 2 <= len(rows) <= 5
    assert all(0 < row["utilization"] <= 1 and 0 < row["memory_busy"] <= 1 for row in rows)
    for row, line in zip(rows, lines[3:], strict=False):
        assert f"{row['cores']} x {row['rows']} x {row['cols']}" in line
        assert f"{row['fps']:.3f}" in line
    circles = [node for node in ET.fromstring(plot.read_text()).iter() if node.tag.endswith("circle")]
    assert len(circles) == len(rows)
    fastest = min(rows, key=lambda row: row["cycles"])
    assert abs(fastest["exact"]["cycles"] / fastest["cycles"] - 1) < SMALL
    assert [row for row in rows if "exact" in row] == [fastest]
    assert "off" in lines[-1]
    # what is there is not counted again
    assert explore(monkeypatch, board, *words) == 0
    again = capsys.readouterr().out.splitlines()
    assert again[-1] == f"{lines[-1]} (kept)"
    assert not any("counting" in line for line in again)


def test_explore_routes_what_it_found(searched, monkeypatch, board, tmp_path, capsys):
    calls = []

    def route(space, candidates, **options):
        calls.append((candidates, options))
        return [{"status": "met"}]

    monkeypatch.setattr("licgate.explore.route.route_shapes", route)
    assert explore(monkeypatch, board, "--channels", "4,6", "--route", "1", "--out", str(tmp_path / "o")) == 0
    assert capsys.readouterr().out.endswith(f"1 of 1 met 100 MHz; results: {tmp_path / 'o'}\n")
    ((candidates, options),) = calls
    assert (candidates[0].cores, candidates[0].config.max_width) == (1, StreamedConfig().max_width)
    # a made-up model is saved for the build
    assert (tmp_path / "o" / "model" / "manifest.json").is_file()
    assert options["run"].keywords["model"] == str(tmp_path / "o" / "model")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--cores", "17"], "17 cores make no sense: give --cores from 1 to 16"),
        (["--clock", "200"], "ULX3S runs at 1 to 143 MHz with a CAS latency of 3, not at 200 MHz: take another "),
        (["--memory", "chip", "--exact", "1"], "--cores and --exact go with --memory sdram: shapes on the chip "),
    ],
)
def test_explore_refuses_in_one_line(monkeypatch, board, capsys, words, line):
    assert explore(monkeypatch, board, "--channels", "4,6", *words) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"licgate: error: {line}")
    assert error.count("\n") == 1


def test_a_device_that_is_too_small_is_told_what_it_takes(monkeypatch, capsys):
    assert explore(monkeypatch, tiny_board(MULT18X18D=16, DP16KD=5), "--channels", "4,6") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    start = "licgate: error: g_a of made-up-n4m6 fits LFE5U-85F-6BG381C with SDRAM in no shape: it takes "
    assert error.startswith(start)
    # and so much is enough for the array of which that is said
    least = int(error.removeprefix(start).split()[0])
    assert 5 < least < 24


def test_a_board_without_sdram_is_refused(monkeypatch):
    with pytest.raises(ConfigError, match=r"^board zcu102 has no SDRAM: take another --board, or --memory chip$"):
        sdram_cycles(find_board("zcu102"), 100.0)
