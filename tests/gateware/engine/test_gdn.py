"""The function unit of GDN against the reference, for every form and width."""

import numpy as np
import pytest

from licgate.errors import ConfigError
from licgate.gateware.engine.gdn import GdnFunction
from licgate.manifest import IntType
from licgate.manifest.synthetic import synthetic_gdn
from tests.gateware.waves import trace
from tests.reference.slow import gdn_factor

# form, inverse: the four functions of docs/numerics.md
FUNCTIONS = {"1/v": ("abs", False), "1/√v": ("square_root", False), "v": ("abs", True), "√v": ("abs_root", True)}


def layer(function, index_bits=5, fraction_bits=10, seed=0):
    form, inverse = FUNCTIONS[function]
    return synthetic_gdn(
        "gdn",
        channels=3,
        form=form,
        inverse=inverse,
        input_type=IntType(10),
        output_type=IntType(8),
        index_bits=index_bits,
        fraction_bits=fraction_bits,
        seed=seed,
    )


def inputs(width, count=300):
    """All values of a narrow v; else powers of two and their neighbours, and every length at random."""
    if width <= 9:
        return list(range(1, 1 << width))
    rng = np.random.default_rng(width)
    edges = {v for bit in range(width) for v in ((1 << bit) - 1, 1 << bit, (1 << bit) + 1, (3 << bit) >> 1)}
    edges = [v for v in (*sorted(edges), (1 << width) - 1) if 1 <= v < 1 << width]
    drawn = rng.integers(1, 1 << width, count) >> rng.integers(0, width, count)
    return edges + [max(1, int(v)) for v in drawn]


def check(dut, gdns, steps, offset=0, seen=None):
    seen = seen or trace(dut, steps, ["r", "exponent"], cycles=len(steps) + dut.latency)
    for cycle, step in enumerate(steps):
        got = seen[cycle + offset + dut.latency]
        assert (got.r, got.exponent) == gdn_factor(gdns[step["which"]], step["v"]), step


@pytest.mark.parametrize("width", [1, 2, 3, 4, 9, 24, 35])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_at_every_width(function, width):
    gdns = [layer(function)]
    check(GdnFunction(gdns, width), gdns, [{"v": v, "which": 0} for v in inputs(width)])


@pytest.mark.parametrize("bits", [(3, 4), (7, 9), (5, 12)])
def test_tables_of_other_sizes(bits):
    gdns = [layer(f, *bits) for f in ("1/√v", "v")]
    values = inputs(20)
    check(GdnFunction(gdns, 20), gdns, [{"v": v, "which": k & 1} for k, v in enumerate(values)])


def test_layers_change_from_cycle_to_cycle():
    gdns = [layer(f, seed=k) for k, f in enumerate((*FUNCTIONS, "1/v"))]
    rng = np.random.default_rng(5)
    steps = [{"v": v, "which": int(rng.integers(5))} for v in inputs(18)]
    check(GdnFunction(gdns, 18), gdns, steps)


def test_latency_and_interval():
    gdns = [layer("v")]
    dut = GdnFunction(gdns, 12)
    assert (dut.latency, dut.interval) == (12, 1)
    seen = trace(dut, [{"v": 1}] * 12 + [{"v": 1 << 7}] * (dut.latency + 2), ["exponent"])
    assert [s.exponent for s in seen[dut.latency :]] == [0] * 12 + [7, 7]


def test_reset_in_the_middle():
    gdns = [layer("1/√v"), layer("1/v")]
    values = inputs(16, 40)
    steps = [{"v": v, "which": k & 1} for k, v in enumerate(values)]
    dut = GdnFunction(gdns, 16)
    seen = trace(dut, steps[:20] + steps, ["r", "exponent"], cycles=20 + len(steps) + dut.latency, resets={18, 19})
    check(dut, gdns, steps, offset=20, seen=seen)


def test_tables_must_agree():
    message = r"^GDN tables of \[\(5, 9\), \(5, 10\)\] \(index, fraction\) bits cannot share a unit"
    with pytest.raises(ConfigError, match=message):
        GdnFunction([layer("1/v"), layer("1/v", 5, 9)], 20)


def test_there_must_be_a_layer():
    with pytest.raises(ConfigError, match="gdns is empty: a GDN unit needs at least one layer"):
        GdnFunction([], 20)


@pytest.mark.parametrize("width", [0, -3, 49, 2.5, None])
def test_width_is_checked(width):
    with pytest.raises(ConfigError, match=f"width is {width!r}: give an integer from 1 to 48"):
        GdnFunction([layer("1/v")], width)
