"""Ring of received pixels that wait for the accelerator."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, ResetInserter, Signal, unsigned
from amaranth.lib import stream
from amaranth.lib.data import StructLayout
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.stream import Queue

__all__ = ["PixelBuffer"]

#: Nobody uses a word that was read in the cycle of its write, so synthesis need not make that come out in any order. It
#: happens: an idle reader reads all the time.
ANY_ORDER = {"no_rw_check": 1}

IN_LOGIC = {"ram_style": "distributed"}

#: Pixels between the block RAM and the reader: as many as are under way until a taken one has made room for another.
AHEAD = 8

#: Bytes of a word of the block RAM; a pixel has three.
WORD = 4


class PixelBuffer(Component):
    """Ring of frame payloads: written byte by byte, visible to the reader only once committed, read a pixel a cycle.

    Four bytes are a word of the block RAM, so three words are four pixels: of every four pixels three read a word and
    one is what was left of them.

    Parameters
    ----------
    frames : int
        Payloads in the ring, a power of two of at least 2. One of them is always open for writing, so at most
        ``frames - 1`` may be committed and not drained.
    streaming : bool
        Frames may be ``quiet``.
    size : int
        Bytes of a payload, a power of two of at least 4; 8 frames of 256 fill a DP16KD.

    Members
    -------
    w_index, w_data, w_stb : In(8), In(8), In(1)
        Write a byte of the open frame.
    commit, pixels : In(1), In(7)
        Close the open frame, which holds `pixels` (1 to 85) pixels, also in the cycle behind, and open the next. In the
        cycle behind no byte is written.
    quiet : In(1)
        The end of the open frame is told by ``released``; with ``pixels``.
    flush : In(1)
        Forget all committed frames; an offered pixel is withdrawn.
    o : Out(stream.Signature(24))
        Pixels, R in bits 7..0.
    drained : Out(1)
        Pulses in the cycle behind the one that takes a frame's last pixel.
    released : Out(1)
        Likewise, of a frame that was quiet.

    Attributes
    ----------
    latency : int
        Cycles from a commit to the offer of its first pixel, where nothing waits before it: 7.
    interval : int
        1 cycle.
    gap : int
        Cycles that a frame takes beyond those of its pixels, behind another one: 2. A reader that pauses does not see
        them, since pixels are read ahead.

    Resources: a block RAM for 2 KiB; distributed memory, of 8 pixels and of a byte a frame; two registers a bit of a
    word.

    Raises
    ------
    TypeError, ValueError
        The parameters are no such numbers.
    """

    latency = 7
    interval = 1
    gap = 2

    def __init__(self, *, frames: int, streaming: bool = False, size: int = 256):
        for name, value, least in (("frames", frames, 2), ("size", size, WORD)):
            if not isinstance(value, int):
                raise TypeError(f"{name} must be an integer, not {value!r}")
            if value < least or value & (value - 1):
                raise ValueError(f"{name} must be a power of two of at least {least}, not {value!r}")
        self.frames, self.streaming, self._words = frames, streaming, size // WORD
        self._count = unsigned((size // 3).bit_length())
        # of a pixel: its frame's last one, of a frame that is quiet
        self._marks = {"last": 1, **({"quiet": 1} if streaming else {})}
        super().__init__(
            {
                "w_index": In(range(size)),
                "w_data": In(8),
                "w_stb": In(1),
                "commit": In(1),
                "pixels": In(self._count),
                "flush": In(1),
                "o": Out(stream.Signature(24)),
                "drained": Out(1),
                **({"quiet": In(1), "released": Out(1)} if streaming else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=unsigned(8 * WORD), depth=self._words * self.frames, init=[], attrs=ANY_ORDER
        )
        read = memory.read_port()
        # a pixel that is asked for, and which of four it is
        step = Signal(StructLayout({"phase": 2, **self._marks}), name="step")
        goes, room = Signal(name="goes"), Signal(init=1, name="room")
        self._ask(m, *self._write(m, memory.write_port(granularity=8)), read.addr, room, goes, step)
        self._offer(m, goes, room, *self._assemble(m, read.data, goes, step))
        return m

    def _write(self, m, write):
        """Fill the open frame; return its number, and where its pixels are told, and above them whether it is quiet."""
        head = Signal(range(self.frames))
        size = Cat(self.pixels, self.quiet) if self.streaming else self.pixels
        m.submodules.sizes = sizes = Memory(shape=unsigned(len(size)), depth=self.frames, init=[], attrs=IN_LOGIC)
        told, committed = sizes.write_port(), Signal()  # a cycle late, when `pixels` still stands
        m.d.sync += [
            write.addr.eq(Cat(self.w_index[2:], head)),
            write.data.eq(self.w_data.replicate(WORD)),
            write.en.eq(self.w_stb << self.w_index[:2]),
            committed.eq(self.commit),
        ]
        m.d.comb += [told.addr.eq(head), told.data.eq(size), told.en.eq(committed)]
        with m.If(committed & ~self.flush):
            m.d.sync += head.eq(head + 1)
        return head, sizes.read_port(domain="comb")

    def _ask(self, m, head, sizes, address, room, goes, step):
        """Go through the pixels of committed frames, up to the open one, as long as there is room for them."""
        tail, index = Signal(range(self.frames)), Signal(range(self._words))
        left = Signal(self._count)
        m.d.comb += [address.eq(Cat(index, tail)), sizes.addr.eq(tail)]
        with m.FSM():
            with m.State("EMPTY"):
                m.d.sync += [index.eq(0), step.phase.eq(0)]
                m.d.sync += Cat(left, *([step.quiet] if self.streaming else [])).eq(sizes.data)
                with m.If((head != tail) & ~self.flush):
                    m.next = "BEGIN"
            with m.State("BEGIN"):
                m.d.sync += step.last.eq(left == 1)
                m.next = "RUN"
                with m.If(self.flush):
                    m.next = "EMPTY"
            with m.State("RUN"):
                m.d.comb += goes.eq(room)
                with m.If(room):
                    m.d.sync += [step.phase.eq(step.phase + 1), left.eq(left - 1), step.last.eq(left == 2)]
                    with m.If(step.phase != 3):
                        m.d.sync += index.eq(index + 1)
                    with m.If(step.last):
                        m.d.sync += tail.eq(tail + 1)
                        m.next = "EMPTY"
                with m.If(self.flush):
                    m.next = "EMPTY"
        with m.If(self.flush):
            m.d.sync += tail.eq(head)

    def _assemble(self, m, word, goes, step):
        """Make pixels of words; return whether there is one, the pixel, and the step that asked for it."""
        # The block's own output is too slow to go anywhere but straight into a register.
        captured, before = Signal.like(word, name="captured"), Signal.like(word, name="before")
        coming, there = Signal(name="coming"), Signal(name="there")
        awaited, asked = Signal.like(step, name="awaited"), Signal.like(step, name="asked")
        m.d.sync += [captured.eq(word), awaited.eq(step), asked.eq(awaited)]
        m.d.sync += [coming.eq(goes & ~self.flush), there.eq(coming & ~self.flush)]
        with m.If(there):
            m.d.sync += before.eq(captured)
        both = Cat(before, captured)
        pixel = Array(both[8 * start :][:24] for start in (4, 3, 2, 1))[asked.phase]
        return there, pixel, asked

    def _offer(self, m, goes, room, there, pixel, asked):
        """Offer what was asked for, and tell when it was taken and how much may be under way."""
        layout = StructLayout({"pixel": 24, **self._marks})
        queue, taken = Queue(layout, AHEAD), Signal(name="taken")
        m.submodules.queue = ResetInserter(self.flush)(queue)
        offered = queue.o.payload
        m.d.comb += [
            queue.i.valid.eq(there),
            queue.i.payload.eq(Cat(pixel, *(asked[mark] for mark in self._marks))),
            self.o.valid.eq(queue.o.valid),
            self.o.payload.eq(offered.pixel),
            queue.o.ready.eq(self.o.ready),
        ]
        takes = self.o.valid & self.o.ready & ~self.flush
        quiet = offered.quiet if self.streaming else 0
        # The reader may be far off, so nothing but registers waits for it; and what a step waits for is a register.
        free = Signal(range(AHEAD + 1), init=AHEAD, name="free")
        m.d.sync += [
            taken.eq(takes),
            self.drained.eq(takes & offered.last & ~quiet),
            free.eq(free + Cat(goes ^ taken, goes & ~taken).as_signed()),
            room.eq(Mux(goes & ~taken, free != 1, room | taken)),
        ]
        if self.streaming:
            m.d.sync += self.released.eq(takes & offered.last & quiet)
        with m.If(self.flush):
            m.d.sync += [free.eq(AHEAD), room.eq(1)]
