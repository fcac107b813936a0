"""Host link: framed access to an accelerator's registers, pixels and latents over one byte stream each way."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Mux, ResetInserter, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.host.hostbuffers import LatentPacker, PixelBuffer
from licgate.gateware.host.hostframe import FrameReceiver, FrameSender, header_layout
from licgate.gateware.ports import csr_signature, latent_layout, window_layout
from licgate.gateware.stream import StreamBuffer, connect
from licgate.target.frames import ErrorCode, FrameType
from licgate.target.registers import ADDRESS_WIDTH, Control, Register

__all__ = ["HostLink"]


class HostLink(Component):
    """Device side of docs/hostlink.md.

    Every WRITE and READ is answered by one frame. A PIXELS frame is acknowledged once the accelerator has taken its
    last pixel; meanwhile registers stay accessible. A frame with a wrong CRC is answered by ERROR and has no other
    effect. Writing CONTROL with the reset bit also forgets buffered pixels and latents.

    Parameters
    ----------
    timeout : int
        Clock cycles after which an unfinished frame is given up.
    slots : int
        Slots of the pixel buffer, see `PixelBuffer`; the host may have ``slots - 1`` PIXELS frames outstanding.

    Members
    -------
    i, o : In(stream.Signature(8)), Out(stream.Signature(8))
        Bytes from and to the line.
    csr : Out(csr_signature)
        The accelerator's registers; `r_data` is read three cycles after `addr`.
    o_pixels : Out(stream.Signature(24))
    i_latents : In(stream.Signature(latent_layout))
    i_window : In(stream.Signature(window_layout))
    flush : Out(1)
        The host has asked for a reset; what is on its way between the link and the accelerator is void.
    """

    def __init__(self, *, timeout: int, slots: int = 8):
        self.receiver = FrameReceiver(timeout=timeout)
        self.buffer = PixelBuffer(slots=slots)
        self.packer = LatentPacker()
        self.sender = FrameSender()
        self.slots = slots
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
                "csr": Out(csr_signature),
                "o_pixels": Out(stream.Signature(24)),
                "flush": Out(1),
                "i_latents": In(stream.Signature(latent_layout)),
                "i_window": In(stream.Signature(window_layout)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = receiver = self.receiver
        m.submodules.buffer = buffer = self.buffer
        m.submodules.packer = packer = self.packer
        m.submodules.sender = sender = self.sender
        body = StreamBuffer(8)
        connect(m, flipped(self.i), receiver.i)
        connect(m, sender.o, flipped(self.o))
        connect(m, buffer.o, flipped(self.o_pixels))
        connect(m, flipped(self.i_latents), packer.i)
        # A register in front of the sender; what it holds between frames is of the one before.
        choosing = Signal()
        m.submodules.body = ResetInserter(choosing)(body)
        connect(m, body.o, sender.i_payload)

        # What the sender takes first; a command's answer waits here and holds back the receiver's next report.
        answer = Signal(header_layout)
        answer_data = Signal(40)
        answer_waits = Signal()
        answer_taken = Signal()
        # PIXELS frames accepted and not acknowledged yet, and those of them which are ready for it.
        outstanding = Signal(range(self.slots))
        drained = Signal(range(self.slots))
        flush = Signal()
        acknowledged = Signal()

        self._commands(m, answer, answer_data, answer_waits, flush, outstanding == self.slots - 1)
        with m.If(answer_taken):
            m.d.sync += answer_waits.eq(0)
        m.d.sync += [
            outstanding.eq(Mux(flush, 0, outstanding + buffer.commit - acknowledged)),
            drained.eq(Mux(flush, 0, drained + buffer.drained - acknowledged)),
        ]
        m.d.comb += [packer.flush.eq(flush), buffer.flush.eq(flush), self.flush.eq(flush)]

        header = Signal(header_layout)
        small = Signal(64)
        latents, from_answer, from_drained, from_window, from_packer = (
            Signal(name=n) for n in ("latents", "from_answer", "from_drained", "from_window", "from_packer")
        )
        m.d.comb += sender.i.payload.eq(header)
        # The register takes a byte at every second cycle at most, so there is time to bring the next one.
        passes, passed = Signal(), Signal()
        m.d.sync += passed.eq(passes)
        with m.If(passed):
            m.d.sync += small.eq(small[8:])
        # The state LOAD, without its decoding. One is chosen: an OR of what each gives is shorter than a choice.
        loads = Signal()
        m.d.sync += loads.eq(0)
        answers = (
            (from_answer, answer.as_value(), answer_data),
            (from_drained, Cat(Const(FrameType.ACK, 8), Const(1, 8)), Const(FrameType.PIXELS, 8)),
            (from_window, Cat(Const(FrameType.WINDOW, 8), Const(8, 8)), self.i_window.payload.as_value()),
            (from_packer, packer.o_header.payload.as_value(), Const(0, 1)),
        )
        m.d.comb += [
            answer_taken.eq(loads & from_answer),
            acknowledged.eq(loads & from_drained),
            self.i_window.ready.eq(loads & from_window),
            packer.o_header.ready.eq(loads & from_packer),
        ]
        with m.If(loads):
            m.d.sync += [
                header.eq(_chosen((by, head) for by, head, _ in answers)),
                small.eq(_chosen((by, payload) for by, _, payload in answers)),
                latents.eq(from_packer),
            ]
        with m.FSM(name="answers"):
            # Choosing and loading are two steps, so that neither makes a long path; a flush may come between them.
            with m.State("PICK"):
                m.d.comb += choosing.eq(1)
                m.d.sync += [
                    latents.eq(0),
                    from_answer.eq(answer_waits),
                    from_drained.eq(~answer_waits & (drained != 0) & ~flush),
                    from_window.eq(~answer_waits & (drained == 0) & self.i_window.valid),
                    from_packer.eq(~answer_waits & (drained == 0) & ~self.i_window.valid),
                ]
                with m.If(answer_waits | (drained != 0) | self.i_window.valid | packer.o_header.valid):
                    m.d.sync += loads.eq(1)
                    m.next = "LOAD"
            with m.State("LOAD"):
                m.next = "HEADER"
                with m.If(from_packer & ~packer.o_header.valid):
                    m.next = "PICK"
            with m.State("HEADER"):
                m.d.comb += sender.i.valid.eq(1)
                with m.If(sender.i.ready):
                    m.next = "BODY"
            with m.State("BODY"):
                with m.If(latents):
                    m.d.comb += [
                        body.i.payload.eq(packer.o.payload),
                        body.i.valid.eq(packer.o.valid),
                        packer.o.ready.eq(body.i.ready),
                    ]
                with m.Else():
                    m.d.comb += [body.i.payload.eq(small[:8]), body.i.valid.eq(1), passes.eq(body.i.ready)]
                with m.If(sender.i.ready):
                    m.next = "PICK"
        return m

    def _commands(self, m, answer, answer_data, answer_waits, flush, busy):
        """Execute received frames one at a time."""
        receiver, buffer = self.receiver, self.buffer
        report = receiver.o.payload
        address = Signal(8)
        value = Signal(32)
        third = Signal(2)  # payload bytes modulo three
        pixels = Signal(7)
        # What the frame is, found out a cycle before it is acted on.
        broken, is_pixels, is_write, is_read, odd, wrong_length, wrong_address, resets = (
            Signal(name=n)
            for n in ("broken", "is_pixels", "is_write", "is_read", "odd", "wrong_length", "wrong_address", "resets")
        )
        fails, code = Signal(), Signal(8)

        m.d.comb += [
            buffer.w_index.eq(receiver.w_index),
            buffer.w_data.eq(receiver.w_data),
            buffer.w_stb.eq(receiver.w_stb),
            buffer.pixels.eq(pixels),
            self.csr.addr.eq(address[:ADDRESS_WIDTH]),
            self.csr.w_data.eq(value),
        ]
        with m.If(receiver.w_stb):
            m.d.sync += third.eq(Mux(third == 2, 0, third + 1))
            with m.If(third == 2):
                m.d.sync += pixels.eq(pixels + 1)

        # Nothing waits while a command is at work, so its answer is written down whether it is one or not.
        reading, answers = Signal(), Signal()
        with m.If(answers):
            m.d.sync += [
                answer.type.eq(Mux(reading, FrameType.VALUE, Mux(fails, FrameType.ERROR, FrameType.ACK))),
                answer.length.eq(Mux(reading, 5, 1)),
                answer_data.eq(
                    Cat(
                        Mux(reading, address, Mux(fails, code, FrameType.WRITE)),
                        self.csr.r_data & reading.replicate(32),
                    )
                ),
            ]

        def reply():
            m.d.sync += answer_waits.eq(1)
            m.next = "ANSWER"

        def done():
            m.next = "DONE"

        m.d.sync += flush.eq(0)
        with m.FSM(name="commands"):
            with m.State("IDLE"):
                m.d.sync += [address.eq(report.head[:8]), value.eq(report.head[8:])]
                with m.If(report.type == FrameType.READ):
                    m.d.sync += address.eq(report.head[32:])
                with m.If(receiver.o.valid):
                    m.next = "CHECK"
            with m.State("CHECK"):
                m.d.sync += [
                    broken.eq(report.error != 0),
                    is_pixels.eq(report.type == FrameType.PIXELS),
                    is_write.eq(report.type == FrameType.WRITE),
                    is_read.eq(report.type == FrameType.READ),
                    odd.eq((third != 0) | (report.length == 0)),
                    wrong_length.eq(report.length != Mux(report.type == FrameType.WRITE, 5, 1)),
                    wrong_address.eq(address[ADDRESS_WIDTH:] != 0),
                    resets.eq((address == Register.CONTROL) & (value & Control.RESET).any()),
                ]
                m.next = "DECODE"
            with m.State("DECODE"):
                m.d.sync += [
                    fails.eq(broken | Mux(is_pixels, odd | busy, ~(is_write | is_read) | wrong_length | wrong_address)),
                    code.eq(
                        Mux(
                            is_pixels,
                            Mux(odd, ErrorCode.BAD_LENGTH, ErrorCode.BUSY),
                            Mux(
                                is_write | is_read,
                                Mux(wrong_length, ErrorCode.BAD_LENGTH, ErrorCode.BAD_ADDRESS),
                                ErrorCode.UNKNOWN_TYPE,
                            ),
                        )
                    ),
                ]
                with m.If(broken):
                    m.d.sync += code.eq(report.error)
                m.next = "ACT"
            with m.State("ACT"):
                m.d.comb += answers.eq(1)
                with m.If(fails):
                    reply()
                with m.Elif(is_pixels):
                    m.d.comb += buffer.commit.eq(1)
                    done()
                with m.Elif(is_write):
                    m.d.comb += self.csr.w_stb.eq(1)
                    m.d.sync += flush.eq(resets)
                    reply()
                with m.Else():
                    m.d.sync += reading.eq(1)
                    m.next = "READ"
            # The register's address stands since CHECK, so its value is there now.
            with m.State("READ"):
                m.d.comb += answers.eq(1)
                m.d.sync += reading.eq(0)
                reply()
            with m.State("ANSWER"), m.If(~answer_waits):
                done()
            with m.State("DONE"):
                m.d.comb += receiver.o.ready.eq(1)
                m.d.sync += [third.eq(0), pixels.eq(0)]
                m.next = "IDLE"


def _chosen(pairs):
    """The value whose bit is set; 0 if none is."""
    return reduce(or_, (value & bit.replicate(len(value)) for bit, value in pairs))
