"""What frames say: ARP requests for the board, and datagrams of the link, checked byte by byte as they come."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.ethernet.checksum import ByteChecksum
from licgate.target.datagrams import HEADER_BYTES, MAGIC, MAX_DATA, VERSION
from licgate.target.ethernet import ARP_TYPE, BROADCAST, IP_TYPE

__all__ = ["PacketParser", "header_layout", "place_layout"]

#: Places of bytes in a frame.
_MAC, _SOURCE, _TYPE = 0, 6, 12
_ARP, _ARP_IP, _ARP_TARGET = 14, 28, 38
_IP, _TOTAL, _FRAGMENT, _PROTOCOL, _IP_SOURCE, _IP_TARGET = 14, 16, 20, 23, 26, 30
_UDP, _UDP_TARGET, _LENGTH, _CHECK, _PAYLOAD = 34, 36, 38, 40, 42
_FLAGS, _SESSION, _DATA = _PAYLOAD + 3, _PAYLOAD + 4, _PAYLOAD + HEADER_BYTES

_UDP_PROTOCOL, _UDP_BYTES, _IP_BYTES, _FCS_BYTES = 17, 8, 20, 4

#: Where a datagram comes from, in the order of its bytes on the line, the last one lowest.
place_layout = StructLayout({"port": 16, "ip": 32, "mac": 48})

#: What is in a datagram's header, but for its flags; in the order of its bytes, the last one lowest.
header_layout = StructLayout({"window": 16, "acknowledged": 32, "sequence": 32, "session": 32})


class PacketParser(Component):
    """Tell what a frame is, and where in it the data of a datagram are.

    Frames for other addresses, of other protocols, with options of IPv4, cut in parts, with a wrong checksum of IPv4 or
    UDP, or with lengths that contradict each other, are passed over.

    Parameters
    ----------
    place : Place
        Of the board.

    Members
    -------
    begin, data, strobe, end, good
        As of a `MacReceiver`.
    source : :py:`Out(place_layout)`
        Where the frame comes from; stays until the next one begins.
    flags, header : :py:`Out(8)`, :py:`Out(header_layout)`
        Of the datagram; stay likewise.
    filled : :py:`Out(1)`
        The datagram has data.
    o_data, o_strobe : :py:`Out(8)`, :py:`Out(1)`
        A byte of its data, which counts if ``datagram`` follows.
    arp, datagram : :py:`Out(1)`, :py:`Out(1)`
        The frame has ended, was good, and asked for the board's MAC address, or was a datagram (pulses).

    Attributes
    ----------
    latency : int
        From ``end`` to ``arp`` or ``datagram``: 1 cycle, and from ``strobe`` to ``o_strobe``.
    interval : int
        1 cycle.
    """

    latency, interval = 1, 1

    def __init__(self, place):
        self.place = place
        super().__init__(
            {
                **{name: In(1) for name in ("begin", "strobe", "end", "good")},
                "data": In(8),
                "source": Out(place_layout),
                "flags": Out(8),
                "header": Out(header_layout),
                "filled": Out(1),
                "o_data": Out(8),
                "o_strobe": Out(1),
                "arp": Out(1),
                "datagram": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        at = Signal(range(_DATA + 1))  # stays at the first byte of data
        with m.If(self.strobe & (at != _DATA)):
            m.d.sync += at.eq(at + 1)
        with m.If(self.begin):
            m.d.sync += at.eq(0)
        is_arp, is_ours, is_broadcast = (Signal(name=name) for name in ("is_arp", "is_ours", "is_broadcast"))
        fits = self._compared(m, at, is_arp, is_ours, is_broadcast)
        self._captured(m, at, is_arp)
        whole = self._lengths(m, at)
        checked = self._checked(m, at)
        m.d.sync += [
            self.arp.eq(self.end & self.good & is_arp & fits & (is_ours | is_broadcast)),
            self.datagram.eq(self.end & self.good & ~is_arp & fits & is_ours & whole & checked),
        ]
        return m

    def _compared(self, m, at, is_arp, is_ours, is_broadcast):
        """Compare bytes with what they have to be, and return whether all so far were it."""
        fits, of_ip, of_arp = Signal(name="fits"), Signal(init=1, name="of_ip"), Signal(init=1, name="of_arp")
        arp = self._expected(
            {
                _TYPE: ARP_TYPE.to_bytes(2, "big"),
                _ARP: b"\x00\x01\x08\x00\x06\x04\x00\x01",
                _ARP_TARGET: self.place.ip,
            }
        )
        ip = self._expected(
            {
                _TYPE: IP_TYPE.to_bytes(2, "big"),
                _IP: b"\x45",
                _FRAGMENT: b"\x00\x00",
                _PROTOCOL: bytes([_UDP_PROTOCOL]),
                _IP_TARGET: self.place.ip,
                _UDP_TARGET: self.place.port.to_bytes(2, "big"),
                _PAYLOAD: MAGIC + bytes([VERSION]),
            }
        )
        ours, broadcast = self._expected({_MAC: self.place.mac}), self._expected({_MAC: BROADCAST})
        for flag, expected in ((is_ours, ours), (is_broadcast, broadcast), (of_arp, arp), (of_ip, ip)):
            with m.If(self.strobe), m.Switch(at):
                for place, value in expected.items():
                    # a part may say that it must not be cut further
                    data = self.data & 0xBF if place == _FRAGMENT else self.data
                    with m.Case(place), m.If(data != value):
                        m.d.sync += flag.eq(0)
            with m.If(self.begin):
                m.d.sync += flag.eq(1)
        m.d.comb += [is_arp.eq(of_arp), fits.eq(of_arp | of_ip)]
        return fits

    @staticmethod
    def _expected(parts):
        """Values of bytes by their places."""
        return {start + k: value for start, part in parts.items() for k, value in enumerate(part)}

    def _captured(self, m, at, is_arp):
        """Keep where a frame comes from, and what its header says."""

        def shift(target, *ranges):
            with m.If(self.strobe), m.Switch(at):
                for start, stop in ranges:
                    with m.Case(*range(start, stop)):
                        m.d.sync += target.eq(Cat(self.data, target)[: len(target)])

        shift(self.source.mac, (_SOURCE, _TYPE))
        shift(self.source.ip, (_IP_SOURCE, _IP_TARGET))
        # of an ARP request, behind what stands at the same place in a datagram
        with m.If(self.strobe & is_arp & (at >= _ARP_IP) & (at < _ARP_IP + 4)):
            m.d.sync += self.source.ip.eq(Cat(self.data, self.source.ip)[:32])
        shift(self.source.port, (_UDP, _UDP_TARGET))
        shift(self.flags, (_FLAGS, _SESSION))
        header = self.header.as_value()
        shift(header, (_SESSION, _DATA))

    def _lengths(self, m, at):
        """Tell data from what follows them; return whether all lengths are those of a datagram that came whole."""
        total, length = Signal(16), Signal(16)
        with m.If(self.strobe), m.Switch(at):
            with m.Case(_TOTAL, _TOTAL + 1):
                m.d.sync += total.eq(Cat(self.data, total)[:16])
            with m.Case(_LENGTH, _LENGTH + 1):
                m.d.sync += length.eq(Cat(self.data, length)[:16])
        least = _UDP_BYTES + HEADER_BYTES
        agree, left, behind = Signal(), Signal(range(MAX_DATA + 1)), Signal(range(_FCS_BYTES + 1))
        with m.If(at == _CHECK + 2):
            m.d.sync += [
                agree.eq((total == length + _IP_BYTES) & (length >= least) & (length <= least + MAX_DATA)),
                left.eq(length - least),
                self.filled.eq(length != least),
            ]
        m.d.sync += [self.o_data.eq(self.data), self.o_strobe.eq(0)]
        with m.If(self.strobe & (at == _DATA)):
            with m.If(left != 0):
                m.d.sync += [left.eq(left - 1), self.o_strobe.eq(1)]
            with m.Elif(behind != _FCS_BYTES):
                m.d.sync += behind.eq(behind + 1)
        with m.If(self.begin):
            m.d.sync += [behind.eq(0), agree.eq(0)]
        return agree & (behind == _FCS_BYTES)

    def _checked(self, m, at):
        """Return whether the checksums of IPv4 and of UDP, where there is one, are right."""
        # UDP's covers addresses, protocol and its own length, which is IP's less 20
        m.submodules.ip_sum = ip_sum = ByteChecksum()
        m.submodules.udp_sum = udp_sum = ByteChecksum(0xFFFF + _UDP_PROTOCOL - _IP_BYTES)
        odd, has_sum = Signal(), Signal()
        with m.If(self.strobe):
            m.d.sync += odd.eq(~odd)
        with m.If(self.begin):
            m.d.sync += [odd.eq(0), has_sum.eq(0)]
        with m.If(self.strobe & ((at == _CHECK) | (at == _CHECK + 1)) & (self.data != 0)):
            m.d.sync += has_sum.eq(1)
        of_ip, of_udp = Signal(), Signal()
        m.d.comb += [
            of_ip.eq((at >= _IP) & (at < _UDP)),
            of_udp.eq((at == _TOTAL) | (at == _TOTAL + 1) | ((at >= _IP_SOURCE) & (at < _DATA))),
        ]
        for block, counts in ((ip_sum, of_ip & self.strobe), (udp_sum, of_udp & self.strobe)):
            m.d.comb += [block.begin.eq(self.begin), block.high.eq(~odd), block.strobe.eq(counts)]
            m.d.comb += block.data.eq(self.data)
        # data go in a cycle later, when it is known that they are data and not what fills a frame up
        with m.If(self.o_strobe):
            m.d.comb += [udp_sum.strobe.eq(1), udp_sum.data.eq(self.o_data), udp_sum.high.eq(odd)]
        return ip_sum.right & (udp_sum.right | ~has_sum)
