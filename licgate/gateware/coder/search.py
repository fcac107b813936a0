"""The search for the entry of a table whose share holds a quantile."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.coder.tablememory import TableMemory
from licgate.target.codertables import HEADER_BITS, HEADER_WORDS, PROBE_BITS

__all__ = ["HEADER_CYCLES", "EntrySearch"]

#: From the question to the first bound in sight.
HEADER_CYCLES = 8


class EntrySearch(Component):
    """Find an entry by bisection of its table's bounds.

    Parameters
    ----------
    tables : CoderTables
        Of :func:`licgate.target.codertables.coder_tables`.

    Members
    -------
    ask, table : :py:`In(1)`, :py:`In(range(tables.tables))`
        Read the header of a table, and the first bound that will be looked at. Whatever was under way is given up.
    known, single : :py:`Out(1)`
        The header is there; the table has one entry, whose share is everything.
    go, quantile : :py:`In(1)`, :py:`In(precision)`
        Begin to search; ``quantile`` stays, and ``go`` until ``done``.
    done : :py:`Out(1)`
        The last cycle of a search; what follows is valid in it, and stays until the next question, but that ``share``
        and ``distance`` follow the quantile.
    share, distance : :py:`Out(precision)`
        The entry's share, 0 where it is everything, and how far the quantile lies above its left bound.
    symbol : :py:`Out(signed(symbol_bits))`
    low, high : :py:`Out(1)`
        It is the first entry of its table, or the last one: an escape code follows.

    Attributes
    ----------
    latency : int
        From ``ask`` to ``known`` and to the first bound: 8 cycles; ``go`` may come earlier, and waits.

    Timing: a search takes 2 cycles for each bound that it looks at, and 2 at least: a core of c entries has
    ``ceil(log2(c))`` of these. Entries of the least share in front of a core or behind it take 2.

    Resources: see docs/coder.md.

    Raises
    ------
    ValueError
        The tables have more words than a quantile has values.
    """

    latency = HEADER_CYCLES

    def __init__(self, tables):
        self.tables = tables
        bits = tables.precision
        if len(tables.words) > 1 << bits:
            raise ValueError(f"tables of {bits} bits take {len(tables.words)} words of memory, more than 1 << {bits}")
        super().__init__(
            {
                "ask": In(1),
                "table": In(range(tables.tables)),
                "known": Out(1),
                "single": Out(1),
                "go": In(1),
                "quantile": In(bits),
                "done": Out(1),
                "share": Out(bits),
                "distance": Out(bits),
                "symbol": Out(signed(tables.symbol_bits)),
                "low": Out(1),
                "high": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bits, counts = self.tables.precision, self.tables.count_bits
        m.submodules.memory = memory = TableMemory(self.tables)
        word = Signal(self.tables.width)
        m.d.sync += word.eq(memory.data)
        where = len(memory.address)
        phase, table = Signal(range(HEADER_CYCLES + 1)), Signal.like(self.table)
        left, right, step = Signal(bits), Signal(bits), Signal(max(1, self.tables.probes))
        # words of memory: the entry found so far, the bound that is looked at, and which of two is the next
        place, probe, near, far, end = (Signal(where, name=name) for name in ("place", "probe", "near", "far", "end"))
        # what makes a place of a quantile in front of the core, and behind it
        below, above = Signal(where), Signal(where)
        fresh, inside, reads, ends = (Signal(name=name) for name in ("fresh", "inside", "reads", "ends"))
        alone = Signal()
        look, hit = Signal(), Signal()
        first, core, tail, delta = Signal(counts), Signal(counts), Signal(counts), Signal(len(self.symbol))
        m.d.comb += [
            self.known.eq(phase == HEADER_CYCLES),
            self.single.eq(alone),
            self.done.eq(ends),
            self.share.eq(right - left),
            self.distance.eq(self.quantile - left),
            self.symbol.eq(place + delta),
            self.low.eq(left == 0),
            self.high.eq(right == 0),
            look.eq(self.known & self.go & ~reads & ~ends),
            hit.eq(inside & (word[:bits] <= self.quantile)),
            memory.address.eq(Mux(look, Mux(hit, far, near), probe)),
        ]
        with m.Switch(phase):
            for k in range(1, HEADER_WORDS):
                with m.Case(k):
                    m.d.comb += memory.address.eq(Cat(Const(k, HEADER_BITS), table))
        with m.If(self.ask):
            m.d.comb += memory.address.eq(self.table << HEADER_BITS)
            m.d.sync += [table.eq(self.table), phase.eq(1), fresh.eq(1), reads.eq(0), ends.eq(0)]
        with m.Elif(~self.known):
            m.d.sync += phase.eq(phase + 1)
        with m.Switch(phase):
            with m.Case(2):
                m.d.sync += Cat(first, core).eq(word)
            with m.Case(3):
                m.d.sync += [delta.eq(word), left.eq(first)]
            with m.Case(4):
                m.d.sync += [tail.eq(word), step.eq((1 << word[counts:][:PROBE_BITS]) >> 1)]
            with m.Case(5):
                m.d.sync += [place.eq(word), delta.eq(delta - word), right.eq(-tail)]
                m.d.sync += [below.eq(word - first), end.eq(word + core), probe.eq(word + step)]
            with m.Case(6):
                m.d.sync += [
                    above.eq(end + tail),
                    inside.eq(step.any()),
                    alone.eq(~(step.any() | left.any() | right.any())),
                    near.eq(place + (step >> 1)),
                ]
                m.d.sync += far.eq(probe + (step >> 1))
        front, back = self.quantile < first, ~self.quantile < tail
        with m.If(look & fresh & (front | back)):
            m.d.sync += [place.eq(Mux(front, below, above) + self.quantile), ends.eq(1)]
            m.d.sync += [left.eq(self.quantile), right.eq(self.quantile + 1)]
        with m.Elif(look):
            m.d.sync += [probe.eq(memory.address), step.eq(step >> 1), reads.eq(1), fresh.eq(0), ends.eq(step[1:] == 0)]
            with m.If(hit):
                m.d.sync += [place.eq(probe), left.eq(word)]
            with m.Elif(inside):
                m.d.sync += right.eq(word)
        with m.If(reads):
            m.d.sync += [reads.eq(0), inside.eq(probe < end)]
            m.d.sync += [near.eq(place + (step >> 1)), far.eq(probe + (step >> 1))]
        return m
