"""Blocks, report and page, from made-up results of the tools."""

import json

import pytest

from licgate.manifest.synthetic import synthetic_manifest
from licgate.synth.components import component_of, count_components, instances_of
from licgate.synth.html import render_html
from licgate.synth.report import headline, timing_of, utilization_of
from licgate.target.board import find_board
from tests.manifest.kit import whole_model
from tests.synth.made import CELLS, RTLIL, report, routed
from tests.synth.page import Checker
from tests.synth.stub import StubPrediction


def test_instances():
    core = {"lane_0": {}, "lane_1": {}}
    assert instances_of(RTLIL) == {"accelerator": {"core": core}, "link": {}}


def test_blocks():
    instances = instances_of(RTLIL)
    assert [component_of(name, instances) for name in CELLS] == [
        *["lane"] * 3,
        "core",
        "accelerator",
        *["link"] * 3,
        "top",
    ]
    cores = {"accelerator": {"system": {"core_0": {"lines": {}}, "core_1": {"lines": {}}, "arbiter": {}}}}
    names = ["core_0.lines.bank", "core_1.lines.bank", "core_1.done_LUT4_Z", "arbiter.seen", "busy_LUT4_Z"]
    found = [component_of(f"accelerator.system.{name}", cores) for name in names]
    assert found == ["lines", "lines", "core", "arbiter", "system"]
    assert component_of("release$395.given", {"release$395": {}}) == "release"
    components = {row["component"]: row for row in count_components(CELLS, instances)}
    assert list(components) == ["lane", "core", "top", "accelerator", "link"]
    assert (components["lane"]["LUT"], components["lane"]["multiplier"]) == (2, 1)
    assert (components["link"]["block RAM"], components["link"]["carry"], components["link"]["LUT"]) == (1, 1, 0)
    assert components["accelerator"]["FF"] == 1


def test_the_best_seed_is_the_one_with_the_most_slack():
    routes = [routed(1, 120.0, other=40.0), routed(2, 105.0, other=50.0), routed(3, 90.0, other=60.0)]
    timing, best = timing_of(routes, 100.0)
    assert best.seed == timing["seed"] == 2
    assert timing["met"] is True
    assert timing["median_mhz"] == 105.0
    assert [run["seed"] for run in timing["seeds"]] == [1, 2, 3]


@pytest.mark.parametrize(("achieved", "met"), [(100.0, True), (99.99, False)])
def test_timing_is_met_or_not(achieved, met):
    result = report(routes=[routed(1, achieved)])
    assert result["timing"]["met"] is met
    assert headline(result).startswith("Timing met: " if met else "TIMING NOT MET: ")
    page = render_html(result)
    assert page.index(headline(result)) < page.index("<h1>")


def test_report_has_what_the_command_line_promises():
    result = json.loads(json.dumps(report(routes=[routed(1, 125.0)])))
    assert {"board", "device", "model", "tools", "timing", "utilization", "performance"} <= set(result)
    assert {"layers", "components", "assumptions"} <= set(result)
    assert set(result["model"]) == {"name", "hash"}
    assert result["timing"]["clocks"] == {"design_clock": {"achieved_mhz": 125.0, "constraint_mhz": 100.0}}
    assert result["utilization"]["MULT18X18D"] == {"used": 3, "available": 156}
    assert "DP16KD" in result["utilization"]
    assert "DTR" not in result["utilization"]
    performance = result["performance"]
    assert performance["fps"] == 125.0e6 / 1000
    assert performance["multipliers"] == 3
    assert performance["lut_per_multiplier"] == 200.0
    assert performance["image"] == [768, 512]
    assert (performance["macs"], performance["cycles"], performance["utilization"]) == (900, 1000, 0.9)
    assert performance["recompute_factor"] == 1.25


def test_layers_join_manifest_and_model():
    manifest = synthetic_manifest(channels=(3, 5, 7), weight_bits=(5, 6), activation_bits=(6, 10))
    rows = report(routes=[routed(1, 125.0)], manifest=manifest)["layers"]
    assert [row["name"] for row in rows] == [layer.name for layer in manifest.g_a.layers]
    convolutions = [row for row in rows if row["kind"] == "conv2d"]
    assert [row["weight_bits"] for row in convolutions] == [5, 6]
    assert (rows[0]["cycles"], rows[-1]["cycles"]) == (1000, None)


