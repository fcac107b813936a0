"""A device of full speed, held to the specification on its lines: enumeration, bulk transfers, and what is lost."""

import re

import numpy as np
import pytest

from licgate.target.usb import ENDPOINT, PRODUCT_ID, VENDOR_ID, serial_number
from tests.gateware.usb.device import BOARD, BUILD, compiled_echo
from tests.gateware.usb.host import (
    GAP,
    J,
    StallError,
    UsbHost,
    WireProcess,
    bits_of,
    crc,
    data_lines,
    decoded,
    token_lines,
)

pytestmark = pytest.mark.needs_usb


@pytest.fixture(scope="module")
def program():
    return compiled_echo()


@pytest.fixture
def host(program):
    with WireProcess(program) as wire:
        yield UsbHost(wire)


def test_the_model_has_the_crcs_and_the_lines_of_the_specification():
    def of_token(address, endpoint):
        bits = [address >> k & 1 for k in range(7)] + [endpoint >> k & 1 for k in range(4)]
        return "".join(map(str, crc(bits, 5, 5)))

    cases = ((0x15, 0xE), (0x3A, 0xA), (0x70, 0x4), (1, 0))
    assert [of_token(*case) for case in cases] == ["10111", "11100", "01110", "10111"]
    assert "".join(map(str, crc(bits_of(bytes(range(4))), 16, 0x8005))) == "1111011101011110"
    assert "".join(map(str, crc(bits_of(bytes([0x23, 0x45, 0x67, 0x89])), 16, 0x8005))) == "0111000000111000"
    data = b"\xff" * 9 + b"\x7f\x00"
    samples = bytes(state for state in data_lines("DATA1", data) for _ in range(4))
    assert decoded(samples) == ("DATA1", data)
    bits = "".join(map(str, bits_of(data) + crc(bits_of(data), 16, 0x8005)))
    assert len(samples) // 4 == 8 + 8 + len(bits) + len(re.findall("1{6}", bits)) + 3


def test_enumeration(host):
    device, configuration = host.enumerate()
    assert int.from_bytes(device[8:10], "little") == VENDOR_ID
    assert int.from_bytes(device[10:12], "little") == PRODUCT_ID
    assert device[7] == 64
    assert [host.string(index) for index in device[14:17]] == ["licgate", f"licgate {BOARD}", serial_number(BUILD)]
    assert len(configuration) == int.from_bytes(configuration[2:4], "little") == 9 + 9 + 7 + 7
    interface, out, into = configuration[9:18], configuration[18:25], configuration[25:]
    assert (interface[2], interface[4], interface[5]) == (0, 2, 0xFF)
    assert [(e[2], e[3], int.from_bytes(e[4:6], "little")) for e in (out, into)] == [(0x01, 2, 64), (0x81, 2, 64)]
    assert host.control(0x80, 8, length=1) == b"\x01"
    assert host.control(0x81, 10, length=1) == b"\x00"
    for refused in (lambda: host.set_interface(0, 1), lambda: host.set_interface(1, 0), lambda: host.descriptor(3, 9)):
        with pytest.raises(StallError):
            refused()
    assert host.string(2) == f"licgate {BOARD}"
    host.idle(13_000)
    assert 8 < host.longest_turn <= 15


@pytest.mark.parametrize("size", [63, 64, 65, 300])
def test_bytes_come_back_in_transfers_that_end(size, host):
    """A packet of less than 64 bytes ends them, an empty one if need be: the host does not wait for more."""
    host.enumerate()
    for seed in range(2):
        data = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8).tobytes()
        data = b"\xff" * (size // 2) + data[size // 2 :]  # which are stuffed
        got = b""
        for at in range(0, size, 128):
            assert host.write(ENDPOINT, data[at : at + 128]) == len(data[at : at + 128])
            while len(got) < min(at + 128, size):
                more = host.read(ENDPOINT, 4096)
                assert more
                got += more
        assert got == data
    assert host.read(ENDPOINT, 64, patience=2000) == b""


def test_what_nobody_reads_waits_and_a_host_that_begins_anew_finds_nothing_of_it(host):
    host.enumerate()
    sent = bytes(range(250)) * 8
    taken = host.write(ENDPOINT, sent, patience=3000)
    assert 300 < taken < 700
    assert host.naks > 0
    assert host.read(ENDPOINT, 64) == sent[:64]
    host.set_interface()
    # both endpoints begin with DATA0 again
    assert host.write(ENDPOINT, b"new") == 3
    assert host.read(ENDPOINT, 64) == b"new"


def test_packets_that_are_lost_or_spoilt_on_the_cable(host):
    host.enumerate()
    spoilt = data_lines("DATA0", b"once")
    spoilt[30] ^= 3
    # no answer, no effect
    lines = [*token_lines("OUT", host.address, ENDPOINT), *[J] * GAP, *spoilt]
    assert host.wire.drive(lines, 18)[1] == b""
    host.idle(50)
    assert host.transaction("OUT", ENDPOINT, b"once").name == "ACK"
    # the ACK was lost: the host sends it again, and it is no second one
    assert host.transaction("OUT", ENDPOINT, b"once").name == "ACK"
    host.idle(500)
    lost = host.transaction("IN", ENDPOINT, lose=True)
    host.idle(100)
    again = host.transaction("IN", ENDPOINT)
    assert (lost.name, lost.data) == (again.name, again.data) == ("DATA0", b"once")
    assert host.transaction("IN", ENDPOINT).name == "NAK"
    # tokens of others are passed over
    host.address += 1
    assert host.transaction("IN", ENDPOINT) is None
