"""The kit itself: its monitor must see a breach, or no other test of the gateware is worth anything."""

import pytest
from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from tests.gateware.kit import (
    Monitor,
    StreamBreachError,
    random_stalls,
    run_simulation,
    stream_get_all,
    stream_put_all,
)


class Register(Component):
    """One pipeline stage; `fault` selects a classic mistake."""

    def __init__(self, fault=None):
        self.fault = fault
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        if self.fault == "payload registered, valid not":
            m.d.comb += [self.o.valid.eq(self.i.valid), self.i.ready.eq(self.o.ready)]
            m.d.sync += self.o.payload.eq(self.i.payload)
            return m
        m.d.comb += self.i.ready.eq(self.o.ready if self.fault == "valid waits" else ~self.o.valid | self.o.ready)
        with m.If(self.i.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid), self.o.payload.eq(self.i.payload)]
        if self.fault == "valid falls":
            with m.Elif(self.o.payload[0]):
                m.d.sync += self.o.valid.eq(0)
        return m


def run(dut, *, after_valid=False, stalls=0.5, limit=1000):
    watcher = Monitor(dut.o, "o")
    got = []

    async def put(ctx):
        await stream_put_all(ctx, dut.i, range(50), stalls=random_stalls(1, stalls))

    async def get(ctx):
        got.extend(await stream_get_all(ctx, dut.o, 50, stalls=random_stalls(2, stalls), after_valid=after_valid))

    run_simulation(dut, put, get, monitors=[watcher], limit=limit)
    return got, watcher


def test_good_stage_passes_and_is_counted():
    got, watcher = run(Register())
    assert got == list(range(50))
    assert watcher.transfers == 50
    assert watcher.stalled > 0
    _, watcher = run(Register(), stalls=0)
    assert watcher.transfer_cycles == list(range(1, 51))


@pytest.mark.parametrize(
    ("fault", "message"),
    [("payload registered, valid not", r"^o: payload changed from"), ("valid falls", r"^o: valid fell at cycle")],
)
def test_breach_is_seen(fault, message):
    with pytest.raises(StreamBreachError, match=message):
        run(Register(fault))


def test_valid_that_waits_for_ready_hangs():
    with pytest.raises(AssertionError, match="still running after 1000 cycles"):
        run(Register("valid waits"), after_valid=True)


def test_stall_probability_is_checked():
    with pytest.raises(ValueError, match=r"^stall probability must lie in \[0, 1\), not 1$"):
        next(random_stalls(0, 1))
