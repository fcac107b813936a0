"""A queue in block RAM that is read through the block's output register."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.arith import delayed
from licgate.gateware.engine.memory import BLOCK_SHAPES

__all__ = ["BlockQueue", "block_parts", "moved_level", "part_width", "read_ahead"]

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

    A block RAM takes 5.6 ns of an ECP5 to answer, so nothing stands behind it but its own output register, which
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
        writes, reads = block_parts(m, "block", self.depth, self.width)
        to = Signal(range(self.depth))
        m.d.comb += [
            Cat(write.data for write in writes).eq(self.word),
            *(write.en.eq(self.enable) for write in writes),
            *(write.addr.eq(to) for write in writes),
        ]
        _step(m, to, self.enable, self.depth)
        read_ahead(m, reads, self.depth, self.enable, self.o)
        return m


def block_parts(m, name, depth, width):
    """Blocks for words of ``width`` bits, each as deep as all, side by side; return their write and read ports."""
    # A word that comes is not read in that cycle, so no logic is wanted that says what that would give.
    writes, reads, size = [], [], part_width(depth)
    for first in range(0, width, size):
        part = Memory(shape=min(size, width - first), depth=depth, init=[], attrs={"no_rw_check": 1})
        m.submodules[f"{name}_{first // size}"] = part
        writes.append(part.write_port())
        reads.append(part.read_port())
    return writes, reads


def _step(m, pointer, by, depth):
    """Move a pointer on, around a ring of ``depth``."""
    with m.If(by):
        m.d.sync += pointer.eq(pointer + 1)
        if depth & (depth - 1):
            with m.If(pointer == depth - 1):
                m.d.sync += pointer.eq(0)


def read_ahead(m, reads, depth, came, o):
    """Offer the words of blocks in order, read ahead into a few words of distributed memory.

    Parameters
    ----------
    m : Module
    reads : sequence of read ports
        Of the blocks: the parts of a word side by side, lowest bits first.
    depth : int
        Words of the blocks.
    came : Value
        The next word is written by the end of this cycle.
    o : stream interface
        Where they go.
    """
    at, inside = Signal(range(depth)), Signal(range(depth + 1))
    # Places ahead of the blocks that are free, and words there: as many ones, of which the first says if any.
    places, waiting = Signal(_AHEAD, init=(1 << _AHEAD) - 1), Signal(_AHEAD)
    some, issue, taken = Signal(), Signal(), Signal()
    m.d.comb += [
        *(read.addr.eq(at) for read in reads),
        issue.eq(some & places[0]),
        taken.eq(o.valid & o.ready),
        o.valid.eq(waiting[0]),
    ]
    m.d.sync += [
        inside.eq(inside + came - issue),
        places.eq(moved_level(places, taken, issue)),
        some.eq(came | (inside > 1) | (some & ~issue)),
    ]
    _step(m, at, issue, depth)

    width = len(o.payload)
    captured = Signal(width, reset_less=True)
    m.d.sync += captured.eq(Cat(read.data for read in reads))
    read_back = delayed(m, issue, 2, name="came")
    m.submodules.ahead = ahead = Memory(shape=width, depth=_AHEAD, init=[])
    write, read = ahead.write_port(), ahead.read_port(domain="comb")
    m.d.sync += waiting.eq(moved_level(waiting, read_back, taken))
    m.d.comb += [write.data.eq(captured), write.en.eq(read_back), o.payload.eq(read.data)]
    m.d.sync += [write.addr.eq(write.addr + read_back), read.addr.eq(read.addr + taken)]
