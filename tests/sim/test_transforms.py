"""Every transform of a codec on the gateware: alone, in strips, one after the other, and as the codec's engine."""

import dataclasses
from functools import partial

import numpy as np
import pytest

from licgate.errors import ConfigError, SimulationError
from licgate.perf import predict
from licgate.reference import run_transform
from licgate.sim import chain, get_engine
from licgate.sim import transforms as module
from licgate.sim.chain import engine_run, simulate_codec, transform_input
from licgate.sim.simulate import simulate
from licgate.sim.transforms import Gateware
from licgate.target.config import AcceleratorConfig
from licgate.target.registers import Register
from tests.sim.kit import tiny_codec

CONFIG = AcceleratorConfig(rows=3, cols=6, max_width=32)


def made(manifest):
    return partial(Gateware, manifest, CONFIG, engine="amaranth")


def values(transform, height, width, seed=0):
    kind = transform.input
    return np.random.default_rng(seed).integers(kind.min, kind.max + 1, (transform.in_channels, height, width))


def pixels(height, width):
    return np.random.default_rng(7).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "size"), [("h_a", (3, 8)), ("h_s", (2, 3)), ("g_s", (2, 5)), ("context", (3, 4)), ("parameters", (1, 7))]
)
def test_each_transform_alone(name, size):
    manifest = tiny_codec("he2021-checkerboard")
    x = values(manifest.transforms[name], *size)
    result = simulate(manifest, CONFIG, x, transform=name, engine="amaranth")
    assert result["bit_exact"]
    assert result["transform"] == name
    assert result["values"] == run_transform(manifest.transforms[name], x).size
    assert result["image"] == [size[1], size[0]]
    assert (result["patches"], result["recompute_factor"]) == (1, 1)


@pytest.mark.parametrize("name", ["h_a", "g_s"])
def test_a_map_wider_than_the_line_buffers_runs_in_strips(name):
    manifest = tiny_codec()
    x = values(manifest.transforms[name], 1, 9)
    result = simulate(manifest, CONFIG, x, transform=name, engine="amaranth")
    assert result["bit_exact"]
    assert result["patches"] > 1
    assert result["recompute_factor"] > 1
    assert result["values"] == run_transform(manifest.transforms[name], x).size


def test_the_whole_chain_on_one_accelerator():
    manifest, seen = tiny_codec(), []
    result = simulate_codec(manifest, made(manifest), pixels(7, 9), progress=lambda *at: seen.append(at))
    assert result["bit_exact"]
    assert [run["transform"] for run in result["runs"]] == ["g_a", "h_a", "h_s", "g_s"]
    assert [run["image"] for run in result["runs"]] == [[16, 8], [4, 2], [2, 1], [4, 2]]
    assert (result["image"], result["host"]) == ([9, 7], [])
    assert result["cycles"] == sum(run["cycles"] for run in result["runs"])
    prediction = predict(manifest, CONFIG, 9, 7, transforms=("g_a", "h_a", "h_s", "g_s"))
    assert [run["cycles"] for run in result["runs"]] == [row["cycles"] for row in prediction.transforms]
    assert all(0 < done <= total for _, done, total in seen)


@pytest.mark.parametrize(
    ("architecture", "leak", "host", "names"),
    [
        ("he2021-checkerboard", 0, [], ["g_a", "h_a", "h_s", "parameters", "context", "parameters", "g_s"]),
        ("he2021-checkerboard", 655, ["parameters"], ["g_a", "h_a", "h_s", "context", "g_s"]),
        ("mbt2018", 0, ["context", "parameters"], ["g_a", "h_a", "h_s", "g_s"]),
    ],
)
def test_what_is_left_to_the_host_is_named(monkeypatch, architecture, leak, host, names):
    def compare(gateware, name, x, progress):
        transform = gateware.program.chain_of(name).transform
        wrong = int(name == "h_s")
        figures = {
            "bit_exact": not wrong,
            "mismatches": wrong,
            "values": 2,
            "cycles": 10,
            "macs": 60,
            "multiplier_cycles": 30,
        }
        return {"transform": name, **figures}, run_transform(transform, x)

    monkeypatch.setattr(chain, "compare", compare)
    manifest = tiny_codec(architecture, leak=leak)
    result = simulate_codec(manifest, made(manifest), pixels(8, 8))
    assert result["host"] == host
    assert [run["transform"] for run in result["runs"]] == names
    assert (result["bit_exact"], result["mismatches"], result["values"]) == (False, 1, 2 * len(names))
    assert result["utilization"] == 30 / (CONFIG.multipliers * 10)


