"""What lies between a USB device's clock and an accelerator's: bytes in order, none of before, and packets that end."""

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from amaranth.sim import Simulator

from licgate.gateware.host.usbbridge import PacketEnds, UsbBridge
from tests.gateware.kit import Monitor, never, random_stalls, run_simulation, stream_get, stream_put_all


@pytest.mark.parametrize(("pause", "p", "seed"), [(1, 0.0, 0), (5, 0.5, 1), (64, 0.8, 2)])
def test_the_last_byte_before_a_pause_is_marked_and_no_other(pause, p, seed):
    dut, coin = PacketEnds(pause=pause), np.random.default_rng(seed)
    bursts = [coin.integers(0, 256, size).tolist() for size in (1, 2, 7, 64, 1)]
    got = []

    async def put(ctx):
        for burst in bursts:
            await stream_put_all(ctx, dut.i, burst)
            await ctx.tick().repeat(200 + pause)

    async def take(ctx):
        stalls = random_stalls(seed, p) if p else never()
        while len(got) < sum(map(len, bursts)):
            byte = await stream_get(ctx, dut.o, stalls=stalls)
            got.append((byte, ctx.get(dut.last)))

    marks = []

    async def watch(ctx):
        async for _clk, _rst, valid, ready, last in ctx.tick().sample(dut.o.valid, dut.o.ready, dut.last):
            if valid and ready:
                marks.append(last)

    run_simulation(dut, put, take, monitors=[Monitor(dut.o, "o")], background=[watch], limit=5000)
    assert [byte for byte, _ in got] == [byte for burst in bursts for byte in burst]
    ends = np.cumsum([len(burst) for burst in bursts]) - 1
    assert set(ends.tolist()) <= set(np.flatnonzero(marks).tolist())
    if not p:  # a stalled receiver may see a pause where the sender waited for it
        assert np.flatnonzero(marks).tolist() == ends.tolist()


def test_latency_interval_and_pause_are_exact():
    dut = PacketEnds(pause=9)
    watcher = Monitor(dut.o, "o")

    async def put(ctx):
        ctx.set(dut.o.ready, 1)
        for byte in range(4):
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick()
        ctx.set(dut.i.valid, 0)
        await ctx.tick().repeat(30)

    run_simulation(dut, put, monitors=[watcher], limit=100)
    # each a cycle behind the one that follows it; the last one behind the pause
    assert watcher.transfer_cycles[:3] == [1 + dut.latency, 2 + dut.latency, 3 + dut.latency]
    assert watcher.transfer_cycles[3] == 4 + dut.pause + dut.latency


def test_reset_in_the_middle():
    reset = Signal()
    dut = PacketEnds(pause=50)

    async def bench(ctx):
        await stream_put_all(ctx, dut.i, [1, 2])
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        await stream_put_all(ctx, dut.i, [3])
        assert await stream_get(ctx, dut.o) == 3

    run_simulation(ResetInserter(reset)(dut), bench, limit=300)


@pytest.mark.parametrize(("depth", "usb", "sync"), [(4, 83e-9, 83e-9), (16, 83e-9, 21e-9), (16, 83e-9, 61e-9)])
def test_bytes_cross_in_order_and_none_of_before_a_new_host(depth, usb, sync):
    dut = UsbBridge(depth=depth)
    sim = Simulator(dut)
    sim.add_clock(usb, domain="usb")
    sim.add_clock(sync, phase=0.37 * sync, domain="sync")
    to_device, to_host, aborted = [], [], []

    async def usb_side(ctx):
        number = 0
        for round_ in range(3):
            for _ in range(60):
                ctx.set(dut.i_usb.payload, round_ << 6 | number % 64)
                ctx.set(dut.i_usb.valid, 1)
                _, _, ready, clear = await ctx.tick("usb").sample(dut.i_usb.ready, dut.clear)
                number += bool(ready and not clear)
            ctx.set(dut.i_usb.valid, 0)
            if round_ == 2:
                break
            ctx.set(dut.begin, 1)
            await ctx.tick("usb")
            ctx.set(dut.begin, 0)
            await ctx.tick("usb").repeat(3 * dut.cycles)
            assert ctx.get(dut.clear) == 1  # no transaction has begun
            ctx.set(dut.token, 1)
            await ctx.tick("usb")
            ctx.set(dut.token, 0)
            await ctx.tick("usb")
            assert ctx.get(dut.clear) == 0
            to_host.append(None)
            number = 0
        await ctx.tick("usb").repeat(100)

    async def usb_reads(ctx):
        ctx.set(dut.o_usb.ready, 1)
        async for _clk, _rst, valid, byte in ctx.tick("usb").sample(dut.o_usb.valid, dut.o_usb.payload):
            if valid:
                to_host.append(byte)

    async def sync_writes(ctx):
        number = 0
        ctx.set(dut.i.valid, 1)
        while True:
            ctx.set(dut.i.payload, len(aborted) << 6 | number % 64)
            _, _, ready = await ctx.tick().sample(dut.i.ready)
            number += bool(ready)

    async def sync_reads(ctx):
        coin, before = np.random.default_rng(0), 0
        while True:
            ctx.set(dut.o.ready, int(coin.integers(2)))
            sampled = await ctx.tick().sample(dut.o.valid, dut.o.ready, dut.o.payload, dut.abort)
            _, _, valid, ready, byte, abort = sampled
            if valid and ready:
                to_device.append(byte)
            if abort and not before:
                aborted.append(len(to_device))
            before = abort

    sim.add_testbench(usb_side)
    for background in (usb_reads, sync_writes, sync_reads):
        sim.add_testbench(background, background=True)
    sim.run()
    assert len(aborted) == 2
    for round_, (start, end) in enumerate(zip((0, *aborted), (*aborted, len(to_device)), strict=True)):
        numbers = to_device[start:end]
        assert len(numbers) >= 10
        assert numbers == [round_ << 6 | n % 64 for n in range(len(numbers))]
    first, second, third = np.split(
        np.array([-1 if b is None else b for b in to_host]), np.flatnonzero([b is None for b in to_host])
    )
    for round_, numbers in enumerate((first, second[1:], third[1:])):
        assert len(numbers) >= 10
        assert set((numbers >> 6).tolist()) == {round_}
        assert set((np.diff(numbers) % 64).tolist()) == {1}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: UsbBridge(depth=12), r"^depth must be a power of two of at least 4, not 12$"),
        (lambda: UsbBridge(depth=2), r"^depth must be a power of two of at least 4, not 2$"),
        (lambda: PacketEnds(pause=0), r"^pause must be one cycle or more, not 0$"),
    ],
)
def test_constructor_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
