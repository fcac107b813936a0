"""Blocks, report and page, from made-up results of the tools."""

import json
import re
from html.parser import HTMLParser

import pytest

from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf import predict
from licgate.perf.causes import CAUSES, FrameCost, frame_cost
from licgate.synth.charts import roofline_plot
from licgate.synth.components import component_of, count_components, instances_of
from licgate.synth.design import Design, Frame
from licgate.synth.flow import Routed
from licgate.synth.html import render_html, utilization_plot
from licgate.synth.report import Built, headline, make_report, timing_of, utilization_of
from licgate.target.board import find_board
from licgate.target.config import AcceleratorConfig
from tests.manifest.kit import whole_model
from tests.synth.stub import StubConfig, StubPrediction, stub_fit

RTLIL = r"""
module \top.accelerator.core
  cell \top.accelerator.core.lane \lane_0
  cell \top.accelerator.core.lane \lane_1
  cell $add $3
end
module \top.accelerator.core.lane
end
module \top.accelerator
  cell \top.accelerator.core \core
end
module \top
  cell \top.accelerator \accelerator
  cell \top.link \link
end
module \top.link
  cell \EHXPLLL \pll
end
"""

CELLS = {
    "accelerator.core.lane_0.sum_LUT4_Z": "LUT4",
    "accelerator.core.lane_1.sum_LUT4_Z": "LUT4",
    "accelerator.core.lane_1.dsp": "MULT18X18D",
    "accelerator.core.lane.field_LUT4_Z": "LUT4",
    "accelerator.payload.x_TRELLIS_FF_Q": "TRELLIS_FF",
    "link.memory.0.0": "DP16KD",
    "link.count_CCU2C_S0": "CCU2C",
    "link.mux_PFUMX_Z": "PFUMX",
    "clock_LUT4_Z": "LUT4",
}


CELL_COUNTS = {"LUT4": 9, "LUT6": 3, "FDRE": 7, "DSP48E2": 3, "RAMB36E2": 2, "RAMB18E2": 1, "RAM32M": 1, "BUFG": 1}


def routed(seed, achieved, *, constraint=100.0, other=None):
    clocks = {"design_clock": {"achieved_mhz": achieved, "constraint_mhz": constraint}}
    if other is not None:
        clocks["usb"] = {"achieved_mhz": other, "constraint_mhz": 48.0}
    utilization = {
        "MULT18X18D": {"used": 3, "available": 156},
        "DP16KD": {"used": 0, "available": 208},
        "DTR": {"used": 0, "available": 1},
        "TRELLIS_COMB": {"used": 600, "available": 83640},
    }
    return Routed(seed, {"utilization": utilization}, clocks, "log", "config")


def report(
    board="ulx3s-85f",
    routes=(),
    manifest=None,
    prediction=None,
    mode="analysis",
    cells=CELL_COUNTS,
    cost=None,
    external=None,
    arithmetic="direct",
):
    board = find_board(board)
    clock = 100.0
    timing, best = timing_of(list(routes), clock)
    design = Design(
        board=board,
        manifest=manifest or synthetic_manifest(channels=(3, 5)),
        config=StubConfig(3, 1, arithmetic=arithmetic),
        clock_mhz=clock,
        mode=mode,
        fit=stub_fit(),
        external=external,
    )
    components = count_components(CELLS, instances_of(RTLIL))
    tools = {"yosys": {"version": "0.70", "kind": "native", "program": "bin/yosys"}}
    built = Built(tools, timing, best, cells, components, clock)
    return make_report(design, Frame((768, 512), prediction or StubPrediction(), cost), built)


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


class Checker(HTMLParser):
    """Every tag closed in order, nothing that a browser would fetch."""

    VOID = ("meta", "br", "rect", "line", "polyline", "circle")

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        assert not {name for name, _ in attrs} & {"src", "href", "xlink:href", "onload"}
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.mark.parametrize("result", [report(routes=[routed(1, 125.0), routed(2, 110.0)]), report("zcu102")])
def test_page_is_whole_and_self_contained(result):
    page = render_html(result)
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert "script" not in checker.seen
    assert "url(" not in page
    assert checker.seen.count("tr") > len(result["layers"])
    for text in ("recompute factor", result["device"], result["model"]["hash"], *result["utilization"]):
        assert text in page


def test_an_arithmetic_is_explained_where_it_is_not_the_usual_one():
    fast = report(arithmetic="fip")
    assert fast["performance"]["arithmetic"] == "fip"
    (line,) = (line for line in fast["assumptions"] if line.startswith("Arithmetic fip: "))
    assert "stands for 2 multiply-accumulates" in line
    usual = report()
    assert usual["performance"]["arithmetic"] == "direct"
    assert not any(line.startswith("Arithmetic") for line in usual["assumptions"])


