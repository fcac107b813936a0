"""Buffers of a session, against lists: at random, at full speed, and cleared in the middle."""

import random

import pytest

from licgate.gateware.ethernet.buffers import ReceiveBuffer, SendBuffer
from tests.gateware.kit import Monitor, random_stalls, run_simulation, stream_put_all


async def pulse(ctx, *signals):
    for signal in signals:
        ctx.set(signal, 1)
    await ctx.tick()
    for signal in signals:
        ctx.set(signal, 0)


@pytest.mark.parametrize("depth", [4, 16])
def test_datagrams_that_are_accepted_come_out(depth):
    coin, dut = random.Random(depth), ReceiveBuffer(depth)
    expected, got, kinds = [], [], set()
    watcher = Monitor(dut.o, "o")

    async def put(ctx):
        for _ in range(60):
            await pulse(ctx, dut.begin)
            data, size = [], coin.randrange(depth + 3)
            for _ in range(size):
                ctx.set(dut.data, coin.randrange(256))
                data.append(ctx.get(dut.data))
                await pulse(ctx, dut.strobe)
            whole = ctx.get(dut.whole)
            assert whole == (ctx.get(dut.count) == size)
            if whole and coin.random() < 0.7:
                await pulse(ctx, dut.accept)
                expected.extend(data)
                kinds.add("accepted")
            else:
                kinds.add("dropped" if whole else "without room")
            await ctx.tick().repeat(1 + coin.randrange(2 * depth))
            assert ctx.get(dut.room) <= depth
        await ctx.tick().repeat(4 * depth + 4)

    async def get(ctx):
        async for _clk, _rst, valid, ready, payload in ctx.tick().sample(dut.o.valid, dut.o.ready, dut.o.payload):
            if valid and ready:
                got.append(payload)
            ctx.set(dut.o.ready, coin.random() < 0.6)

    run_simulation(dut, put, background=[get], monitors=[watcher])
    assert got == expected
    assert kinds == {"accepted", "dropped", "without room"}


def test_latency_interval_and_what_a_clear_leaves():
    dut = ReceiveBuffer(16)
    watcher = Monitor(dut.o, "o", reset=dut.clear)

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        await pulse(ctx, dut.begin)
        for byte in range(8):
            ctx.set(dut.data, byte)
            await pulse(ctx, dut.strobe)
        accepted = 1 + 8  # edges in front of it
        await pulse(ctx, dut.accept)
        await ctx.tick().repeat(12)
        assert watcher.transfer_cycles == [accepted + dut.latency + k * dut.interval for k in range(8)]
        ctx.set(dut.o.ready, 0)
        await pulse(ctx, dut.begin)
        await pulse(ctx, dut.strobe)
        await pulse(ctx, dut.accept)
        await ctx.tick().repeat(4)
        assert (ctx.get(dut.o.valid), ctx.get(dut.room)) == (1, 16)
        await pulse(ctx, dut.begin)
        await pulse(ctx, dut.strobe)
        await pulse(ctx, dut.accept)
        await pulse(ctx, dut.clear)
        await ctx.tick().repeat(3)
        assert (ctx.get(dut.o.valid), ctx.get(dut.room)) == (0, 16)

    run_simulation(dut, bench, monitors=[watcher])


class Peer:
    """A send buffer with its other side: what was sent, and what that acknowledges."""

    def __init__(self, depth, seed):
        self.dut, self.coin = SendBuffer(depth), random.Random(seed)
        self.taken, self.granted = bytearray(), 0

    async def settle(self, ctx):
        await ctx.tick().repeat(4)

    async def send(self, ctx, most):
        """Send what waits; (number of the first byte, bytes)."""
        dut = self.dut
        first, length = ctx.get(dut.first) + ctx.get(dut.sent), min(most, ctx.get(dut.waiting))
        ctx.set(dut.length, length)
        await pulse(ctx, dut.send)
        data = bytearray()
        for _ in range(length):
            await pulse(ctx, dut.r_next)
            data.append(ctx.get(dut.r_data))
        assert first + length <= self.granted
        return first, bytes(data)

    async def acknowledge(self, ctx, number, window):
        dut = self.dut
        ctx.set(dut.number, number)
        ctx.set(dut.window, window)
        await pulse(ctx, dut.acknowledge)
        self.granted = max(self.granted, number + window)
        await self.settle(ctx)


