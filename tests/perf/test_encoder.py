"""Arrangements of an encoder's stages: their cycles in simulation, and the arithmetic over them."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from licgate.codec import Codec
from licgate.errors import ConfigError
from licgate.manifest import sealed
from licgate.perf.encoder import (
    FIRST,
    SECOND,
    STAGES,
    Coder,
    Part,
    accelerator_part,
    measure_coder,
    overlapped,
    padded_size,
    pipelined,
    sequential,
)
from licgate.reference import run_transform
from licgate.sim.chain import engine_run
from licgate.sim.transforms import Gateware
from licgate.target.config import AcceleratorConfig
from tests.codec.kit import model as codec_model
from tests.sim.kit import tiny_codec

CONFIG = AcceleratorConfig(rows=2, cols=3, max_width=16)
SIZES = [(8, 8), (9, 5)]


def simulated(manifest, transforms, images):
    """Cycles of some transforms on an accelerator of their own, image after image."""
    run = engine_run(manifest, partial(Gateware, manifest, CONFIG, engine="amaranth"), transforms)
    for image in images:
        y = run_transform(manifest.g_a, image)
        z = np.clip(run_transform(manifest.transforms["h_a"], y), -32, 31)
        for name, x in (("g_a", image), ("h_a", y), ("h_s", z)):
            if name in transforms:
                run(manifest.transforms[name], x)
    return dict(run.cycles)


@pytest.mark.parametrize("transforms", [STAGES, FIRST, SECOND])
def test_the_model_has_the_cycles_of_every_stage(transforms):
    manifest = tiny_codec()
    random = np.random.default_rng(1)
    padded = [padded_size(manifest, *size) for size in SIZES]
    images = [random.integers(0, 256, (3, height, width)) for width, height in padded]
    parts = [accelerator_part(manifest, CONFIG, transforms, *size) for size in SIZES]
    expected = {name: sum(part.cycles[name] for part in parts) for name in transforms}
    assert simulated(manifest, transforms, images) == expected
    for part, (width, height) in zip(parts, padded, strict=True):
        assert part.macs <= part.multipliers * part.total
        if transforms == FIRST:
            assert part.macs == manifest.g_a.macs(height, width)


def test_an_image_is_padded_as_the_codec_pads_it():
    manifest = tiny_codec()
    assert padded_size(manifest, 9, 16) == (16, 16)
    assert accelerator_part(manifest, CONFIG, FIRST, 9, 3) == accelerator_part(manifest, CONFIG, FIRST, 16, 8)


WHOLE = Part(2, 5, {"g_a": 900, "h_a": 60, "h_s": 40}, 8000)
A = Part(2, 4, {"g_a": 1000}, 7200)
B = Part(1, 2, {"h_a": 310, "h_s": 250}, 800)


def test_intervals():
    found = sequential(WHOLE, 200)
    assert (found.interval, found.latency, found.binds) == (1200, 1200, "g_a + h_a + h_s")
    assert found.utilization == 8000 / (10 * 1200)
    found = overlapped(WHOLE, 200)
    assert (found.interval, found.latency) == (1000, 2000)
    found = pipelined(A, B, 200)
    assert (found.interval, found.latency, found.binds, found.multipliers) == (1000, 3000, "g_a", 10)
    assert found.utilization == 8000 / (10 * 1000)
    assert found.fps(2.0) == 2000
    assert pipelined(A, B, 5000).binds == "coder"
    assert pipelined(replace(A, cycles={"g_a": 3}), B, 5).binds == "h_a + h_s"
    row = found.as_dict(2.0)
    assert (row["interval"], row["fps"], row["arrays"][1]["cycles"]) == (1000, 2000, {"h_a": 310, "h_s": 250})


def test_a_pipeline_gains_no_more_than_the_idle_time():
    for coder in (0, 10, 560, 1000, 9000):
        base = sequential(WHOLE, coder)
        for found in (overlapped(WHOLE, coder), pipelined(A, B, coder)):
            assert base.interval / found.interval <= 1 / base.utilization


def test_the_coder_is_measured_on_what_the_codec_codes(monkeypatch):
    manifest = codec_model()
    pixels = np.random.default_rng(2).integers(0, 256, (64, 128, 3)).astype(np.uint8)
    calls = []

    def counted(transform, x, **options):
        calls.append(transform.name)
        return run_transform(transform, x, **options)

    monkeypatch.setattr("licgate.perf.encoder.run_transform", counted)
    coder = measure_coder(manifest, pixels, repeat=2)
    assert calls == ["g_a", "h_a", "h_s"]
    assert coder.bytes == len(Codec(manifest).encode(pixels))
    assert 0 < coder.coding_seconds < coder.seconds < 5
    y = run_transform(manifest.g_a, pixels.transpose(2, 0, 1))
    assert coder.symbols == y.size + run_transform(manifest.transforms["h_a"], y).size
    assert Coder(0.5, 0.1, 1, 1, 1).cycles(100.0) == 50_000_000
    with pytest.raises(ConfigError, match=r"a coder measured 0 times gives no figure"):
        measure_coder(manifest, pixels, repeat=0)


def test_what_is_no_encoder_is_refused():
    whole = tiny_codec()
    bare = sealed(replace(whole, transforms={"g_a": whole.g_a}, hash=""))
    with pytest.raises(ConfigError, match=r"has no h_a: an encoder needs g_a, h_a, h_s$"):
        padded_size(bare, 8, 8)
    with pytest.raises(ConfigError, match=r"has a context model, between h_s and the coder"):
        accelerator_part(tiny_codec("he2021-checkerboard"), CONFIG, FIRST, 8, 8)
