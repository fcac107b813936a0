"""From beats of the external memory to the words of the chip: bits are packed without gaps in between."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

__all__ = ["Unpacker", "check_words", "record_layout"]


def check_words(beat_bits, kinds):
    """Refuse beats of no bits, and words that are narrower than a beat."""
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
        The next record; valid before its first beat comes, and taken while the one before it is under way.
    valid, beat : :py:`In(1)`, :py:`In(beat_bits)`
    o_valid : :py:`Out(1)`
    word : :py:`Out(max(kinds))`
        For one cycle; bits beyond those of its kind are of no meaning.
    tag, first, last
        Of the word's record; the word is its first, its last.

    Attributes
    ----------
    latency : int
        Cycles from a word's last beat to the word: 3. interval is 1 beat a cycle.

    Resources: a register a bit of the widest word, three for a beat, two for a record, and a barrel shifter of two
    beats: about 220 LUT4 at beats of 16 bits.

    Raises
    ------
    ValueError
        A word is narrower than a beat, or a number not positive.
    """

    latency = 3
    interval = 1

    def __init__(self, beat_bits, kinds, *, most_words, part=None, tag=1):
        check_words(beat_bits, kinds)
        for name, value in (("most_words", most_words), ("part", 1 if part is None else part)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a positive integer, not {value!r}")
        self._beat_bits, self._kinds, self._part = beat_bits, list(kinds), part
        super().__init__(
            {
                "i": In(stream.Signature(record_layout(kinds, most_words, tag))),
                "valid": In(1),
                "beat": In(beat_bits),
                "o_valid": Out(1),
                "word": Out(max(kinds)),
                "tag": Out(tag),
                "first": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        size, kinds, part = self._beat_bits, self._kinds, self._part
        widest, slices = max(kinds), -(-(max(kinds) + size - 1) // size)
        active, record = Signal(), Signal.like(self.i.payload)
        left, part_left = Signal.like(self.i.payload.words), Signal(range((part or 1) + 1))
        # Bits that the word still needs; those of the beat before it that it has got; one bit for its next slice.
        need, offset, index = Signal(range(widest + 1)), Signal(range(size)), Signal(slices, init=1)
        first = Signal()
        # What is compared with the counters above, a cycle before it is needed: the next beat is the word's last; the
        # word is the record's last, or that of a part.
        final, last, flush = Signal(), Signal(), Signal()
        # Bits of the record's words, and those beyond a beat.
        width, excess = Signal.like(need), Signal.like(need)

        def of_kind(kind, values):
            return Array(values)[kind] if len(kinds) > 1 else values[0]

        # Beats and records come from elsewhere on the chip, into registers.
        came, beat = Signal(), Signal(size, reset_less=True)
        m.d.sync += [came.eq(self.valid), beat.eq(self.beat)]
        waiting, load, arriving = Signal(), Signal(), self.i.payload
        new = Signal(
            data.StructLayout(
                {
                    "record": self.i.payload.shape(),
                    "need": need.shape(),
                    "excess": need.shape(),
                    "final": 1,
                    "last": 1,
                    "flush": 1,
                }
            )
        )
        with m.If(load):
            m.d.sync += waiting.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                waiting.eq(1),
                new.record.eq(arriving),
                new.need.eq(of_kind(arriving.kind, kinds)),
                new.excess.eq(of_kind(arriving.kind, [bits - size for bits in kinds])),
                new.final.eq(of_kind(arriving.kind, [int(bits <= size) for bits in kinds])),
                new.last.eq(arriving.words == 1),
                new.flush.eq((arriving.words == 1) | (part == 1)),
            ]

        ends, record_ends, rest = Signal(), Signal(), Signal(range(size))
        m.d.comb += [
            ends.eq(came & final),
            record_ends.eq(ends & last),
            rest.eq(Mux(flush, 0, size - need)),
            load.eq(waiting & (~active | record_ends)),
            # a record of one beat leaves no time for asking first
            self.i.ready.eq(~waiting | (load if min(kinds) <= size else 0)),
        ]
        with m.If(came):
            m.d.sync += [need.eq(need - size), index.eq(index << 1), final.eq(need <= 2 * size)]
            with m.If(final):
                begun = [bits <= size for bits in kinds]
                short = [(need <= 2 * size - bits) if bits < 2 * size else 0 for bits in kinds]
                m.d.sync += [
                    need.eq(Mux(flush, width, need + excess)),
                    offset.eq(rest),
                    index.eq(1),
                    left.eq(left - 1),
                    first.eq(0),
                    final.eq(Mux(flush, of_kind(record.kind, begun), of_kind(record.kind, short))),
                    last.eq(left == 2),
                ]
                if part:
                    m.d.sync += [
                        part_left.eq(Mux(flush, part, part_left - 1)),
                        flush.eq((left == 2) | Mux(flush, part == 1, part_left == 2)),
                    ]
                else:
                    m.d.sync += flush.eq(left == 2)
        with m.If(record_ends):
            m.d.sync += active.eq(0)
        with m.If(load):
            m.d.sync += active.eq(1)
        # whether there is a next record or not: of one that is not active nothing counts
        with m.If(~active | record_ends):
            m.d.sync += [
                record.eq(new.record),
                left.eq(new.record.words),
                part_left.eq(part or 1),
                first.eq(1),
                need.eq(new.need),
                width.eq(new.need),
                excess.eq(new.excess),
                offset.eq(0),
                index.eq(1),
                final.eq(new.final),
                last.eq(new.last),
                flush.eq(new.flush),
            ]

        # A cycle later the beat is put in place.
        late = Signal(
            data.StructLayout(
                {
                    "valid": 1,
                    "beat": size,
                    "ends": 1,
                    "flush": 1,
                    "offset": offset.shape(),
                    "rest": rest.shape(),
                    "at": index.shape(),
                    "tag": self.tag.shape(),
                    "first": 1,
                    "last": 1,
                }
            )
        )
        m.d.sync += [
            late.valid.eq(came),
            late.beat.eq(beat),
            late.ends.eq(ends),
            late.flush.eq(flush),
            late.offset.eq(offset),
            late.rest.eq(rest),
            late.at.eq(Mux(came, index, 0)),
            late.tag.eq(record.tag),
            late.first.eq(first),
            late.last.eq(last),
        ]
        held, aligned, carry = Signal(size), Signal(2 * size - 1), Signal(size)
        low, high = aligned[:size] | held, aligned[size:]
        m.d.comb += [aligned.eq(late.beat << late.offset), carry.eq((late.beat << late.rest)[size:])]
        placed = [Signal(size, name=f"slice_{k}", reset_less=True) for k in range(slices)]
        with m.If(late.valid):
            m.d.sync += held.eq(Mux(late.ends, Mux(late.flush, 0, carry), high))
        for k, target in enumerate(placed):
            with m.If(late.at[k]):
                m.d.sync += target.eq(low)
            if k:
                with m.If(late.at[k - 1]):
                    m.d.sync += target.eq(high)
        m.d.sync += [
            self.o_valid.eq(late.ends),
            self.tag.eq(late.tag),
            self.first.eq(late.first),
            self.last.eq(late.last),
        ]
        m.d.comb += self.word.eq(Cat(placed))
        return m
