"""Builds of several shapes: kept, gone on with, and not lost to each other's failures."""

import json
import sys
from dataclasses import replace
from functools import partial

import pytest

from licgate.explore.route import build_command, result_key, route_shapes, run_here
from licgate.explore.space import Space
from licgate.target.board import find_board
from licgate.target.config import AcceleratorConfig
from tests.explore.kit import BUILD, OWN_BOARD, tiny_board, tiny_model


@pytest.fixture
def space():
    return Space(tiny_model(), tiny_board(), "analysis", 32, 16)


@pytest.fixture
def shapes(space):
    return [space.candidate(AcceleratorConfig(rows=rows, cols=2, max_width=32)) for rows in (1, 2, 3)]


def routed(space, shapes, out, outcomes, jobs=1):
    said, started = [], []

    def command(space, candidate, model, clock_mhz, seeds, folder):
        code, line = outcomes[candidate.config.rows]
        started.append(candidate.config.rows)
        return [sys.executable, "-c", BUILD, str(folder), str(code), line]

    results = route_shapes(
        space, shapes, out=out, clock_mhz=90.0, command=command, say=said.append, run=partial(run_here, jobs=jobs)
    )
    return results, started, said


@pytest.mark.parametrize("jobs", [1, 3])
def test_one_that_fails_loses_no_other_and_a_second_run_goes_on(space, shapes, tmp_path, jobs):
    outcomes = {1: (0, "fine"), 2: (2, "licgate: error: yosys failed"), 3: (4, "licgate: error: timing not met")}
    results, started, said = routed(space, shapes, tmp_path / "out", outcomes, jobs=jobs)
    assert sorted(started) == [1, 2, 3]
    assert [(r["status"], r["why"]) for r in results] == [
        ("met", ""),
        ("failed", "yosys failed"),
        ("missed", "timing not met"),
    ]
    assert [r.get("clock_mhz") for r in results] == [90.0, None, 94.0]
    assert results[0]["cells"] == {"MULT18X18D": 4}
    assert [r["shape"]["rows"] for r in results] == [1, 2, 3]
    assert any(line.endswith("failed: yosys failed (2 of 3)") for line in said) or jobs > 1
    # the one that failed is tried anew, and only that one
    again, started, said = routed(space, shapes, tmp_path / "out", outcomes | {2: (0, "fine")}, jobs=jobs)
    assert started == [2]
    assert [r["status"] for r in again] == ["met", "met", "missed"]
    assert again[0] == results[0]
    assert sum(line.endswith("(kept)") for line in said) == 2


def test_half_a_result_is_no_result(space, shapes, tmp_path):
    outcomes = {1: (0, "fine")}
    routed(space, shapes[:1], tmp_path, outcomes)
    (kept,) = tmp_path.glob("*.json")
    whole = kept.read_text()
    for text in (whole[:40], "[]", "{}"):
        kept.write_text(text)
        results, started, _ = routed(space, shapes[:1], tmp_path, outcomes)
        assert started == [1]
        assert json.loads(kept.read_text()) == results[0]


def test_a_build_without_a_report_has_failed(space, shapes, tmp_path):
    command = lambda *args: [sys.executable, "-c", "raise SystemExit(0)"]  # noqa: E731
    (result,) = route_shapes(space, shapes[:1], out=tmp_path, clock_mhz=90.0, command=command, say=lambda line: None)
    assert (result["status"], result["why"]) == ("failed", "it wrote nothing")


def test_the_key_tells_apart_what_is_built_differently(space, shapes):
    other = Space(tiny_model(seed=9), tiny_board(), "analysis", 32, 16)
    keys = {
        result_key(space, shapes[0], 90.0, (1,)),
        result_key(space, shapes[1], 90.0, (1,)),
        result_key(space, shapes[0], 95.0, (1,)),
        result_key(space, shapes[0], 90.0, (1, 2)),
        result_key(other, shapes[0], 90.0, (1,)),
    }
    assert len(keys) == 5
    assert result_key(space, shapes[0], 90.0, (1,)) in keys


def test_the_command_is_one_that_the_command_line_takes(space, shapes, tmp_path):
    import argparse

    from licgate.cli_build import add_build_arguments

    words = build_command(space, shapes[2], "some-model", 87.5, (3, 4), tmp_path)
    assert words[:4] == [sys.executable, "-m", "licgate", "build"]
    parser = argparse.ArgumentParser()
    add_build_arguments(parser)
    args = parser.parse_args(words[4:])
    config = shapes[2].config
    assert (args.rows, args.cols, args.lanes, args.max_width) == (3, 2, config.lanes, 32)
    assert (args.clock, args.seed, args.size) == (87.5, [3, 4], (32, 16))
    assert (args.model, args.out) == ("some-model", tmp_path)
    assert (args.board, args.mode) == ("ulx3s-85f", "analysis")


def test_a_board_of_ones_own_is_built_by_its_path(tmp_path):
    (tmp_path / "mine.py").write_text(OWN_BOARD)
    board = find_board(str(tmp_path / "mine.py"))
    space = Space(tiny_model(), board, "analysis", 32, 16)
    shape = space.candidate(AcceleratorConfig(rows=1, cols=2, max_width=32))
    words = build_command(space, shape, None, 90.0, [1], tmp_path)
    assert words[words.index("--board") + 1] == str(tmp_path / "mine.py")
    words = build_command(space, shape, None, 90.0, [1], tmp_path, board="./other.py")
    assert words[words.index("--board") + 1] == "./other.py"
    # what was built of another text of the file is not what is asked for
    key = result_key(space, shape, 90.0, [1])
    assert result_key(space, shape, 90.0, [1]) == key
    (tmp_path / "mine.py").write_text(OWN_BOARD + "# another\n")
    assert result_key(space, shape, 90.0, [1]) != key


@pytest.mark.parametrize(
    ("way", "expected"), [({"packing": True}, ["--packing"]), ({"arithmetic": "fip"}, ["--arithmetic", "fip"])]
)
def test_a_shape_is_built_as_it_was_found(way, expected, space, shapes, tmp_path):
    candidate = shapes[0]
    found = replace(candidate, config=replace(candidate.config, **way))
    words, others = (build_command(space, one, None, 90.0, [1], tmp_path) for one in (found, candidate))
    assert [word for word in words if word not in others] == expected
    assert result_key(space, found, 90.0, [1]) != result_key(space, candidate, 90.0, [1])
