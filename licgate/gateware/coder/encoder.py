"""The range encoder: shares in, words out."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.coder.carry import CarryQueue
from licgate.gateware.coder.layouts import share_layout, word_layout
from licgate.gateware.coder.product import Product, just_above_word, scales, small_bits
from licgate.gateware.stream import connect
from licgate.target.rangecoder import SCALE_BITS, SHARE_BITS, WORD_BITS, check_precision

__all__ = ["RangeEncoder"]

STATE_BITS = 2 * WORD_BITS


class RangeEncoder(Component):
    """Code symbols, given by their shares, into a stream of words: that of constriction's range encoder.

    One stream follows the other; a reset begins a new one.

    Parameters
    ----------
    precision : int
        Bits of the shares: even, 16 to 24. Tables of fewer bits are scaled up.

    Members
    -------
    i : :py:`In(stream.Signature(share_layout(precision)))`
        Symbols; ``left + share`` is at most ``2**precision``, and a share of 0 takes no bits.
    o : :py:`Out(stream.Signature(word_layout()))`
        Words, in the order of the stream.

    Attributes
    ----------
    interval : int
        Cycles from a symbol that shifts no word out to the next symbol, ``precision / 2 + 2``: 12 for 20 bits. One more
        where a word is shifted out; a symbol of share 0 takes 1. A symbol waits for words that go out: see
        :func:`licgate.perf.coder.encoder_cycles`. Where words are taken at once, n symbols take at most
        ``(interval + 2) * n`` cycles.
    latency : int
        From the last symbol to the offer of the first word behind it: at most ``interval + 4``.

    Numerics: :class:`licgate.target.rangecoder.RangeEncoder`, exactly.

    Timing: ``i.ready`` depends on no input; ``o.ready`` is waited for only when there is a word.

    Resources on ECP5: see docs/coder.md.

    Raises
    ------
    ValueError
        The precision is not an even number from 16 to 24.
    """

    def __init__(self, precision=20):
        self.precision = check_precision(precision)
        self.interval = precision // 2 + 2
        self.latency = self.interval + 4
        super().__init__(
            {
                "i": In(stream.Signature(share_layout(precision))),
                "o": Out(stream.Signature(word_layout())),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.carry = carry = CarryQueue()
        m.submodules.width = width = Product(self.precision)
        m.submodules.distance = distance = Product(self.precision)
        connect(m, carry.o, flipped(self.o))
        # a carry waits in the highest bit for the next shift
        lower = Signal(STATE_BITS + 1)
        scale, triple = Signal(SCALE_BITS, init=-1), Signal(SCALE_BITS + 2)
        last, ending, coded, small = (Signal(name=name) for name in ("last", "ending", "coded", "small"))
        short, long = scales(width.product)
        m.d.comb += small.eq(~width.product[small_bits(self.precision) :].any())
        for part in (width, distance):
            m.d.comb += [part.scale.eq(scale), part.triple.eq(triple)]
        m.d.comb += [
            carry.word.eq(lower[WORD_BITS:STATE_BITS]),
            carry.carry.eq(lower[STATE_BITS]),
            width.share.eq(self.i.payload.share),
        ]
        steps = Signal(range(width.steps + 1))
        with m.FSM():
            with m.State("LOAD"):
                m.d.comb += [self.i.ready.eq(1), distance.share.eq(self.i.payload.left)]
                m.d.sync += [triple.eq(scale + (scale << 1)), last.eq(self.i.payload.last), steps.eq(width.steps)]
                with m.If(self.i.valid & self.i.payload.share.any()):
                    m.d.comb += [width.start.eq(1), distance.start.eq(1)]
                    m.next = "MULTIPLY"
                with m.Elif(self.i.valid & self.i.payload.last):
                    m.next = "CLOSE"
            with m.State("MULTIPLY"):
                m.d.comb += [width.step.eq(1), distance.step.eq(1)]
                m.d.sync += [steps.eq(steps - 1), coded.eq(1)]
                with m.If(steps == 1):
                    m.next = "ADD"
            with m.State("ADD"):
                m.d.sync += lower.eq(lower + (distance.product << SHARE_BITS - self.precision))
                with m.If(~ending):
                    m.d.sync += scale.eq(Mux(small, short, long))
                with m.If(small | ending):
                    m.next = "SHIFT"
                with m.Elif(last):
                    m.next = "CLOSE"
                with m.Else():
                    m.next = "LOAD"
            with m.State("SHIFT"):
                m.d.comb += carry.shift.eq(1)
                with m.If(carry.ready):
                    m.d.sync += lower.eq(lower[:WORD_BITS] << WORD_BITS)
                    with m.If(ending):
                        m.next = "END"
                    with m.Elif(last):
                        m.next = "CLOSE"
                    with m.Else():
                        m.next = "LOAD"
            self._end(m, lower, scale, (ending, coded))
        return m

    def _end(self, m, lower, scale, flags):
        """The states that end a stream, behind its last symbol."""
        (ending, coded), carry = flags, m.submodules.carry
        width, distance = m.submodules.width, m.submodules.distance
        again = Signal()
        m.d.comb += carry.again.eq(again)
        with m.State("CLOSE"):
            # the first multiple of a word at or above lower; a word 0 behind it where the range ends just above
            odd = lower[:WORD_BITS].any()
            above, rest = just_above_word(width.product)
            m.d.comb += distance.initial.eq(odd << small_bits(self.precision) - self.precision)
            m.d.sync += [ending.eq(1), again.eq(odd & above & ~(rest + lower[:WORD_BITS])[WORD_BITS])]
            with m.If(coded):
                m.d.comb += distance.start.eq(1)
                m.next = "ADD"
            with m.Else():
                m.d.sync += again.eq(0)
                m.next = "END"
        with m.State("END"):
            m.d.comb += carry.end.eq(1)
            with m.If(carry.ready):
                m.d.sync += [lower.eq(0), scale.eq(-1), ending.eq(0), coded.eq(0)]
                m.next = "LOAD"
