"""Symbols and their tables to shares and to what lies beyond a table."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.coder.layouts import excess_layout, share_layout, symbol_layout
from licgate.gateware.coder.tablememory import TableMemory
from licgate.target.codertables import HEADER_BITS

__all__ = ["ShareLookup"]

# phases of a symbol in which it waits for room: for its excess, and for its share
EXCESS, WAITS = 6, 10


class ShareLookup(Component):
    """Say what share of its table a symbol has, and how far beyond the table it lies.

    Parameters
    ----------
    tables : CoderTables
        Of :func:`licgate.target.codertables.coder_tables`.
    symbol_bits : int
        Of a symbol, signed: 2 to 18.

    Members
    -------
    i : :py:`In(stream.Signature(symbol_layout(tables, symbol_bits)))`
        Symbols.
    o : :py:`Out(stream.Signature(share_layout(tables.precision)))`
        The share of each, of the entry that is nearest; 0 for the only entry of a table.
    excess : :py:`Out(stream.Signature(excess_layout()))`
        How far beyond its table a symbol lies whose entry is the first or the last: what the section of escapes codes.
        Others have none, but for one with ``close``, which says that there is none.

    Attributes
    ----------
    interval, latency : int
        11 cycles; from a symbol to its excess 7.

    Numerics: :meth:`licgate.codec.coder.TableCoder.encode`, exactly, of symbols that the software takes.

    Resources on ECP5: see docs/coder.md.

    Raises
    ------
    ValueError
        The symbols are too narrow, or too wide for an escape code.
    """

    interval = latency = 11

    def __init__(self, tables, symbol_bits=16):
        if isinstance(symbol_bits, bool) or not isinstance(symbol_bits, int) or symbol_bits not in range(2, 19):
            raise ValueError(f"symbol_bits must be 2 to 18, not {symbol_bits!r}")
        self.tables, self.symbol_bits = tables, symbol_bits
        super().__init__(
            {
                "i": In(stream.Signature(symbol_layout(tables, symbol_bits))),
                "o": Out(stream.Signature(share_layout(tables.precision))),
                "excess": Out(stream.Signature(excess_layout())),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bits, counts = self.tables.precision, self.tables.count_bits
        m.submodules.memory = memory = TableMemory(self.tables)
        address, word = memory.address[0], Signal(self.tables.width)
        m.d.sync += word.eq(memory.data[0])
        wide = 2 + max(self.symbol_bits, self.tables.symbol_bits, counts)
        phase, held = Signal(range(WAITS + 1)), Signal(self.i.payload.shape())
        first, middle, tail = Signal(counts), Signal(counts), Signal(counts)
        base, place, left = Signal(len(address)), Signal(len(address)), Signal(bits)
        # entries from the first one of the middle, from the first one of all, and from behind the last one
        at, low, high = Signal(signed(wide)), Signal(signed(wide)), Signal(signed(wide))
        room, spare = Signal(), Signal()
        m.d.comb += [
            room.eq(~self.o.valid | self.o.ready),
            spare.eq(~self.excess.valid | self.excess.ready),
            self.i.ready.eq(phase == 0),
            address.eq(Cat(phase[:HEADER_BITS], held.table)),
        ]
        for target in (self.o, self.excess):
            with m.If(target.ready):
                m.d.sync += target.valid.eq(0)
        with m.If(~((phase == 0) & ~self.i.valid) & ~((phase == EXCESS) & ~spare) & ~((phase == WAITS) & ~room)):
            m.d.sync += phase.eq(Mux(phase == WAITS, 0, phase + 1))
        with m.Switch(phase):
            with m.Case(0):
                m.d.comb += address.eq(self.i.payload.table << HEADER_BITS)
                m.d.sync += held.eq(self.i.payload)
            with m.Case(2):
                m.d.sync += Cat(first, middle).eq(word)
            with m.Case(3):
                m.d.sync += at.eq(held.symbol - word.as_signed())
            with m.Case(4):
                m.d.sync += [tail.eq(word), low.eq(at + first), high.eq(at - middle)]
            with m.Case(5):
                m.d.sync += [base.eq(word), high.eq(high - tail)]
            with m.Case(EXCESS):
                # the entry that is nearest, if it is one of the middle
                with m.If((low < 0) & (first == 0)):
                    m.d.sync += at.eq(0)
                with m.Elif((high >= 0) & (tail == 0)):
                    m.d.sync += at.eq(middle - 1)
                with m.If(spare):
                    self._excess(m, held, (at, low, high), (first == 0) & (middle == 1) & (tail == 0))
            with m.Case(7):
                m.d.comb += address.eq(base + at)
                m.d.sync += place.eq(base + at)
            with m.Case(9):
                m.d.comb += address.eq(place + 1)
                m.d.sync += left.eq(Mux(at == 0, first, word))
            with m.Case(8, WAITS):
                m.d.comb += address.eq(place + 1)
        self._share(m, room & (phase == WAITS), word[:bits], (middle, tail, at, low, high, left, held.last))
        return m

    def _excess(self, m, held, places, single):
        """What is said of an entry at an end of its table."""
        (at, low, high), out = places, self.excess.payload
        below, above = low <= 0, high >= -1
        m.d.sync += [
            self.excess.valid.eq(below | above | held.close),
            out.none.eq(~(below | above)),
            out.close.eq(held.close),
            out.value.eq(Mux(single, Mux(at < 0, Cat(1, ~at), Cat(0, at)), Mux(below, -low, high + 1))),
        ]

    def _share(self, m, now, word, found):
        """What is said of an entry: of the middle, in front of it, or behind it."""
        (middle, tail, at, low, high, left, last), out = found, self.o.payload
        share = Mux(at == middle - 1, -tail, word) - left
        with m.If(now):
            m.d.sync += [self.o.valid.eq(1), out.last.eq(last), out.left.eq(left), out.share.eq(share)]
            with m.If(at < 0):
                m.d.sync += [out.left.eq(Mux(low < 0, 0, low)), out.share.eq(1)]
            with m.Elif(at >= middle):
                m.d.sync += [out.left.eq(Mux(high < 0, high, -1)), out.share.eq(1)]
