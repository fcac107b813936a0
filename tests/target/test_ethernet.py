"""Frames of Ethernet, ARP, IPv4 and UDP: against scapy where it is, and what is told apart."""

import pytest

from licgate.errors import ConfigError
from licgate.target.ethernet import (
    BROADCAST,
    EthernetFacts,
    Place,
    arp_frame,
    arp_of,
    checksum,
    framed,
    udp_frame,
    udp_of,
)

BOARD = EthernetFacts().place
HOST = Place(bytes.fromhex("0a1b2c3d4e5f"), bytes([169, 254, 1, 9]), 40000)


def test_addresses_of_a_board():
    facts = EthernetFacts()
    assert (facts.ip, facts.port, facts.mac.hex(":")) == ("169.254.76.71", 19527, "02:4c:a9:fe:4c:47")
    assert facts.block_rams == 12
    assert EthernetFacts(ip="10.0.0.7").place == Place(bytes.fromhex("024c0a000007"), bytes([10, 0, 0, 7]), 19527)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ip": "10.0.0"}, r"^--ip '10\.0\.0' is no IPv4 address, such as 169\.254\.76\.71$"),
        ({"ip": "224.0.0.1"}, r"^--ip 224\.0\.0\.1 is the address of no single device: take one such as "),
        ({"ip": "255.255.255.255"}, r"^--ip 255\.255\.255\.255 is the address of no single device"),
        ({"port": 0}, r"^UDP port 0 is not 1 to 65535$"),
        ({"receive_bytes": 3000}, r"^receive buffer of 3000 bytes: it is a power of two, 2048 to 32768$"),
        ({"transmit_bytes": 65536}, r"^transmit buffer of 65536 bytes: it is a power of two, 2048 to 32768$"),
    ],
)
def test_addresses_and_buffers_that_make_no_sense(options, message):
    with pytest.raises(ConfigError, match=message):
        EthernetFacts(**options)


def test_checksum_of_rfc_1071():
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF ^ 0xDDF2
    assert checksum(b"\x12\x34\x56") == 0xFFFF ^ 0x6834


def test_frames_go_there_and_back():
    asks = arp_frame(HOST, asks=BOARD.ip)
    assert asks[:6] == BROADCAST
    assert arp_of(asks) == (1, Place(HOST.mac, HOST.ip), BOARD.ip)
    assert arp_of(arp_frame(BOARD, target=HOST)) == (2, Place(BOARD.mac, BOARD.ip), HOST.ip)
    for payload in (b"", b"x", bytes(range(200)) * 7):
        frame = udp_frame(HOST, BOARD, payload)
        assert udp_of(framed(frame)) == (HOST, BOARD, payload)
        assert len(framed(frame)) == max(60, 42 + len(payload)) + 4
        for place in (12, 15, 20, 23, 24, 27, 33, 38, 41, 42):
            damaged = bytearray(frame + b"\0" * 4)
            damaged[place] ^= 4
            # the type, and all that the two checksums cover
            found = udp_of(bytes(damaged))
            assert found is None or (place == 42 and not payload), place
    assert udp_of(udp_frame(HOST, BOARD, b"abc", check=False)) == (HOST, BOARD, b"abc")


@pytest.mark.needs_scapy
def test_frames_are_those_of_scapy():
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import ARP, Ether

    for payload in (b"", b"x", bytes(range(250))):
        mac, ip = (HOST.mac.hex(":"), BOARD.mac.hex(":")), ("169.254.1.9", "169.254.76.71")
        right = Ether(src=mac[0], dst=mac[1]) / IP(src=ip[0], dst=ip[1], id=0, flags="DF", ttl=64)
        right = right / UDP(sport=HOST.port, dport=BOARD.port) / payload
        assert udp_frame(HOST, BOARD, payload) == bytes(right)
    asks = Ether(src=mac[0], dst="ff:ff:ff:ff:ff:ff") / ARP(
        op=1, hwsrc=mac[0], psrc=ip[0], hwdst="00:00:00:00:00:00", pdst=ip[1]
    )
    assert arp_frame(HOST, asks=BOARD.ip) == bytes(asks)
    answer = Ether(src=mac[1], dst=mac[0]) / ARP(op=2, hwsrc=mac[1], psrc=ip[1], hwdst=mac[0], pdst=ip[0])
    assert arp_frame(BOARD, target=HOST) == bytes(answer)