@pytest.mark.parametrize("depth", [4, 32])
def test_bytes_are_kept_until_they_are_acknowledged(depth):
    peer = Peer(depth, depth)
    dut, coin = peer.dut, peer.coin
    data, got, events = coin.randbytes(12 * depth), bytearray(), set()
    watcher = Monitor(dut.i, "i")

    async def put(ctx):
        await stream_put_all(ctx, dut.i, data, stalls=random_stalls(depth, 0.3))

    async def take(ctx):
        known = 0
        await peer.acknowledge(ctx, 0, depth)
        while len(got) < len(data):
            await peer.settle(ctx)
            first, sent = await peer.send(ctx, 1 + coin.randrange(depth))
            assert sent == data[first : first + len(sent)]
            if coin.random() < 0.3 and sent:
                events.add("lost")
            elif first == len(got):
                got.extend(sent)
            if coin.random() < 0.6:
                known = len(got)
                await peer.acknowledge(ctx, known, coin.choice((depth, depth, depth // 2)))
            if coin.random() < 0.4:
                await pulse(ctx, dut.back)
                events.add("back")
            if coin.random() < 0.2:
                # of what has not come, and of long ago: no word of anything
                for number in (known + depth + 1, known - 1):
                    before = ctx.get(dut.first)
                    granted = peer.granted
                    await peer.acknowledge(ctx, number % (1 << 32), depth)
                    peer.granted = granted
                    assert ctx.get(dut.first) == before
                events.add("strange")
        await peer.acknowledge(ctx, len(data), depth)
        assert ctx.get(dut.first) == len(data)

    run_simulation(dut, put, take, monitors=[watcher])
    assert bytes(got) == data
    assert events == {"lost", "back", "strange"}
    assert watcher.stalled > 0


def test_an_acknowledgement_of_what_was_sent_before_it_is_sent_again():
    peer = Peer(16, 0)
    dut = peer.dut

    async def bench(ctx):
        await stream_put_all(ctx, dut.i, range(10))
        await peer.acknowledge(ctx, 0, 100)
        assert await peer.send(ctx, 8) == (0, bytes(range(8)))
        await pulse(ctx, dut.back)
        await peer.settle(ctx)
        assert await peer.send(ctx, 2) == (0, b"\0\1")
        await peer.acknowledge(ctx, 6, 100)
        assert (ctx.get(dut.first), ctx.get(dut.sent), ctx.get(dut.waiting)) == (6, 0, 4)
        assert await peer.send(ctx, 8) == (6, bytes(range(6, 10)))
        await pulse(ctx, dut.clear)
        await peer.settle(ctx)
        assert (ctx.get(dut.first), ctx.get(dut.sent), ctx.get(dut.waiting)) == (0, 0, 0)
        await stream_put_all(ctx, dut.i, b"new")
        peer.granted = 0
        await peer.acknowledge(ctx, 0, 2)
        assert await peer.send(ctx, 8) == (0, b"ne")

    run_simulation(dut, bench)


@pytest.mark.parametrize("kind", [ReceiveBuffer, SendBuffer])
def test_depths_that_make_no_sense(kind):
    for depth in (0, 2, 12):
        with pytest.raises(ValueError, match=rf"^depth must be a power of two of at least 4, not {depth}$"):
            kind(depth)
    with pytest.raises(TypeError, match=r"^depth must be an integer, not 8\.0$"):
        kind(8.0)
