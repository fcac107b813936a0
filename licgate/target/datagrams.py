"""Datagrams of the host link over UDP: a stream of bytes each way, in order and whole (docs/ethernet.md)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntFlag

__all__ = ["HEADER_BYTES", "MAGIC", "MAX_DATA", "MODULUS", "PORT", "VERSION", "Datagram", "Flag", "ahead", "unpacked"]

#: What every datagram begins with, and its version.
MAGIC, VERSION = b"LG", 1

#: UDP port of a board, and of what takes its place: the bytes of "LG".
PORT = 0x4C47

_HEADER = struct.Struct(">2sBBIIIH")

#: Bytes in front of the data. With the headers of Ethernet, IPv4 and UDP they are the 60 bytes that a frame has at
#: least, so that no datagram is ever filled up.
HEADER_BYTES = _HEADER.size

#: Bytes of data that fit in a frame: 1500 but for the headers of IPv4, of UDP, and of the datagram.
MAX_DATA = 1500 - 20 - 8 - HEADER_BYTES

#: Numbers of bytes are modulo this.
MODULUS = 1 << 32


class Flag(IntFlag):
    """Fourth byte of a datagram."""

    NONE = 0
    #: From a host: begin this session, both ways from byte 0. From a device: it has begun.
    OPEN = 1
    #: Answer this datagram, though it may carry nothing.
    ASK = 2
    #: Bytes from ``acknowledged`` on were lost, later ones came: send from there again.
    AGAIN = 4
    #: From a host: the session is over. From a device: there is none.
    CLOSED = 8
    #: From a device: another session is open.
    TAKEN = 16


@dataclass(frozen=True, kw_only=True)
class Datagram:
    """One datagram.

    Attributes
    ----------
    session : int
        Chosen by the host, 32 bits.
    flags : Flag
    sequence : int
        Number of the first byte of ``data`` in its direction; without data, of the next one.
    acknowledged : int
        Number of the next byte that is expected of the other direction.
    window : int
        Bytes from ``acknowledged`` on for which there is room.
    data : bytes
        Up to `MAX_DATA`.
    """

    session: int
    flags: Flag = Flag.NONE
    sequence: int = 0
    acknowledged: int = 0
    window: int = 0
    data: bytes = b""

    def packed(self) -> bytes:
        """The payload of the UDP datagram.

        Raises
        ------
        ValueError
            There is more data than fits.
        """
        if len(self.data) > MAX_DATA:
            raise ValueError(f"a datagram holds at most {MAX_DATA} bytes, not {len(self.data)}")
        numbers = self.session, self.sequence, self.acknowledged, self.window
        return _HEADER.pack(MAGIC, VERSION, self.flags, *numbers) + self.data


def unpacked(payload: bytes) -> Datagram | None:
    """What the payload of a UDP datagram says; None where it is none of ours, or too long for one."""
    if not HEADER_BYTES <= len(payload) <= HEADER_BYTES + MAX_DATA:
        return None
    magic, version, flags, *numbers = _HEADER.unpack_from(payload)
    if (magic, version) != (MAGIC, VERSION):
        return None
    session, sequence, acknowledged, window = numbers
    return Datagram(
        session=session,
        # bits of later versions mean nothing
        flags=Flag(flags & sum(Flag)),
        sequence=sequence,
        acknowledged=acknowledged,
        window=window,
        data=payload[HEADER_BYTES:],
    )


def ahead(number: int, of: int) -> int:
    """By how much a number of a byte is ahead of another, which is at most 2^31 - 1 away; negative if it is behind."""
    return (number - of + (MODULUS >> 1)) % MODULUS - (MODULUS >> 1)
