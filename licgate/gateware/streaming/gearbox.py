"""Between beats of the external memory and the words of the chip: bits are packed without gaps in between."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

__all__ = ["Packer", "Unpacker", "record_layout"]


def _check(beat_bits, kinds):
    if not isinstance(beat_bits, int) or beat_bits < 1:
        raise ValueError(f"beat_bits must be a positive integer, not {beat_bits!r}")
    for bits in kinds:
        if not isinstance(bits, int) or bits < beat_bits:
            raise ValueError(f"a word must have as many bits as a beat, {beat_bits}, or more, not {bits!r}")


def record_layout(kinds, most_words, tag):
    """A run of words: their kind, how many, and what comes out beside them."""
    return data.StructLayout({"kind": range(max(2, len(kinds))), "words": range(most_words + 1), "tag": tag})


class Unpacker(Component):
    """Beats to words.

    A record is a run of words of one kind, the first beginning with a beat, and so does every word after ``part``
    others. A beat is never refused.

    Parameters
    ----------
    beat_bits : int
    kinds : sequence of int
        Bits of a word of each kind, not below ``beat_bits``.
    most_words : int
        Longest record.
    part : int or None
        Words after which a new beat begins; None: none in a record.
    tag : shape
        Of what comes out beside the words of a record.

    Members
    -------
    i : :py:`In(stream.Signature(record_layout(kinds, most_words, tag)))`
        The next record; valid before its first beat comes, and taken when the one before it ends.
    valid, beat : :py:`In(1)`, :py:`In(beat_bits)`
    o_valid : :py:`Out(1)`
    word : :py:`Out(max(kinds))`
        For one cycle; bits beyond those of its kind are of no meaning.
    tag, first, last
        Of the word's record; the word is its first, its last.

    Attributes
    ----------
    latency : int
        Cycles from a word's last beat to the word: 2. interval is 1 beat a cycle.

    Resources: a register a bit of the widest word, two for a beat, and a barrel shifter of two beats: about 220 LUT4 at
    beats of 16 bits.

    Raises
    ------
    ValueError
        A word is narrower than a beat, or a number not positive.
    """

    latency = 2
    interval = 1

    def __init__(self, beat_bits, kinds, *, most_words, part=None, tag=1):
        _check(beat_bits, kinds)
        for name, value in (("most_words", most_words), ("part", 1 if part is None else part)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a positive integer, not {value!r}")
        self._beat_bits, self._kinds, self._part = beat_bits, list(kinds), part
        super().__init__({
            "i": In(stream.Signature(record_layout(kinds, most_words, tag))),
            "valid": In(1), "beat": In(beat_bits),
            "o_valid": Out(1), "word": Out(max(kinds)), "tag": Out(tag), "first": Out(1), "last": Out(1),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        size, kinds, part = self._beat_bits, self._kinds, self._part
        widest, slices = max(kinds), -(-(max(kinds) + size - 1) // size)
        active, record = Signal(), Signal.like(self.i.payload)
        left, part_left = Signal.like(self.i.payload.words), Signal(range((part or 1) + 1))
        # Bits that the word still needs; those of the beat before it that it has got; its beats so far.
        need, offset, index = Signal(range(widest + 1)), Signal(range(size)), Signal(range(slices))
        first = Signal()
        new, width = self.i.payload, Signal.like(need)
        new_width = Array(kinds)[new.kind] if len(kinds) > 1 else kinds[0]
        m.d.comb += width.eq(Array(kinds)[record.kind] if len(kinds) > 1 else kinds[0])

        ends, flush, record_ends, rest = Signal(), Signal(), Signal(), Signal(range(size))
        m.d.comb += [
            ends.eq(self.valid & (need <= size)),
            record_ends.eq(ends & (left == 1)),
            flush.eq((left == 1) | (part_left == 1 if part else 0)),
            rest.eq(Mux(flush, 0, size - need)),
            self.i.ready.eq(~active | record_ends),
        ]
        with m.If(self.valid):
            m.d.sync += [need.eq(need - size), index.eq(index + 1)]
            with m.If(ends):
                m.d.sync += [
                    need.eq(width - rest), offset.eq(rest), index.eq(0), left.eq(left - 1), first.eq(0),
                    part_left.eq(Mux(flush, part or 1, part_left - 1)),
                ]  # fmt: skip
        with m.If(record_ends):
            m.d.sync += active.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                active.eq(1), record.eq(new), left.eq(new.words), part_left.eq(part or 1), first.eq(1),
                need.eq(new_width), offset.eq(0), index.eq(0),
            ]  # fmt: skip

        # A cycle later the beat is put in place.
        late = Signal(data.StructLayout({
            "valid": 1, "beat": size, "ends": 1, "flush": 1, "offset": offset.shape(), "rest": rest.shape(),
            "index": index.shape(), "tag": self.tag.shape(), "first": 1, "last": 1,
        }))  # fmt: skip
        m.d.sync += [
            late.valid.eq(self.valid), late.beat.eq(self.beat), late.ends.eq(ends), late.flush.eq(flush),
            late.offset.eq(offset), late.rest.eq(rest), late.index.eq(index), late.tag.eq(record.tag),
            late.first.eq(first), late.last.eq(left == 1),
        ]  # fmt: skip
        held, aligned, carry = Signal(size), Signal(2 * size - 1), Signal(size)
        low, high = aligned[:size] | held, aligned[size:]
        m.d.comb += [aligned.eq(late.beat << late.offset), carry.eq((late.beat << late.rest)[size:])]
        placed = [Signal(size, name=f"slice_{k}", reset_less=True) for k in range(slices)]
        with m.If(late.valid):
            m.d.sync += held.eq(Mux(late.ends, Mux(late.flush, 0, carry), high))
            for k, target in enumerate(placed):
                with m.If(late.index == k):
                    m.d.sync += target.eq(low)
                if k:
                    with m.If(late.index == k - 1):
                        m.d.sync += target.eq(high)
        m.d.sync += [
            self.o_valid.eq(late.ends), self.tag.eq(late.tag), self.first.eq(late.first), self.last.eq(late.last),
        ]  # fmt: skip
        m.d.comb += self.word.eq(Cat(placed))
        return m


class Packer(Component):
    """Words to beats: the other way round.

    Parameters
    ----------
    beat_bits : int
    kinds : sequence of int
        Bits of a word of each kind, not below ``beat_bits``.

    Members
    -------
    i : :py:`In(stream.Signature(...))`
        Words: ``word``, of which bits beyond those of its ``kind`` do not count, and ``last``: the next one begins with
        a beat.
    o : :py:`Out(stream.Signature(...))`
        ``beat``, and ``last``: it is the last one of a run of words.

    Attributes
    ----------
    latency : int
        Cycles from a word to its first whole beat: 1, where the word begins with a beat.
    interval : int
        Cycles from beat to beat: 1. A word takes ``ceil(bits / beat_bits)`` cycles, and two more where it ends a run
        and its last slice begins a beat of its own.

    Resources: two registers a bit of the widest word, a barrel shifter of two beats.

    Raises
    ------
    ValueError
        A word is narrower than a beat.
    """

    latency = 1
    interval = 1

    def __init__(self, beat_bits, kinds):
        _check(beat_bits, kinds)
        self._beat_bits, self._kinds = beat_bits, list(kinds)
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({
                "word": max(kinds), "kind": range(max(2, len(kinds))), "last": 1,
            }))),
            "o": Out(stream.Signature(data.StructLayout({"beat": beat_bits, "last": 1}))),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        size, kinds = self._beat_bits, self._kinds
        # Words are cut into slices; `valid_bits` of the last one count.
        counts = [-(-bits // size) for bits in kinds]
        tails = [bits - (count - 1) * size for bits, count in zip(kinds, counts, strict=True)]
        busy, last = Signal(), Signal()
        word, left, tail = Signal(max(kinds)), Signal(range(max(counts) + 1)), Signal(range(size + 1))
        held, offset, flushing = Signal(size), Signal(range(size)), Signal()
        new, new_kind = self.i.payload, self.i.payload.kind

        final, bits, total = Signal(), Signal(range(size + 1)), Signal(range(2 * size))
        current, aligned = Signal(size), Signal(2 * size - 1)
        give, go = Signal(), Signal()
        m.d.comb += [
            final.eq(left == 1),
            bits.eq(Mux(final, tail, size)),
            total.eq(offset + bits),
            current.eq(word[:size] & Mux(final, ~(Cat(1).replicate(size) << tail)[:size], (1 << size) - 1)),
            aligned.eq(current << offset),
            give.eq(flushing | (busy & ((total >= size) | (final & last)))),
            self.o.valid.eq(give),
            self.o.payload.beat.eq(Mux(flushing, held, aligned[:size] | held)),
            self.o.payload.last.eq(flushing | (busy & final & last & (total <= size))),
            # a slice is used up in this cycle
            go.eq(busy & ~flushing & (~give | self.o.ready)),
            self.i.ready.eq((~busy | (go & final)) & ~(flushing | (go & final & last & (total > size)))),
        ]
        with m.If(flushing & self.o.ready):
            m.d.sync += [flushing.eq(0), held.eq(0), offset.eq(0)]
        with m.If(go):
            m.d.sync += [word.eq(word >> size), left.eq(left - 1)]
            with m.If(total >= size):
                m.d.sync += [held.eq(aligned[size:]), offset.eq(total - size)]
            with m.Else():
                m.d.sync += [held.eq(aligned[:size] | held), offset.eq(total)]
            with m.If(final):
                m.d.sync += busy.eq(0)
                with m.If(last):
                    m.d.sync += flushing.eq(total > size)
                    with m.If(total <= size):
                        m.d.sync += [held.eq(0), offset.eq(0)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                busy.eq(1), word.eq(new.word), last.eq(new.last),
                left.eq(Array(counts)[new_kind]), tail.eq(Array(tails)[new_kind]),
            ]  # fmt: skip
        return m
