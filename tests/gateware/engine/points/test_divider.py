"""Results from 24 times their negative, and from single sums."""

import numpy as np
import pytest

from licgate.gateware.engine.points.divider import QuadDivider
from licgate.program.quads import biases_of_singles
from tests.gateware.engine.pairs import wrap
from tests.gateware.waves import trace


@pytest.mark.parametrize("width", [2, 3, 8, 17, 25, 32])
def test_results(width):
    rng, dut = np.random.default_rng(width), QuadDivider(width)
    assert (dut.latency, dut.interval) == (7, 1)
    low, high = -(1 << width - 1), (1 << width - 1) - 1
    results = [low, high, 0, -1, 1, *(int(v) for v in rng.integers(low, high + 1, 100))]
    drive = []
    for t, result in enumerate(results):
        much, single = int(rng.integers(-(1 << 20), 1 << 20)), t % 3 == 1
        added = int(rng.integers(-99, 99))
        if single:
            output, bias = 2 * (result - added), biases_of_singles([added])[0]
        else:
            output, bias = 24 * (result - added) + much, much - 24 * added
        drive.append((output, bias, single))
    steps = [
        {
            "output": wrap(drive[t][0], width + 3) if t < len(drive) else 0,
            "single": drive[t][2] if t < len(drive) else 0,
            "bias": wrap(drive[t - 1][1], width + 3) if 0 < t <= len(drive) else 0,
        }
        for t in range(len(drive) + dut.latency)
    ]
    assert [s.result for s in trace(dut, steps, ["result"])[dut.latency :]] == results


@pytest.mark.parametrize("width", [1, 33, "8"])
def test_the_width_is_checked(width):
    with pytest.raises(ValueError, match=f"^width must be an integer from 2 to 32, not {width!r}$"):
        QuadDivider(width)
