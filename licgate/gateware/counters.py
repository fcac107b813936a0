"""Counters of a run: how long it takes, and what for."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import Component, In, Out

from licgate.target.registers import COUNTERS

__all__ = ["RunCounters"]


class RunCounters(Component):
    """Count the cycles of a run, and those of its events, since the start.

    Members
    -------
    start : :py:`In(1)`
        Begin with 0. Events of the cycle before do not count.
    busy : :py:`In(1)`
        The run is under way; nothing is counted behind it.
    events : :py:`In(4)`
        A step of the array, and three kinds of waiting, in the order of ``licgate.target.registers.COUNTERS``.
    counts : :py:`Out(32).array(5)`
        Of ``busy`` and the events; modulo 2³².

    Attributes
    ----------
    latency : int
        From an event to its count: 2 cycles, since events come from deep in a core.

    Resources on ECP5: 5 LUT4, 80 CCU2C, 165 flip-flops (Yosys).
    """

    latency = 2

    def __init__(self):
        super().__init__(
            {
                "start": In(1),
                "busy": In(1),
                "events": In(len(COUNTERS) - 1),
                "counts": Out(32).array(len(COUNTERS)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        late = Signal(len(COUNTERS))
        m.d.sync += late.eq(Cat(self.busy, self.events))
        for bit, count in zip(late, self.counts, strict=True):
            m.d.sync += count.eq(count + (bit & late[0]))
            with m.If(self.start):
                m.d.sync += count.eq(0)
        return m
