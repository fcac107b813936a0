"""Both engines give the same latents in the same cycles; the comparison notices a wrong bit."""

import dataclasses

import numpy as np
import pytest

from licgate.errors import ConfigError, SimulationError
from licgate.manifest.synthetic import synthetic_manifest
from licgate.runtime.transforms import pixel_words
from licgate.sim import Job, get_engine
from licgate.sim import transforms as module
from licgate.sim.simulate import simulate
from licgate.target.config import AcceleratorConfig
from tests.marks import regress
from tests.sim.kit import tiny_codec

CONFIG = AcceleratorConfig(rows=3, cols=4, max_width=32)


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (3, height, width))


@pytest.mark.synth
@pytest.mark.parametrize(("size", "patch"), [regress((21, 30), None), ((12, 10), 8)])
def test_engines_agree(size, patch):
    manifest = synthetic_manifest(channels=(3, 4, 5), seed=1)
    results = [simulate(manifest, CONFIG, picture(*size), engine=e, patch=patch) for e in ("amaranth", "cxxrtl")]
    for result in results:
        assert result["bit_exact"]
        assert result["values"] == 5 * -(-size[0] // 4) * -(-size[1] // 4)
        assert result.pop("engine")
    assert results[0] == results[1]


@pytest.mark.synth
@pytest.mark.regress
def test_engines_agree_on_feature_maps():
    manifest = tiny_codec()
    x = np.random.default_rng(2).integers(-32, 32, (3, 2, 5))
    names = ("h_s", "g_a")
    results = [
        simulate(manifest, CONFIG, x, transform="h_s", transforms=names, engine=e) for e in ("amaranth", "cxxrtl")
    ]
    for result in results:
        assert result["bit_exact"]
        assert result["values"] > 3 * 4 * 10
        assert result.pop("engine")
    assert results[0] == results[1]


def test_pixels_are_packed_with_the_first_channel_low():
    words = pixel_words(np.array([[[1, 255]], [[2, 0]], [[3, 128]]]), 8)
    assert words.tolist() == [[0x030201, 0x8000FF]]
    assert pixel_words(np.array([[[-1]], [[3]]]), 4).tolist() == [[0x3F]]


def test_utilization_counts_real_pixels_only():
    manifest = synthetic_manifest(channels=(3, 4), gdn="none", seed=2)
    result = simulate(manifest, CONFIG, picture(2, 2), engine="amaranth")
    assert result["macs"] == 3 * 4 * 2 * 2  # one output, four pixels under its 25 taps
    assert result["utilization"] == result["macs"] / (12 * result["cycles"])


def test_wrong_latents_are_counted(monkeypatch):
    manifest = synthetic_manifest(channels=(3, 4), gdn="none", seed=3)
    run = get_engine("amaranth")

    def flipping(accelerator, job, progress=None):
        outcome = run(accelerator, job, progress)
        latents = outcome.latents.copy()
        latents[[0, 3]] ^= 1
        lasts = outcome.lasts.copy()
        lasts[2] = True
        return dataclasses.replace(outcome, latents=latents, lasts=lasts)

    monkeypatch.setattr(module, "get_engine", lambda name: flipping)
    result = simulate(manifest, CONFIG, picture(4, 4), engine="amaranth")
    assert not result["bit_exact"]
    assert result["mismatches"] == 3


def test_a_hang_is_reported():
    from licgate.gateware.top.resident import Accelerator

    manifest = synthetic_manifest(channels=(3, 4), gdn="none", seed=4)
    job = Job(pixel_words(picture(2, 2), 8), ((2, 0),))  # never started
    with pytest.raises(SimulationError, match="stopped making progress"):
        get_engine("amaranth")(Accelerator(manifest, CONFIG), job)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "modelsim"}, r"engine 'modelsim' is unknown; there are cxxrtl, amaranth"),
        ({"patch": 7}, r"patch_width 7 is not a positive multiple of the stride 2"),
        ({"patch": 64}, r"a patch needs 40 pixels .* line buffers hold 32: make --patch smaller"),
    ],
)
def test_refusals(options, message):
    manifest = synthetic_manifest(channels=(3, 4), gdn="none", seed=5)
    with pytest.raises(ConfigError, match=message):
        simulate(manifest, CONFIG, picture(4, 40), **{"engine": "amaranth", **options})
