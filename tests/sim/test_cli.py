"""The verb ``licgate simulate`` on every transform."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from licgate import cli_simulate
from licgate.cli import main
from licgate.manifest import save_manifest
from tests.sim.kit import tiny_codec


@pytest.fixture
def arguments(tmp_path):
    save_manifest(tiny_codec(), tmp_path / "tiny")
    image = np.random.default_rng(3).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "image.png")
    return [
        "simulate",
        "--model",
        str(tmp_path / "tiny"),
        "--image",
        str(tmp_path / "image.png"),
        "--engine",
        "amaranth",
        "--rows",
        "3",
        "--cols",
        "6",
        "--max-width",
        "16",
    ]


def test_one_transform(arguments, tmp_path, capsys):
    assert main([*arguments, "--transform", "h_s", "--json", str(tmp_path / "h_s.json")]) == 0
    result = json.loads((tmp_path / "h_s.json").read_text())
    assert (result["transform"], result["image"], result["values"]) == ("h_s", [1, 1], 20)
    first, second = capsys.readouterr().out.splitlines()
    assert first == "1x1 positions, 20 values of h_s: bit-exact"
    assert second.startswith(f"{result['cycles']} cycles, {result['macs']} multiply-accumulates on 18 multipliers")


def test_packing_is_as_exact_and_faster(arguments, tmp_path, capsys):
    figures = []
    for more in ([], ["--packing", "27"]):
        words = [*arguments, "--cols", "2", "--transform", "h_s", "--json", str(tmp_path / "h_s.json"), *more]
        assert main(words) == 0
        figures.append(json.loads((tmp_path / "h_s.json").read_text()))
    plain, packed = figures
    assert (packed["bit_exact"], packed["macs"], plain["multiplier_cycles"]) == (True, plain["macs"], plain["macs"])
    assert packed["cycles"] < plain["cycles"]
    assert packed["multiplier_cycles"] == plain["multiplier_cycles"] / 2
    capsys.readouterr()
    assert main([*arguments, "--packing", "20"]) == 2
    assert "invalid choice: 20" in capsys.readouterr().err


def test_a_late_host_is_told_of(arguments, capsys):
    assert main([*arguments, "--transform", "g_a", "--faults", "5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("latents: bit-exact")
    assert re.fullmatch(
        r"host late at random \(seed 5\): [1-9]\d* cycles waiting for what it sends, \d+ for it to take", lines[1]
    )


def test_all_transforms_are_a_table(arguments, monkeypatch, capsys):
    def simulated(manifest, make, pixels, progress):
        assert make(["g_a"]).facts == {"engine": "amaranth", "faults": 7, "random": None}
        progress("g_a", 3, 3)
        runs = [
            {
                "transform": "g_a",
                "image": [8, 8],
                "values": 20,
                "cycles": 100,
                "utilization": 0.5,
                "mismatches": 0,
                "bit_exact": True,
            },
            {
                "transform": "h_s",
                "image": [1, 1],
                "values": 9,
                "cycles": 30,
                "utilization": 0.25,
                "mismatches": 2,
                "bit_exact": False,
            },
        ]
        return {
            "transform": "all",
            "bit_exact": False,
            "mismatches": 2,
            "values": 29,
            "cycles": 130,
            "macs": 77,
            "multipliers": 18,
            "utilization": 0.4,
            "image": [pixels.shape[1], pixels.shape[0]],
            "runs": runs,
            "host": ["context", "parameters"],
        }

    monkeypatch.setattr(cli_simulate, "simulate_codec", simulated)
    assert main([*arguments, "--transform", "all", "--faults", "7"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["transform", "input", "values", "cycles", "utilization", "verdict"]
    assert lines[1].split() == ["g_a", "8x8", "20", "100", "50.0", "%", "bit-exact"]
    assert lines[2].split() == ["h_s", "1x1", "9", "30", "25.0", "%", "2", "MISMATCHES"]
    assert lines[3] == "context and parameters: the host's, not simulated"
    assert lines[4] == "8x6 pixels, 29 values: 2 MISMATCHES"
    assert lines[5].startswith("130 cycles, 77 multiply-accumulates on 18 multipliers: utilization 40.0 % (amaranth, ")


def test_streamed_transforms_are_a_table_too(arguments, tmp_path, capsys):
    words = [word if word != "amaranth" else "cxxrtl" for word in arguments[:-6]]
    words += ["--memory", "sdram", "--rows", "4", "--cols", "4", "--block-rows", "2"]
    assert main([*words, "--transform", "g_s,h_s", "--json", str(tmp_path / "r.json")]) == 0
    result = json.loads((tmp_path / "r.json").read_text())
    assert (result["transform"], result["memory"], result["bit_exact"]) == ("g_s,h_s", "sdram", True)
    assert [run["transform"] for run in result["runs"]] == ["g_s", "h_s"]
    for run in result["runs"]:
        assert run["cycles_of_cores"] == run["cycles_predicted"] == [run["cycles"]]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["g_s", "h_s"]
    assert all(line.endswith("  bit-exact") for line in lines[1:3])
    assert lines[-1].startswith(f"{result['cycles']} cycles, {result['macs']} multiply-accumulates on 16 multipliers: ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--transform", "h_a", "--patch", "8"], "--patch, --independent and --overlap go with --transform g_a only"),
        (["--transform", "context"], "model tiny-bmshj2018-hyperprior has no context, only g_a, h_a, h_s, g_s"),
        (["--faults", "-1"], "seed -1 of the faults is not an integer from 0 to 4294967295"),
        (["--transform", "y"], "argument --transform: invalid choice"),
    ],
)
def test_refusals(arguments, options, message, capsys):
    assert main([*arguments, *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"licgate: error: {message}")
    assert error.count("\n") == 1
