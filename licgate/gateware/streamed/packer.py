"""From the words of the chip to beats of the external memory: bits are packed without gaps in between."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.arith import registered
from licgate.gateware.streamed.unpacker import check_words

__all__ = ["Packer"]


class Packer(Component):
    """Words to beats: the other way round. A beat is never refused.

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
    o_valid, beat : :py:`Out(1)`, :py:`Out(beat_bits)`
    last : :py:`Out(1)`
        The beat is the last one of a run of words.
    busy : :py:`Out(1)`
        Something of a word is on its way.

    Attributes
    ----------
    latency : int
        Cycles from a word to its first whole beat: 3, where the word begins with a beat.
    interval : int
        Cycles from beat to beat: 1. A word takes ``ceil(bits / beat_bits)`` cycles, and two more where it ends a run
        and its last slice begins a beat of its own.

    Resources: two registers a bit of the widest word, five for a beat, a barrel shifter of two beats.

    Raises
    ------
    ValueError
        A word is narrower than a beat.
    """

    latency = 3
    interval = 1

    def __init__(self, beat_bits, kinds):
        check_words(beat_bits, kinds)
        self._beat_bits, self._kinds = beat_bits, list(kinds)
        word = data.StructLayout({"word": max(kinds), "kind": range(max(2, len(kinds))), "last": 1})
        super().__init__(
            {
                "i": In(stream.Signature(word)),
                "o_valid": Out(1),
                "beat": Out(beat_bits),
                "last": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        self._place(m, *self._walk(m))
        return m

    def _walk(self, m):
        """Cut words into slices; return one with its place, a cycle later, and whether there is one or more to come."""
        size, kinds = self._beat_bits, self._kinds
        # Words are cut into slices; `tail` bits of the last one count.
        counts = [-(-bits // size) for bits in kinds]
        tails = [bits - (count - 1) * size for bits, count in zip(kinds, counts, strict=True)]
        active, last, final, ready = Signal(), Signal(), Signal(), Signal(init=1)
        word, left, tail = Signal(max(kinds)), Signal(range(max(counts) + 1)), Signal(range(size + 1))
        offset, flushing = Signal(range(size)), Signal()
        new, take = self.i.payload, Signal()

        # Where the next word begins, and whether this one's last slice fills a beat, or begins another.
        total, whole, spills = Signal(range(2 * size)), Signal(), Signal()
        next_offset = Signal.like(offset)
        m.d.comb += [
            total.eq(offset + tail),
            whole.eq(total >= size),
            spills.eq(last & (total > size)),
            next_offset.eq(Mux(final & active, Mux(last, 0, Mux(whole, total - size, total)), offset)),
            self.i.ready.eq(ready),
            take.eq(self.i.valid & ready),
        ]
        m.d.sync += [offset.eq(next_offset), flushing.eq(0)]
        with m.If(flushing):
            m.d.sync += ready.eq(1)
        with m.If(active):
            with m.If(left == 2):
                # what stands here is settled a cycle before the next word is taken
                m.d.sync += ready.eq(~spills)
            with m.If(final):
                m.d.sync += [active.eq(0), flushing.eq(spills)]
        # Whether a word comes or not, what is offered is kept: many wait for `ready`, which a register knows, and few
        # for `take`. While nothing is active it does not count.
        single = Array(int(count == 1) for count in counts)[new.kind]
        m.d.sync += [word.eq(word >> size), left.eq(left - 1), final.eq(left == 2)]
        with m.If(ready):
            m.d.sync += [
                word.eq(new.word),
                last.eq(new.last),
                final.eq(single),
                left.eq(Array(counts)[new.kind]),
                tail.eq(Array(tails)[new.kind]),
            ]
        with m.If(take):
            m.d.sync += [active.eq(1), ready.eq(single & ~(new.last & (next_offset != 0)))]

        mask = Mux(final, ~(Cat(1).replicate(size) << tail)[:size], (1 << size) - 1)
        late = registered(
            m,
            valid=active,
            beat=word[:size] & mask,
            offset=offset,
            # no beat is full, and there are more words
            keeps=final & ~last & ~whole,
            ends=final & last,
            spills=spills,
            flushing=flushing,
        )
        return late, active | flushing

    def _place(self, m, late, active):
        """Put a slice into its beat, and what is left of it into the next one."""
        size = self._beat_bits
        held, aligned, low = Signal(size), Signal(2 * size - 1), Signal(size)
        m.d.comb += [aligned.eq(late.beat << late.offset), low.eq(aligned[:size] | held)]
        with m.If(late.flushing | (late.valid & late.ends & ~late.spills)):
            m.d.sync += held.eq(0)
        with m.Elif(late.valid):
            m.d.sync += held.eq(Mux(late.keeps, low, aligned[size:]))
        m.d.sync += [
            self.o_valid.eq(late.flushing | (late.valid & ~late.keeps)),
            self.beat.eq(Mux(late.flushing, held, low)),
            self.last.eq(late.flushing | (late.ends & ~late.spills)),
        ]
        m.d.comb += self.busy.eq(active | late.valid | late.flushing | self.o_valid)
