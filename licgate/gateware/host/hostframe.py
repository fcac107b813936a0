"""Frames of the host link in gateware: receive with CRC check, send with CRC (docs/hostlink.md)."""

from __future__ import annotations

from contextlib import contextmanager

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.crc.catalog import CRC16_IBM_3740
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import Component, In, Out

from licgate.target.frames import SYNC, ErrorCode

__all__ = ["FrameReceiver", "FrameSender", "header_layout", "report_layout"]

#: First payload bytes which the receiver keeps in registers: a register's address and value.
HEAD_BYTES = 5

header_layout = StructLayout({"type": 8, "length": 8})
report_layout = StructLayout({"type": 8, "length": 8, "error": 8, "head": 8 * HEAD_BYTES})


class FrameReceiver(Component):
    """Find frames in a byte stream, write their payload to a buffer as it comes, and report each when its CRC is known.

    The buffer must treat what was written as void until a report without an error says otherwise.

    Parameters
    ----------
    timeout : int
        Clock cycles without a byte after which a begun frame is given up as `TRUNCATED`.

    Members
    -------
    i : In(stream.Signature(8))
        Bytes from the line; not taken while a report waits.
    w_index, w_data, w_stb : Out(8), Out(8), Out(1)
        Payload byte `w_data` at position `w_index`.
    o : Out(stream.Signature(report_layout))
        One report per frame. `error` is 0 or an `ErrorCode`; `head` holds the first five payload bytes, the latest in
        the top byte (so all five of a WRITE in order, and the only one of a READ at the top).
    """

    def __init__(self, *, timeout: int):
        if not isinstance(timeout, int):
            raise TypeError(f"timeout must be an integer, not {timeout!r}")
        if timeout < 2:
            raise ValueError(f"timeout must be at least 2 clock cycles, not {timeout!r}")
        self.timeout = timeout
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "w_index": Out(8),
                "w_data": Out(8),
                "w_stb": Out(1),
                "o": Out(stream.Signature(report_layout)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.crc = crc = CRC16_IBM_3740().create()
        report = self.o.payload
        index, left, byte = Signal(8), Signal(8), self.i.payload
        idle, expired = Signal(range(self.timeout)), Signal()
        taken = self.i.valid & self.i.ready
        m.d.comb += [crc.data.eq(byte), self.w_index.eq(index), self.w_data.eq(byte)]
        self._keep_head(m, index)
        m.d.sync += [idle.eq(0), expired.eq((idle == self.timeout - 1) & ~self.i.valid)]

        @contextmanager
        def byte_state(name):
            """Take a byte of a begun frame into the CRC, or give the frame up."""
            with m.State(name):
                # whatever comes is taken here
                m.d.comb += [self.i.ready.eq(1), crc.valid.eq(self.i.valid)]
                with m.If(self.i.valid):
                    yield
                with m.Else():
                    m.d.sync += idle.eq(idle + 1)
                    with m.If(expired):
                        m.d.sync += report.error.eq(ErrorCode.TRUNCATED)
                        m.next = "REPORT"

        with m.FSM():
            with m.State("HUNT"):
                m.d.comb += [self.i.ready.eq(1), crc.start.eq(1)]
                m.d.sync += [index.eq(0), report.error.eq(0)]
                with m.If(taken & (byte == SYNC)):
                    m.next = "TYPE"
            with byte_state("TYPE"):
                m.d.sync += report.type.eq(byte)
                m.next = "LENGTH"
            with byte_state("LENGTH"):
                m.d.sync += [report.length.eq(byte), left.eq(byte)]
                m.next = "PAYLOAD"
                with m.If(byte == 0):
                    m.next = "CRC_HIGH"
            with byte_state("PAYLOAD"):
                m.d.comb += self.w_stb.eq(1)
                m.d.sync += [index.eq(index + 1), left.eq(left - 1)]
                with m.If(left == 1):
                    m.next = "CRC_HIGH"
            with byte_state("CRC_HIGH"):
                m.next = "CRC_LOW"
            with byte_state("CRC_LOW"):
                m.next = "CHECK"
            with m.State("CHECK"):
                m.d.sync += report.error.eq(Mux(crc.match_detected, 0, ErrorCode.BAD_CRC))
                m.next = "REPORT"
            with m.State("REPORT"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.next = "HUNT"
        return m

    def _keep_head(self, m, index):
        """Keep the first bytes; a cycle later, so that their many registers are enabled by one of their own."""
        kept, late_byte, head = Signal(), Signal(8), self.o.payload.head
        m.d.sync += [kept.eq(self.w_stb & (index < HEAD_BYTES)), late_byte.eq(self.w_data)]
        with m.If(kept):
            m.d.sync += head.eq(Cat(head[8:], late_byte))


class FrameSender(Component):
    """Send a header's frame: sync byte, type, length, as many payload bytes as the header says, CRC.

    Members
    -------
    i : In(stream.Signature(header_layout))
        Header; taken when the sender is idle, so ready again means that the frame before has left.
    i_payload : In(stream.Signature(8))
        Payload bytes, taken one at a time as the line takes them.
    o : Out(stream.Signature(8))
        Bytes to the line, every second cycle at most.
    """

    def __init__(self):
        super().__init__(
            {
                "i": In(stream.Signature(header_layout)),
                "i_payload": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.crc = crc = CRC16_IBM_3740().create()
        header = Signal(header_layout)
        left = Signal(8)
        moved, counts = Signal(), Signal()
        # The CRC takes a byte the cycle after the line has, and the next byte waits for it.
        last, fresh = Signal(8), Signal()
        m.d.comb += [moved.eq(self.o.valid & self.o.ready), crc.data.eq(last), crc.valid.eq(fresh)]
        m.d.sync += [last.eq(self.o.payload), fresh.eq(moved & counts)]

        def send(byte, after):
            m.d.comb += [self.o.valid.eq(~fresh), self.o.payload.eq(byte)]
            with m.If(moved):
                m.next = after

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.i.ready.eq(1), crc.start.eq(1)]
                m.d.sync += [header.eq(self.i.payload), left.eq(self.i.payload.length)]
                with m.If(self.i.valid):
                    m.next = "SYNC"
            with m.State("SYNC"):
                send(SYNC, "TYPE")
            with m.State("TYPE"):
                send(header.type, "LENGTH")
                m.d.comb += counts.eq(1)
            with m.State("LENGTH"):
                send(header.length, "PAYLOAD")
                m.d.comb += counts.eq(1)
                with m.If(moved & (header.length == 0)):
                    m.next = "CRC_HIGH"
            with m.State("PAYLOAD"):
                m.d.comb += [
                    self.o.valid.eq(self.i_payload.valid & ~fresh),
                    self.o.payload.eq(self.i_payload.payload),
                    self.i_payload.ready.eq(self.o.ready & ~fresh),
                    counts.eq(1),
                ]
                with m.If(moved):
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 1):
                        m.next = "CRC_HIGH"
            with m.State("CRC_HIGH"):
                send(crc.crc[8:], "CRC_LOW")
            with m.State("CRC_LOW"):
                send(crc.crc[:8], "IDLE")
        return m
