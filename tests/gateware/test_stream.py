"""The stream registers: order, latency, interval, stalls, reset."""

import pytest
from amaranth.hdl import ResetInserter, Signal

from licgate.gateware.stream import SkidBuffer, StreamBuffer
from tests.gateware.kit import monitor, random_stalls, run_simulation, stream_get_all, stream_put_all


@pytest.mark.parametrize("kind", [StreamBuffer, SkidBuffer])
@pytest.mark.parametrize("width", [1, 24])
@pytest.mark.parametrize("p", [0.0, 0.6])
def test_payloads_pass_in_order(kind, width, p):
    dut = kind(width)
    sent = [(37 * k) % (1 << width) for k in range(40)]

    async def source(ctx):
        await stream_put_all(ctx, dut.i, sent, stalls=random_stalls(1, p))

    async def sink(ctx):
        assert await stream_get_all(ctx, dut.o, len(sent), stalls=random_stalls(2, p)) == sent

    run_simulation(dut, source, sink, monitors=[monitor(dut.i), monitor(dut.o)], limit=2000)


@pytest.mark.parametrize("kind", [StreamBuffer, SkidBuffer])
def test_latency_and_interval(kind):
    dut = kind(8)
    watch_i, watch_o = monitor(dut.i), monitor(dut.o)

    async def host(ctx):
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        await ctx.tick().repeat(10)

    run_simulation(dut, host, monitors=[watch_i, watch_o], limit=50)
    assert watch_i.transfer_cycles == list(range(0, 10, kind.interval))
    assert watch_o.transfer_cycles == [t + kind.latency for t in watch_i.transfer_cycles if t + kind.latency < 10]


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


@pytest.mark.parametrize("kind", [StreamBuffer, SkidBuffer])
def test_reset_forgets_the_payload(kind):
    buffer, reset = kind(8), Signal()

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
