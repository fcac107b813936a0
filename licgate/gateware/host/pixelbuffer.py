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

#: Bytes of a word of the memory, a power of two; a pixel has three.
WORD = 4


class PixelBuffer(Component):
    """Ring of frame payloads: written byte by byte, read a pixel a cycle, visible to the reader only once committed.

    A word of the memory is four bytes, so four pixels lie in three words: a pixel takes what is left of the word before
    and the word that is read with it.

    Parameters
    ----------
    frames : int
        Payloads in the ring, a power of two of at least 2. One of them is always open for writing, so at most
        ``frames - 1`` may be committed and not drained.
    streaming : bool
        Frames may be ``quiet``.
    size : int
        Bytes of a payload's place, a power of two of at least 4.

    Members
    -------
    w_index, w_data, w_stb : :py:`In(range(size))`, :py:`In(8)`, :py:`In(1)`
        Write a byte of the open frame; not in the cycle behind ``commit``.
    commit, pixels : :py:`In(1)`, :py:`In(7)`
        Close the open frame, which holds ``pixels`` (1 to ``size // 3``) pixels, also in the cycle behind, and open the
        next.
    quiet : :py:`In(1)`
        The end of the open frame is told by ``released``; with ``pixels``.
    flush : :py:`In(1)`
        Forget all frames that have been committed, in this cycle too; an offered pixel is withdrawn. The bytes of the
        open frame stay.
    o : :py:`Out(stream.Signature(24))`
        Pixels, R in bits 7..0.
    drained : :py:`Out(1)`
        Pulses in the cycle behind the one that takes a frame's last pixel.
    released : :py:`Out(1)`
        Likewise, of a frame that was quiet.

    Attributes
    ----------
    latency : int
        Cycles from a commit to the offer of the frame's first pixel, or more until all before has been taken: 6.
    interval : int
        1 cycle, from a frame to the next one too.
    ahead : int
        Pixels that are read before the reader takes them, at most: 8. Five is the least for that interval, since as
        many cycles pass from one that is read to the one that is read in its place.

    Resources on ECP5, with 8 frames: 175 LUT4, 7 carries, 132 flip-flops, 9 TRELLIS_DPR16X4 and a DP16KD; with 16 that
    may be quiet: 187, 10, 142, 9 and 2. A reset empties the ring.

    Raises
    ------
    TypeError, ValueError
        ``frames`` or ``size`` is no such power of two.
    """

    latency = 6
    interval = 1
    ahead = 8

    def __init__(self, *, frames: int, streaming: bool = False, size: int = 256):
        for name, value, least in (("frames", frames, 2), ("size", size, WORD)):
            if not isinstance(value, int):
                raise TypeError(f"{name} must be an integer, not {value!r}")
            if value < least or value & (value - 1):
                raise ValueError(f"{name} must be a power of two of at least {least}, not {value!r}")
        self.frames, self.streaming, self.size = frames, streaming, size
        self._count = unsigned((size // 3).bit_length())
        # of a frame, and of each of its pixels
        self._kind = {"quiet": 1} if streaming else {}
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
        shape, depth = unsigned(8 * WORD), self.frames * self.size // WORD
        m.submodules.memory = memory = Memory(shape=shape, depth=depth, init=[], attrs=ANY_ORDER)
        read, step = memory.read_port(), Signal(StructLayout({"phase": 2, "last": 1, **self._kind}))
        head, sizes = self._write(m, memory.write_port(granularity=8))
        # There is a frame, there is room for another of its pixels, and so one is read.
        there, room, steps = Signal(), Signal(init=1), Signal()
        m.d.comb += steps.eq(there & room)
        m.d.comb += read.addr.eq(self._walk(m, head, sizes, there, steps, step))
        self._offer(m, steps, room, *self._assemble(m, read.data, steps, step))
        return m

    def _write(self, m, write):
        """Fill the open frame; return its number, and the sizes of the frames behind the one that is read."""
        head, committed, byte = Signal(range(self.frames)), Signal(), Signal(8, name="byte")
        layout = StructLayout({"pixels": self._count, **self._kind})
        m.submodules.sizes = sizes = ResetInserter(self.flush)(Queue(layout, self.frames))
        m.d.sync += [
            byte.eq(self.w_data),
            write.addr.eq(Cat(self.w_index[2:], head)),
            write.en.eq(self.w_stb << self.w_index[:2]),
            committed.eq(self.commit & ~self.flush),  # a cycle late, when `pixels` still stands
        ]
        m.d.comb += [write.data.eq(byte.replicate(WORD)), sizes.i.valid.eq(committed)]
        m.d.comb += sizes.i.payload.pixels.eq(self.pixels)
        if self.streaming:
            m.d.comb += sizes.i.payload.quiet.eq(self.quiet)
        with m.If(committed & ~self.flush):
            m.d.sync += head.eq(head + 1)
        return head, sizes

    def _walk(self, m, head, sizes, there, steps, step):
        """Go through the pixels of committed frames, frame by frame without a pause; return the address of the word."""
        tail, index = Signal(range(self.frames)), Signal(range(self.size // WORD))
        left, size = Signal(self._count), sizes.o.payload
        # The next frame's size waits where it can be seen, and follows the last pixel.
        m.d.comb += sizes.o.ready.eq(~there | (steps & step.last))
        with m.If(steps):
            m.d.sync += [step.phase.eq(step.phase + 1), left.eq(left - 1), step.last.eq(left == 2)]
            # the fourth pixel is all of the word that the third began
            with m.If(step.phase != 2):
                m.d.sync += index.eq(index + 1)
            with m.If(step.last):
                m.d.sync += [step.phase.eq(0), index.eq(0), tail.eq(tail + 1)]
        with m.If(sizes.o.ready):
            m.d.sync += [there.eq(sizes.o.valid), left.eq(size.pixels), step.last.eq(size.pixels == 1)]
            if self.streaming:
                m.d.sync += step.quiet.eq(size.quiet)
        with m.If(self.flush):
            m.d.sync += [there.eq(0), step.phase.eq(0), index.eq(0), tail.eq(head)]
        return Cat(index, tail)

    def _assemble(self, m, word, steps, step):
        """Make a pixel of each word; return whether there is one, the pixel, and the step that it comes of."""
        # The block's own output is too slow to go anywhere but straight into a register.
        captured, before = Signal.like(word, name="captured"), Signal(16)
        comes, came = Signal(name="comes"), Signal(name="came")
        awaited, behind = Signal.like(step, name="awaited"), Signal.like(step, name="behind")
        m.d.sync += [captured.eq(word), awaited.eq(step), behind.eq(awaited)]
        m.d.sync += [comes.eq(steps & ~self.flush), came.eq(comes & ~self.flush)]
        with m.If(came):
            m.d.sync += before.eq(captured[16:])
        pixels = (captured, Cat(before[8:], captured), Cat(before, captured), captured[8:])
        return came, Array(pixel[:24] for pixel in pixels)[behind.phase], behind

    def _offer(self, m, steps, room, came, pixel, behind):
        """Offer what was read, tell the ends of frames, and how much may be under way."""
        layout = StructLayout({"pixel": 24, "last": 1, **self._kind})
        m.submodules.queue = queue = ResetInserter(self.flush)(Queue(layout, self.ahead))
        offered, takes, taken = queue.o.payload, Signal(), Signal()
        m.d.comb += [
            queue.i.valid.eq(came),
            queue.i.payload.pixel.eq(pixel),
            queue.i.payload.last.eq(behind.last),
            self.o.valid.eq(queue.o.valid),
            self.o.payload.eq(offered.pixel),
            queue.o.ready.eq(self.o.ready),
            takes.eq(self.o.valid & self.o.ready & ~self.flush),
        ]
        quiet = 0
        if self.streaming:
            m.d.comb += queue.i.payload.quiet.eq(behind.quiet)
            quiet = offered.quiet
            m.d.sync += self.released.eq(takes & offered.last & quiet)
        free = Signal(range(self.ahead + 1), init=self.ahead)
        m.d.sync += [
            self.drained.eq(takes & offered.last & ~quiet),
            taken.eq(takes),
            free.eq(free + Cat(steps ^ taken, steps & ~taken).as_signed()),
            room.eq(Mux(steps & ~taken, free != 1, room | taken)),
        ]
        with m.If(self.flush):
            m.d.sync += [free.eq(self.ahead), room.eq(1)]
