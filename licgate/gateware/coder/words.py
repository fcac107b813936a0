"""Where a decoder's words come from: a stream that ends, zeros behind it, and whether it ended where it should."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.coder.layouts import word_layout
from licgate.gateware.coder.product import just_above_word
from licgate.target.rangecoder import SCALE_BITS, WORD_BITS

__all__ = ["WordReader"]

FEW = 3  # words behind the end are counted up to here, where all is lost


class WordReader(Component):
    """Hand out words of a stream, and tell whether it is word for word what an encoder makes.

    An encoder ends with the first multiple of a word at or above its lower edge, and with a word 0 behind it only
    where the range ends below the next multiple. So the offset of the point, less than a word, says it all: nothing has
    to be coded again.

    Parameters
    ----------
    precision : int
        Bits of the shares: even, 16 to 24.

    Members
    -------
    i : :py:`In(stream.Signature(word_layout()))`
    fetch, there : :py:`In(1)`, :py:`Out(1)`
        A word is wanted; there is one, and it is handed out in this cycle if it is wanted.
    word : :py:`Out(32)`
        It: 0 behind the last one.
    drain, drained : :py:`In(1)`, :py:`Out(1)`
        Throw away what is left, up to and with the last word; that has been done, and the next stream begins.
    coded, product, offset : :py:`In(1)`, :py:`In(40 + precision)`, :py:`In(64)`
        Something was coded, and the state of the decoder behind the last symbol.
    whole : :py:`Out(1)`
        The stream is what an encoder makes of these symbols.

    Numerics: :meth:`licgate.target.rangecoder.RangeDecoder.whole`.
    """

    def __init__(self, precision):
        super().__init__(
            {
                "i": In(stream.Signature(word_layout())),
                "fetch": In(1),
                "there": Out(1),
                "word": Out(WORD_BITS),
                "drain": In(1),
                "drained": Out(1),
                "coded": In(1),
                "product": In(SCALE_BITS + precision),
                "offset": In(2 * WORD_BITS),
                "whole": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        ended, zero, beyond = Signal(), Signal(), Signal(range(FEW + 1))
        none = ended | self.i.payload.empty
        m.d.comb += [
            self.i.ready.eq((self.fetch | self.drain) & ~ended),
            self.there.eq(ended | self.i.valid),
            self.word.eq(Mux(none, 0, self.i.payload.data)),
            self.drained.eq(self.drain & (ended | (self.i.valid & self.i.payload.last))),
        ]
        with m.If(self.fetch & self.there):
            m.d.sync += [zero.eq(self.word == 0), ended.eq(ended | self.i.payload.last)]
            m.d.sync += beyond.eq(Mux(beyond == FEW, FEW, beyond + none))
        with m.If(self.drained):
            m.d.sync += [ended.eq(0), beyond.eq(0)]
        above, rest = just_above_word(self.product)
        again = above & (rest < self.offset[:WORD_BITS])
        near = zero & ~self.offset[WORD_BITS:].any()
        m.d.comb += self.whole.eq(Mux(self.coded, near & ended & (beyond == Mux(again, 0, 1)), beyond == 2))
        return m
