"""Words that a carry may still reach: one is held back, and of those behind it only how many there are."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.coder.layouts import word_layout
from licgate.target.rangecoder import WORD_BITS

__all__ = ["RUN_BITS", "CarryQueue"]

#: Enough for any section of a container, whose length in bytes has 32 bits.
RUN_BITS = 30


class CarryQueue(Component):
    """Let words go in their order once no carry can reach them any more.

    The last word that is no run of ones is held back; words of ones behind it are counted, since a carry makes zeros
    of all of them and goes on. Any other word tells that no carry will come, or is told of together with it.

    Parameters
    ----------
    width : int
        Bits of a word, at least 1.
    run_bits : int
        Of the counter: fewer than ``2**run_bits`` words of ones may follow each other.

    Members
    -------
    ready : :py:`Out(1)`
        A word or the end is taken.
    shift, word, carry : :py:`In(1)`, :py:`In(width)`, :py:`In(1)`
        A word comes, and whether 1 is to be added to all words before it, taken as one number. No carry ever comes
        that those words have no room for.
    end, again : :py:`In(1)`
        No more words; with ``again`` a word 0 follows those that came. Not with ``shift``; ``carry`` is 0.
    o : :py:`Out(stream.Signature(word_layout(width)))`
        The words, the last one with ``last``; where there was none, one payload that is ``empty`` and ``last``.

    Attributes
    ----------
    latency : int
        From what lets a word go to its offer: 1 cycle.
    interval : int
        1 cycle; a word that lets k counted ones go: k + 1 cycles.

    Numerics: :meth:`licgate.target.rangecoder.RangeEncoder.finish` and what it calls.

    Resources on ECP5 (Yosys), for 32 bits: 92 LUT4, 45 CCU2C, 102 flip-flops.

    Raises
    ------
    ValueError
        A width is not a positive integer.
    """

    latency = interval = 1

    def __init__(self, width=WORD_BITS, run_bits=RUN_BITS):
        for name, bits in (("width", width), ("run_bits", run_bits)):
            if isinstance(bits, bool) or not isinstance(bits, int) or bits < 1:
                raise ValueError(f"{name} must be a positive integer, not {bits!r}")
        self.width, self.run_bits = width, run_bits
        super().__init__(
            {
                "ready": Out(1),
                "shift": In(1),
                "word": In(width),
                "carry": In(1),
                "end": In(1),
                "again": In(1),
                "o": Out(stream.Signature(word_layout(width))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        held, holds = Signal(self.width), Signal()
        run, sending = Signal(self.run_bits), Signal()
        # of what is being sent: words of zeros for ones, a word 0 behind them, and then nothing
        carried, zero, ending = Signal(), Signal(), Signal()
        room, some, out = ~self.o.valid | self.o.ready, run.any(), self.o.payload
        more = Mux(some, (run != 1) | zero, 0)
        m.d.comb += self.ready.eq(room & ~sending)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(sending & room):
            m.d.sync += [
                self.o.valid.eq(1),
                out.data.eq((some & ~carried).replicate(self.width)),
                out.last.eq(ending & ~more),
                out.empty.eq(0),
                run.eq(run - some),
                sending.eq(more),
            ]
        with m.Elif(self.ready & self.shift & holds & self.word.all() & ~self.carry):
            m.d.sync += run.eq(run + 1)
        with m.Elif(self.ready & (self.shift | self.end)):
            m.d.sync += [
                self.o.valid.eq(holds | self.end),
                out.data.eq(held + self.carry),
                out.last.eq(self.end & ~(holds & (some | self.again))),
                out.empty.eq(~holds),
                carried.eq(self.carry),
                sending.eq(some | (self.end & holds & self.again)),
                zero.eq(self.end & self.again),
                ending.eq(self.end),
                held.eq(self.word),
                holds.eq(self.shift),
            ]
        return m
