"""Plans: the fastest shape, what bounds it, the widest model, and made-up models."""

from dataclasses import replace

import numpy as np
import pytest

from licgate.errors import ConfigError
from licgate.explore.cycles import CycleCounter
from licgate.explore.plan import plan_model
from licgate.explore.planner import widest
from licgate.explore.space import Space
from licgate.manifest import find_model
from licgate.manifest.scaled import scaled_manifest
from licgate.perf import predict
from licgate.target.board import find_board
from licgate.target.config import AcceleratorConfig
from tests.explore.kit import tiny_board, tiny_model

MODEL = "hyperprior-n36m96-l0067-a10w8"


def planned(mode="decoder", *, size=(64, 32), **cells):
    return plan_model(Space(tiny_model(), tiny_board(**cells), mode, *size), 50.0, CycleCounter())


def test_the_figures_are_those_of_the_cycle_model():
    plan = planned()
    config = plan.candidate.config
    prediction = predict(tiny_model(), config, 64, 32, transforms=("h_s", "g_s"))
    assert plan.cycles == prediction.cycles
    assert plan.fps == 50e6 / prediction.cycles
    assert plan.utilization * prediction.recompute_factor == pytest.approx(prediction.utilization)
    assert plan.fps <= plan.peak_fps <= plan.device_fps
    row = plan.as_dict()
    assert (row["rows"], row["cols"], row["cycles"], row["fits"]) == (config.rows, config.cols, plan.cycles, True)


@pytest.mark.parametrize(("bits", "cell"), [(5, "MULT18X18D"), (8, "DSP48E2"), (8, "MULT18X18D")])
def test_packing(bits, cell):
    """Faster where widths allow it, without a multiplier more; and no more than its own peak."""
    manifest, board = tiny_model(weight_bits=bits), tiny_board(MULT18X18D=12)
    if cell == "DSP48E2":
        large = find_board("zcu102")
        board = replace(large, rows=8, cols=12, resources=dict(large.resources) | {cell: 12, "RAMB36": 30})
    plain, packed = (
        plan_model(Space(manifest, board, "analysis", 32, 32, packing=packing), 50.0, CycleCounter())
        for packing in (False, True)
    )
    config = packed.candidate.config
    prediction = predict(manifest, config, 32, 32)
    assert (packed.cycles, packed.macs) == (prediction.cycles, plain.macs)
    assert packed.utilization == pytest.approx(prediction.utilization)
    assert packed.fps <= packed.peak_fps <= packed.device_fps
    if (bits, cell) == (8, "MULT18X18D"):
        assert (packed.fps, packed.device_fps) == (plain.fps, plain.device_fps)
    else:
        assert packed.fps > 1.4 * plain.fps
        assert plain.device_fps < packed.device_fps <= 2 * plain.device_fps


def test_no_array_is_faster():
    plan = planned("analysis", size=(24, 24), MULT18X18D=9)
    for rows in range(1, 10):
        for cols in range(1, 9 // rows + 1):
            config = AcceleratorConfig(rows=rows, cols=cols, max_width=24)
            assert predict(tiny_model(), config, 24, 24).cycles >= plan.cycles


def test_what_binds():
    many = planned(MULT18X18D=12, DP16KD=400)
    assert many.binds == "multipliers"
    assert many.freed > 1.02 * many.fps
    least = planned(DP16KD=1)
    assert (least.candidate, least.fps, least.utilization, least.binds) == (None, 0.0, 0.0, "block_rams")
    tight = planned(DP16KD=least.least_block_rams)
    assert tight.candidate is not None
    assert tight.binds == "block_rams"
    assert tight.freed > 1.02 * tight.fps
    assert planned(DP16KD=400, TRELLIS_COMB=8000).binds == "lut"
    assert least.as_dict()["least_block_rams"] == least.least_block_rams


def test_the_widest_that_reaches_a_rate():
    made = (("wide", 9, 10**8), ("mean", 5, 10**7), ("fast", 2, 10**6))
    wide, mean, fast = (
        {"model": name, "fits": True, "macs": macs, "fps": 100e6 / cycles} for name, macs, cycles in made
    )
    plans = [fast, wide, mean]
    assert widest(plans, 1.0) is wide
    assert widest(plans, 1.01) is mean
    assert widest(plans, 100.0) is fast
    assert widest(plans, 100.1) is None
    assert widest([{"model": "none", "fits": False}], 0.1) is None


def test_a_made_up_model_of_the_same_channels_costs_the_same():
    real = find_model(MODEL)
    made = scaled_manifest(real, 36, 96)
    config = AcceleratorConfig(rows=9, cols=11, max_width=64)
    names = ("g_a", "h_a", "h_s", "g_s")
    for key in ("cycles", "macs"):
        found = [getattr(predict(manifest, config, 64, 64, transforms=names), key) for manifest in (real, made)]
        assert found[0] == found[1]
    block_rams = [
        Space(manifest, tiny_board(), "both", 64, 64).candidate(config).block_rams for manifest in (real, made)
    ]
    assert abs(block_rams[0] - block_rams[1]) <= 3


def test_a_made_up_model_has_the_channels_asked_for():
    made = scaled_manifest(find_model(MODEL), 7, 11)
    shapes = {name: [layer.out_channels for layer in transform.layers] for name, transform in made.transforms.items()}
    assert shapes["g_a"] == [7, 7, 7, 7, 7, 7, 11]
    assert shapes["h_s"][-1] == 11
    assert shapes["g_s"][-1] == 3
    assert made.name == "made-up-n7m11"
    assert np.any(made.g_a.layers[0].weight)


@pytest.mark.parametrize("channels", [(0, 5), (5, 513)])
def test_channels_out_of_range(channels):
    with pytest.raises(ConfigError, match=r"^[NM] is \d+: give channels from 1 to 512$"):
        scaled_manifest(find_model(MODEL), *channels)


def test_a_template_with_channels_of_its_own_is_not_scaled():
    with pytest.raises(ConfigError, match=r"^model four has a layer of 3 channels|beside 4 and 5: take another model"):
        scaled_manifest(tiny_model(), 5, 6)
