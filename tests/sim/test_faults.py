"""A host that is late at random: cycles change, never a bit; the counters say what was waited for."""

import numpy as np
import pytest

from licgate.errors import ConfigError
from licgate.manifest.synthetic import synthetic_manifest
from licgate.sim.faults import Coin, Gate, seeds
from licgate.sim.simulate import simulate
from licgate.target.config import AcceleratorConfig
from tests.sim.kit import tiny_codec

CONFIG = AcceleratorConfig(rows=2, cols=2, max_width=16)


def run(manifest, x, faults, **options):
    result = simulate(manifest, CONFIG, x, faults=faults, **{"engine": "amaranth", **options})
    assert result["bit_exact"]
    return result


def check(clean, late, held=0):
    """What must hold between the counters of a host that is always there and one that is late."""
    ours, theirs = late["counters"], clean["counters"]
    assert ours["busy"] == theirs["busy"]
    assert late["macs"] == clean["macs"]
    assert ours["cycles"] > theirs["cycles"]
    assert theirs["stall_memory"] == ours["stall_memory"] == 0
    assert ours["stall_output"] - theirs["stall_output"] >= held
    assert ours["stall_input"] > theirs["stall_input"]
    for counters in (ours, theirs):
        stalls = counters["stall_input"] + counters["stall_memory"] + counters["stall_output"]
        assert counters["busy"] + stalls < counters["cycles"]


@pytest.mark.parametrize("seed", [0, 1])
def test_analysis(seed):
    manifest = synthetic_manifest(channels=(3, 2, 3), seed=seed)
    x = np.random.default_rng(seed).integers(0, 256, (3, 6, 10))
    check(run(manifest, x, None), run(manifest, x, seed))


@pytest.mark.parametrize("seed", [3, 0xFFFFFFFF])
def test_synthesis(seed):
    manifest = tiny_codec()
    x = np.random.default_rng(4).integers(-20, 20, (manifest.g_s.in_channels, 2, 3))
    check(run(manifest, x, None, transform="g_s"), run(manifest, x, seed, transform="g_s"))


def test_a_slow_reader_holds_the_output_up():
    manifest = synthetic_manifest(channels=(3, 2, 16), gdn="none", kernel=1, seed=3)
    x = np.random.default_rng(5).integers(0, 256, (3, 6, 16))
    check(run(manifest, x, None), run(manifest, x, 9), held=100)


@pytest.mark.synth
def test_patches_and_both_engines():
    manifest = synthetic_manifest(channels=(3, 2, 3), seed=1)
    x = np.random.default_rng(6).integers(0, 256, (3, 4, 8))
    results = [run(manifest, x, 11, engine=engine, patch=4) for engine in ("amaranth", "cxxrtl")]
    for result in results:
        assert result.pop("engine")
    assert results[0] == results[1]
    assert results[0]["cycles"] != run(manifest, x, 12, patch=4)["cycles"]


def test_pauses():
    coin = Coin(seeds(7)[0])
    pauses = [coin.pause() for _ in range(4000)]
    again = Coin(seeds(7)[0])
    assert pauses == [again.pause() for _ in range(4000)]
    assert max(pauses) > 450
    assert 0.93 < sum(pause < 4 for pause in pauses) / len(pauses) < 0.99


def test_pauses_are_those_of_the_published_generator():
    """Marsaglia's xorshift with shifts of 13, 17 and 5, whose first numbers from state 1 are in his paper's tables."""
    states, coin = [1], Coin(1)
    for _ in range(1000):
        x = states[-1]
        x ^= (x << 13) % 2**32
        x ^= x >> 17
        states.append(x ^ (x << 5) % 2**32)
    assert states[1:3] == [270369, 67634689]
    expected = [(x >> 5) % (4 if x % 32 else 512) for x in states[1:]]
    assert max(expected) > 3
    assert [coin.pause() for _ in expected] == expected


def test_a_gate_is_open_once_between_pauses():
    gate, coin = Gate(Coin(12345)), Coin(12345)
    expected = [ready for _ in range(50) for ready in (True, *[False] * coin.pause())]
    assert [gate.tick() for _ in expected] == expected


def test_seeds():
    assert len({state for seed in range(200) for state in seeds(seed)}) == 600
    for seed in (-1, 1 << 32, True, 1.0):
        with pytest.raises(ConfigError, match=r"of the faults is not an integer from 0 to 4294967295$"):
            seeds(seed)
