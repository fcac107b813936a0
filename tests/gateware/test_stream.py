"""The stream register: order, latency, interval, stalls, reset."""

import pytest
from amaranth.hdl import ResetInserter, Signal

from licgate.gateware.stream import StreamBuffer
from tests.gateware.kit import monitor, random_stalls, run_simulation, stream_get_all, stream_put_all


@pytest.mark.parametrize("width", [1, 24])
@pytest.mark.parametrize("p", [0.0, 0.6])
def test_payloads_pass_in_order(width, p):
    dut = StreamBuffer(width)
    sent = [(37 * k) % (1 << width) for k in range(40)]

    async def source(ctx):
        await stream_put_all(ctx, dut.i, sent, stalls=random_stalls(1, p))

    async def sink(ctx):
        assert await stream_get_all(ctx, dut.o, len(sent), stalls=random_stalls(2, p)) == sent

    run_simulation(dut, source, sink, monitors=[monitor(dut.i), monitor(dut.o)], limit=2000)


def test_latency_and_interval():
    dut = StreamBuffer(8)
    watch_i, watch_o = monitor(dut.i), monitor(dut.o)

    async def host(ctx):
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        await ctx.tick().repeat(10)

    run_simulation(dut, host, monitors=[watch_i, watch_o], limit=50)
    assert watch_i.transfer_cycles == list(range(0, 10, StreamBuffer.interval))
    assert watch_o.transfer_cycles == [t + StreamBuffer.latency for t in watch_i.transfer_cycles]


def test_reset_forgets_the_payload():
    buffer, reset = StreamBuffer(8), Signal()

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
