"""Escape codes of the container, bit by bit: to bytes, and back."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.coder.layouts import excess_layout, word_layout
from licgate.target.codertables import EXCESS_BITS

__all__ = ["EscapeReader", "EscapeWriter"]

BYTE = 8
CODE_BITS = EXCESS_BITS + 1


class EscapeWriter(Component):
    """Write excesses as Exp-Golomb codes of order 0, one behind the other, into bytes.

    Members
    -------
    i : :py:`In(stream.Signature(excess_layout()))`
        Excesses, the last one of a section with ``close``.
    o : :py:`Out(stream.Signature(word_layout(8)))`
        Bytes of the section, the last one with ``last``.

    Attributes
    ----------
    interval : int
        A code of n bits takes n + 1 cycles, the last one of a section 8 more at most.

    Numerics: :func:`licgate.codec.escapes.write_escapes`.

    Resources on ECP5: see docs/coder.md.
    """

    def __init__(self):
        super().__init__({"i": In(stream.Signature(excess_layout())), "o": Out(stream.Signature(word_layout(BYTE)))})

    def elaborate(self, platform):
        m = Module()
        out = self.o.payload
        # the number of the code; what is left of it says how many zeros go first, and these how many bits follow
        number, rest, left = Signal(CODE_BITS), Signal(CODE_BITS), Signal(range(CODE_BITS + 1))
        byte, filled, close = Signal(BYTE), Signal(range(BYTE + 1)), Signal()
        bit, writes, goes, moves = Signal(), Signal(), Signal(), Signal()
        # a whole byte waits for the bit behind it, which says that it is not the last one
        m.d.comb += [goes.eq(writes & (filled == BYTE)), moves.eq(~goes | ~self.o.valid | self.o.ready)]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(writes & moves):
            m.d.sync += [byte.eq(Cat(bit, byte[:-1])), filled.eq(Mux(goes, 1, filled + 1))]
        with m.If(goes & moves):
            m.d.sync += [self.o.valid.eq(1), out.data.eq(byte), out.last.eq(0), out.empty.eq(0)]
        with m.FSM():
            with m.State("TAKE"):
                m.d.comb += [self.i.ready.eq(1), number.eq(self.i.payload.value + 1)]
                held = Signal.like(number)
                m.d.sync += [held.eq(number), rest.eq(number >> 1), left.eq(1), close.eq(self.i.payload.close)]
                with m.If(self.i.valid & self.i.payload.none):
                    m.next = "CLOSE"
                with m.Elif(self.i.valid):
                    m.next = "BITS"
                    with m.If(number[1:].any()):
                        m.next = "ZEROS"
            with m.State("ZEROS"):
                m.d.comb += writes.eq(1)
                with m.If(moves):
                    m.d.sync += [rest.eq(rest >> 1), left.eq(left + 1)]
                    with m.If(~rest[1:].any()):
                        m.next = "BITS"
            with m.State("BITS"):
                m.d.comb += [writes.eq(1), bit.eq((held << 1).bit_select(left, 1))]
                with m.If(moves):
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 1):
                        m.next = "TAKE"
                        with m.If(close):
                            m.next = "CLOSE"
            with m.State("CLOSE"):
                whole = (filled == 0) | (filled == BYTE)
                with m.If(~whole):
                    m.d.sync += [byte.eq(byte << 1), filled.eq(filled + 1)]
                with m.Elif(~self.o.valid | self.o.ready):
                    m.d.sync += [self.o.valid.eq(1), out.data.eq(byte), out.last.eq(1), out.empty.eq(filled == 0)]
                    m.d.sync += filled.eq(0)
                    m.next = "TAKE"
        return m


class EscapeReader(Component):
    """Read excesses from the bytes of a section, one for each that is asked for.

    Members
    -------
    i : :py:`In(stream.Signature(word_layout(8)))`
        Bytes; what is left over behind the last code is thrown away.
    ask : :py:`In(stream.Signature(StructLayout({"none": 1, "close": 1})))`
        One excess is wanted, the last one of a section with ``close``; or none, which is said with ``close`` alone.
    o : :py:`Out(stream.Signature(StructLayout({"value": 20, "bad": 1, "close": 1})))`
        An answer for each question. ``bad``: where `licgate.codec.escapes.EscapeReader` raises an error, in ``read`` at
        this code, or in ``finish``; the value is none, and so are all that follow of this section.

    Attributes
    ----------
    interval : int
        A code of n bits takes at most n + 3 cycles where bytes, questions and room for answers wait for the reader, and
        one more for each byte that it begins.

    Resources on ECP5: see docs/coder.md.
    """

    def __init__(self):
        super().__init__(
            {
                "i": In(stream.Signature(word_layout(BYTE))),
                "ask": In(stream.Signature(StructLayout({"none": 1, "close": 1}))),
                "o": Out(stream.Signature(StructLayout({"value": EXCESS_BITS, "bad": 1, "close": 1}))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        zeros, number = Signal(range(CODE_BITS + 1)), Signal(CODE_BITS)
        asked, bad, wants, drain = Signal(self.ask.payload.shape()), Signal(), Signal(), Signal()
        byte, filled, ended, short = self._bits(m, wants, drain)
        there, bit = filled != 0, byte[-1]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.FSM():
            with m.State("ASK"):
                m.d.comb += self.ask.ready.eq(1)
                m.d.sync += [asked.eq(self.ask.payload), zeros.eq(0), number.eq(1)]
                with m.If(self.ask.valid):
                    m.next = "ZEROS"
                    with m.If(self.ask.payload.none | bad):
                        m.next = "CHECK"
            with m.State("ZEROS"):
                m.d.comb += wants.eq(1)
                with m.If(there & bit):
                    m.next = "BITS"
                with m.Elif(there):
                    m.d.sync += zeros.eq(zeros + 1)
                with m.If(short | (there & ~bit & (zeros == EXCESS_BITS))):
                    m.d.sync += bad.eq(1)
                    m.next = "CHECK"
            with m.State("BITS"):
                m.d.comb += wants.eq(zeros != 0)
                with m.If(zeros == 0):
                    # above the largest number there is
                    m.d.sync += bad.eq(number[-1] & number[:-1].any())
                    m.next = "CHECK"
                with m.Elif(there):
                    m.d.sync += [number.eq(Cat(bit, number[:-1])), zeros.eq(zeros - 1)]
                with m.Elif(short):
                    m.d.sync += bad.eq(1)
                    m.next = "CHECK"
            with m.State("CHECK"):
                # what is left of the last byte is zeros, and a section without a byte says so
                over = Mux(ended, byte.any(), ~self.i.payload.empty)
                known = ended | self.i.valid | ~asked.close
                with m.If((~self.o.valid | self.o.ready) & known):
                    m.d.sync += [self.o.valid.eq(1), self.o.payload.value.eq(number - 1)]
                    m.d.sync += [
                        self.o.payload.close.eq(asked.close),
                        self.o.payload.bad.eq(bad | (asked.close & over)),
                    ]
                    m.next = "ASK"
                    with m.If(asked.close):
                        m.next = "DRAIN"
            with m.State("DRAIN"):
                m.d.comb += drain.eq(1)
                with m.If(ended | (self.i.valid & self.i.payload.last)):
                    m.d.sync += [ended.eq(0), filled.eq(0), bad.eq(0)]
                    m.next = "ASK"
        return m

    def _bits(self, m, wants, drain):
        """Take a byte where a bit is wanted and none is there; what is left of it stands high."""
        byte, filled, ended, short = Signal(BYTE), Signal(range(BYTE + 1)), Signal(), Signal()
        there, got = filled != 0, self.i.payload
        m.d.comb += [
            short.eq(wants & ~there & (ended | (self.i.valid & got.empty))),
            self.i.ready.eq((drain | (wants & ~there)) & ~ended),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [byte.eq(Mux(got.empty, 0, got.data)), filled.eq(Mux(got.empty, 0, BYTE)), ended.eq(got.last)]
        with m.If(wants & there):
            m.d.sync += [byte.eq(byte << 1), filled.eq(filled - 1)]
        return byte, filled, ended, short
