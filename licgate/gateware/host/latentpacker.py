"""Latents of a patch that wait for the line, a frame at a time."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.host.hostframe import header_layout
from licgate.gateware.ports import latent_layout
from licgate.target.frames import MAX_LATENTS, FrameType

__all__ = ["LatentPacker"]

#: Two Kbit are too few for a block RAM, where designs that fill a device need every one. What is read in the cycle of
#: its write nobody uses, so synthesis need not make that come out in any order.
IN_LOGIC = {"ram_style": "distributed", "no_rw_check": 1}


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
        m.submodules.memory = memory = Memory(shape=16, depth=MAX_LATENTS + 1, init=[], attrs=IN_LOGIC)
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