def test_packed_layers_are_named():
    manifest = synthetic_manifest(channels=(3, 5, 7))
    layers = [
        {"name": layer.name, "macs": 9, "cycles": 9, "packed": layer.name == "g_a.2", "products": 2, "utilization": 0.9}
        for layer in manifest.g_a.layers
    ]
    result = report(routes=[routed(1, 125.0)], manifest=manifest, prediction=StubPrediction(layers=layers))
    assert [row["packed"] for row in result["layers"]] == [False, False, True]
    (line,) = (line for line in result["assumptions"] if line.startswith("Packed: "))
    assert " in g_a.2. In utilisation" in line
    assert result["performance"]["macs_per_multiplier_cycle"] == 900 / (3 * 1000)
    page = render_html(result)
    assert page.count(", packed</td>") == 1
    assert "Packed: " not in render_html(report(routes=[routed(1, 125.0)], manifest=manifest))


ON_CHIP = FrameCost(cycles={"products": 900, "edges": 60, "input": 40}, link_in=300, link_out=100)
STREAMED = FrameCost(
    cycles={"products": 900, "edges": 60, "memory": 40},
    bandwidth=2e8,
    link_in=300,
    link_out=100,
    traffic={"weights": 1000, "maps read": 3000, "maps written": 500},
)


def test_costs_of_a_real_frame():
    manifest, config = synthetic_manifest(channels=(3, 4, 5), seed=1), AcceleratorConfig(rows=2, cols=3, max_width=32)
    prediction, cost = predict(manifest, config, 32, 24), frame_cost(manifest, config, 32, 24)
    result = report(routes=[routed(1, 125.0)], manifest=manifest, prediction=prediction, cost=cost)
    section = json.loads(json.dumps(result))["cost"]
    assert list(section["cycles"]) == list(CAUSES)
    assert sum(section["cycles"].values()) == pytest.approx(result["performance"]["cycles"])
    assert (section["traffic"], section["bytes"], section["bandwidth"]) == ({}, 0, None)
    assert section["link"] == {"in": 3 * 32 * 24, "out": 2 * 5 * 8 * 6, "bandwidth": 300000.0}
    assert section["roofline"]["attainable_fps"] == section["roofline"]["peak_fps"]
    page = render_html(result)
    for name in CAUSES:
        assert f"<td>{name} <span" in page


def test_traffic_bounds_the_frame():
    section = report(routes=[routed(1, 125.0)], cost=STREAMED)["cost"]
    assert section["bytes"] == 4500
    assert section["roofline"]["attainable_fps"] == pytest.approx(2e8 / 4500)
    assert section["roofline"]["macs_per_byte"] == 900 / 4500
    assert section["roofline"]["memory_bound"]
    assert "cost" not in report(routes=[routed(1, 125.0)])
    # a memory at the design's clock is as fast as that comes out
    for seeds, bandwidth in (([routed(1, 80.0)], 1.6e8), ([routed(1, 125.0)], 2.5e8), ([], 2e8)):
        assert report(routes=seeds, cost=STREAMED, external={"cores": 1})["cost"]["bandwidth"] == bandwidth


@pytest.mark.parametrize(
    ("cost", "texts"),
    [
        (ON_CHIP, ["host link, each way", "serial port: 300 kB/s", "<td>external memory</td><td>0</td>"]),
        (STREAMED, ["bandwidth of external memory", "memory: 200 MB/s", "external memory: maps read"]),
        (FrameCost(cycles={"products": 1000}), ["Nothing is moved"]),
    ],
)
def test_page_of_costs(cost, texts):
    page = render_html(report(routes=[routed(1, 125.0)], cost=cost))
    checker = Checker()
    checker.feed(page)
    assert not checker.open
    for text in texts:
        assert text in page
    assert page.count("<polyline") == (1 if cost.link_in else 0)


def test_the_roofs_corner_and_the_designs_point_lie_where_they_belong():
    result = report(routes=[routed(1, 125.0)], cost=STREAMED)
    plot = roofline_plot(result["cost"], result["performance"])
    points = [tuple(map(float, p.split(","))) for p in re.search(r'points="([^"]+)"', plot)[1].split()]
    x, y = (float(re.search(rf'{name}="([\d.]+)"', plot)[1]) for name in ("cx", "cy"))
    (x0, y0), (x1, y1), (x2, y2) = points
    assert y1 == y2 < y0
    assert x0 < x1 < x2
    # on the slope, below the roof
    assert (y0 - y) / (x - x0) == pytest.approx((y0 - y1) / (x1 - x0), rel=0.01)
    assert y >= y1


def test_page_escapes_names():
    result = report(routes=[routed(1, 125.0)])
    result["model"]["name"] = "<script>alert(1)</script>"
    assert "<script>" not in render_html(result)


def test_plot():
    layers = [
        {"name": "g_a.0", "kind": "conv2d", "cycles": 75, "utilization": 0.5},
        {"name": "g_a.1", "kind": "gdn", "cycles": 25, "utilization": 1.0},
        {"name": "g_a.2", "kind": "conv2d", "cycles": None, "utilization": None},
    ]
    plot = utilization_plot(layers)
    assert 'width="380.0"' in plot
    assert 'width="760.0"' in plot
    assert "75.0\u202f% of the cycles" in plot
    assert "g_a.2" not in plot
    assert "no figures" in utilization_plot(layers[2:])
