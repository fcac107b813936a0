"""Sums over what passes a stream, by which a host knows that it came as it was sent."""

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Out

__all__ = ["RunningSums"]


class RunningSums(Component):
    """Add up words, and the sum behind each of them, as Fletcher's check does.

    Parameters
    ----------
    width : int
        Of a word, up to 32.

    Members
    -------
    word, strobe : :py:`In(width)`, :py:`In(1)`
        A word passes.
    clear : :py:`In(1)`
        Begin again with 0; a word that passes in this cycle or passed in the one before does not count.
    sums : :py:`Out(32).array(2)`
        The sum s of all words, and the sum of s behind each of them, modulo 2³². A word that is lost, doubled, altered
        or out of its place changes one of them at least, unless changes add up to multiples of 2³² in both.

    Attributes
    ----------
    latency : int
        From a word to both sums: 3 cycles.
    interval : int
        1 cycle.

    Numerics: unsigned words; :func:`licgate.target.frames.running_sums` is the same in software.

    Resources on ECP5: 64 CCU2C and about 100 flip-flops for 24 bits.
    """

    latency, interval = 3, 1

    def __init__(self, width):
        if width not in range(1, 33):
            raise ValueError(f"width must be 1 to 32 bits, not {width!r}")
        self.width = width
        super().__init__({"word": In(width), "strobe": In(1), "clear": In(1), "sums": Out(32).array(2)})

    def elaborate(self, platform):
        m = Module()
        first, second = self.sums
        # the stream may be far off, and each adder has a cycle of its own
        word, fresh, summed = Signal(self.width), Signal(), Signal()
        m.d.sync += [word.eq(self.word), fresh.eq(self.strobe), summed.eq(fresh)]
        with m.If(fresh):
            m.d.sync += first.eq(first + word)
        with m.If(summed):
            m.d.sync += second.eq(second + first)
        with m.If(self.clear):
            m.d.sync += [fresh.eq(0), summed.eq(0), first.eq(0), second.eq(0)]
        return m
