"""Formats of the link over UDP: bytes that the documentation shows, and numbers that wrap."""

import pytest

from licgate.target.datagrams import HEADER_BYTES, MAX_DATA, Datagram, Flag, ahead, unpacked

EXAMPLE = Datagram(
    session=0x01020304,
    flags=Flag.AGAIN | Flag.ASK,
    sequence=0x11121314,
    acknowledged=0x21222324,
    window=0x4000,
    data=b"\xa5\x02",
)


def test_a_datagram_byte_by_byte():
    assert EXAMPLE.packed().hex(" ") == "4c 47 01 06 01 02 03 04 11 12 13 14 21 22 23 24 40 00 a5 02"
    assert unpacked(EXAMPLE.packed()) == EXAMPLE
    assert (HEADER_BYTES, MAX_DATA) == (18, 1454)


def test_bits_of_later_versions_mean_nothing():
    payload = bytearray(EXAMPLE.packed())
    payload[3] |= 0xE0
    assert unpacked(bytes(payload)) == EXAMPLE


@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_is_none_of_ours(place):
    payload = bytearray(EXAMPLE.packed())
    payload[place] ^= 0x40
    assert unpacked(bytes(payload)) is None
    assert unpacked(EXAMPLE.packed()[: HEADER_BYTES - 1]) is None
    longest = Datagram(session=1, data=bytes(MAX_DATA)).packed()
    assert unpacked(longest) is not None
    assert unpacked(longest + b"\0") is None
    with pytest.raises(ValueError, match=r"^a datagram holds at most 1454 bytes, not 1455$"):
        Datagram(session=1, data=bytes(MAX_DATA + 1)).packed()


def test_numbers_wrap():
    assert ahead(5, 3) == 2
    assert ahead(3, 5) == -2
    assert ahead(1, 0xFFFFFFFF) == 2
    assert ahead(0xFFFFFFFF, 1) == -2
    assert ahead(0x7FFFFFFF, 0) == 0x7FFFFFFF
    assert ahead(0x80000000, 0) == -0x80000000
