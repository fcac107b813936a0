"""UART: both directions at several divisors, errors on the line, exact interval."""

import pytest
from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from licgate.gateware.host.uart import UartReceiver, UartTransmitter, uart_divisor
from tests.gateware.kit import Monitor, random_stalls, run_simulation, stream_get_all, stream_put_all

DATA = [0x00, 0xFF, 0x55, 0xAA, 0x01, 0x80, 0xA5, 0x7E]


class Loop(Component):
    """Transmitter and receiver on one line."""

    def __init__(self, divisor):
        self.transmitter = UartTransmitter(divisor=divisor)
        self.receiver = UartReceiver(divisor=divisor)
        self.reset = Signal()
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.transmitter = ResetInserter(self.reset)(self.transmitter)
        m.submodules.receiver = ResetInserter(self.reset)(self.receiver)
        connect(m, flipped(self.i), self.transmitter.i)
        connect(m, self.receiver.o, flipped(self.o))
        m.d.comb += self.receiver.rx.eq(self.transmitter.tx)
        return m


@pytest.mark.parametrize("divisor", [4, 5, 16])
def test_loop(divisor):
    dut, got = Loop(divisor), []
    watcher = Monitor(dut.o, "o")

    async def put(ctx):
        await stream_put_all(ctx, dut.i, DATA, stalls=random_stalls(divisor, 0.9))

    async def get(ctx):
        got.extend(await stream_get_all(ctx, dut.o, len(DATA), stalls=random_stalls(divisor + 1, 0.7)))

    run_simulation(dut, put, get, monitors=[watcher])
    assert got == DATA
    assert watcher.stalled > 0


@pytest.mark.parametrize("divisor", [4, 7])
def test_interval_and_latency_are_exact(divisor):
    dut = UartTransmitter(divisor=divisor)
    watcher, line = Monitor(dut.i, "i"), []

    async def put(ctx):
        await stream_put_all(ctx, dut.i, DATA)
        await ctx.tick().repeat(dut.interval + 1)

    async def wires(ctx):
        async for _clk, _rst, tx in ctx.tick().sample(dut.tx):
            line.append(tx)

    run_simulation(dut, put, monitors=[watcher], background=[wires])
    assert watcher.transfer_cycles == [n * dut.interval for n in range(len(DATA))]
    expected = [1] * dut.latency
    for byte in DATA:
        for bit in (0, *((byte >> n) & 1 for n in range(8)), 1):
            expected += [bit] * divisor
    assert line[: len(expected)] == expected


async def send(ctx, line, byte, divisor, *, stop=1):
    for bit in (0, *((byte >> n) & 1 for n in range(8)), stop):
        ctx.set(line, bit)
        await ctx.tick().repeat(divisor)
    ctx.set(line, 1)


def watch_pulses(dut, counts):
    async def watch(ctx):
        async for _clk, _rst, overflow, error in ctx.tick().sample(dut.overflow, dut.frame_error):
            counts["overflow"] += overflow
            counts["frame_error"] += error

    return watch


def test_bad_stop_bit_glitch_and_break():
    dut, got, counts = UartReceiver(divisor=8), [], {"overflow": 0, "frame_error": 0}

    async def line(ctx):
        ctx.set(dut.rx, 1)
        await ctx.tick().repeat(5)
        ctx.set(dut.rx, 0)  # a glitch
        await ctx.tick().repeat(2)
        ctx.set(dut.rx, 1)
        await ctx.tick().repeat(20)
        await send(ctx, dut.rx, 0x11, 8, stop=0)
        ctx.set(dut.rx, 0)  # a break of three bytes is one error
        await ctx.tick().repeat(240)
        ctx.set(dut.rx, 1)
        await ctx.tick().repeat(8)
        await send(ctx, dut.rx, 0x22, 8)

    async def get(ctx):
        got.extend(await stream_get_all(ctx, dut.o, 1))

    run_simulation(dut, line, get, background=[watch_pulses(dut, counts)])
    assert got == [0x22]
    assert counts == {"overflow": 0, "frame_error": 1}


def test_overflow_keeps_the_older_byte():
    dut, got, counts = UartReceiver(divisor=4), [], {"overflow": 0, "frame_error": 0}
    watcher = Monitor(dut.o, "o")

    async def line(ctx):
        ctx.set(dut.rx, 1)
        for byte in (1, 2, 3):
            await send(ctx, dut.rx, byte, 4)
        await ctx.tick().repeat(4)
        got.extend(await stream_get_all(ctx, dut.o, 1))
        await send(ctx, dut.rx, 4, 4)
        got.extend(await stream_get_all(ctx, dut.o, 1))

    run_simulation(dut, line, monitors=[watcher], background=[watch_pulses(dut, counts)])
    assert got == [1, 4]
    assert counts == {"overflow": 2, "frame_error": 0}


def test_reset_in_the_middle_of_a_byte():
    dut, got = Loop(4), []

    async def bench(ctx):
        await stream_put_all(ctx, dut.i, [0x55])
        await ctx.tick().repeat(17)
        ctx.set(dut.reset, 1)
        await ctx.tick()
        ctx.set(dut.reset, 0)
        await ctx.tick().repeat(100)
        assert not ctx.get(dut.o.valid)
        await stream_put_all(ctx, dut.i, [0x77])
        got.extend(await stream_get_all(ctx, dut.o, 1))

    run_simulation(dut, bench)
    assert got == [0x77]


@pytest.mark.parametrize("kind", [UartReceiver, UartTransmitter])
def test_constructor_errors(kind):
    with pytest.raises(ValueError, match=r"^divisor must be at least 4 clock cycles per bit, not 3$"):
        kind(divisor=3)
    with pytest.raises(TypeError, match=r"^divisor must be an integer, not 4\.5$"):
        kind(divisor=4.5)


def test_divisor():
    assert uart_divisor(clock_hz=100e6, baud=3_000_000) == 33
    assert uart_divisor(clock_hz=25e6, baud=115_200) == 217
    with pytest.raises(ValueError, match=r"^baud rate 7000000 cannot be made from a clock of 25 MHz$"):
        uart_divisor(clock_hz=25e6, baud=7_000_000)
