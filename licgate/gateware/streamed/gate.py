"""Between a port and the memory: stops the port without breaking off a transaction."""

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.memory.port import MemoryPort

__all__ = ["PortGate"]


class PortGate(Component):
    """Pass transactions on until told to stop; what has been requested by then is finished.

    Whoever stands before it may be reset while ``quiet``.

    Parameters
    ----------
    beat_bits, address_bits : int
        Of the port.

    Members
    -------
    i : :py:`In(MemoryPort(beat_bits, address_bits))`
    o : :py:`Out(MemoryPort(beat_bits, address_bits))`
    stop : :py:`In(1)`
        No new request passes (level). One that is offered already stays until it is accepted.
    quiet : :py:`Out(1)`
        It has stopped, and no transaction is under way.

    Attributes
    ----------
    latency : int
        0 cycles: a request passes an AND.

    Resources on ECP5: two flip-flops, three LUT4.

    Raises
    ------
    ValueError
        A width is not a positive integer.
    """

    latency = 0

    def __init__(self, beat_bits, address_bits):
        port = MemoryPort(beat_bits, address_bits)
        super().__init__({"i": In(port), "o": Out(port), "stop": In(1), "quiet": Out(1)})

    def elaborate(self, platform):
        m = Module()
        i, o = self.i, self.o
        blocked, flying = Signal(name="blocked"), Signal(name="flying")
        m.d.comb += [
            o.request.payload.eq(i.request.payload),
            o.request.valid.eq(i.request.valid & ~blocked),
            i.request.ready.eq(o.request.ready & ~blocked),
            o.w.payload.eq(i.w.payload),
            o.w.valid.eq(i.w.valid),
            i.w.ready.eq(o.w.ready),
            i.r_valid.eq(o.r_valid),
            i.r_data.eq(o.r_data),
            i.done.eq(o.done),
            self.quiet.eq(blocked & ~flying),
        ]
        with m.If(~self.stop):
            m.d.sync += blocked.eq(0)
        with m.Elif(~o.request.valid | o.request.ready):
            m.d.sync += blocked.eq(1)
        with m.If(o.request.valid & o.request.ready):
            m.d.sync += flying.eq(1)
        with m.Elif(o.done):
            m.d.sync += flying.eq(0)
        return m
