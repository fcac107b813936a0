"""The roofline: the paper's own figures, what they leave out, and that nothing exceeds the peak."""

import pytest

from licgate.errors import ConfigError
from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf.roofline import Roofline, layer_traffic

# three DPU cores of the ZCU102: 12,288 operations a cycle, two of them a multiply-accumulate
CORES = {"multipliers": 12288 // 2}
STUDENT = 220_200_000_000 // 2


def test_the_equations_of_the_paper_stand_for_a_clock_of_one_gigahertz():
    assert Roofline(macs=STUDENT, clock_mhz=1000, **CORES).fps(0.8) == pytest.approx(44.6, abs=0.05)


def test_what_the_paper_observed_exceeds_the_peak_of_its_own_chip():
    chip = Roofline(macs=STUDENT, clock_mhz=300, **CORES)
    assert chip.fps() == pytest.approx(16.74, abs=0.01)
    assert chip.fps() < 43.1
    with pytest.raises(ConfigError, match=r"^\d+ multiply-accumulates in \d+ cycles are more than 6144 multipliers do"):
        chip.utilization(int(300e6 / 43.1))


def test_utilization_is_one_at_most_by_construction():
    line = Roofline(macs=1000, multipliers=16, clock_mhz=100)
    assert line.utilization(63) == 1000 / (16 * 63) <= 1
    with pytest.raises(ConfigError, match="it takes 63 cycles at least"):
        line.utilization(62)


def test_memory_bounds_where_it_is_slower_than_the_multipliers():
    fast = Roofline(macs=8000, multipliers=8, clock_mhz=100, traffic=1000, bandwidth=200e6)
    assert (fast.peak, fast.intensity, fast.attainable, fast.memory_bound) == (8e8, 8.0, 8e8, False)
    slow = Roofline(macs=8000, multipliers=8, clock_mhz=100, traffic=1000, bandwidth=50e6)
    assert (slow.attainable, slow.memory_bound) == (4e8, True)
    assert slow.fps() == slow.fps(0.9) == pytest.approx(50e6 / 1000)
    assert slow.fps(0.25) == pytest.approx(0.25 * 8e8 / 8000)
    assert Roofline(macs=1, multipliers=1, clock_mhz=1).intensity == float("inf")


@pytest.mark.parametrize("efficiency", [0, 1.01, -1, float("nan")])
def test_no_efficiency_beyond_one(efficiency):
    with pytest.raises(ConfigError, match="makes no sense: it lies above 0 and is 1 at most"):
        Roofline(macs=1, multipliers=1, clock_mhz=1).fps(efficiency)


@pytest.mark.parametrize(
    "wrong", [{"macs": 0}, {"multipliers": -1}, {"clock_mhz": 0}, {"traffic": -1}, {"bandwidth": 0}]
)
def test_figures_must_be_positive(wrong):
    with pytest.raises(ConfigError, match="must be positive"):
        Roofline(**({"macs": 1, "multipliers": 1, "clock_mhz": 1} | wrong))


def test_traffic_counts_bits_as_they_are_packed():
    transform = synthetic_manifest(channels=(3, 4, 5), weight_bits=[8, 4], activation_bits=[8, 6], gdn_bits=10).g_a
    apart = dict(layer_traffic(transform, 8, 12, fused=False))
    # weights, input, output: 8 bits; 10 bits between the convolution and its GDN; then 4-bit weights, 6-bit latents
    assert apart == {
        "g_a.0": (3 * 4 * 25 * 8 + 8 * 12 * 3 * 8 + 4 * 6 * 4 * 10) // 8,
        "g_a.1": (4 * 4 * 8 + 4 * 6 * 4 * 10 + 4 * 6 * 4 * 8) // 8,
        "g_a.2": (4 * 5 * 25 * 4 + 4 * 6 * 4 * 8 + 2 * 3 * 5 * 6 + 7) // 8,
    }
    fused = dict(layer_traffic(transform, 8, 12))
    assert apart["g_a.0"] - fused["g_a.0"] == apart["g_a.1"] - fused["g_a.1"] == 4 * 6 * 4 * 10 // 8
    assert fused["g_a.2"] == apart["g_a.2"]
