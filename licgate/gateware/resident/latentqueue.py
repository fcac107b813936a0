"""Words of latents that wait for the host, and where the next one belongs."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.resident.rows import DIMENSION
from licgate.target.points import QUAD

__all__ = ["LatentPlace", "LatentQueue"]


class LatentQueue(Component):
    """Queue whose writer has seen room, and whose reader takes no word in the cycle behind another one.

    Parameters
    ----------
    width, depth : int
        Bits of a word; words.

    Members
    -------
    enable, word : :py:`In(1)`, :py:`In(width)`
        A word comes.
    take, first : :py:`In(1)`, :py:`Out(width)`
        The oldest word is taken.
    there : :py:`Out(1)`
        There is one.
    free : :py:`Out(range(depth + 1))`
        Room. A word counts from the cycle after ``enable``, in which the sequencer stops to reserve room for it.

    Resources: distributed memory, two pointers, a counter.
    """

    def __init__(self, width, depth):
        self._width, self._depth = width, depth
        super().__init__(
            {
                "enable": In(1),
                "word": In(width),
                "take": In(1),
                "first": Out(width),
                "there": Out(1),
                "free": Out(range(depth + 1), init=depth),
            }
        )

    def elaborate(self, platform):
        m = Module()
        depth, enable, take = self._depth, self.enable, self.take
        # two words at least, as in a BankedMemory
        places = max(2, depth)
        m.submodules.words = words = Memory(
            shape=self._width, depth=places, init=[], attrs={"ram_style": "distributed"}
        )
        write, read = words.write_port(), words.read_port(domain="comb")
        m.d.comb += [write.en.eq(enable), write.data.eq(self.word), self.first.eq(read.data)]
        for port, moves, name in ((write, enable, "place_written"), (read, take, "place_read")):
            place = Signal(range(places), name=name)
            m.d.comb += port.addr.eq(place)
            with m.If(moves):
                m.d.sync += place.eq(Mux(place == depth - 1, 0, place + 1))
        # A word that was taken counts for a cycle more: then nothing but registers moves the counter, by 1, 0 or -1.
        free, taken = self.free, Signal()
        empty = (free == depth) | (taken & (free == depth - 1))
        m.d.sync += [
            taken.eq(take),
            free.eq(free + Cat(enable ^ taken, enable & ~taken).as_signed()),
            # No word is taken in the cycle behind another one, so this may be a cycle late to see it go.
            self.there.eq(enable | ~empty),
        ]
        return m


class LatentPlace(Component):
    """Place of the next word in the patch: its first column, its row, its channel, and what follows from these.

    Parameters
    ----------
    program : Program

    Members
    -------
    start, chain, width, height, skip_x, skip_y, keep_width, keep_height
        As of a :class:`~licgate.gateware.resident.latents.LatentReader`.
    moves : :py:`In(1)`
        The word is at work: go on to the next one.
    x : :py:`Out(16)`
        First column.
    end_x, last_kept_x, before_last_x : :py:`Out(16)`
        Column behind the kept ones, their last one, last column but one of the patch.
    begins_inside, begins_last, begins_last_kept : :py:`Out(1)`
        The first column is kept; it is the patch's last one; the last one that is kept.
    row_kept, final : :py:`Out(1)`
        The row is kept; the word is the last kept row's, of the last channel.
    ended : :py:`Out(1)`
        No word is left; combinational.

    Timing: what follows from a place is there two cycles later; three lie between two words at least.
    """

    def __init__(self, program):
        self._program = program
        sizes = ("width", "height", "skip_x", "skip_y", "keep_width", "keep_height")
        flags = ("begins_inside", "begins_last", "begins_last_kept", "row_kept", "final", "ended")
        super().__init__(
            {
                "start": In(1),
                "chain": In(range(max(2, len(program.chains)))),
                **{name: In(DIMENSION) for name in sizes},
                "moves": In(1),
                **{name: Out(DIMENSION) for name in ("x", "end_x", "last_kept_x", "before_last_x")},
                **{name: Out(1) for name in flags},
            }
        )

    def elaborate(self, platform):
        m = Module()
        program, x = self._program, self.x
        channels = [program.stages[chain.last].last_op.channels_out for chain in program.chains]
        channel, y = Signal(range(max(channels))), Signal(DIMENSION, name="y")
        last_x, end_y, final_y, next_x = (Signal(DIMENSION, name=n) for n in ("last_x", "end_y", "final_y", "next_x"))
        final_channel, final_row, row_ends = (Signal(name=n) for n in ("final_channel", "final_row", "row_ends"))
        m.d.sync += [
            final_channel.eq(channel == Array(count - 1 for count in channels)[self.chain]),
            self.before_last_x.eq(last_x - 1),
            self.begins_last.eq(x == last_x),
            self.begins_last_kept.eq(x == self.last_kept_x),
            self.begins_inside.eq((x >= self.skip_x) & (x < self.end_x)),
            self.end_x.eq(self.skip_x + self.keep_width),
            self.last_kept_x.eq(self.end_x - 1),
            last_x.eq(self.width - 1),
            end_y.eq(self.skip_y + self.keep_height),
            self.row_kept.eq((y >= self.skip_y) & (y < end_y)),
            final_y.eq(end_y - 1),
            final_row.eq(y == final_y),
            next_x.eq(x + program.rows),
            row_ends.eq(next_x > last_x),
        ]
        # Words of a group's columns follow each other, before those of the next channel.
        several = program.arithmetic.outputs > 1
        part, part_ends, first_x = Signal(2), Signal(init=not several, name="part_ends"), Signal.like(x, name="first_x")
        if several:
            m.d.sync += [
                part_ends.eq(part == QUAD - 1),
                self.row_kept.eq((y >= self.skip_y) & (y < end_y) & (x <= last_x)),
            ]
        m.d.comb += [self.final.eq(final_row & final_channel), self.ended.eq(y == self.height)]
        with m.If(self.moves):
            m.d.sync += [part.eq(part + several), x.eq(next_x if several else x)]
            with m.If(part_ends):
                m.d.sync += [channel.eq(channel + 1), x.eq(first_x if several else x)]
                with m.If(final_channel):
                    m.d.sync += [channel.eq(0), x.eq(next_x), first_x.eq(next_x)]
                    with m.If(row_ends):
                        m.d.sync += [x.eq(0), first_x.eq(0), y.eq(y + 1)]
        with m.If(self.start):
            m.d.sync += [s.eq(0) for s in (x, y, channel, part, first_x)]
        return m
