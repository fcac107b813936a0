"""A session's rules: which datagrams count, what is taken of them, and who is told what."""

from amaranth.hdl import Module, Signal
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.ethernet.parser import header_layout, place_layout
from licgate.target.datagrams import Flag

__all__ = ["SessionControl", "answer_layout"]

#: An answer to whom the session is none of: to a question of ARP, or to a datagram.
answer_layout = StructLayout({"place": place_layout, "session": 32, "arp": 1, "taken": 1})


class SessionControl(Component):
    """Decide on datagrams as they come.

    Members
    -------
    arp, datagram, source, flags, header, filled
        As of a `PacketParser`.
    whole, count : :py:`In(1)`, :py:`In(16)`
        As of a `ReceiveBuffer`, for the datagram's data.
    accept : :py:`Out(1)`
        They are what is expected next, and have room (pulse).
    clear : :py:`Out(1)`
        There is no session, or a new one begins: nothing of before counts.
    acknowledge, again : :py:`Out(1)`, :py:`Out(1)`
        The datagram is one of the session, with an acknowledgement; and asks for what follows that once more (pulses).
    due : :py:`Out(1)`
        The peer is to have an answer (pulse).
    opened, missed : :py:`Out(1)`, :py:`Out(1)`
        It is to say that the session has begun; that data are missing (pulses).
    open, session, peer, expected
        Of the session: :py:`Out(1)`, :py:`Out(32)`, :py:`Out(place_layout)`, and the number of the next byte,
        :py:`Out(32)`.
    stranger : :py:`Out(answer_layout)`
        To somebody else, or to a question of ARP; counts while ``waits``.
    waits, answered : :py:`Out(1)`, :py:`In(1)`
        It waits to be sent; it has been (pulse). One that comes while another waits is dropped.

    Attributes
    ----------
    latency : int
        From ``datagram`` to all pulses and to ``waits``: 1 cycle.
    interval : int
        8 cycles, which is less than frames are apart.

    Golden model: `DeviceEnd` of ``tests/runtime/udpdouble.py``.
    """

    latency, interval = 1, 8

    def __init__(self):
        pulses = ("accept", "acknowledge", "again", "due", "opened", "missed")
        super().__init__(
            {
                **{name: In(1) for name in ("arp", "datagram", "filled", "whole", "answered")},
                **{name: Out(1) for name in pulses},
                "source": In(place_layout),
                "flags": In(8),
                "header": In(header_layout),
                "count": In(16),
                "clear": Out(1, init=1),
                "open": Out(1),
                "session": Out(32),
                "peer": Out(place_layout),
                "expected": Out(32),
                "stranger": Out(answer_layout),
                "waits": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        opens, closes, again = (self.flags.bit_select(bit.bit_length() - 1, 1) for bit in (1, 8, 4))
        same, in_order, ahead, distance = Signal(), Signal(), Signal(), Signal(32)
        # the header stands long before the frame has ended
        m.d.sync += [
            same.eq(self.open & (self.header.session == self.session)),
            distance.eq(self.header.sequence - self.expected),
            in_order.eq(distance == 0),
            ahead.eq((distance != 0) & ~distance[31]),
        ]
        pulses = self.accept, self.acknowledge, self.again, self.due, self.opened, self.missed
        m.d.sync += [pulse.eq(0) for pulse in pulses]
        m.d.sync += self.clear.eq(~self.open)
        gap = Signal()
        with m.If(self.datagram & opens):
            m.d.sync += [self.due.eq(1), self.opened.eq(1)]
            with m.If(~same):
                m.d.sync += [
                    self.open.eq(1),
                    self.session.eq(self.header.session),
                    self.peer.eq(self.source),
                    self.expected.eq(0),
                    self.clear.eq(1),
                    gap.eq(0),
                ]
        with m.Elif(self.datagram & same & closes):
            m.d.sync += [self.open.eq(0), self.clear.eq(1)]
        with m.Elif(self.datagram & same):
            asks = self.flags.bit_select(Flag.ASK.bit_length() - 1, 1)
            m.d.sync += [self.acknowledge.eq(1), self.again.eq(again), self.due.eq(self.filled | asks)]
            with m.If(self.filled & in_order & self.whole):
                m.d.sync += [self.accept.eq(1), self.expected.eq(self.expected + self.count), gap.eq(0)]
            # once for every place where something is missing
            with m.If(self.filled & ahead & ~gap):
                m.d.sync += [self.missed.eq(1), gap.eq(1)]
        self._strangers(m, same, opens, closes)
        return m

    def _strangers(self, m, same, opens, closes):
        """Keep an answer to somebody else until it is sent."""
        foreign = self.datagram & ~same & ~opens & ~closes
        with m.If(self.answered):
            m.d.sync += self.waits.eq(0)
        with m.Elif(~self.waits & (self.arp | foreign)):
            m.d.sync += [
                self.waits.eq(1),
                self.stranger.arp.eq(self.arp),
                self.stranger.place.eq(self.source),
                self.stranger.session.eq(self.header.session),
                self.stranger.taken.eq(self.open),
            ]
