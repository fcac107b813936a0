"""A queue in block memory that is read through the block's output register."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.arith import delayed

__all__ = ["BlockQueue"]

# Words on their way out of the block, or out already: what a word a cycle takes.
_AHEAD = 4


class BlockQueue(Component):
    """Queue whose writer knows that there is room.

    A block memory takes 5.6 ns of an ECP5 to answer, so nothing stands behind it but its own output register, which
    cannot wait: words are read ahead into a small queue of distributed memory, never more than that has places for.

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

    Resources: the blocks of ``depth`` words; four words of distributed memory; two pointers and a counter
    of the depth.

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
        m.submodules.block = block = Memory(shape=self.width, depth=self.depth, init=[], attrs={"no_rw_check": 1})
        write, read = block.write_port(), block.read_port()

        def step(pointer, by):
            with m.If(by):
                m.d.sync += pointer.eq(pointer + 1)
                if self.depth & (self.depth - 1):
                    with m.If(pointer == self.depth - 1):
                        m.d.sync += pointer.eq(0)

        # In the block, and places ahead of it.
        inside, places = Signal(range(self.depth + 1)), Signal(range(_AHEAD + 1), init=_AHEAD)
        some, issue, taken = Signal(), Signal(), Signal()
        m.d.comb += [
            write.data.eq(self.word), write.en.eq(self.enable),
            issue.eq(some & (places != 0)), taken.eq(self.o.valid & self.o.ready),
        ]  # fmt: skip
        m.d.sync += [
            inside.eq(inside + self.enable - issue), places.eq(places + taken - issue),
            some.eq(self.enable | (inside > 1) | (some & ~issue)),
        ]  # fmt: skip
        step(write.addr, self.enable)
        step(read.addr, issue)

        captured = Signal(self.width, reset_less=True)
        m.d.sync += captured.eq(read.data)
        came = delayed(m, issue, 2, name="came")
        m.submodules.ahead = ahead = Memory(shape=self.width, depth=_AHEAD, init=[])
        write, read = ahead.write_port(), ahead.read_port(domain="comb")
        count = Signal(range(_AHEAD + 1))
        m.d.sync += [
            count.eq(count + came - taken), self.o.valid.eq(came | (count > 1) | (self.o.valid & ~taken)),
        ]  # fmt: skip
        m.d.comb += [write.data.eq(captured), write.en.eq(came), self.o.payload.eq(read.data)]
        m.d.sync += [write.addr.eq(write.addr + came), read.addr.eq(read.addr + taken)]
        return m
