"""What passes use up becomes free: slots when they end, weights as they are read."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.passes import release_shape

__all__ = ["StepRelease"]


class StepRelease(Component):
    """Spread the weight words that a pass releases over its reads.

    Room comes while the last pass over a tile still runs, so the tile after the next has that time to come in. A pass
    reads a tile from its beginning on, a word in a step, or in some of the steps by points; one that skips kernel rows
    takes fewer steps than there are words, and its rest becomes free with its end.

    Parameters
    ----------
    program : StreamedProgram

    Members
    -------
    step : :py:`In(1)`
        A step that reads a weight is issued in this cycle.
    release, ended : :py:`In(release_shape(program))`
        Of the pass at work; of the pass that ends in this cycle, else zero.
    released : :py:`Out(release_shape(program))`
        What becomes free: a word with each such step of a pass that releases any, the rest and the slots with its end.

    Attributes
    ----------
    latency : int
        2 cycles. interval is 1.

    Resources: three registers and a subtractor of the width of a weight ring's address.
    """

    latency = 2
    interval = 1

    def __init__(self, program):
        shape = release_shape(program)
        super().__init__({"step": In(1), "release": In(shape), "ended": In(shape), "released": Out(shape)})

    def elaborate(self, platform):
        m = Module()
        stepped, ends, given = Signal(), Signal(), Signal.like(self.release.words)
        ended = Signal.like(self.ended)
        m.d.sync += [
            stepped.eq(self.step & self.release.words.any()),
            ends.eq(self.ended.words.any()),
            ended.eq(self.ended),
            self.released.words.eq(Mux(ends, ended.words - given, stepped)),
            self.released.slots.eq(ended.slots),
        ]
        with m.If(ends):
            m.d.sync += given.eq(0)
        with m.Elif(stepped):
            m.d.sync += given.eq(given + 1)
        return m
