"""The search for the entry of a table whose share holds a quantile."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.coder.tablememory import TableMemory
from licgate.target.codertables import HALVING_BITS, HEADER_BITS, HEADER_WORDS

__all__ = ["HEADER_CYCLES", "EntrySearch"]

#: From the question to the first edge in sight.
HEADER_CYCLES = 8


class EntrySearch(Component):
    """Find an entry by bisection of its table's edges.

    Parameters
    ----------
    tables : CoderTables
        Of :func:`licgate.target.codertables.coder_tables`.

    Members
    -------
    ask, table : :py:`In(1)`, :py:`In(range(tables.tables))`
        Read the header of a table, and the first edge that will be looked at. Whatever was under way is given up.
    known, single : :py:`Out(1)`
        The header is there; the table has one entry, whose share is everything.
    go, quantile : :py:`In(1)`, :py:`In(precision)`
        Begin to search; both stay until ``done``, with which ``go`` ends.
    done : :py:`Out(1)`
        The last cycle of a search.
    share, distance : :py:`Out(precision)`
        Valid with ``done``: the entry's share, 0 where it is everything, and how far the quantile lies above its left
        edge.
    symbol : :py:`Out(signed(symbol_bits))`
        Valid from the cycle behind ``done`` until the next question, as are the two that follow.
    low, high : :py:`Out(1)`
        It is the first entry of its table, or the last one: an escape code follows.

    Attributes
    ----------
    latency : int
        From ``ask`` to ``known`` and to the first edge: 8 cycles; ``go`` may come earlier, and waits.

    Timing: a search takes 2 cycles for each edge that it looks at, and 2 at least: a middle of c entries has
    ``ceil(log2(c))`` of these. Entries of the least share in front of a middle or behind it take 2.

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
        m.submodules.memory = memory = TableMemory(self.tables, ports=2)
        here = memory.address[0]
        where = len(here)
        words = [Signal(self.tables.width, name=f"word_{k}", reset_less=True) for k in range(2)]
        m.d.sync += [word.eq(data) for word, data in zip(words, memory.data, strict=True)]
        header = words[0]
        phase, table = Signal(range(HEADER_CYCLES + 1), init=HEADER_CYCLES), Signal.like(self.table)
        left, right, step = Signal(bits), Signal(bits), Signal(max(1, self.tables.halvings))
        # words of memory: the entry found so far, and the edge that is looked at
        place, seen, end = Signal(where), Signal(where), Signal(where)
        # what makes a place of a quantile in front of the middle, and behind it
        below, above = Signal(where), Signal(where)
        first, middle, tail, delta = Signal(counts), Signal(counts), Signal(counts), Signal(len(self.symbol))
        fresh, alone = Signal(), Signal()
        inside = Signal()
        look = self._bisect(m, (words, place, seen, step, end, left, right), (first, tail, fresh, below, above, inside))
        m.d.comb += [
            self.known.eq(phase == HEADER_CYCLES),
            self.single.eq(alone),
            self.symbol.eq(place + delta),
            self.low.eq(left == 0),
            self.high.eq(right == 0),
            memory.enable.eq(look | ~self.known | self.ask),
        ]
        with m.Switch(phase):
            for k in range(1, HEADER_WORDS):
                with m.Case(k):
                    m.d.comb += here.eq(Cat(Const(k, HEADER_BITS), table))
        with m.If(self.ask):
            m.d.comb += here.eq(self.table << HEADER_BITS)
            m.d.sync += [table.eq(self.table), phase.eq(1), fresh.eq(1)]
        with m.Elif(~self.known):
            m.d.sync += phase.eq(phase + 1)
        near, far = self._next
        with m.Switch(phase):
            with m.Case(2):
                m.d.sync += Cat(first, middle).eq(header)
            with m.Case(3):
                m.d.sync += [delta.eq(header), left.eq(first)]
            with m.Case(4):
                m.d.sync += [tail.eq(header), step.eq((1 << header[counts:][:HALVING_BITS]) >> 1)]
            with m.Case(5):
                m.d.sync += [place.eq(header), delta.eq(delta - header), right.eq(-tail)]
                m.d.sync += [below.eq(header - first), end.eq(header + middle), near.eq(header + step)]
            with m.Case(6):
                m.d.sync += [above.eq(end + tail), alone.eq(~(step.any() | left.any() | right.any()))]
            with m.Case(7):
                m.d.sync += [
                    inside.eq(step.any()),
                    seen.eq(near),
                    near.eq(place + (step >> 1)),
                    far.eq(near + (step >> 1)),
                ]
        return m

    def _bisect(self, m, state, of_table):
        """A cycle that looks at a edge, and one that takes a half: both edges that may follow are read meanwhile."""
        (words, place, seen, step, end, left, right), (first, tail, fresh, below, above, inside) = state, of_table
        near, far = self._next = Signal.like(place, name="near"), Signal.like(place, name="far")
        look, takes, last = Signal(), Signal(), Signal()
        hit, front, back = Signal(), Signal(), Signal()
        edge, word = Signal(len(left)), Mux(hit, words[1], words[0])[: len(left)]
        beside = front | back
        m.d.comb += [
            look.eq(self.known & self.go & ~takes),
            m.submodules.memory.address[0].eq(near),
            m.submodules.memory.address[1].eq(far),
        ]
        with m.If(look):
            in_front, behind = fresh & (self.quantile < first), fresh & (~self.quantile < tail)
            m.d.sync += [edge.eq(word), hit.eq(inside & (word <= self.quantile)), takes.eq(1)]
            m.d.sync += [front.eq(in_front), back.eq(behind), last.eq((step[1:] == 0) | in_front | behind)]
        new_left, new_right = Mux(hit, edge, left), Mux(inside & ~hit, edge, right)
        new_place, new_seen = Mux(hit, seen, place), Mux(hit, far, near)
        m.d.comb += [
            self.done.eq(takes & last),
            self.share.eq(Mux(beside, 1, new_right - new_left)),
            self.distance.eq(Mux(beside, 0, self.quantile - new_left)),
        ]
        with m.If(takes):
            m.d.sync += [takes.eq(0), fresh.eq(0), step.eq(step >> 1), seen.eq(new_seen)]
            m.d.sync += [near.eq(new_place + (step >> 2)), far.eq(new_seen + (step >> 2)), inside.eq(new_seen < end)]
            m.d.sync += [place.eq(new_place), left.eq(new_left), right.eq(new_right)]
            with m.If(beside):
                # of the edges only whether they are 0 matters from now on
                m.d.sync += place.eq(Mux(front, below, above) + self.quantile)
                m.d.sync += [left.eq(self.quantile.any()), right.eq(~self.quantile.all())]
        with m.If(self.ask):
            m.d.sync += [takes.eq(0), hit.eq(0)]
        return look