def test_synthesis_only():
    result = report("zcu102")
    assert result["timing"] == {"met": None, "clocks": {"sync": {"achieved_mhz": None, "constraint_mhz": 100.0}}}
    assert result["assumptions"][0].startswith("synthesis only, clock assumed")
    assert headline(result) == "Synthesis only, clock assumed: 100 MHz"
    used = {cell: count["used"] for cell, count in result["utilization"].items()}
    assert used == {"LUT": 9 + 3 + 4, "FF": 7, "DSP48E2": 3, "RAMB36": 2.5}
    assert result["performance"]["fps"] == 100e6 / 1000


def test_without_place_and_route_cells_are_those_of_synthesis():
    cells = {"LUT4": 100, "CCU2C": 10, "TRELLIS_DPR16X4": 3, "TRELLIS_FF": 50, "MULT18X18D": 7, "DP16KD": 208}
    result = report(cells=cells)
    used = {cell: count["used"] for cell, count in result["utilization"].items()}
    assert used == {"TRELLIS_COMB": 132, "TRELLIS_FF": 50, "MULT18X18D": 7, "DP16KD": 208}
    assert headline(result) == "Synthesis only, clock assumed: 100 MHz"
    assert result["assumptions"][0].startswith("Synthesis only, clock assumed: nothing was placed or routed.")
    assert 'class="verdict note"' in render_html(result)


def test_a_design_that_does_not_fit_says_so_first():
    result = report(cells={"LUT4": 100, "MULT18X18D": 157, "DP16KD": 383})
    assert result["timing"]["met"] is None
    line = "DOES NOT FIT: 157 MULT18X18D of 156, 383 DP16KD of 208 (synthesis only)"
    assert headline(result) == line
    assert f'<div class="verdict bad">{line}</div>' in render_html(result)


def test_modes_have_all_their_transforms_in_the_report():
    manifest = whole_model()
    transforms = [
        {
            "name": name,
            "runs": runs,
            "inputs": 10,
            "cycles": cycles,
            "macs": 9,
            "utilization": 0.5,
            "recompute_factor": 1.0,
        }
        for name, runs, cycles in (("h_s", 1, 100), ("g_s", 2, 900))
    ]
    layers = [
        {"name": "h_s.0", "macs": 9, "cycles": 90, "utilization": 0.5},
        {"name": "g_s.0", "macs": 9, "cycles": 800, "utilization": 0.5},
    ]
    prediction = StubPrediction(layers=layers, transforms=transforms)
    result = report(routes=[routed(1, 125.0)], manifest=manifest, prediction=prediction, mode="decoder")
    assert (result["mode"], result["transforms"]) == ("decoder", transforms)
    assert [row["name"] for row in result["layers"]] == ["h_s.0", "g_s.0", "g_s.1"]
    assert [row["transposed"] for row in result["layers"]] == [True, True, False]
    # 20 values of three bytes at 300 000 bytes a second
    assert "carries 5000.00 such frames" in "".join(result["assumptions"])
    assert "entropy coder is not part" in "".join(result["assumptions"])
    assert "entropy coder is not part" not in "".join(report(routes=[routed(1, 125.0)])["assumptions"])
    page = render_html(result)
    assert "decoder (h_s, g_s), lines of 64 pixels" in page
    assert "<td>5×5 ×2</td>" in page
    assert page.count("all transforms") == 3
    checker = Checker()
    checker.feed(page)
    assert not checker.open


def test_memories_by_what_they_hold():
    memories = report(routes=[routed(1, 125.0)])["memories"]
    assert {key: memories[key] for key in ("cell", "needed", "available")} == {
        "cell": "DP16KD",
        "needed": 20,
        "available": 208,
    }
    assert memories["by"] == [
        {"holds": "weights", "cells": 18, "bits": 2048},
        {"holds": "host link", "cells": 2, "bits": None},
    ]


def test_utilization_counts_by_the_boards_names():
    board = find_board("zcu102")
    assert utilization_of(board, None, {"SRL16E": 2, "INV": 1, "RAM64X1D": 1})["LUT"]["used"] == 4
