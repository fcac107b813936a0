"""Arrays for an encoder's stages: the search against trying everything, and the verb."""

import json

import pytest

from licgate.cli import main
from licgate.errors import ConfigError
from licgate.explore.encoder import ArraySearch, compare_arrangements, picture_of
from licgate.manifest import save_manifest
from licgate.perf.encoder import FIRST, SECOND, STAGES, Coder, accelerator_part
from tests.explore.kit import tiny_board, tiny_model

SIZE = (32, 32)
CODER = Coder(1e-5, 1e-6, 99, 50, 1)


def totals(manifest, transforms, most):
    search = ArraySearch(manifest, *SIZE)
    return {
        (rows, cols): accelerator_part(manifest, search.config((rows, cols)), transforms, *SIZE).total
        for rows in range(1, most + 1)
        for cols in range(1, most // rows + 1)
    }


def test_no_array_and_no_split_is_faster():
    manifest, most = tiny_model(), 8
    search = ArraySearch(manifest, *SIZE)
    first, second = totals(manifest, FIRST, most), totals(manifest, SECOND, most)
    for names, all_of_them in ((FIRST, first), (SECOND, second)):
        shape, cycles = search.fastest(names, most)
        assert cycles == all_of_them[shape] == min(all_of_them.values())
    a, b = search.split(most)
    assert a[0] * a[1] + b[0] * b[1] <= most
    assert max(first[a], second[b]) == min(
        max(first[x], second[y]) for x in first for y in second if x[0] * x[1] + y[0] * y[1] <= most
    )


def test_the_arrangements_fit_together():
    found = compare_arrangements(tiny_model(), 9, *SIZE, 100.0, CODER)
    rows = found["arrangements"]
    assert found["coder"]["cycles"] == 1000
    base = rows["sequential"]
    assert base["interval"] == sum(base["arrays"][0]["cycles"].values()) + 1000
    assert rows["pipelined_equal_total"]["multipliers"] <= 9
    assert rows["pipelined_equal_arrays"]["multipliers"] == 2 * base["multipliers"]
    for row in rows.values():
        assert row["speedup"] == base["interval"] / row["interval"]
        assert row["fps"] == 100e6 / row["interval"]
        assert row["speedup"] <= row["multipliers"] / base["multipliers"] / base["utilization"]


@pytest.mark.parametrize("multipliers", [0, 1])
def test_too_few_multipliers(multipliers):
    with pytest.raises(ConfigError, match=rf"^{multipliers} multipliers make no "):
        compare_arrangements(tiny_model(), multipliers, *SIZE, 100.0, CODER)


def test_pictures_of_any_size():
    assert picture_of(700, 20).shape == (20, 700, 3)
    assert (picture_of(700, 400)[300:, 451:] == picture_of(249, 100)).all()


@pytest.fixture
def model(tmp_path, monkeypatch):
    save_manifest(tiny_model(), tmp_path / "tiny")
    monkeypatch.setattr("licgate.target.board.find_board", lambda name: tiny_board(MULT18X18D=9))
    monkeypatch.setattr("licgate.perf.encoder.measure_coder", lambda manifest, pixels: CODER)
    return str(tmp_path / "tiny")


def test_the_verb(model, tmp_path, capsys):
    file = tmp_path / "encoder.json"
    words = ["plan", "--board", "ulx3s-85f", "--size", "32x32", "--model", model, "--encoder", "--json", str(file)]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    result = json.loads(file.read_text())
    assert result["arrangements"] == compare_arrangements(tiny_model(), 9, *SIZE, 100.0, CODER)["arrangements"]
    fps = result["arrangements"]["sequential"]["fps"]
    assert lines[1].startswith(f"one after the other        {fps:.2f} frames/s: ")
    coder = "coder: 0.0 ms on this machine for 99 symbols in 50 bytes, 0.0 of them in the range coder: 1000 cycles"
    assert coder in lines
    assert lines[-1] == "(the 2.52 times of Mazouz et al. begin at 56 %: room for 1.79)"
    assert tuple(result["arrangements"]["sequential"]["arrays"][0]["cycles"]) == STAGES


@pytest.mark.parametrize("more", [["--fps", "3"], ["--channels", "8,9"], ["--model", "a", "b"]])
def test_the_verb_refuses_what_it_does_not_take(model, more, capsys):
    assert main(["plan", "--board", "ulx3s-85f", "--model", model, "--encoder", *more]) == 2
    assert capsys.readouterr().err.startswith("licgate: error: --encoder takes one --model and neither --fps nor")
