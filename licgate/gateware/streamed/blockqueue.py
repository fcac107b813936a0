"""A queue in block memory that is read through the block's output register."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.arith import delayed
from licgate.gateware.engine.memory import BLOCK_SHAPES

__all__ = ["BlockQueue", "moved_level", "part_width"]

# Words on their way out of the block, or out already: what a word a cycle takes.
_AHEAD = 4


def part_width(depth):
    """Bits of a word that one block holds of a queue of ``depth`` words: a block as deep, or the deepest."""
    return min(BLOCK_SHAPES, key=lambda shape: (max(depth - shape[0], 0), shape[0]))[1]


def moved_level(level, up, down):
    """Next value of a level, as many ones as there are things: one more, one less, or as it is."""
    return Mux(up & ~down, Cat(1, level[:-1]), Mux(down & ~up, level[1:], level))


class BlockQueue(Component):
    """Queue whose writer knows that there is room.

    A block memory takes 5.6 ns of an ECP5 to answer, so nothing stands behind it but its own output register, which
    cannot wait: words are read ahead into a small queue of distributed memory, never more than that has places for.
    For the same reason words are cut into parts, each in a block as deep as the queue: nothing chooses between blocks.

    Parameters
    ----------
    depth, width : int
        Words, and bits a word, at least 1 each.

    Members
    -------
    enable, word : :py:`In(1)`, :py:`In(width)`
        A word comes. There are never more than ``depth`` that have come and not gone.
    o : :py:`Out(stream.Signature(width))`

    Attributes
    ----------
    latency : int
        Cycles from a word to its offer, when there is none before it: 4. interval is 1.

    Resources: a block for every ``part_width(depth)`` bits; four words of distributed memory; two pointers and a
    counter of the depth.

    Raises
    ------
    ValueError
        A size is not a positive integer.
    """

    latency = 4
    interval = 1

    def __init__(self, depth, width):
        if not all(isinstance(size, int) and size >= 1 for size in (depth, width)):
            raise ValueError(f"a queue needs at least one word of one bit, not {depth!r} of {width!r}")
        self.depth, self.width = depth, width
        super().__init__({"enable": In(1), "word": In(width), "o": Out(stream.Signature(width))})

    def elaborate(self, platform):
        m = Module()
        # A word that comes is not read in that cycle, so no logic is wanted that says what that would give.
        parts, size = [], part_width(self.depth)
        for first in range(0, self.width, size):
            part = Memory(shape=min(size, self.width - first), depth=self.depth, init=[], attrs={"no_rw_check": 1})
            m.submodules[f"block_{first // size}"] = part
            parts.append((part.write_port(), part.read_port()))
        to, at = (Signal(range(self.depth), name=name) for name in ("to", "at"))

        def step(pointer, by):
            with m.If(by):
                m.d.sync += pointer.eq(pointer + 1)
                if self.depth & (self.depth - 1):
                    with m.If(pointer == self.depth - 1):
                        m.d.sync += pointer.eq(0)

        inside = Signal(range(self.depth + 1))
        # Places ahead of the blocks that are free, and words there: as many ones, of which the first says if any.
        places, waiting = Signal(_AHEAD, init=(1 << _AHEAD) - 1), Signal(_AHEAD)
        some, issue, taken = Signal(), Signal(), Signal()
        m.d.comb += [
            *(write.en.eq(self.enable) for write, _ in parts),
            Cat(write.data for write, _ in parts).eq(self.word),
            *(write.addr.eq(to) for write, _ in parts),
            *(read.addr.eq(at) for _, read in parts),
            issue.eq(some & places[0]),
            taken.eq(self.o.valid & self.o.ready),
            self.o.valid.eq(waiting[0]),
        ]
        m.d.sync += [
            inside.eq(inside + self.enable - issue),
            places.eq(moved_level(places, taken, issue)),
            some.eq(self.enable | (inside > 1) | (some & ~issue)),
        ]
        step(to, self.enable)
        step(at, issue)

        captured = Signal(self.width, reset_less=True)
        m.d.sync += captured.eq(Cat(read.data for _, read in parts))
        came = delayed(m, issue, 2, name="came")
        m.submodules.ahead = ahead = Memory(shape=self.width, depth=_AHEAD, init=[])
        write, read = ahead.write_port(), ahead.read_port(domain="comb")
        m.d.sync += waiting.eq(moved_level(waiting, came, taken))
        m.d.comb += [write.data.eq(captured), write.en.eq(came), self.o.payload.eq(read.data)]
        m.d.sync += [write.addr.eq(write.addr + came), read.addr.eq(read.addr + taken)]
        return m
