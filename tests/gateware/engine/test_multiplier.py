"""The multiplier: its plain body, and the bodies of the device families on models of their DSP blocks."""

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Elaboratable, Fragment

from licgate.gateware.engine import multiplier as module
from licgate.gateware.engine.multiplier import Multiplier, dsp48e2_multiplier, mult18x18d_multiplier
from licgate.synth.toolchain import YOSYS, run_tool
from tests.gateware.dspmodels import Dsp48e2, Mult18x18d
from tests.gateware.waves import trace

WIDTHS = [(1, 1), (2, 5), (9, 8), (11, 18), (18, 18)]
FAMILIES = {
    "MULT18X18D": (mult18x18d_multiplier, Mult18x18d, "ecp5/cells_bb.v"),
    "DSP48E2": (dsp48e2_multiplier, Dsp48e2, "xilinx/cells_xtra.v"),
}


class Platform:
    """A platform that offers one family's body."""

    def __init__(self, body):
        self.get_multiplier = body


class OnPlatform(Elaboratable):
    """A component elaborated for a platform, with its members still at hand."""

    def __init__(self, component, platform):
        self._component, self._platform = component, platform

    def __getattr__(self, name):
        return getattr(self._component, name)

    def elaborate(self, _platform):
        return Fragment.get(self._component, self._platform)


def pairs(a_width, b_width, seed=0, count=200):
    """Every pair of small operands, or corners and random ones of wide operands."""
    if a_width + b_width <= 8:
        return [
            (a, b)
            for a in range(-(1 << a_width - 1), 1 << a_width - 1)
            for b in range(-(1 << b_width - 1), 1 << b_width - 1)
        ]
    rng = np.random.default_rng(seed)
    edges = [[-half, -half + 1, -1, 0, 1, half - 1] for half in (1 << a_width - 1, 1 << b_width - 1)]
    drawn = rng.integers(-(1 << 26), 1 << 26, (count, 2)) >> np.array([27 - a_width, 27 - b_width])
    return [(a, b) for a in edges[0] for b in edges[1]] + [(int(a), int(b)) for a, b in drawn]


def check(dut, operands, resets=()):
    """Every product is there 3 cycles after its operands, a new pair every cycle."""
    seen = trace(dut, [{"a": a, "b": b} for a, b in operands], ["p"], cycles=len(operands) + 3, resets=resets)
    assert [s.p for s in seen[3:]] == [a * b for a, b in operands]


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("fabric", [False, True])
def test_plain_body(widths, fabric):
    check(Multiplier(*widths, fabric=fabric), pairs(*widths))
    assert (Multiplier.latency, Multiplier.interval) == (3, 1)


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("family", FAMILIES)
def test_body_of_a_family_equals_the_plain_one(family, widths, monkeypatch):
    body, model, _ = FAMILIES[family]
    built = []

    def instance(kind, **ports):
        assert kind == family
        built.append(model(**ports))
        return built[-1]

    monkeypatch.setattr(module, "Instance", instance)
    check(OnPlatform(Multiplier(*widths), Platform(body)), pairs(*widths))
    assert len(built) == 1


@pytest.mark.parametrize("widths", [(2, 18), (5, 6), (10, 18), (17, 6), (9, 27)])
def test_fabric_goes_by_the_narrower_operand(widths):
    check(Multiplier(*widths, fabric=True), pairs(*widths, seed=3))


@pytest.mark.parametrize("family", FAMILIES)
def test_fabric_keeps_the_product_out_of_the_block(family, monkeypatch):
    monkeypatch.setattr(module, "Instance", lambda *_, **__: pytest.fail("a DSP block was used"))
    check(OnPlatform(Multiplier(4, 4, fabric=True), Platform(FAMILIES[family][0])), pairs(4, 4))


def test_reset_clears_the_pipeline():
    operands = [(5, 7)] * 6 + [(0, 0)] * 4 + pairs(9, 8, count=20)
    steps = [{"a": a, "b": b} for a, b in operands]
    seen = trace(Multiplier(9, 8), steps, ["p"], cycles=len(steps) + 3, resets={5})
    assert [s.p for s in seen[:6]] == [0, 0, 0, 35, 35, 35]
    assert [s.p for s in seen[6:13]] == [0] * 7
    assert [s.p for s in seen[13:]] == [a * b for a, b in operands[10:]]


@pytest.mark.parametrize("widths", [(18, 27), (9, 20), (2, 19)])
def test_the_wider_operand_goes_to_the_wider_port(widths, monkeypatch):
    """Whatever its width, and only where there is such a port."""
    monkeypatch.setattr(module, "Instance", lambda _kind, **ports: Dsp48e2(**ports))
    check(OnPlatform(Multiplier(*widths), Platform(dsp48e2_multiplier)), pairs(*widths))
    check(Multiplier(*widths), pairs(*widths))
    with pytest.raises(ValueError, match=f"no operand of {widths[1]} bits, 18 at most: set packed_bits to 18"):
        mult18x18d_multiplier(Multiplier(*widths))


@pytest.mark.parametrize("width", [0, 28, -1, 9.0, "9", None])
@pytest.mark.parametrize(("name", "most"), [("a_width", 18), ("b_width", 27)])
def test_widths_are_checked(name, most, width):
    widths = {"a_width": 8, "b_width": 8, name: width}
    with pytest.raises(ValueError, match=f"^{name} must be an integer from 1 to {most}, not {width!r}$"):
        Multiplier(**widths)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "change", [{"p_REG_OUTPUT_CLK": "NONE", "p_PREG": 0}, {"p_REG_INPUTA_CLK": "NONE", "p_AREG": 0}]
)
def test_the_models_tell_a_missing_register(family, change, monkeypatch):
    body, model, _ = FAMILIES[family]

    def instance(_kind, **ports):
        return model(**{**ports, **{k: v for k, v in change.items() if k in ports}})

    monkeypatch.setattr(module, "Instance", instance)
    with pytest.raises(AssertionError):
        check(OnPlatform(Multiplier(8, 8), Platform(body)), pairs(8, 8))


@pytest.mark.synth
@pytest.mark.parametrize("family", FAMILIES)
def test_ports_and_parameters_are_those_of_the_primitive(family, tmp_path):
    body, _, library = FAMILIES[family]
    (tmp_path / "top.il").write_text(rtlil.convert(OnPlatform(Multiplier(9, 8), Platform(body)), ports=[], name="top"))
    script = f"read_verilog -lib +/{library}; read_rtlil top.il; hierarchy -check -top top; stat; check"
    run_tool(YOSYS, "-p", script, folder=tmp_path, log="log", label="check")
    assert f" {family}\n" in (tmp_path / "log").read_text()
