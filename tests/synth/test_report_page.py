"""The page of a build: whole and self-contained, with costs and roofline."""

import json
import re

import pytest

from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf import predict
from licgate.perf.causes import CAUSES, FrameCost, frame_cost
from licgate.synth.charts import roofline_plot
from licgate.synth.html import render_html, utilization_plot
from licgate.target.config import AcceleratorConfig
from tests.synth.made import report, routed
from tests.synth.page import Checker
from tests.synth.stub import StubPrediction


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
