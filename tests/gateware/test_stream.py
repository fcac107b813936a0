"""Streams: what may be connected; the registers and queues between: order, latency, interval, stalls, reset."""

import pytest
from amaranth.hdl import Module, ResetInserter, Signal, signed
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import connect as loose_connect
from amaranth.lib.wiring import flipped

from licgate.gateware.memory.port import MemoryPort
from licgate.gateware.stream import Queue, SkidBuffer, StreamBuffer, connect
from tests.gateware.kit import monitor, random_stalls, run_simulation, stream_get_all, stream_put, stream_put_all

KINDS = {
    "buffer": StreamBuffer,
    "skid buffer": SkidBuffer,
    "queue": lambda shape: Queue(shape, 3),
    "queue of one": lambda shape: Queue(shape, 1),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [1, 24])
@pytest.mark.parametrize("p", [0.0, 0.6])
def test_payloads_pass_in_order(kind, width, p):
    dut = KINDS[kind](width)
    sent = [(37 * k) % (1 << width) for k in range(40)]

    async def source(ctx):
        await stream_put_all(ctx, dut.i, sent, stalls=random_stalls(1, p))

    async def sink(ctx):
        assert await stream_get_all(ctx, dut.o, len(sent), stalls=random_stalls(2, p)) == sent

    run_simulation(dut, source, sink, monitors=[monitor(dut.i), monitor(dut.o)], limit=2000)


@pytest.mark.parametrize("kind", KINDS)
def test_latency_and_interval(kind):
    dut = KINDS[kind](8)
    watch_i, watch_o = monitor(dut.i), monitor(dut.o)

    async def host(ctx):
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        await ctx.tick().repeat(10)

    run_simulation(dut, host, monitors=[watch_i, watch_o], limit=50)
    assert watch_i.transfer_cycles == list(range(0, 10, dut.interval))
    assert watch_o.transfer_cycles == [t + dut.latency for t in watch_i.transfer_cycles if t + dut.latency < 10]


def test_two_payloads_wait_for_a_receiver_and_leave_without_a_gap():
    dut = SkidBuffer(8)

    async def host(ctx):
        await stream_put_all(ctx, dut.i, [3, 4])
        assert not ctx.get(dut.i.ready)
        ctx.set(dut.o.ready, 1)
        for payload in (3, 4):
            assert ctx.get(dut.o.valid)
            assert ctx.get(dut.o.payload) == payload
            await ctx.tick()
        assert not ctx.get(dut.o.valid)

    run_simulation(dut, host, monitors=[monitor(dut.i), monitor(dut.o)], limit=50)


@pytest.mark.parametrize("kind", KINDS)
def test_reset_forgets_the_payload(kind):
    buffer, reset = KINDS[kind](8), Signal()

    async def host(ctx):
        ctx.set(buffer.i.valid, 1)
        ctx.set(buffer.i.payload, 5)
        await ctx.tick()
        ctx.set(buffer.i.valid, 0)
        assert ctx.get(buffer.o.valid)
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        assert not ctx.get(buffer.o.valid)
        ctx.set(buffer.i.valid, 1)
        ctx.set(buffer.i.payload, 6)
        await ctx.tick()
        assert ctx.get(buffer.o.valid)
        assert ctx.get(buffer.o.payload) == 6

    run_simulation(ResetInserter(reset)(buffer), host, limit=20)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_a_queue_holds_as_many_payloads_as_it_has_places(depth):
    layout = StructLayout({"value": signed(7), "last": 1})
    dut = Queue(layout, depth)
    sent = [{"value": 5 - 3 * k, "last": k & 1} for k in range(depth)]

    async def host(ctx):
        for payload in sent:
            assert ctx.get(dut.i.ready)
            await stream_put(ctx, dut.i, payload)
        await ctx.tick().repeat(3)
        assert not ctx.get(dut.i.ready)
        got = await stream_get_all(ctx, dut.o, depth)
        assert [{"value": one.value, "last": one.last} for one in got] == sent
        assert ctx.get(dut.i.ready)
        assert not ctx.get(dut.o.valid)

    run_simulation(dut, host, monitors=[monitor(dut.i), monitor(dut.o)], limit=50)


@pytest.mark.parametrize("depth", [0, -1, 2.0, None])
def test_a_queue_without_places_is_refused(depth):
    with pytest.raises(ValueError, match=rf"^a queue needs at least one place, not {depth!r}$"):
        Queue(8, depth)


SHAPES = {
    "the same number": (signed(8), signed(8), None),
    "ranges of as many bits": (range(5), range(8), None),
    "the same fields": (StructLayout({"a": 1, "b": 3}), StructLayout({"a": 1, "b": range(6)}), None),
    "signed to unsigned": (signed(8), 8, "signed"),
    "other fields of the same width": (StructLayout({"a": 1, "b": 3}), StructLayout({"a": 3, "b": 1}), "StructLayout"),
    "fields to a number": (StructLayout({"a": 1, "b": 3}), 4, "StructLayout"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_streams_of_different_shapes_are_not_connected(name):
    given, taken, message = SHAPES[name]
    source, sink = StreamBuffer(given), StreamBuffer(taken)
    loose_connect(Module(), source.o, sink.i)  # which is why there is a strict one
    if message is None:
        connect(Module(), source.o, sink.i)
        connect(Module(), flipped(source.i), sink.i)
        return
    with pytest.raises(TypeError, match=rf"^cannot connect 'payload' of shape .*{message}"):
        connect(Module(), source.o, sink.i)


def test_streams_inside_an_interface_are_compared_too():
    requester, memory = MemoryPort(16, 8).create(), MemoryPort(16, 8).flip().create()
    connect(Module(), requester, memory)
    with pytest.raises(TypeError, match=r"^cannot connect 'request\.payload' of shape StructLayout"):
        connect(Module(), requester, MemoryPort(16, 9).flip().create())


def test_connected_streams_move_payloads():
    m = Module()
    m.submodules.first, m.submodules.second = first, second = Queue(signed(6), 2), StreamBuffer(signed(6))
    connect(m, first.o, second.i)
    sent = [-32, 31, 0, -1, 7]

    async def source(ctx):
        await stream_put_all(ctx, first.i, sent, stalls=random_stalls(3))

    async def sink(ctx):
        assert await stream_get_all(ctx, second.o, len(sent), stalls=random_stalls(4)) == sent

    run_simulation(m, source, sink, limit=200)
