"""The queue of results in front of the packer where words come in another order than that of records."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.stream import Queue, connect
from licgate.gateware.streamed.blockqueue import block_parts, read_ahead
from licgate.program import IN_FLIGHT
from licgate.target.points import QUAD

__all__ = ["Interleaver", "arrival_layout"]

# Passes that were announced and whose words have not all come: those on their way, and who announces them in advance.
_ANNOUNCED = 2 * IN_FLIGHT


def arrival_layout(most_words, most_apart, *, quads=False):
    """A pass whose words come: how many, whether it is one of a pair of parities, and of which.

    first, last: of the passes that are written as one. apart: words from the even record of a pair to its odd one.
    beyond: the pair has no odd record. quads: four words of a channel follow each other, of records of their own, that
    are as many words apart.
    """
    return data.StructLayout(
        {
            "count": range(most_words + 1),
            "apart": range(most_apart + 1),
            "pair": 1,
            "column": 1,
            "beyond": 1,
            "first": 1,
            "last": 1,
            **({"quads": 1} if quads else {}),
        }
    )


class Interleaver(Component):
    """Queue in block RAM whose words of even and odd columns meet in it.

    Of a pair of passes, word k of the first one holds every second column of word k of two neighbouring records, A and
    B, and word k of the other one the rest. A's words are offered as soon as the second pass's come, then those of B.
    A word is written twice, to A's place and to B's, into lanes of one parity each; so the even and the odd lanes of a
    word lie in blocks of their own.

    With ``quads``, word ``4 * c + k`` of a pass belongs to channel c of record k. Of an upsampling stage, words 0 and 2
    of each four make a pair, A and B, and words 1 and 3 another one behind it. All words of a pass are offered as soon
    as the last one has come.

    A pass is announced only while fewer than so many credits are out: for passes whose words have not all been taken,
    those whose words lie ``beyond`` not counted. A record has ``pairs`` passes at most. Nothing overflows if the depth
    is that of ``credits + pairs`` passes: the passes of an even record take the places of the odd one with their own,
    before those are counted. A pass of quads counts as four, or two where its pairs have no B. Nothing waits forever if
    ``credits > pairs``: what was announced before a pair is whole and leaves the queue, then the even passes and the
    first odd one find room, with which words of A are whole, and one pass after the other leaves.
    :class:`~licgate.program.streamed.StreamedProgram` has all three numbers.

    Parameters
    ----------
    rows, bits : int
        Pixels of a word, and bits of each.
    most_words : int
        Words of a pass, at most.
    most_apart : int
        Words of a record, at most.
    depth : int
        Words, a power of two.
    quads : bool
        Passes may be of quads.

    Members
    -------
    i : :py:`In(stream.Signature(arrival_layout(most_words, most_apart, quads=quads)))`
        A pass, two cycles before its first word at the latest; always taken.
    enable, word : :py:`In(1)`, :py:`In(bits).array(rows)`
        The next word; in the cycle behind it comes none.
    o : :py:`Out(stream.Signature(rows * bits))`

    Attributes
    ----------
    latency : int
        Cycles from a word to its offer, when there is none before it: 6; from the last word of a pair to that of B's
        first, or of a pass of quads to its first one: 7.
    interval : int
        2 cycles a word.

    Resources: blocks of ``depth`` words, the even and the odd lanes apart; two pointers and adders of the depth.

    Raises
    ------
    ValueError
        ``depth`` is not a power of two, or a number is not positive.
    """

    latency = 6
    interval = 2

    def __init__(self, rows, bits, *, most_words, most_apart, depth, quads=False):
        for name, value in (("rows", rows), ("bits", bits), ("most_words", most_words), ("most_apart", most_apart)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a positive integer, not {value!r}")
        # addresses wrap by themselves
        if not isinstance(depth, int) or depth < 2 or depth & (depth - 1):
            raise ValueError(f"depth must be a power of two, not {depth!r}")
        self._rows, self._bits, self.depth, self._quads = rows, bits, depth, quads
        super().__init__(
            {
                "i": In(stream.Signature(arrival_layout(most_words, most_apart, quads=quads))),
                "enable": In(1),
                "word": In(bits).array(rows),
                "o": Out(stream.Signature(rows * bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        depth, layout = self.depth, self.i.payload.shape()
        m.submodules.passes = passes = Queue(layout, _ANNOUNCED)
        connect(m, flipped(self.i), passes.i)

        # The pass whose words come, and where they go: to A's place, and to B's.
        new, current, left = passes.o.payload, Signal(layout), Signal.like(self.i.payload.count)
        base, to_a, to_b = (Signal(range(depth), name=name) for name in ("base", "to_a", "to_b"))
        busy, begins, ends, record_ends = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            begins.eq(~busy & passes.o.valid),
            passes.o.ready.eq(begins),
            ends.eq(self.enable & (left == 1)),
            record_ends.eq(ends & current.last & self._ends_record(current)),
        ]
        with m.If(begins):
            m.d.sync += [busy.eq(1), current.eq(new), left.eq(new.count)]
            with m.If(new.first):
                m.d.sync += [to_a.eq(base), to_b.eq(base + new.apart)]
        with m.If(self.enable):
            m.d.sync += [to_a.eq(to_a + 1), to_b.eq(to_b + 1), left.eq(left - 1)]
        with m.If(ends):
            m.d.sync += busy.eq(0)
        with m.If(record_ends):
            m.d.sync += base.eq(Mux(current.pair & ~current.beyond, to_b, to_a) + 1)

        half = self._quad_places(m, current, begins, record_ends, (base, to_a, to_b)) if self._quads else current.column
        reads = self._place(m, current, half, to_a, to_b)
        self._offer(m, current, record_ends, reads)
        return m

    def _ends_record(self, current):
        """With the pass a record is whole, or a pair of them."""
        alone = current.column | ~current.pair
        return alone | current.quads if self._quads else alone

    def _quad_words(self, current):
        """Words that a pass of quads takes."""
        return Mux(current.pair & current.beyond, current.count >> 1, current.count)

    def _quad_places(self, m, current, begins, record_ends, places):
        """Move places on from word to word of a quad; return of which half of a pair a word is."""
        base, to_a, to_b = places
        number, start = Signal(2, name="number"), Signal.like(base, name="start")
        following, step = Signal.like(base, name="following"), Signal(range(2 * self.depth), name="step")
        pairs = current.pair & ~current.beyond
        m.d.comb += [step.eq(current.apart << pairs), following.eq(to_a + step)]
        with m.If(current.pair & (number == 1)):
            m.d.comb += following.eq(start)
        with m.If(number == QUAD - 1):
            m.d.comb += following.eq(start + 1)
        with m.If(begins):
            m.d.sync += [number.eq(0), start.eq(base)]
        with m.If(self.enable & current.quads):
            m.d.sync += [number.eq(number + 1), to_a.eq(following), to_b.eq(following + current.apart)]
            with m.If(number == QUAD - 1):
                m.d.sync += start.eq(start + 1)
        with m.If(record_ends & current.quads):
            m.d.sync += base.eq(base + self._quad_words(current))
        return Mux(current.quads, number[1], current.column)

    def _place(self, m, current, half, to_a, to_b):
        """Write a word's pixels to A's place, then to B's: lane p of A holds column p of both, lane p of B rows + p.

        Returns
        -------
        list of (int, list, list)
            Of even and of odd lanes, where there are any: first lane, lanes, and read ports.
        """
        rows, bits, depth = self._rows, self._bits, self.depth
        second, odd, held = Signal(), Signal(), Signal.like(Cat(self.word))
        address, later_address = Signal(range(depth)), Signal(range(depth))
        halves, lanes = Signal(2), [Signal(bits, name=f"lane_{p}") for p in range(rows)]
        m.d.sync += [
            second.eq(self.enable & current.pair & ~current.beyond),
            odd.eq(half ^ (rows & 1)),
            held.eq(Cat(self.word)),
            later_address.eq(to_b),
            address.eq(Mux(second, later_address, to_a)),
            halves.eq(
                Mux(
                    second,
                    Mux(odd, 0b10, 0b01),
                    Mux(self.enable, Mux(current.pair, Mux(half, 0b10, 0b01), 0b11), 0),
                )
            ),
        ]
        for p, lane in enumerate(lanes):
            to_a_word = Mux(current.pair, self.word[p // 2], self.word[p])
            m.d.sync += lane.eq(Mux(second, held.word_select((rows + p) // 2, bits), to_a_word))
        reads = []
        for parity, name in enumerate(("even", "odd")):
            part = lanes[parity::2]
            if not part:
                continue
            writes, ports = block_parts(m, name, depth, bits * len(part))
            reads.append((parity, part, ports))
            m.d.comb += [
                Cat(write.data for write in writes).eq(Cat(part)),
                *(write.en.eq(halves[parity]) for write in writes),
                *(write.addr.eq(address) for write in writes),
            ]
        return reads

    def _offer(self, m, current, record_ends, reads):
        """Words that are whole, one after the other: A's with the second pass, B's behind its end; quads' at theirs."""
        depth = self.depth
        whole, came, waiting = Signal(), Signal(), Signal(range(depth + 1))
        pair_ends, behind, more = Signal(2), Signal.like(current.apart), Signal.like(waiting)
        at_once = self.enable & (current.column | ~current.pair)
        together = record_ends & current.pair & ~current.beyond
        if self._quads:
            behind = Signal.like(waiting, name="behind")
            at_once, together = at_once & ~current.quads, together | (record_ends & current.quads)
        m.d.sync += [
            whole.eq(at_once),
            pair_ends.eq(Cat(together, pair_ends[0])),
            waiting.eq(waiting + whole + more - came),
        ]
        with m.If(record_ends):
            words = Mux(current.quads, self._quad_words(current), current.apart) if self._quads else current.apart
            m.d.sync += behind.eq(words)
        m.d.comb += [came.eq(waiting != 0), more.eq(Mux(pair_ends[1], behind, 0))]
        self._read(m, reads, came)

    def _read(self, m, reads, came):
        """Offer whole words; their lanes lie in two groups of blocks."""
        rows, bits = self._rows, self._bits
        apart = stream.Signature(rows * bits).create(path=("apart",))
        read_ahead(m, [port for _, _, ports in reads for port in ports], self.depth, came, apart)
        m.d.comb += [self.o.valid.eq(apart.valid), apart.ready.eq(self.o.ready)]
        place = 0
        for half, part, _ in reads:
            for k in range(len(part)):
                m.d.comb += self.o.payload.word_select(2 * k + half, bits).eq(apart.payload.word_select(place, bits))
                place += 1
