"""The output side: keeps what belongs to the image of a patch's results and sends it value by value."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.ports import latent_layout
from licgate.gateware.resident.latentqueue import LatentPlace, LatentQueue
from licgate.gateware.resident.rows import DIMENSION
from licgate.gateware.stream import SkidBuffer, connect

__all__ = ["LatentReader"]

_SIZES = ("width", "height", "skip_x", "skip_y", "keep_width", "keep_height")


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
                **{name: In(DIMENSION) for name in _SIZES},
                "enable": In(1),
                "word": In(signed(result_width)).array(program.rows),
                "free": Out(range(depth + 1)),
                "o": Out(stream.Signature(latent_layout)),
                "done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        rows, bits = self._program.rows, min(16, len(self.word[0]))
        m.submodules.queue = queue = LatentQueue(rows * bits, self._depth)
        m.submodules.place = place = LatentPlace(self._program)
        m.d.comb += [
            queue.enable.eq(self.enable),
            queue.word.eq(Cat(w[:bits] for w in self.word)),
            self.free.eq(queue.free),
            *(getattr(place, name).eq(getattr(self, name)) for name in ("start", "chain", *_SIZES)),
        ]
        next_position, loaded = Signal(range(rows + 2), name="next_position"), Signal()
        step, word_done, was_done, load, ended = (
            Signal(name=n) for n in ("step", "word_done", "was_done", "load", "ended")
        )
        # The queue's word goes into a register before anything is done with it: what holds it may be far away.
        fetched, fetched_word = Signal(name="fetched"), Signal(rows * bits, name="fetched_word", reset_less=True)
        m.d.sync += was_done.eq(word_done)
        with m.If(load):
            m.d.sync += [fetched.eq(0), loaded.eq(1)]
        with m.If(queue.take):
            m.d.sync += fetched.eq(1)
        with m.If(~fetched):
            m.d.sync += fetched_word.eq(queue.first)
        # Nothing here waits for the receiver, who may be far off.
        m.submodules.out = out = SkidBuffer(latent_layout)
        connect(m, out.o, flipped(self.o))
        kept, column_last = self._serialise(m, place, out.i, step, loaded, next_position, fetched_word)
        m.d.comb += [
            step.eq(loaded & out.i.ready),
            word_done.eq(step & ((next_position == rows) | column_last | ~kept)),
            queue.take.eq(~fetched & queue.there),
            load.eq(fetched & ~loaded & ~was_done & out.i.ready),
        ]
        m.d.sync += [ended.eq(place.ended & ~loaded), self.done.eq(ended & ~out.o.valid & ~self.start)]
        with m.If(word_done):
            m.d.sync += loaded.eq(0)
        # As soon as a word is at work, its place becomes that of the next one.
        m.d.sync += place.moves.eq(load)
        with m.If(self.start):
            m.d.sync += [s.eq(0) for s in (loaded, fetched, was_done, place.moves, ended)]
        return m

    def _serialise(self, m, place, out, step, loaded, next_position, word):
        """Offer the word's latents, one after the other; say whether it is kept, and this is its last column."""
        bits = len(word) // self._program.rows
        value, current = Signal(bits, reset_less=True), Signal(len(word) - bits, reset_less=True)
        column, following = Signal(DIMENSION, name="column"), Signal(DIMENSION, name="following")
        inside, kept, final, last_kept, column_last = (
            Signal(name=n) for n in ("inside", "kept", "final", "last_kept", "column_last")
        )
        m.d.comb += [
            out.valid.eq(loaded & kept & inside),
            out.payload.value.eq(value.as_signed()),
            out.payload.last.eq(last_kept & final),
        ]
        # What stands here while no word is at work does not matter, so nothing asks whether one comes.
        with m.If(~loaded):
            m.d.sync += [next_position.eq(1), inside.eq(place.begins_inside)]
            m.d.sync += [column.eq(place.x), following.eq(place.x + 1), column_last.eq(place.begins_last)]
            m.d.sync += [kept.eq(place.row_kept), final.eq(place.final)]
        with m.If(step):
            m.d.sync += [
                next_position.eq(next_position + 1),
                column.eq(column + 1),
                column_last.eq(column == place.before_last_x),
                following.eq(following + 1),
                inside.eq((following >= self.skip_x) & (following < place.end_x)),
            ]
        # What is offered next, and what comes behind it: enabled by a register of the buffer behind.
        with m.If(out.ready):
            m.d.sync += [
                Cat(value, current).eq(Mux(loaded, current, word)),
                last_kept.eq(Mux(loaded, following == place.last_kept_x, place.begins_last_kept)),
            ]
        return kept, column_last
