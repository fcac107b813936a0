"""The output side: keeps what belongs to the image of a patch's results and sends it value by value."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.ports import latent_layout
from licgate.gateware.resident.rows import DIMENSION
from licgate.gateware.stream import SkidBuffer, connect

__all__ = ["LatentReader"]


class LatentReader(Component):
    """Buffer words of latents, drop those outside the kept window, and serialise the others.

    Words come row by row, group by group, channel by channel, ``rows`` neighbouring latents each; the kept latents
    leave in that order, so for kept width w, latent (c, y, x) has its place by y, then x's group of ``rows`` columns
    *of the patch*, then c, then x.

    Parameters
    ----------
    program : Program
    depth : int
        Words of the FIFO.
    result_width : int

    Members
    -------
    start, chain, width, height
        ``start`` begins a patch of ``width`` × ``height`` latents (or whatever the chain makes).
    skip_x, skip_y, keep_width, keep_height
        The window of latents that is kept, inside the patch.
    enable, word
        A word of latents; the sender has seen room in ``free``.
    free : :py:`Out(range(depth + 1))`
    o : :py:`Out(stream.Signature(latent_layout))`
        ``last`` marks the patch's final kept latent.
    done : :py:`Out(1)`
        All words of the patch have been used up, and the latents have left.

    Attributes
    ----------
    latency : int
        Cycles from a word to its first latent: 4. interval is 1 latent a cycle, two more cycles a word.

    Raises
    ------
    ValueError
        A parameter is not an integer in its range.
    """

    latency = 4
    interval = 1

    def __init__(self, program, depth, result_width):
        if not isinstance(depth, int) or depth < 1:
            raise ValueError(f"depth must be an integer of at least 1, not {depth!r}")
        if not isinstance(result_width, int) or not 1 <= result_width <= 18:
            raise ValueError(f"result_width must be an integer from 1 to 18, not {result_width!r}")
        self._program, self._depth = program, depth
        super().__init__(
            {
                "start": In(1),
                "chain": In(range(max(2, len(program.chains)))),
                "width": In(DIMENSION),
                "height": In(DIMENSION),
                "skip_x": In(DIMENSION),
                "skip_y": In(DIMENSION),
                "keep_width": In(DIMENSION),
                "keep_height": In(DIMENSION),
                "enable": In(1),
                "word": In(signed(result_width)).array(program.rows),
                "free": Out(range(depth + 1)),
                "o": Out(stream.Signature(latent_layout)),
                "done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        rows = self._program.rows
        channels = [self._program.stages[chain.last].last_op.channels_out for chain in self._program.chains]
        bits = min(16, len(self.word[0]))
        # The sender has seen room, so a word is written without asking for it.
        m.submodules.words = words = Memory(shape=rows * bits, depth=self._depth, init=[])
        write, read, level = words.write_port(), words.read_port(domain="comb"), Signal(range(self._depth + 1))
        take, there = Signal(name="take"), Signal(name="there")
        m.d.comb += [write.en.eq(self.enable), write.data.eq(Cat(w[:bits] for w in self.word))]
        for port, moves in ((write, self.enable), (read, take)):
            place = Signal(range(self._depth), name="place_written" if port is write else "place_read")
            m.d.comb += port.addr.eq(place)
            with m.If(moves):
                m.d.sync += place.eq(Mux(place == self._depth - 1, 0, place + 1))
        m.d.sync += [
            level.eq(Mux(self.enable, Mux(take, level, level + 1), Mux(take, level - 1, level))),
            # No word is taken in the cycle behind another one, so `there` may be a cycle late to see it go.
            there.eq((level != 0) | self.enable),
            # A word counts from the cycle after `enable`, in which the sequencer stops to reserve room for it.
            self.free.eq(self._depth - level - self.enable),
        ]

        channel, next_lane = Signal(range(max(channels))), Signal(range(rows + 2), name="next_lane")
        x, y, column = (Signal(DIMENSION, name=n) for n in ("x", "y", "column"))
        loaded, current = Signal(), Signal(rows * bits, reset_less=True)
        value, last_kept = Signal(bits, name="value", reset_less=True), Signal(name="last_kept")
        # What x, y and the sizes imply, up to two cycles later; the next word is not loaded before that.
        end_x, last_x, last_kept_x, end_y, next_x = (
            Signal(DIMENSION, name=n) for n in ("end_x", "last_x", "last_kept_x", "end_y", "next_x")
        )
        row_kept, final_row, row_ends, first_inside = (
            Signal(name=n) for n in ("row_kept", "final_row", "row_ends", "first_inside")
        )
        final_y, following = Signal(DIMENSION), Signal(DIMENSION)
        # A word takes three cycles at least, so what it does to these is known in time.
        final_channel, begins_last, begins_last_kept, column_last = (
            Signal(name=n) for n in ("final_channel", "begins_last", "begins_last_kept", "column_last")
        )
        before_last_x = Signal(DIMENSION)
        m.d.sync += [
            final_channel.eq(channel == Array(count - 1 for count in channels)[self.chain]),
            before_last_x.eq(last_x - 1),
            begins_last.eq(x == last_x),
            begins_last_kept.eq(x == last_kept_x),
            end_x.eq(self.skip_x + self.keep_width),
            last_kept_x.eq(end_x - 1),
            last_x.eq(self.width - 1),
            end_y.eq(self.skip_y + self.keep_height),
            row_kept.eq((y >= self.skip_y) & (y < end_y)),
            final_y.eq(end_y - 1),
            final_row.eq(y == final_y),
            next_x.eq(x + rows),
            row_ends.eq(next_x > last_x),
            first_inside.eq((x >= self.skip_x) & (x < end_x)),
        ]
        inside, step, word_done, was_done, kept, final, load, ended = (
            Signal(name=n) for n in ("inside", "step", "word_done", "was_done", "kept", "final", "load", "ended")
        )
        # The FIFO's word goes into a register before anything is done with it: what holds it may be far away.
        fetched, fetched_word = Signal(name="fetched"), Signal(rows * bits, name="fetched_word", reset_less=True)
        m.d.sync += was_done.eq(word_done)
        # Nothing here waits for the receiver, who may be far off.
        m.submodules.out = out = SkidBuffer(latent_layout)
        connect(m, out.o, flipped(self.o))
        with m.If(load):
            m.d.sync += fetched.eq(0)
        with m.If(take):
            m.d.sync += [fetched.eq(1), fetched_word.eq(read.data)]
        m.d.comb += [
            out.i.valid.eq(loaded & kept & inside),
            out.i.payload.value.eq(value.as_signed()),
            out.i.payload.last.eq(last_kept & final),
            step.eq(loaded & (~out.i.valid | out.i.ready)),
            word_done.eq(step & ((next_lane == rows) | column_last | ~kept)),
            take.eq(~fetched & there),
            load.eq(fetched & ~loaded & ~was_done),
        ]
        m.d.sync += [ended.eq((y == self.height) & ~loaded), self.done.eq(ended & ~out.o.valid & ~self.start)]
        with m.If(load):
            m.d.sync += [loaded.eq(1), current.eq(fetched_word), next_lane.eq(1), inside.eq(first_inside)]
            m.d.sync += [column.eq(x), following.eq(x + 1), column_last.eq(begins_last)]
        with m.If(step):
            m.d.sync += [
                next_lane.eq(next_lane + 1),
                column.eq(column + 1),
                column_last.eq(column == before_last_x),
                following.eq(following + 1),
                inside.eq((following >= self.skip_x) & (following < end_x)),
            ]
        lanes = Array(current.word_select(r, bits) for r in range(rows))
        # What is offered next. A word is loaded only where there is none, so the choice need not wait for `step`.
        with m.If(load | step):
            m.d.sync += [
                value.eq(Mux(loaded, lanes[next_lane], fetched_word)),
                last_kept.eq(Mux(loaded, following == last_kept_x, begins_last_kept)),
            ]
        with m.If(word_done):
            m.d.sync += loaded.eq(0)
        # As soon as a word is at work, its place becomes that of the next one.
        with m.If(load):
            m.d.sync += [kept.eq(row_kept), final.eq(final_row & final_channel)]
        moves = Signal()
        m.d.sync += moves.eq(load)
        with m.If(moves):
            m.d.sync += channel.eq(channel + 1)
            with m.If(final_channel):
                m.d.sync += [channel.eq(0), x.eq(next_x)]
                with m.If(row_ends):
                    m.d.sync += [x.eq(0), y.eq(y + 1)]
        with m.If(self.start):
            m.d.sync += [s.eq(0) for s in (x, y, channel, loaded, fetched, was_done, moves, ended)]
        return m
