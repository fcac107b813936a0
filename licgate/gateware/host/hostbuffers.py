"""Buffers of the host link: received pixels that wait for the accelerator, latents that wait for the line."""

from __future__ import annotations

import itertools
from contextlib import contextmanager

from amaranth.hdl import Array, Cat, Module, Signal
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.host.hostframe import header_layout
from licgate.gateware.ports import latent_layout
from licgate.target.frames import MAX_LATENTS, FrameType

__all__ = ["LatentPacker", "PixelBuffer"]

#: Nobody uses a word that was read in the cycle of its write, so synthesis need not make that come out in any order. It
#: happens: an idle reader reads all the time.
ANY_ORDER = {"no_rw_check": 1}

#: Two Kbit are too few for a block RAM, where designs that fill a device need every one.
IN_LOGIC = {"ram_style": "distributed"}


class PixelBuffer(Component):
    """Ring of frame payloads: written byte by byte, visible to the reader only once committed.

    Parameters
    ----------
    frames : int
        Payloads of 256 bytes in the ring, a power of two of at least 2. One of them is always open for writing, so at
        most ``frames - 1`` may be committed and not drained; 8 frames fill a DP16KD.
    streaming : bool
        Frames may be ``quiet``.

    Members
    -------
    w_index, w_data, w_stb : In(8), In(8), In(1)
        Write a byte of the open frame.
    commit, pixels : In(1), In(7)
        Close the open frame, which holds `pixels` (1 to 85) pixels, also in the cycle behind, and open the next.
    quiet : In(1)
        The end of the open frame is told by ``released``; with ``pixels``.
    flush : In(1)
        Forget all committed frames; an offered pixel is withdrawn.
    o : Out(stream.Signature(24))
        Pixels, R in bits 7..0; the first 8 cycles after the commit, then one every 7 cycles.
    drained : Out(1)
        Pulses in the cycle behind the one that takes a frame's last pixel.
    released : Out(1)
        Likewise, of a frame that was quiet.
    """

    def __init__(self, *, frames: int, streaming: bool = False):
        if not isinstance(frames, int):
            raise TypeError(f"frames must be an integer, not {frames!r}")
        if frames < 2 or frames & (frames - 1):
            raise ValueError(f"frames must be a power of two of at least 2, not {frames!r}")
        self.frames, self.streaming = frames, streaming
        self.latency, self.interval = 8, 7
        super().__init__(
            {
                "w_index": In(8),
                "w_data": In(8),
                "w_stb": In(1),
                "commit": In(1),
                "pixels": In(7),
                "flush": In(1),
                "o": Out(stream.Signature(24)),
                "drained": Out(1),
                **({"quiet": In(1), "released": Out(1)} if streaming else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=8, depth=256 * self.frames, init=[], attrs=ANY_ORDER)
        head, sizes = self._write(m, memory.write_port())
        self._read(m, memory.read_port(), head, sizes)
        return m

    def _read(self, m, read, head, sizes):
        """Offer the pixels of committed frames, up to the open one."""
        tail, index, captured = Signal(range(self.frames)), Signal(8), Signal(8)
        left, fewer, last, quiet = Signal(7), Signal(7, name="fewer"), Signal(name="last"), Signal(name="quiet_frame")
        # The block's own output is too slow to go anywhere but straight into a register.
        m.d.sync += [last.eq(left == 1), fewer.eq(left - 1), captured.eq(read.data)]
        m.d.comb += read.addr.eq(Cat(index, tail))

        @contextmanager
        def state(name):
            with m.State(name):
                yield
                with m.If(self.flush):
                    m.d.sync += tail.eq(head)
                    m.next = "EMPTY"

        with m.FSM():
            with state("EMPTY"):
                m.d.sync += [index.eq(0), Cat(left, *([quiet] if self.streaming else [])).eq(sizes[tail])]
                with m.If(head != tail):
                    m.next = "ADDRESS"
            # Addresses run two cycles ahead of what is captured.
            names = ("ADDRESS", "WAIT", "RED", "GREEN", "BLUE", "OFFER")
            for name, after in itertools.pairwise(names):
                with state(name):
                    if name in ("RED", "GREEN", "BLUE"):
                        m.d.sync += self.o.payload.eq(Cat(self.o.payload[8:], captured))
                    if name in ("ADDRESS", "WAIT", "RED"):
                        m.d.sync += index.eq(index + 1)
                    m.next = after
            with state("OFFER"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.next = "TAKEN"
            # The reader may be far off, so one state alone asks for it.
            with state("TAKEN"):
                m.d.sync += left.eq(fewer)
                m.next = "ADDRESS"
                with m.If(last):
                    m.d.comb += self.drained.eq(~quiet if self.streaming else 1)
                    if self.streaming:
                        m.d.comb += self.released.eq(quiet)
                    m.d.sync += tail.eq(tail + 1)
                    m.next = "EMPTY"

    def _write(self, m, write):
        """Fill the open frame; return its number, and of every frame its pixels, and above them whether it is quiet."""
        head = Signal(range(self.frames))
        size = Cat(self.pixels, self.quiet) if self.streaming else self.pixels
        sizes = Array(Signal(len(size), name=f"size_{n}") for n in range(self.frames))
        committed = Signal()  # a cycle late, when `pixels` still stands
        m.d.sync += [
            write.addr.eq(Cat(self.w_index, head)),
            write.data.eq(self.w_data),
            write.en.eq(self.w_stb),
            committed.eq(self.commit),
        ]
        with m.If(committed & ~self.flush):
            m.d.sync += [sizes[head].eq(size), head.eq(head + 1)]
        return head, sizes


class LatentPacker(Component):
    """Collect latents until a frame is full or the patch ends, then offer them as one frame.

    Members
    -------
    i : In(stream.Signature(latent_layout))
        Latents; not taken while a frame is being sent.
    flush : In(1)
        Forget what is collected and not yet on its way.
    o_header : Out(stream.Signature(header_layout))
        Type LATENTS or LATENTS_LAST, and two bytes a latent.
    o : Out(stream.Signature(8))
        The bytes, low byte of each latent first.
    """

    def __init__(self):
        super().__init__(
            {
                "i": In(stream.Signature(latent_layout)),
                "flush": In(1),
                "o_header": Out(stream.Signature(header_layout)),
                "o": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=16, depth=MAX_LATENTS + 1, init=[], attrs=ANY_ORDER | IN_LOGIC)
        write, read = memory.write_port(), memory.read_port()
        count = Signal(range(MAX_LATENTS + 1))
        sent = Signal(range(MAX_LATENTS + 1))
        # The memory's own output is too slow to go anywhere but straight into a register.
        captured = Signal(16)
        latent = Signal(16)
        # Two cycles pass from the count of what is sent to the last byte.
        all_sent = Signal()
        m.d.sync += [captured.eq(read.data), all_sent.eq(sent == count)]
        m.d.comb += [read.addr.eq(sent), self.o.payload.eq(latent[:8])]
        # The memory may be far off, and what is written is read three cycles later at the earliest.
        m.d.sync += [
            write.addr.eq(count),
            write.data.eq(self.i.payload.value),
            write.en.eq(self.i.valid & self.i.ready),
        ]
        with m.FSM():
            self._collect(m, count, sent)
            self._send(m, count, sent, all_sent, captured, latent)
        return m

    def _collect(self, m, count, sent):
        """Take latents, then offer the header of their frame."""
        header = self.o_header.payload
        with m.State("COLLECT"):
            m.d.comb += self.i.ready.eq(1)
            m.d.sync += sent.eq(0)
            with m.If(self.i.valid):
                m.d.sync += [
                    count.eq(count + 1),
                    header.length.eq(2 * (count + 1)),
                    header.type.eq(FrameType.LATENTS),
                ]
                with m.If(self.i.payload.last):
                    m.d.sync += header.type.eq(FrameType.LATENTS_LAST)
                with m.If(self.i.payload.last | (count == MAX_LATENTS - 1)):
                    m.next = "OFFER"
            with m.If(self.flush):
                m.d.sync += count.eq(0)
                m.next = "COLLECT"
        with m.State("OFFER"):
            m.d.comb += self.o_header.valid.eq(1)
            with m.If(self.o_header.ready):
                m.next = "READ"
            with m.Elif(self.flush):
                m.d.sync += count.eq(0)
                m.next = "COLLECT"

    def _send(self, m, count, sent, all_sent, captured, latent):
        """Bring the bytes."""
        with m.State("READ"):
            m.next = "CAPTURE"
        with m.State("CAPTURE"):
            m.next = "LOAD"
        with m.State("LOAD"):
            m.d.sync += [latent.eq(captured), sent.eq(sent + 1)]
            m.next = "LOW"
        with m.State("LOW"):
            m.d.comb += self.o.valid.eq(1)
            with m.If(self.o.ready):
                m.d.sync += latent.eq(latent[8:])
                m.next = "HIGH"
        with m.State("HIGH"):
            m.d.comb += self.o.valid.eq(1)
            with m.If(self.o.ready):
                m.next = "READ"
                with m.If(all_sent):
                    m.d.sync += count.eq(0)
                    m.next = "COLLECT"
