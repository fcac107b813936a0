"""What the host link does with a received frame: registers are read and written, pixels handed on, the rest refused."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.host.answers import answer_layout
from licgate.gateware.host.hostframe import report_layout
from licgate.gateware.ports import csr_signature
from licgate.target.frames import ErrorCode, FrameType
from licgate.target.registers import ADDRESS_WIDTH, Control, Register

__all__ = ["FrameCommands"]

_FACTS = ("broken", "is_pixels", "is_write", "is_read", "odd", "wrong_length", "wrong_address", "resets", "quiet")


class FrameCommands(Component):
    """Carry out received frames, one at a time.

    Parameters
    ----------
    streaming : bool
        Frames of type PIXELS_STREAM are taken: while ``full``, one of them waits, and with it all that comes behind.
        Out of a reset CONTROL is written with the reset bit, so that a reset of the link is one of the accelerator.

    Members
    -------
    i : :py:`In(stream.Signature(report_layout))`
        Reports of a :class:`~licgate.gateware.host.hostframe.FrameReceiver`; taken when the frame has been dealt with.
    byte : :py:`In(1)`
        A byte of payload comes in.
    full : :py:`In(1)`
        No further frame of pixels is taken (level).
    csr : :py:`Out(csr_signature)`
        ``r_data`` is read three cycles after ``addr``.
    commit, pixels : :py:`Out(1)`, :py:`Out(7)`
        The frame holds that many pixels, and is for the accelerator.
    quiet : :py:`Out(1)`
        It wants no acknowledgment (also in the cycle behind ``commit``); only with ``streaming``.
    flush : :py:`Out(1)`
        The host asks for a reset (pulse).
    o : :py:`Out(stream.Signature(answer_layout))`
        Answers; that to pixels comes from elsewhere, when they have been taken.

    Attributes
    ----------
    latency : int
        From a report to the write to a register: 3 cycles; to the answer: 4 cycles, to that of a READ 5.
    """

    latency = 3

    def __init__(self, *, streaming=False):
        self.streaming = streaming
        super().__init__(
            {
                "i": In(stream.Signature(report_layout)),
                "byte": In(1),
                "full": In(1),
                "csr": Out(csr_signature),
                "commit": Out(1),
                "pixels": Out(7),
                "flush": Out(1),
                "o": Out(stream.Signature(answer_layout)),
                **({"quiet": Out(1)} if streaming else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        begins = (Register.CONTROL, Control.RESET) if self.streaming else (0, 0)
        address, value = Signal(8, init=begins[0]), Signal(32, init=begins[1])
        third = Signal(2)  # payload bytes modulo three
        report = self.i.payload
        m.d.comb += [self.csr.addr.eq(address[:ADDRESS_WIDTH]), self.csr.w_data.eq(value)]
        with m.If(self.byte):
            m.d.sync += third.eq(Mux(third == 2, 0, third + 1))
            with m.If(third == 2):
                m.d.sync += self.pixels.eq(self.pixels + 1)
        # What the frame is, found out a cycle before it is acted on.
        facts = {name: Signal(name=name) for name in _FACTS}
        fails, code, reading, answers = Signal(), Signal(8), Signal(), Signal()
        self._answer(m, answers, reading, fails, code, address)
        if self.streaming:
            m.d.comb += self.quiet.eq(facts["quiet"])
        m.d.sync += self.flush.eq(0)
        with m.FSM(init="RESET" if self.streaming else None):
            if self.streaming:
                with m.State("RESET"):
                    m.d.comb += self.csr.w_stb.eq(1)
                    m.d.sync += self.flush.eq(1)
                    m.next = "IDLE"
            with m.State("IDLE"):
                m.d.sync += [address.eq(report.head[:8]), value.eq(report.head[8:])]
                with m.If(report.type == FrameType.READ):
                    m.d.sync += address.eq(report.head[32:])
                with m.If(self.i.valid):
                    m.next = "CHECK"
            with m.State("CHECK"):
                self._check(m, facts, address, value, third)
                m.next = "DECODE"
            with m.State("DECODE"):
                self._decode(m, facts, fails, code)
                m.next = "ACT"
                if self.streaming:
                    with m.If(facts["quiet"] & self.full & ~facts["broken"] & ~facts["odd"]):
                        m.next = "DECODE"
            with m.State("ACT"):
                m.d.comb += answers.eq(1)
                m.next = "ANSWER"
                self._act(m, facts, fails, reading)
            # The register's address stands since CHECK, so its value is there now.
            with m.State("READ"):
                m.d.comb += answers.eq(1)
                m.d.sync += [reading.eq(0), self.o.valid.eq(1)]
                m.next = "ANSWER"
            with m.State("ANSWER"), m.If(~self.o.valid):
                m.next = "DONE"
            with m.State("DONE"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += [third.eq(0), self.pixels.eq(0)]
                m.next = "IDLE"
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m

    def _act(self, m, facts, fails, reading):
        """Do what the frame asks for, and say what comes next if that is not its answer."""
        with m.If(fails):
            m.d.sync += self.o.valid.eq(1)
        with m.Elif(facts["is_pixels"]):
            m.d.comb += self.commit.eq(1)
            m.next = "DONE"
        with m.Elif(facts["is_write"]):
            m.d.comb += self.csr.w_stb.eq(1)
            m.d.sync += [self.flush.eq(facts["resets"]), self.o.valid.eq(1)]
        with m.Else():
            m.d.sync += reading.eq(1)
            m.next = "READ"

    def _answer(self, m, answers, reading, fails, code, address):
        """Nothing waits while a command is at work, so its answer is written down whether it is one or not."""
        answer = self.o.payload
        failed, kind = Mux(fails, FrameType.ERROR, FrameType.ACK), Mux(fails, code, FrameType.WRITE)
        with m.If(answers):
            m.d.sync += [
                answer.header.type.eq(Mux(reading, FrameType.VALUE, failed)),
                answer.header.length.eq(Mux(reading, 5, 1)),
                answer.data.eq(Cat(Mux(reading, address, kind), self.csr.r_data & reading.replicate(32))),
            ]

    def _carries_pixels(self, kind):
        pixels = kind == FrameType.PIXELS
        return pixels | (kind == FrameType.PIXELS_STREAM) if self.streaming else pixels

    def _check(self, m, facts, address, value, third):
        report = self.i.payload
        if self.streaming:
            m.d.sync += facts["quiet"].eq(report.type == FrameType.PIXELS_STREAM)
        m.d.sync += [
            facts["broken"].eq(report.error != 0),
            facts["is_pixels"].eq(self._carries_pixels(report.type)),
            facts["is_write"].eq(report.type == FrameType.WRITE),
            facts["is_read"].eq(report.type == FrameType.READ),
            facts["odd"].eq((third != 0) | (report.length == 0)),
            facts["wrong_length"].eq(report.length != Mux(report.type == FrameType.WRITE, 5, 1)),
            facts["wrong_address"].eq(address[ADDRESS_WIDTH:] != 0),
            facts["resets"].eq((address == Register.CONTROL) & (value & Control.RESET).any()),
        ]

    def _decode(self, m, facts, fails, code):
        broken, is_pixels, is_write, is_read, odd, wrong_length, wrong_address, *_ = facts.values()
        known = is_write | is_read
        wrong = Mux(wrong_length, ErrorCode.BAD_LENGTH, ErrorCode.BAD_ADDRESS)
        m.d.sync += [
            fails.eq(broken | Mux(is_pixels, odd | self.full, ~known | wrong_length | wrong_address)),
            code.eq(
                Mux(
                    is_pixels,
                    Mux(odd, ErrorCode.BAD_LENGTH, ErrorCode.BUSY),
                    Mux(known, wrong, ErrorCode.UNKNOWN_TYPE),
                )
            ),
        ]
        with m.If(broken):
            m.d.sync += code.eq(self.i.payload.error)
