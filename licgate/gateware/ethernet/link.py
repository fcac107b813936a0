"""The host link over Ethernet: bytes to and from a host, behind the pins of a GMII."""

from amaranth.hdl import DomainRenamer, Module
from amaranth.lib import stream
from amaranth.lib.fifo import AsyncFIFOBuffered
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from licgate.gateware.ethernet.buffers import ReceiveBuffer, SendBuffer
from licgate.gateware.ethernet.builder import PacketBuilder
from licgate.gateware.ethernet.mac import MacReceiver, MacTransmitter, gmii_receive, gmii_transmit
from licgate.gateware.ethernet.parser import PacketParser
from licgate.gateware.ethernet.sending import SendControl
from licgate.gateware.ethernet.session import SessionControl

__all__ = ["CLOCK_HZ", "EthernetCore", "EthernetLink"]

#: Of a GMII, a byte a cycle.
CLOCK_HZ = 125e6

#: 4 µs and 8 ms, in cycles.
_LINGER, _RETRY = 500, 1_000_000

#: Bytes between the clock domains, either way.
_CROSSING = 16


class EthernetCore(Component):
    """All of the link in the clock domain of the GMII.

    One domain for both ways: what comes says what goes, byte for byte, and a PHY's receive clock may clock what it is
    sent. So only the accelerator's bytes cross between domains, and no counter does.

    Parameters
    ----------
    facts : EthernetFacts
    linger : int
        Cycles for which data that do not fill a datagram wait for more.
    retry : int
        Cycles without an acknowledgement after which data are sent again.

    Members
    -------
    receive, transmit : :py:`In(gmii_receive)`, :py:`Out(gmii_transmit)`
    i, o : :py:`In(stream.Signature(8))`, :py:`Out(stream.Signature(8))`
        From and to the accelerator. What it sends while no session is open is lost; what ``o`` offers is withdrawn when
        one begins or ends.

    Attributes
    ----------
    linger, retry : int
        4 µs and 8 ms by default.
    interval : int
        1 cycle a byte each way within a datagram.
    """

    interval = 1

    def __init__(self, facts, *, linger=_LINGER, retry=_RETRY):
        self.facts, self.linger, self.retry = facts, linger, retry
        self._receiver, self._transmitter = MacReceiver(), MacTransmitter()
        self._parser, self._builder = PacketParser(facts.place), PacketBuilder(facts.place)
        self._came, self._gone = ReceiveBuffer(facts.receive_bytes), SendBuffer(facts.transmit_bytes)
        self._session = SessionControl()
        self._sending = SendControl(
            receive_depth=facts.receive_bytes, send_depth=facts.transmit_bytes, linger=linger, retry=retry
        )
        super().__init__(
            {
                "receive": In(gmii_receive),
                "transmit": Out(gmii_transmit),
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver, m.submodules.transmitter = self._receiver, self._transmitter
        m.submodules.parser, m.submodules.builder = self._parser, self._builder
        m.submodules.came, m.submodules.gone = self._came, self._gone
        m.submodules.session, m.submodules.sending = self._session, self._sending
        connect(m, flipped(self.receive), self._receiver.gmii)
        connect(m, self._transmitter.gmii, flipped(self.transmit))
        connect(m, self._builder.o, self._transmitter.i)
        connect(m, flipped(self.i), self._gone.i)
        connect(m, self._came.o, flipped(self.o))
        self._coming(m)
        self._going(m)
        return m

    def _coming(self, m):
        """From frames to bytes."""
        receiver, parser, came, session = self._receiver, self._parser, self._came, self._session
        m.d.comb += [
            getattr(parser, name).eq(getattr(receiver, name)) for name in ("begin", "data", "strobe", "end", "good")
        ]
        told = "arp", "datagram", "source", "flags", "header", "filled"
        m.d.comb += [getattr(session, name).eq(getattr(parser, name)) for name in told]
        m.d.comb += [
            came.begin.eq(receiver.begin),
            came.data.eq(parser.o_data),
            came.strobe.eq(parser.o_strobe),
            came.accept.eq(session.accept),
            came.clear.eq(session.clear),
            session.whole.eq(came.whole),
            session.count.eq(came.count),
        ]

    def _going(self, m):
        """From bytes to frames."""
        session, sending, gone, builder = self._session, self._sending, self._gone, self._builder
        told = "open", "session", "peer", "expected", "due", "opened", "missed", "acknowledge", "again", "clear"
        m.d.comb += [getattr(sending, name).eq(getattr(session, name)) for name in (*told, "stranger", "waits")]
        m.d.comb += [
            getattr(sending, name).eq(getattr(gone, name)) for name in ("sent", "first", "waiting", "progress")
        ]
        m.d.comb += [getattr(builder, name).eq(getattr(sending, name)) for name in ("start", "arp", "target", "flags")]
        m.d.comb += [
            session.answered.eq(sending.answered),
            sending.room.eq(self._came.room),
            sending.taken.eq(self._came.taken),
            sending.busy.eq(builder.busy),
            builder.header.eq(sending.header),
            builder.length.eq(sending.length),
            gone.acknowledge.eq(sending.o_acknowledge),
            gone.number.eq(self._parser.header.acknowledged),
            gone.window.eq(self._parser.header.window),
            gone.back.eq(sending.back),
            gone.send.eq(sending.send),
            gone.length.eq(sending.length),
            gone.clear.eq(session.clear),
            gone.r_next.eq(builder.r_next),
            builder.r_data.eq(gone.r_data),
        ]


class EthernetLink(Component):
    """An `EthernetCore` in the domain ``eth``, and the accelerator's bytes in ``sync``.

    Parameters are those of an `EthernetCore`.

    Members
    -------
    receive, transmit : :py:`In(gmii_receive)`, :py:`Out(gmii_transmit)`
        In the domain ``eth``, of 125 MHz.
    i, o : :py:`In(stream.Signature(8))`, :py:`Out(stream.Signature(8))`
        From and to the accelerator, in the domain ``sync``, of any frequency; a byte a cycle of the slower one.

    Resources on ECP5: see docs/ethernet.md.
    """

    def __init__(self, facts, **options):
        self.facts, self._core = facts, EthernetCore(facts, **options)
        super().__init__(self._core.signature)

    def elaborate(self, platform):
        m = Module()
        core = self._core
        m.submodules.core = DomainRenamer("eth")(core)
        connect(m, flipped(self.receive), core.receive)
        connect(m, core.transmit, flipped(self.transmit))
        for name, source, sink, domains in (
            ("to_accelerator", core.o, self.o, ("eth", "sync")),
            ("from_accelerator", self.i, core.i, ("sync", "eth")),
        ):
            fifo = AsyncFIFOBuffered(width=8, depth=_CROSSING, w_domain=domains[0], r_domain=domains[1])
            m.submodules[name] = fifo
            m.d.comb += [
                fifo.w_data.eq(source.payload),
                fifo.w_en.eq(source.valid),
                source.ready.eq(fifo.w_rdy),
                sink.payload.eq(fifo.r_data),
                sink.valid.eq(fifo.r_rdy),
                fifo.r_en.eq(sink.ready),
            ]
        return m
