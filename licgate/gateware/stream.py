"""Streams: a register between two of them."""

from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

__all__ = ["StreamBuffer"]


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