def test_inputs_are_those_of_the_codec():
    manifest, image = tiny_codec(), pixels(9, 8)
    y = run_transform(manifest.g_a, np.pad(image, ((0, 7), (0, 0), (0, 0)), mode="edge").transpose(2, 0, 1))
    np.testing.assert_array_equal(transform_input(manifest, "h_a", image), y)
    assert transform_input(manifest, "g_a", image).shape == (3, 9, 8)
    assert transform_input(manifest, "h_s", image).shape == (3, 2, 1)
    assert transform_input(tiny_codec("mbt2018"), "context", image).shape == (5, 4, 2)
    with pytest.raises(ConfigError, match=r"^model tiny-bmshj2018-hyperprior has no context, only g_a, h_a, h_s, g_s$"):
        transform_input(manifest, "context", image)


def test_the_engine_gives_what_the_gateware_gave(monkeypatch):
    manifest, jobs = tiny_codec("he2021-checkerboard"), []
    run = get_engine("amaranth")

    def spoiled(accelerator, job, progress=None):
        jobs.append(dict(job.registers)[Register.TRANSFORM])
        outcome = run(accelerator, job, progress)
        latents = outcome.latents.copy()
        latents[0] += 1
        return dataclasses.replace(outcome, latents=latents)

    monkeypatch.setattr(module, "get_engine", lambda name: spoiled)
    engine = engine_run(manifest, made(manifest))
    assert engine.host == ("context", "parameters")
    for name, height, width in (("h_s", 1, 2), ("g_a", 5, 6)):
        transform = manifest.transforms[name]
        x = values(transform, height, width)
        expected = run_transform(transform, x)
        expected[0, 0, 0] += 1
        found = engine(transform, x)
        assert found.dtype == np.int64
        np.testing.assert_array_equal(found, expected)
        assert engine.cycles[name] > 0
    x = values(manifest.context, 2, 2)
    np.testing.assert_array_equal(engine(manifest.context, x), run_transform(manifest.context, x))
    assert jobs == [2, 0]
    assert set(engine.cycles) == {"h_s", "g_a"}


def test_the_engine_refuses_what_would_be_silently_wrong(monkeypatch):
    manifest = tiny_codec("he2021-checkerboard", leak=655)
    with pytest.raises(ConfigError, match=r"^parameters\.0: the array has no leaky ReLU \(slope 0\.01\)"):
        engine_run(manifest, made(manifest), host=("context",))
    with pytest.raises(ConfigError, match=r"^parameters\.0: the array has no leaky ReLU \(slope 0\.01\)"):
        engine_run(manifest, made(manifest), transforms=("parameters",))
    engine = engine_run(manifest, made(manifest), transforms=("h_a",))
    assert engine.host == ("context", "parameters")
    with pytest.raises(ConfigError, match=r"^the accelerator has no h_s, only h_a$"):
        engine(manifest.h_s, values(manifest.h_s, 1, 1))
    with pytest.raises(ConfigError, match=r"^h_a is not the one of the model that the accelerator was made for$"):
        engine(tiny_codec().h_a, values(manifest.h_a, 1, 1))
    x = values(manifest.h_a, 2, 2)
    with pytest.raises(ConfigError, match=r"^the input of h_a has 4 channels, the model takes 5$"):
        engine(manifest.h_a, x[1:])
    with pytest.raises(ConfigError, match=r"^the input of h_a holds 256\.\.256, the model takes -256\.\.255$"):
        engine(manifest.h_a, np.full_like(x, 256))
    with pytest.raises(ConfigError, match=r"^the input of h_a is float64 of shape"):
        engine(manifest.h_a, x / 2)
    run = get_engine("amaranth")

    def unmarked(accelerator, job, progress=None):
        outcome = run(accelerator, job, progress)
        return dataclasses.replace(outcome, lasts=np.zeros_like(outcome.lasts))

    monkeypatch.setattr(module, "get_engine", lambda name: unmarked)
    engine = engine_run(manifest, made(manifest), transforms=("h_a",))
    with pytest.raises(SimulationError, match=r"^h_a: 1 marks of the last value are out of place$"):
        engine(manifest.h_a, x)


def test_patches_are_for_pictures():
    manifest = tiny_codec()
    with pytest.raises(ConfigError, match=r"^patches are for g_a; h_a is run whole$"):
        simulate(manifest, CONFIG, values(manifest.h_a, 2, 2), transform="h_a", engine="amaranth", patch=8)
