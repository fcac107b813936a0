"""The adder of the accumulators: the plain one and the one of carry cells against sums that Python makes."""

import numpy as np
import pytest
from amaranth.hdl import Array, Cat, Const, Elaboratable, Fragment, Module, Mux, Signal, Value

from licgate.gateware.engine import accumulator as module
from licgate.gateware.engine.accumulator import (
    ChoosingAdder,
    RestartingAdder,
    SigningAdder,
    ccu2c_adder,
    ccu2c_choosing_adder,
    ccu2c_signing_adder,
)
from tests.gateware.waves import trace

PLATFORM_NAMES = {
    RestartingAdder: "get_restarting_adder",
    ChoosingAdder: "get_choosing_adder",
    SigningAdder: "get_signing_adder",
}
SHAPES = [(2, False), (2, True), (5, False), (5, True), (24, False), (23, True)]


class Ccu2c(Elaboratable):
    """ECP5's carry cell, as Yosys describes it (``ccu2c_sim.vh``); what it does not know is refused."""

    def __init__(self, **ports):
        self._ports = ports

    def elaborate(self, platform):
        m = Module()
        ports = dict(self._ports)
        carry = Value.cast(ports.pop("i_CIN"))
        for k in range(2):
            assert ports.pop(f"p_INJECT1_{k}") == "NO"
            init = ports.pop(f"p_INIT{k}").value
            table = Array([init >> index & 1 for index in range(16)])
            a, b, c, d = (Value.cast(ports.pop(f"i_{name}{k}"))[0] for name in "ABCD")
            four, two, out = (Signal(name=f"{name}_{k}") for name in ("four", "two", "out"))
            m.d.comb += [
                four.eq(table[Cat(a, b, c, d)]),
                two.eq(table[Cat(a, b, Const(0, 2))]),
                ports.pop(f"o_S{k}").eq(four ^ carry),
                out.eq(Mux(four, carry, two)),
            ]
            carry = out
        m.d.comb += ports.pop("o_COUT").eq(carry)
        assert not ports, f"not modelled: {sorted(ports)}"
        return m


class Clocked(Elaboratable):
    """An adder elaborated for a family, with its members still at hand, and a clock for the simulation."""

    def __init__(self, adder, body=None):
        self._adder = adder
        if body is not None:
            setattr(self, PLATFORM_NAMES[type(adder)], body)

    def __getattr__(self, name):
        if name in PLATFORM_NAMES.values():
            raise AttributeError(name)
        return getattr(self._adder, name)

    def elaborate(self, _platform):
        m = Module()
        m.submodules.adder = Fragment.get(self._adder, self)
        clocked = Signal()
        m.d.sync += clocked.eq(~clocked)
        return m


def check(dut, width, carries):
    rng = np.random.default_rng(width + carries)
    half = 1 << width - 1
    edges = [-half, -half + 1, -1, 0, 1, half - 1]
    pairs = [(a, b) for a in edges for b in edges] + [
        tuple(int(v) for v in p) for p in rng.integers(-half, half, (80, 2))
    ]
    steps = [
        {"a": a, "b": b, "restart": r, **({"one": one} if carries else {})}
        for a, b in pairs
        for r in range(2)
        for one in range(1 + carries)
    ]
    seen = trace(dut, steps, ["s"])
    for step, record in zip(steps, seen, strict=True):
        exact = step["a"] + (0 if step["restart"] else step["b"]) + step.get("one", 0)
        assert record.s == (exact + half) % (2 * half) - half, step


@pytest.mark.parametrize("shape", SHAPES)
def test_sums_wrap_and_begin_anew(shape):
    check(Clocked(RestartingAdder(shape[0], carries=shape[1])), *shape)
    assert (RestartingAdder.latency, RestartingAdder.interval) == (0, 1)


def modelled(monkeypatch):
    """Carry cells by their model; the list of those that are made."""
    built = []

    def instance(kind, **ports):
        assert kind == "CCU2C"
        built.append(Ccu2c(**ports))
        return built[-1]

    monkeypatch.setattr(module, "Instance", instance)
    return built


@pytest.mark.parametrize("shape", SHAPES)
def test_a_chain_of_carry_cells_does_the_same(shape, monkeypatch):
    built = modelled(monkeypatch)
    check(Clocked(RestartingAdder(shape[0], carries=shape[1]), ccu2c_adder), *shape)
    assert len(built) == (shape[0] + shape[1] + 1) // 2


def test_the_model_of_the_cell_tells_a_wrong_function(monkeypatch):
    monkeypatch.setattr(module, "Instance", lambda _kind, **ports: Ccu2c(**{**ports, "p_INIT1": Const(0x96AA, 16)}))
    with pytest.raises(AssertionError):
        check(Clocked(RestartingAdder(5), ccu2c_adder), 5, False)


@pytest.mark.parametrize("width", [2, 5, 28])
@pytest.mark.parametrize("body", [None, ccu2c_choosing_adder])
def test_a_sum_goes_on_with_either(width, body, monkeypatch):
    built = modelled(monkeypatch)
    rng, half = np.random.default_rng(width), 1 << width - 1
    values = rng.choice([-half, -1, 0, 1, half - 1, *rng.integers(-half, half, 5)], (150, 3))
    steps = [{**dict(zip("abc", row, strict=True)), "first": k % 2} for k, row in enumerate(values.tolist())]
    for step, record in zip(steps, trace(Clocked(ChoosingAdder(width), body), steps, ["s"]), strict=True):
        exact = step["a"] + (step["b"] if step["first"] else step["c"])
        assert record.s == (exact + half) % (2 * half) - half, step
    assert len(built) == (0 if body is None else (width + 1) // 2)
    assert (ChoosingAdder.latency, ChoosingAdder.interval) == (0, 1)


@pytest.mark.parametrize("width", [2, 5, 28])
@pytest.mark.parametrize("body", [None, ccu2c_signing_adder])
def test_a_sum_a_difference_or_neither(width, body, monkeypatch):
    built = modelled(monkeypatch)
    rng, half = np.random.default_rng(width), 1 << width - 1
    values = rng.choice([-half, -1, 0, 1, half - 1, *rng.integers(-half, half, 5)], (150, 2)).tolist()
    steps = [{"a": a, "b": b, "adds": int(k % 3 > 0), "negative": int(k % 3 > 1)} for k, (a, b) in enumerate(values)]
    for step, record in zip(steps, trace(Clocked(SigningAdder(width), body), steps, ["s"]), strict=True):
        exact = step["a"] + step["adds"] * (-step["b"] if step["negative"] else step["b"])
        assert record.s == (exact + half) % (2 * half) - half, step
    assert len(built) == (0 if body is None else (width + 2) // 2)
    assert (SigningAdder.latency, SigningAdder.interval) == (0, 1)


@pytest.mark.parametrize("adder", [RestartingAdder, ChoosingAdder, SigningAdder])
@pytest.mark.parametrize("width", [1, 0, 8.0, "8", None])
def test_the_width_is_checked(adder, width):
    with pytest.raises(ValueError, match=f"^width must be an integer of at least 2, not {width!r}$"):
        adder(width)
