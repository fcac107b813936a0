"""Streams: registers between two of them."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

__all__ = ["SkidBuffer", "StreamBuffer"]


class StreamBuffer(Component):
    """One register, so that no combinational path runs through a stream in either direction.

    Parameters
    ----------
    shape : ShapeLike
        Of the payload.

    Members
    -------
    i, o : :py:`In(stream.Signature(shape))`, :py:`Out(stream.Signature(shape))`

    Attributes
    ----------
    latency : int
        1 cycle.
    interval : int
        2 cycles: the register is filled or emptied.
    """

    latency = 1
    interval = 2

    def __init__(self, shape):
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.i.ready.eq(~self.o.valid)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(self.i.payload)]
        return m


class SkidBuffer(StreamBuffer):
    """Two registers, at full speed: what comes in the cycle in which the receiver stops waits in the second one.

    Parameters and members are those of a :class:`StreamBuffer`.

    Attributes
    ----------
    latency : int
        1 cycle.
    interval : int
        1 cycle.
    """

    interval = 1

    def elaborate(self, platform):
        m = Module()
        spare, waits = Signal.like(self.i.payload, name="spare"), Signal(name="waits")
        m.d.comb += self.i.ready.eq(~waits)
        with m.If(self.o.ready | ~self.o.valid):
            m.d.sync += [self.o.valid.eq(self.i.valid | waits), waits.eq(0), self.o.payload.eq(self.i.payload)]
            with m.If(waits):
                m.d.sync += self.o.payload.eq(spare)
        with m.Elif(self.i.valid & self.i.ready):
            m.d.sync += waits.eq(1)
        with m.If(self.i.ready):
            m.d.sync += spare.eq(self.i.payload)
        return m
