"""Frames that a board sends: answers to ARP, and datagrams of the link."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.ethernet.mac import frame_layout
from licgate.gateware.ethernet.parser import header_layout, place_layout
from licgate.target.datagrams import HEADER_BYTES, MAX_DATA, Datagram
from licgate.target.ethernet import Place, arp_frame, checksum, udp_frame

__all__ = ["PacketBuilder"]

_HEADERS = 42 + HEADER_BYTES
_ARP_BYTES = 42
#: Places of numbers in a frame that depend on its length.
_TOTAL, _IP_CHECK, _UDP_LENGTH = 16, 24, 38
#: Bytes that IPv4 and UDP count beside the data.
_IP_LENGTH, _UDP_BYTES = 28 + HEADER_BYTES, 8 + HEADER_BYTES


class PacketBuilder(Component):
    """Make frames, byte by byte.

    Parameters
    ----------
    place : Place
        Of the board.

    Members
    -------
    start : :py:`In(1)`
        Begin a frame, of what the inputs below say in this cycle; not while ``busy``.
    arp : :py:`In(1)`
        It is an answer to ARP, else a datagram.
    target : :py:`In(place_layout)`
    flags, header : :py:`In(8)`, :py:`In(header_layout)`
        Of the datagram.
    length : :py:`In(range(MAX_DATA + 1))`
        Bytes of its data.
    busy : :py:`Out(1)`
    r_next, r_data : :py:`Out(1)`, :py:`In(8)`
        A byte of the data is wanted in the next cycle, and stays until another is.
    o : :py:`Out(stream.Signature(frame_layout))`
        To a `MacTransmitter`; a frame's bytes come without a pause, as fast as they are taken.

    Attributes
    ----------
    latency : int
        From ``start`` to the first byte: 6 cycles.
    interval : int
        1 cycle a byte.

    Numerics: the checksum of IPv4 is :func:`licgate.target.ethernet.checksum`; UDP has none (0), since it would have
    to be known before the data are read, and the FCS covers them all the way through a switch.
    """

    latency, interval = 6, 1

    def __init__(self, place):
        self.place = place
        super().__init__(
            {
                "start": In(1),
                "arp": In(1),
                "target": In(place_layout),
                "flags": In(8),
                "header": In(header_layout),
                "length": In(range(MAX_DATA + 1)),
                "busy": Out(1),
                "r_next": Out(1),
                "r_data": In(8),
                "o": Out(stream.Signature(frame_layout)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        at, left, is_arp = Signal(range(_HEADERS)), Signal(range(MAX_DATA + 1)), Signal()
        # what differs from frame to frame goes out in its order, from the top
        changing = Signal(len(self.target.as_value()) + 8 + len(self.header.as_value()))
        byte, shifts, goes, final = Signal(8), Signal(), Signal(), Signal()
        step, total, word, check, carry = Signal(range(4)), Signal(16), Signal(16), Signal(16), Signal()
        m.d.comb += [
            goes.eq(~self.o.valid | self.o.ready),
            final.eq(at == Mux(is_arp, _ARP_BYTES, _HEADERS) - 1),
            self.busy.eq(1),
        ]
        ip = changing[-80:-48]
        m.d.comb += word.eq(Cat(total, ip[16:], ip[:16], Const(0, 16)).word_select(step, 16))
        self._bytes(m, at, is_arp, (total, check, left), (byte, shifts, changing[-8:]))
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.busy.eq(0)
                m.d.sync += [at.eq(0), step.eq(0), left.eq(self.length), is_arp.eq(self.arp)]
                m.d.sync += [total.eq(self.length + _IP_LENGTH), check.eq(self._constant_sum()), carry.eq(0)]
                target = self.target
                answer = Cat(Const(0, len(changing) - 128), target.ip, target.mac, target.mac)
                m.d.sync += changing.eq(
                    Mux(self.arp, answer, Cat(self.header, self.flags, target.port, target.ip, target.mac))
                )
                with m.If(self.start):
                    m.next = "SUM"
            with m.State("SUM"):
                m.d.sync += [Cat(check, carry).eq(check + word + carry), step.eq(step + 1)]
                with m.If(step == 3):
                    m.next = "HEADERS"
            with m.State("HEADERS"), m.If(goes):
                m.d.sync += [
                    at.eq(at + 1),
                    self.o.valid.eq(1),
                    self.o.payload.data.eq(byte),
                    self.o.payload.last.eq(final & (is_arp | (left == 0))),
                ]
                with m.If(shifts):
                    m.d.sync += changing.eq(changing << 8)
                with m.If(final):
                    m.d.comb += self.r_next.eq(~is_arp & (left != 0))
                    m.next = "IDLE"
                    with m.If(~is_arp & (left != 0)):
                        m.next = "DATA"
            with m.State("DATA"), m.If(goes):
                m.d.sync += [left.eq(left - 1), self.o.valid.eq(1)]
                m.d.sync += [self.o.payload.data.eq(self.r_data), self.o.payload.last.eq(left == 1)]
                m.d.comb += self.r_next.eq(left != 1)
                with m.If(left == 1):
                    m.next = "IDLE"
        return m

    def _constant_sum(self):
        """Sum of the words of IPv4's header that are the same in all frames."""
        frame = udp_frame(self.place, Place(bytes(6), bytes(4), 0), b"")
        return 0xFFFF ^ checksum(frame[14:_TOTAL] + frame[_TOTAL + 2 : _IP_CHECK] + frame[_IP_CHECK + 2 : 34])

    def _bytes(self, m, at, is_arp, numbers, outputs):
        """What the byte at a place is; and whether it is one that changes, so the next one follows it."""
        total, check, left = numbers
        byte, shifts, top = outputs
        nowhere = Place(bytes(6), bytes(4), 0)
        template = udp_frame(self.place, nowhere, Datagram(session=0).packed(), check=False)
        # the MAC and IP address and the port that it goes to, flags, and the other numbers
        changing = {*range(6), *range(30, 34), 36, 37, *range(45, _HEADERS)}
        answer, changing_answer = arp_frame(self.place, target=nowhere), {*range(6), *range(32, 42)}
        length = Signal(16, name="udp_length")
        m.d.comb += length.eq(left + _UDP_BYTES)
        computed = {_TOTAL: total, _IP_CHECK: ~check, _UDP_LENGTH: length}
        computed = {start + k: value[8 - 8 * k :][:8] for start, value in computed.items() for k in range(2)}
        for is_this, frame, moving in ((is_arp, answer, changing_answer), (~is_arp, template, changing)):
            with m.If(is_this), m.Switch(at):
                for place, constant in enumerate(frame):
                    with m.Case(place):
                        m.d.comb += byte.eq(constant)
                        if place in moving:
                            m.d.comb += [byte.eq(top), shifts.eq(1)]
                        elif frame is template and place in computed:
                            m.d.comb += byte.eq(computed[place])
