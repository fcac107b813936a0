"""Causes of idle cycles: they sum to the model's cycles, agree with the counters, and move with what causes them."""

import numpy as np
import pytest

from licgate.errors import ConfigError
from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf import predict
from licgate.perf.causes import CAUSES, FrameCost, frame_cost
from licgate.sim.simulate import simulate
from licgate.target.config import AcceleratorConfig
from tests.explore.kit import tiny_model

SHAPES = [(1, 1, None), (3, 2, None), (4, 6, 1), (8, 3, 2), (2, 16, None)]


@pytest.mark.parametrize(("rows", "cols", "lanes"), SHAPES)
@pytest.mark.parametrize("transforms", [("g_a",), ("g_a", "h_a", "h_s"), ("h_s", "g_s")])
@pytest.mark.parametrize("size", [(16, 16), (40, 24)])
def test_they_sum_to_the_cycles(rows, cols, lanes, transforms, size):
    manifest = tiny_model()
    config = AcceleratorConfig(rows=rows, cols=cols, lanes=lanes, max_width=32)
    cost = frame_cost(manifest, config, *size, transforms=transforms)
    prediction = predict(manifest, config, *size, transforms=transforms)
    assert sum(cost.cycles.values()) == pytest.approx(prediction.cycles, abs=1e-6)
    assert cost.total == prediction.cycles
    assert all(number >= 0 for number in cost.cycles.values())
    assert list(cost.cycles) == list(CAUSES)
    assert cost.cycles["products"] == prediction.macs / config.multipliers
    steps = sum(layer["cycles"] for layer in prediction.layers)
    assert cost.cycles["products"] + cost.cycles["edges"] == pytest.approx(steps)
    assert (cost.cycles["memory"], cost.bytes) == (0, 0)
    assert cost.link_in == 3 * sum(row["inputs"] for row in prediction.transforms)


@pytest.mark.parametrize(("rows", "cols", "lanes"), [(1, 1, None), (3, 2, 1), (4, 3, None)])
@pytest.mark.parametrize("transforms", [("g_a", "h_a", "h_s"), ("h_s", "g_s")])
def test_two_packed_products_are_one(rows, cols, lanes, transforms):
    manifest = tiny_model(weight_bits=5)
    config = AcceleratorConfig(rows=rows, cols=cols, lanes=lanes, max_width=32, packing=True)
    cost = frame_cost(manifest, config, 40, 24, transforms=transforms)
    prediction = predict(manifest, config, 40, 24, transforms=transforms)
    assert sum(cost.cycles.values()) == pytest.approx(prediction.cycles, abs=1e-6)
    assert all(number >= 0 for number in cost.cycles.values())
    assert prediction.macs / 2 <= prediction.multiplier_cycles < prediction.macs
    assert cost.cycles["products"] == pytest.approx(prediction.multiplier_cycles / config.multipliers)
    assert prediction.utilization == pytest.approx(cost.cycles["products"] / prediction.cycles)


@pytest.mark.parametrize(("rows", "cols"), [(2, 3), (4, 2)])
def test_the_counters_of_a_simulation_agree(rows, cols):
    manifest = synthetic_manifest(channels=(3, 4, 5), seed=1)
    config = AcceleratorConfig(rows=rows, cols=cols, max_width=16)
    result = simulate(manifest, config, np.random.default_rng(0).integers(0, 256, (3, 8, 12)), engine="amaranth")
    cost = frame_cost(manifest, config, 12, 8)
    assert cost.total == result["cycles"]
    assert round(cost.cycles["products"] + cost.cycles["edges"]) == result["counters"]["busy"]
    assert cost.cycles["output"] == 0
    # the counter leaves out what is hidden behind results that are still on their way
    assert 0 < result["counters"]["stall_input"] <= cost.cycles["input"]
    assert cost.link_out == 2 * result["values"]


def test_they_move_with_what_causes_them():
    narrow, plain = synthetic_manifest(channels=(3, 2, 2), seed=1), synthetic_manifest(channels=(3, 16, 8), seed=1)

    def shares(manifest, **options):
        cost = frame_cost(manifest, AcceleratorConfig(max_width=64, **options), 64, 32)
        return {name: number / cost.total for name, number in cost.cycles.items()}

    # two channels leave 14 of 16 columns without work
    assert shares(narrow, rows=4, cols=16)["edges"] > 5 * shares(narrow, rows=4, cols=2)["edges"]
    # sixteen beats of eight cycles of a single lane are longer than a GDN of sixteen channels
    assert shares(plain, rows=8, cols=16, lanes=1)["drain"] > 3 * shares(plain, rows=8, cols=16)["drain"]
    # latents that leave more slowly than they are made fill the queue
    assert shares(narrow, rows=32, cols=2, output_words=2)["output"] > shares(narrow, rows=2, cols=2)["output"] == 0
    # an array of hundreds waits for its pixels
    assert shares(narrow, rows=32, cols=2)["input"] > 3 * shares(narrow, rows=2, cols=2)["input"]
    assert shares(plain, rows=16, cols=16)["results"] > shares(plain, rows=2, cols=2)["results"]


def test_patches_cost_control_and_recomputed_bytes():
    manifest = synthetic_manifest(channels=(3, 4, 5), seed=1)
    whole = frame_cost(manifest, AcceleratorConfig(rows=2, cols=2, max_width=64), 64, 16)
    strips = frame_cost(manifest, AcceleratorConfig(rows=2, cols=2, max_width=32), 64, 16)
    assert strips.cycles["control"] > whole.cycles["control"]
    assert strips.link_in > whole.link_in == 3 * 64 * 16
    assert strips.link_out == whole.link_out == 2 * 5 * 16 * 4


def test_the_roofline_knows_the_memory_only_where_there_is_one():
    cost = FrameCost(cycles={"products": 10})
    assert cost.roofline(100, 10, 1.0).attainable == 10e6
    cost = FrameCost(cycles={"products": 10, "memory": 30}, traffic={"weights": 30, "maps read": 20}, bandwidth=1e6)
    assert (cost.total, cost.bytes) == (40, 50)
    assert cost.roofline(100, 10, 1.0).attainable == 2e6


def test_refusals():
    with pytest.raises(ConfigError, match=r"^cycles cannot be spent on 'lunch': there are products, edges, "):
        FrameCost(cycles={"lunch": 3})
    with pytest.raises(ConfigError, match=r"^weights of a frame is -1: it cannot be negative$"):
        FrameCost(cycles={}, traffic={"weights": -1})
