"""Ethernet, ARP, IPv4 and UDP as a board speaks them: its addresses, and frames made and read (docs/ethernet.md)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from zlib import crc32

from licgate.errors import ConfigError
from licgate.target.datagrams import HEADER_BYTES, MAX_DATA, PORT

__all__ = [
    "ARP_TYPE",
    "BROADCAST",
    "IP_TYPE",
    "LINE_BANDWIDTH",
    "MIN_FRAME",
    "EthernetFacts",
    "Place",
    "arp_frame",
    "arp_of",
    "checksum",
    "framed",
    "udp_frame",
    "udp_of",
]

IP_TYPE, ARP_TYPE = 0x0800, 0x0806
BROADCAST = b"\xff" * 6

#: Bytes of a frame without its FCS, at least.
MIN_FRAME = 60

#: Bytes of data a second that a line of 1 Gbit/s carries in full datagrams, with all that is around them.
LINE_BANDWIDTH = 125e6 * MAX_DATA / (8 + 14 + 28 + HEADER_BYTES + MAX_DATA + 4 + 12)

_UDP, _TTL = 17, 64

#: Buffers of a link in bytes: what one block RAM holds, and the largest whose room a datagram can tell.
_LEAST_BUFFER, _MOST_BUFFER = 2048, 32768

#: A board's address if none is given: of the range for links without a router (RFC 3927), "LG" in its last two bytes.
_ADDRESS = "169.254.76.71"


@dataclass(frozen=True)
class Place:
    """Where a datagram comes from or goes to.

    Attributes
    ----------
    mac : bytes
        6 bytes.
    ip : bytes
        4 bytes.
    port : int
    """

    mac: bytes
    ip: bytes
    port: int = PORT


@dataclass(frozen=True)
class EthernetFacts:
    """What is fixed of a board's end of the link when it is built.

    Attributes
    ----------
    ip : str
        IPv4 address, ``a.b.c.d``.
    port : int
        Of UDP.
    receive_bytes, transmit_bytes : int
        Buffers for what the accelerator has not taken yet, and for what the host has not acknowledged: powers of two,
        2048 to 32768.

    Raises
    ------
    ConfigError
        One of them makes no sense.
    """

    ip: str = _ADDRESS
    port: int = PORT
    receive_bytes: int = 16384
    transmit_bytes: int = 8192

    def __post_init__(self) -> None:
        try:
            address = IPv4Address(self.ip)
        except AddressValueError:
            raise ConfigError(f"--ip {self.ip!r} is no IPv4 address, such as {_ADDRESS}") from None
        if address.is_multicast or address.is_unspecified or address.is_loopback or address == IPv4Address(2**32 - 1):
            raise ConfigError(f"--ip {self.ip} is the address of no single device: take one such as {_ADDRESS}")
        if self.port not in range(1, 1 << 16):
            raise ConfigError(f"UDP port {self.port!r} is not 1 to 65535")
        for name, size in (("receive", self.receive_bytes), ("transmit", self.transmit_bytes)):
            if size not in range(_LEAST_BUFFER, _MOST_BUFFER + 1) or size & size - 1:
                limits = f"{_LEAST_BUFFER} to {_MOST_BUFFER}"
                raise ConfigError(f"{name} buffer of {size!r} bytes: it is a power of two, {limits}")

    @property
    def mac(self) -> bytes:
        """MAC address, locally administered: 02 4c, and the IP address, so that boards of different ones differ."""
        return b"\x02\x4c" + self.place_ip

    @property
    def place_ip(self) -> bytes:
        """The IP address as 4 bytes."""
        return IPv4Address(self.ip).packed

    @property
    def place(self) -> Place:
        """Where the board is."""
        return Place(self.mac, self.place_ip, self.port)

    @property
    def block_rams(self) -> int:
        """DP16KD of 2048 bytes that the two buffers take."""
        return (self.receive_bytes + self.transmit_bytes) // _LEAST_BUFFER


def checksum(data: bytes) -> int:
    """Internet checksum (RFC 1071): the one's complement of the one's complement sum of big-endian words."""
    total = sum(data[0::2]) * 256 + sum(data[1::2])
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def framed(frame: bytes) -> bytes:
    """A frame as it goes over the line: filled up to `MIN_FRAME`, with its FCS, lowest byte of the CRC-32 first."""
    frame = frame.ljust(MIN_FRAME, b"\0")
    return frame + crc32(frame).to_bytes(4, "little")


def arp_frame(source: Place, *, target: Place | None = None, asks: bytes = b"") -> bytes:
    """An ARP request for the IP address ``asks``, or the answer to ``target``; without filling and FCS."""
    operation, mac, ip = (1, b"\0" * 6, asks) if target is None else (2, target.mac, target.ip)
    to = BROADCAST if target is None else target.mac
    head = to + source.mac + struct.pack(">HHHBBH", ARP_TYPE, 1, IP_TYPE, 6, 4, operation)
    return head + source.mac + source.ip + mac + ip


def arp_of(frame: bytes) -> tuple[int, Place, bytes] | None:
    """Operation, sender and IP address in question of an ARP frame; None where it is none."""
    if len(frame) < 42 or struct.unpack_from(">HHHBB", frame, 12) != (ARP_TYPE, 1, IP_TYPE, 6, 4):
        return None
    return int.from_bytes(frame[20:22], "big"), Place(frame[22:28], frame[28:32]), frame[38:42]


def udp_frame(source: Place, target: Place, payload: bytes, *, check: bool = True) -> bytes:
    """A UDP datagram in its frame, without filling and FCS; with ``check`` it has a checksum of UDP, else none."""
    length = 8 + len(payload)
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + length, 0, 0x4000, _TTL, _UDP, 0, source.ip, target.ip)
    ip = ip[:10] + checksum(ip).to_bytes(2, "big") + ip[12:]
    ports = struct.pack(">HHH", source.port, target.port, length)
    found = 0
    if check:
        # 0 stands for none, and is the same number as all ones
        pseudo = source.ip + target.ip + struct.pack(">HH", _UDP, length)
        found = checksum(pseudo + ports + b"\0\0" + payload) or 0xFFFF
    return target.mac + source.mac + IP_TYPE.to_bytes(2, "big") + ip + ports + found.to_bytes(2, "big") + payload


def udp_of(frame: bytes) -> tuple[Place, Place, bytes] | None:
    """Where from, where to, and payload of a frame with a UDP datagram; None of others, or where a check is wrong.

    Frames with options of IPv4, and parts of what was cut, count as others.
    """
    if len(frame) < 42 or frame[12:15] != b"\x08\x00\x45" or frame[23] != _UDP or checksum(frame[14:34]):
        return None
    total, length = int.from_bytes(frame[16:18], "big"), int.from_bytes(frame[38:40], "big")
    if int.from_bytes(frame[20:22], "big") & 0xBFFF or total != length + 20 or not 8 <= length <= len(frame) - 34:
        return None
    datagram = frame[34 : 34 + length]
    if frame[40:42] != b"\0\0" and checksum(frame[26:34] + struct.pack(">HH", _UDP, length) + datagram):
        return None
    source, target = struct.unpack_from(">HH", datagram)
    return Place(frame[6:12], frame[26:30], source), Place(frame[:6], frame[30:34], target), datagram[8:]
