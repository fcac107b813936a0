"""Frames at the pins: whole ones, short, long and damaged ones, and how far apart they are."""

import random
from zlib import crc32

import pytest

from licgate.gateware.ethernet.mac import MacReceiver, MacTransmitter
from licgate.target.ethernet import framed
from tests.gateware.ethernet.kit import PREAMBLE, Listener, send_frame, send_raw
from tests.gateware.kit import Monitor, run_simulation
from tests.marks import regress


class Receiving:
    """What a receiver tells: (bytes, whether it was good)."""

    def __init__(self, dut):
        self.dut, self.frames, self.begins, self.cycles = dut, [], 0, []

    async def watch(self, ctx):
        dut, data, cycle = self.dut, bytearray(), 0
        signals = dut.begin, dut.strobe, dut.data, dut.end, dut.good
        async for _clk, _rst, begin, strobe, byte, end, good in ctx.tick().sample(*signals):
            assert begin + strobe + end <= 1
            assert not good or end
            if begin:
                self.begins += 1
                data.clear()
            if strobe:
                data.append(byte)
                self.cycles.append(cycle)
            if end:
                self.frames.append((bytes(data), bool(good)))
            cycle += 1


def received(*testbenches):
    dut = MacReceiver()
    watcher = Receiving(dut)

    async def bench(ctx):
        for testbench in testbenches:
            await testbench(ctx, dut.gmii)
        await ctx.tick().repeat(6)

    run_simulation(dut, bench, background=[watcher.watch])
    return watcher


@pytest.mark.parametrize(("size", "gap"), [(60, 5), (61, 12), regress(1513, 5), regress(1514, 12)])
def test_whole_frames(size, gap):
    frames = [random.Random(size + k).randbytes(size) for k in range(2)]

    async def bench(ctx, gmii):
        for frame in frames:
            await send_frame(ctx, gmii, frame, gap=gap, preamble=b"\x55" * gap + b"\xd5")

    assert received(bench).frames == [(framed(frame), True) for frame in frames]


@pytest.mark.parametrize("place", [0, 30, 63, 64, 67])
def test_damaged_frames(place):
    whole = PREAMBLE + framed(random.Random(place).randbytes(64))
    damaged = bytearray(whole)
    damaged[8 + place] ^= 1 << place % 8

    async def bench(ctx, gmii):
        await send_raw(ctx, gmii, damaged)
        await send_raw(ctx, gmii, whole, errors=(8 + place,))
        await send_raw(ctx, gmii, whole[: 8 + place])
        await send_raw(ctx, gmii, whole[:8])
        await send_raw(ctx, gmii, whole)

    found = received(bench).frames
    assert [good for _, good in found] == [False] * 4 + [True]
    assert found[-1][0] == whole[8:]


@pytest.mark.parametrize("sizes", [(1, 59), regress((59, 1515, 4000))])
def test_too_short_too_long_and_what_is_no_frame(sizes):
    async def bench(ctx, gmii):
        for size in sizes:
            frame = bytes(size)
            await send_raw(ctx, gmii, PREAMBLE + frame + crc32(frame).to_bytes(4, "little"))
        await send_raw(ctx, gmii, b"\x55" * 20)
        await send_raw(ctx, gmii, b"\x55\x55\x12" + PREAMBLE + framed(b"x"))
        await send_raw(ctx, gmii, PREAMBLE + framed(b"y"), errors=(3,))

    watcher = received(bench)
    assert [good for _, good in watcher.frames] == [False] * len(sizes)
    assert watcher.begins == len(sizes)


def test_latency_of_the_receiver_is_exact():
    async def bench(ctx, gmii):
        await send_frame(ctx, gmii, bytes(60))

    first = received(bench).cycles[0]
    # the byte behind the preamble is at the pins before the edge 8, and is seen two edges later
    assert first == len(PREAMBLE) + MacReceiver.latency


def sent(frames, *, pauses=()):
    dut = MacTransmitter()
    listener, watcher = Listener(dut.gmii), Monitor(dut.i, "i")

    async def put(ctx):
        for k, frame in enumerate(frames):
            if k < len(pauses):
                await ctx.tick().repeat(pauses[k])
            for place, byte in enumerate(frame):
                ctx.set(dut.i.payload, {"data": byte, "last": place == len(frame) - 1})
                ctx.set(dut.i.valid, 1)
                await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)
        await ctx.tick().repeat(100)

    run_simulation(dut, put, background=[listener.listen], monitors=[watcher])
    return listener, watcher


@pytest.mark.parametrize("sizes", [(42, 60, 61), regress((1514, 1, 59))])
def test_frames_are_sent_whole(sizes):
    frames = [random.Random(size).randbytes(size) for size in sizes]
    listener, watcher = sent(frames)
    assert listener.frames == [frame.ljust(60, b"\0") for frame in frames]
    assert [raw for _, raw in listener.raw] == [PREAMBLE + framed(frame) for frame in frames]
    assert listener.gaps == [12, 12]
    # the first byte waits while the preamble goes
    assert listener.raw[0][0] == MacTransmitter.latency
    assert watcher.transfer_cycles[0] == listener.raw[0][0] + 8 - 1
    between = listener.raw[1][0] - listener.raw[0][0]
    assert between == max(60, sizes[0]) + MacTransmitter.overhead


def test_frames_with_pauses_between():
    frames = [bytes([k]) * 64 for k in range(3)]
    listener, _ = sent(frames, pauses=(1, 3, 40))
    assert listener.frames == frames
    assert listener.gaps[0] == 12
    assert listener.gaps[1] > 12


def test_a_frame_that_is_late_is_spoilt():
    dut = MacTransmitter()
    listener = Listener(dut.gmii)

    async def put(ctx):
        for k in range(70):
            ctx.set(dut.i.payload, {"data": k, "last": k == 69})
            ctx.set(dut.i.valid, k != 65)
            if k != 65:
                await ctx.tick().until(dut.i.ready)
            else:
                await ctx.tick()
        ctx.set(dut.i.valid, 0)
        await ctx.tick().repeat(120)

    run_simulation(dut, put, background=[listener.listen])
    assert listener.raw
    assert all(frame[0] != 0 for frame in listener.frames)
