"""What hardware leaves open may be anything: no value and no cycle depends on it, and both simulators show it."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from amaranth.hdl import Fragment, Module, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out
from amaranth.sim import Simulator

from licgate.errors import ConfigError, SimulationError
from licgate.manifest.synthetic import synthetic_manifest
from licgate.sim import transforms
from licgate.sim.chance import INIT, RANDOM, START, ChancePlatform, Marked, draw
from licgate.sim.engine import get_engine, seed_of
from licgate.sim.simulate import compare, simulate
from licgate.sim.streamedaxi import AxiGateware
from licgate.sim.streamedsdram import SdramGateware
from licgate.target.arithmetic import ARITHMETICS
from licgate.target.axi import AxiTiming
from licgate.target.config import AcceleratorConfig
from licgate.target.streamed import StreamedConfig
from tests.marks import regress
from tests.sim.kit import tiny_codec

CONFIG = AcceleratorConfig(rows=2, cols=2, max_width=16)
FAST, POINTS = (replace(CONFIG, arithmetic=name) for name in ("fip", "fip-f4"))


class Delay(Component):
    """A memory that is written and read all the time, and a register behind it."""

    address: In(2)
    write_address: In(2)
    data: In(8)
    write: In(1)
    o: Out(8)

    def __init__(self, **attrs):
        self._attrs = attrs
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=8, depth=4, init=[], attrs=self._attrs)
        read, write = memory.read_port(), memory.write_port()
        held, seen = Signal(8, reset_less=True, name="held"), Signal(name="seen")
        m.d.comb += [read.addr.eq(self.address), write.addr.eq(self.write_address), write.data.eq(self.data)]
        m.d.comb += [write.en.eq(self.write), self.o.eq(held)]
        m.d.sync += [held.eq(read.data), seen.eq(1)]
        return m


def shown(design, clashing, *, seed=3, steps=64):
    """What comes out of a memory of 7 in all words that is written with 7 where it is read, or beside that."""
    values = []

    async def bench(ctx):
        for word in range(4):
            ctx.set(design.write_address, word)
            ctx.set(design.data, 7)
            ctx.set(design.write, 1)
            ctx.set(design.address, (word + 1) % 4)
            await ctx.tick()
        for step in range(steps):
            ctx.set(design.address, step % 4)
            ctx.set(design.write_address, (step + (not clashing)) % 4)
            await ctx.tick()
            values.append(ctx.get(design.o))

    platform = ChancePlatform(seed)
    simulator = Simulator(Fragment.get(Marked(design), platform))
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return values[2:], platform


def test_what_is_read_while_it_is_written_is_noise():
    noise, platform = shown(Delay(no_rw_check=1), True)
    assert len(set(noise)) > 30
    assert len(platform.clashes) == 1
    assert shown(Delay(no_rw_check=1), True)[0] == noise
    assert shown(Delay(no_rw_check=1), True, seed=4)[0] != noise
    # not beside it, and not where synthesis is asked to make it the word before
    assert set(shown(Delay(no_rw_check=1), False)[0]) == {7}
    assert set(shown(Delay(), True)[0]) == {7}


def test_registers_without_a_reset_and_memories_without_contents_are_found():
    marked, platform = Marked(Delay(no_rw_check=1)), ChancePlatform()
    Fragment.get(marked, platform)
    held = next(signal for signal in marked.registers if signal.name == "held")
    assert held.attrs[START] == RANDOM != INIT
    assert "seen" not in {signal.name for signal in marked.registers}
    assert [data.depth for data in platform.memories] == [4]
    drawn = list(draw(1, marked.registers, platform.memories))
    assert len(drawn) == len(marked.registers) + 4
    assert all(low <= value < high for (target, value) in drawn for low, high in [_range(target)])
    assert [value for _, value in drawn] == [value for _, value in draw(1, marked.registers, platform.memories)]


def _range(target):
    width = len(target)
    signed = target.shape().signed
    return (-(1 << width - 1), 1 << width - 1) if signed else (0, 1 << width)


def resident(engine, random, *, channels=(3, 2, 3), config=CONFIG, **options):
    manifest = synthetic_manifest(channels=channels, seed=1)
    x = np.random.default_rng(0).integers(0, 256, (3, 10, 13))
    return simulate(manifest, config, x, engine=engine, random=random, **options)


def without(result, *names):
    return {key: value for key, value in result.items() if key not in names}


@pytest.mark.parametrize("config", [CONFIG, regress(FAST), regress(POINTS)], ids=lambda config: config.arithmetic)
def test_no_value_and_no_cycle_depends_on_it(config):
    results = [resident("amaranth", random, config=config) for random in (None, 1, 2)]
    assert all(result["bit_exact"] for result in results)
    clashes = [result["counters"].pop("clashes") for result in results[1:]]
    # they do happen, at the same times, and nobody minds
    assert clashes[0] == clashes[1] > 0
    assert without(results[0], "random") == without(results[1], "random") == without(results[2], "random")
    assert [result["random"] for result in results] == [None, 1, 2]


@pytest.mark.synth
@pytest.mark.parametrize("seed", [1, regress(2), regress(3)])
def test_nor_on_the_other_simulator(seed):
    results = [resident(engine, seed) for engine in ("amaranth", "cxxrtl")]
    assert all(result["bit_exact"] for result in results)
    assert without(results[0], "engine") == without(results[1], "engine")
    assert results[0]["counters"]["clashes"] > 0


@pytest.mark.synth
@pytest.mark.regress
@pytest.mark.parametrize("config", [CONFIG, FAST, POINTS], ids=lambda config: config.arithmetic)
@pytest.mark.parametrize("name", ["h_a", "h_s", "g_s"])
@pytest.mark.parametrize("late", [None, 5])
def test_nor_in_other_transforms(name, late, config):
    manifest = tiny_codec()
    transform = manifest.transforms[name]
    x = np.random.default_rng(1).integers(transform.input.min, transform.input.max + 1, (transform.in_channels, 3, 4))
    results = [
        simulate(manifest, config, x, transform=name, engine="cxxrtl", random=random, faults=late)
        for random in (None, 1, 2)
    ]
    assert all(result["bit_exact"] for result in results)
    for result in results[1:]:
        # h_a reads none of its memories where they are written
        assert (result["counters"].pop("clashes") > 0) == (name != "h_a")
    # how late a host is goes by the cycle, and a reset before the start takes some
    ignored = ("random",) if late is None else ("random", "cycles", "counters", "utilization")
    assert without(results[0], *ignored) == without(results[1], *ignored) == without(results[2], *ignored)


MANIFEST = synthetic_manifest(channels=(3, 4, 5), seed=5)
STREAMED = StreamedConfig(rows=2, cols=3, block_rows=2)


@pytest.mark.regress
@pytest.mark.synth
@pytest.mark.slow
@pytest.mark.parametrize("arithmetic", ARITHMETICS)
def test_nor_with_an_sdram(arithmetic):
    x = np.random.default_rng(1).integers(0, 256, (3, 9, 17))
    gateware = SdramGateware(MANIFEST, replace(STREAMED, arithmetic=arithmetic), ("g_a",), random=1)
    result, _ = compare(gateware, "g_a", x)
    assert result["bit_exact"]
    assert result["cycles_of_cores"] == result["cycles_predicted"]
    assert result["clashes"] >= 0


@pytest.mark.synth
@pytest.mark.regress
@pytest.mark.parametrize("arithmetic", ARITHMETICS)
def test_nor_with_an_axi_bus(arithmetic):
    timing = AxiTiming(data_bits=32)
    shape = {"rows": 4, "cols": 4, "block_rows": 2, "beat_bits": 32, "address_bits": 28}
    config = StreamedConfig(**shape, page_beats=timing.page_beats, arithmetic=arithmetic)
    gateware = AxiGateware(MANIFEST, config, ("g_a",), timing, random=1)
    x = np.random.default_rng(1).integers(0, 256, (3, 9, 17))
    result, _ = compare(gateware, "g_a", x)
    assert result["bit_exact"]
    assert result["cycles_of_cores"] == result["cycles_predicted"]


def test_a_design_that_minds_is_found(monkeypatch):
    """The same without the reset that a host begins with: registers in front of the sums then spoil the first one."""
    monkeypatch.setattr("licgate.sim.pysim.Control", SimpleNamespace(RESET=0))
    run = get_engine("amaranth")
    monkeypatch.setattr(transforms, "get_engine", lambda name: lambda *a, **o: run(*a, **o, patience=400))
    try:
        found = not resident("amaranth", 1)["bit_exact"]
    except SimulationError:
        found = True
    assert found


@pytest.mark.parametrize("seed", [-1, 1 << 32])
def test_seeds_out_of_range(seed):
    with pytest.raises(ConfigError, match=rf"^a seed of {seed} is out of range: give --random 0 to 4294967295$"):
        seed_of("cxxrtl", seed)
    assert (seed_of("cxxrtl", None), seed_of("netlist", None), seed_of("routed", 0)) == (None, 1, 0)
