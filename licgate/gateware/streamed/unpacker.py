"""From beats of the external memory to the words of the chip: bits are packed without gaps in between."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.arith import registered

__all__ = ["Unpacker", "check_words", "record_layout", "word_members"]


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


def word_members(kinds, tag):
    """Members of a component that words come out of, see :class:`Unpacker`."""
    return {"o_valid": Out(1), "word": Out(max(kinds)), "tag": Out(tag), "first": Out(1), "last": Out(1)}


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
        self._slices = -(-(max(kinds) + beat_bits - 1) // beat_bits)
        super().__init__(
            {
                "i": In(stream.Signature(record_layout(kinds, most_words, tag))),
                "valid": In(1),
                "beat": In(beat_bits),
                **word_members(kinds, tag),
            }
        )

    def elaborate(self, platform):
        m = Module()
        self._place(m, self._walk(m))
        return m

    def _announced(self, m, load):
        """Take the next record into a register, and look up what counting it begins with.

        Returns
        -------
        waiting, new
            Whether there is one, and: the record; bits of its words, and those beyond a beat; whether its first beat
            ends a word, its first word the record, or a part.
        """
        size, kinds, arriving, bits = self._beat_bits, self._kinds, self.i.payload, range(max(self._kinds) + 1)
        layout = {"record": arriving.shape(), "width": bits, "excess": bits, "final": 1, "last": 1, "flush": 1}
        waiting, new = Signal(), Signal(data.StructLayout(layout))
        # a record of one beat leaves no time for asking first
        m.d.comb += self.i.ready.eq(~waiting | (load if min(kinds) <= size else 0))
        with m.If(load):
            m.d.sync += waiting.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                waiting.eq(1),
                new.record.eq(arriving),
                new.width.eq(_of_kind(arriving.kind, kinds)),
                new.excess.eq(_of_kind(arriving.kind, [bits - size for bits in kinds])),
                new.final.eq(_of_kind(arriving.kind, [int(bits <= size) for bits in kinds])),
                new.last.eq(arriving.words == 1),
                new.flush.eq((arriving.words == 1) | (self._part == 1)),
            ]
        return waiting, new

    def _walk(self, m):
        """Count beats and words; return a beat with its place, a cycle later."""
        size, active, load = self._beat_bits, Signal(), Signal()
        # Beats and records come from elsewhere on the chip, into registers.
        came, beat = Signal(), Signal(size, reset_less=True)
        m.d.sync += [came.eq(self.valid), beat.eq(self.beat)]
        waiting, new = self._announced(m, load)
        # Of the record under way. What is compared with its counters is known a cycle before it is needed: the next
        # beat is the word's last (final); the word is the record's last (last), or that of a part (flush).
        now, part_left, first = Signal.like(new), Signal(range((self._part or 1) + 1)), Signal()
        # Bits that the word still needs; those of the beat before it that it has got; one bit for its next slice.
        need, offset, index = Signal.like(now.width), Signal(range(size)), Signal(self._slices, init=1)
        ends, record_ends, rest = Signal(), Signal(), Signal(range(size))
        m.d.comb += [
            ends.eq(came & now.final),
            record_ends.eq(ends & now.last),
            rest.eq(Mux(now.flush, 0, size - need)),
            load.eq(waiting & (~active | record_ends)),
        ]
        with m.If(came):
            m.d.sync += [need.eq(need - size), index.eq(index << 1), now.final.eq(need <= 2 * size)]
            with m.If(now.final):
                m.d.sync += [offset.eq(rest), index.eq(1), first.eq(0)]
                self._next_word(m, now, need, part_left)
        with m.If(record_ends):
            m.d.sync += active.eq(0)
        with m.If(load):
            m.d.sync += active.eq(1)
        # whether there is a next record or not: of one that is not active nothing counts
        with m.If(~active | record_ends):
            m.d.sync += [now.eq(new), need.eq(new.width), offset.eq(0), index.eq(1), first.eq(1)]
            m.d.sync += part_left.eq(self._part or 1)
        return registered(
            m,
            valid=came,
            beat=beat,
            ends=ends,
            flush=now.flush,
            offset=offset,
            rest=rest,
            at=Mux(came, index, 0),
            tag=now.record.tag,
            first=first,
            last=now.last,
        )

    def _next_word(self, m, now, need, part_left):
        """Begin the record's next word, with the beat that ended one or with the beat behind it."""
        size, kinds, part, left = self._beat_bits, self._kinds, self._part, now.record.words
        begun = [bits <= size for bits in kinds]
        short = [(need <= 2 * size - bits) if bits < 2 * size else 0 for bits in kinds]
        m.d.sync += [
            left.eq(left - 1),
            need.eq(Mux(now.flush, now.width, need + now.excess)),
            now.final.eq(Mux(now.flush, _of_kind(now.record.kind, begun), _of_kind(now.record.kind, short))),
            now.last.eq(left == 2),
            now.flush.eq(left == 2),
        ]
        if part:
            m.d.sync += [
                part_left.eq(Mux(now.flush, part, part_left - 1)),
                now.flush.eq((left == 2) | Mux(now.flush, part == 1, part_left == 2)),
            ]

    def _place(self, m, late):
        """Put a beat into its word, and what is left of it into the next one."""
        size = self._beat_bits
        held, aligned, carry = Signal(size), Signal(2 * size - 1), Signal(size)
        low, high = aligned[:size] | held, aligned[size:]
        m.d.comb += [aligned.eq(late.beat << late.offset), carry.eq((late.beat << late.rest)[size:])]
        placed = [Signal(size, name=f"slice_{k}", reset_less=True) for k in range(self._slices)]
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


def _of_kind(kind, values):
    """The value of a kind; with a single one there is nothing to choose."""
    return Array(values)[kind] if len(values) > 1 else values[0]
