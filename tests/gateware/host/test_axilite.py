"""Registers behind AXI4-Lite: a bank of words, processors that stall, and what is refused."""

import random

import pytest
from amaranth.hdl import Array, Module, ResetInserter, Signal
from amaranth.lib.wiring import Component, Out, connect, flipped

from licgate.gateware.arith import delayed
from licgate.gateware.host.axilite import AxiLiteRegisters, axilite_signature
from tests.gateware.kit import monitor, never, random_stalls, run_simulation, stream_get, stream_put

OKAY, SLVERR = 0, 2


class Bank(Component):
    """64 words, which answer a cycle or two after their address as an accelerator's do."""

    def __init__(self, csr_latency=1):
        self.registers, self._csr_latency = AxiLiteRegisters(csr_latency), csr_latency
        self.words = Array(Signal(32, name=f"word_{k}") for k in range(64))
        super().__init__({"bus": Out(axilite_signature())})

    def elaborate(self, platform):
        m = Module()
        m.submodules.registers = registers = self.registers
        connect(m, flipped(self.bus), registers.bus)
        csr = registers.csr
        m.d.sync += csr.r_data.eq(delayed(m, self.words[csr.addr], self._csr_latency - 1))
        with m.If(csr.w_stb):
            m.d.sync += self.words[csr.addr].eq(csr.w_data)
        return m


async def write(ctx, bus, address, data, strb=0xF, stalls=None, data_first=False):
    """Write, address and data in any order; return the answer."""
    first, second = (bus.w, bus.aw) if data_first else (bus.aw, bus.w)
    payloads = {bus.aw: {"addr": address, "prot": 0}, bus.w: {"data": data, "strb": strb}}
    ctx.set(first.payload, payloads[first])
    ctx.set(first.valid, 1)
    for stall in stalls or ():
        if not stall:
            break
        await ctx.tick()
    await stream_put(ctx, second, payloads[second])
    ctx.set(first.valid, 0)
    return (await stream_get(ctx, bus.b, stalls=stalls)).resp


async def read(ctx, bus, address, stalls=None):
    """Read; return data and answer."""
    await stream_put(ctx, bus.ar, {"addr": address, "prot": 0}, stalls=stalls)
    payload = await stream_get(ctx, bus.r, stalls=stalls)
    return payload.data, payload.resp


def bus_monitors(bus, **options):
    return [monitor(getattr(bus, name), name, **options) for name in ("ar", "r", "aw", "w", "b")]


@pytest.mark.parametrize(("p", "seed", "csr_latency"), [(0.0, 1, 1), (0.0, 4, 2), (0.5, 2, 2), (0.9, 3, 1)])
def test_what_is_written_is_read(p, seed, csr_latency):
    bank, coin = Bank(csr_latency), random.Random(seed)
    expected = [0] * 64

    async def processor(ctx):
        stalls = random_stalls(seed, p) if p else never()
        for _ in range(80):
            word, data = coin.randrange(64), coin.getrandbits(32)
            if coin.random() < 0.5:
                assert await write(ctx, bank.bus, 4 * word, data, stalls=stalls, data_first=coin.random() < 0.5) == OKAY
                expected[word] = data
            else:
                assert await read(ctx, bank.bus, 4 * word, stalls=stalls) == (expected[word], OKAY)

    run_simulation(bank, processor, monitors=bus_monitors(bank.bus), limit=20_000)


def test_what_is_not_there_is_refused():
    bank = Bank()

    async def processor(ctx):
        assert await write(ctx, bank.bus, 4 * 9, 7) == OKAY
        assert await write(ctx, bank.bus, 256 + 4 * 9, 8) == SLVERR
        for strb in (0, 1, 7, 14):
            assert await write(ctx, bank.bus, 4 * 9, 9, strb=strb) == SLVERR
        assert await read(ctx, bank.bus, 2048 + 4 * 9) == (0, SLVERR)
        assert await read(ctx, bank.bus, 4 * 9) == (7, OKAY)

    run_simulation(bank, processor, monitors=bus_monitors(bank.bus))


@pytest.mark.parametrize(("csr_latency", "latency", "interval"), [(1, 3, 4), (2, 4, 5)])
def test_latency_and_interval(csr_latency, latency, interval):
    bank = Bank(csr_latency)
    assert (bank.registers.latency, bank.registers.interval) == (latency, interval)
    watched = dict(zip(("ar", "r", "aw", "w", "b"), bus_monitors(bank.bus), strict=True))

    async def processor(ctx):
        bus = bank.bus
        for channel in (bus.r, bus.b):
            ctx.set(channel.ready, 1)
        for channel in (bus.aw, bus.w):
            ctx.set(channel.valid, 1)
        ctx.set(bus.w.payload.strb, 0xF)
        await ctx.tick().repeat(7)
        for channel in (bus.aw, bus.w):
            ctx.set(channel.valid, 0)
        await ctx.tick().repeat(3)
        ctx.set(bus.ar.valid, 1)
        await ctx.tick().repeat(18)

    run_simulation(bank, processor, monitors=watched.values())
    at = {name: one.transfer_cycles for name, one in watched.items()}
    assert at["b"] == [cycle + 1 for cycle in at["aw"]]
    assert at["aw"] == at["w"] == [0, 2, 4, 6]
    assert at["r"] == [cycle + latency for cycle in at["ar"]][: len(at["r"])]
    assert {b - a for a, b in zip(at["ar"], at["ar"][1:])} == {interval}
    assert len(at["r"]) >= 3


def test_a_reset_in_the_middle_starts_over():
    reset = Signal()
    bank = Bank()
    dut = ResetInserter(reset)(bank)

    async def processor(ctx):
        await write(ctx, bank.bus, 4, 5)
        await stream_put(ctx, bank.bus.ar, {"addr": 4, "prot": 0})
        await ctx.tick()
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        await ctx.tick().repeat(5)
        assert not ctx.get(bank.bus.r.valid)
        assert await write(ctx, bank.bus, 8, 6) == OKAY
        assert await read(ctx, bank.bus, 8) == (6, OKAY)
        assert await read(ctx, bank.bus, 4) == (0, OKAY)

    run_simulation(dut, processor, monitors=bus_monitors(bank.bus, reset=reset))


@pytest.mark.parametrize("csr_latency", [0, 3])
def test_registers_that_answer_at_another_time_are_refused(csr_latency):
    with pytest.raises(ValueError, match=f"csr_latency must be 1 or 2 cycles, not {csr_latency}"):
        AxiLiteRegisters(csr_latency)
