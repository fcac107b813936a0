"""Which frames are for the board, and what they say: against frames made in software, and each of their faults."""

import random
import struct

import pytest

from licgate.gateware.ethernet.checksum import ByteChecksum
from licgate.gateware.ethernet.parser import PacketParser
from licgate.target.datagrams import MAX_DATA, Datagram, Flag
from licgate.target.ethernet import EthernetFacts, Place, arp_frame, checksum, framed, udp_frame
from tests.gateware.kit import run_simulation
from tests.marks import regress

BOARD = EthernetFacts().place
HOST = Place(bytes.fromhex("0a1b2c3d4e5f"), bytes([169, 254, 1, 9]), 40000)
ASKS = Datagram(session=0x89ABCDEF, flags=Flag.ASK, sequence=0xFEDCBA98, acknowledged=0x01234567, window=0x8765)


def with_data(data):
    return Datagram(**{**vars(ASKS), "data": data})


def packed(place):
    return int.from_bytes(place.mac + place.ip + place.port.to_bytes(2, "big"), "big")


def parsed(frames, *, goods=None, board=BOARD):
    """What a parser says of frames with their FCS: (kind, source, flags, header, data), or None."""
    dut, said = PacketParser(board), []

    async def bench(ctx):
        for k, frame in enumerate(frames):
            ctx.set(dut.begin, 1)
            await ctx.tick()
            ctx.set(dut.begin, 0)
            data = bytearray()
            for byte in frame:
                ctx.set(dut.data, byte)
                ctx.set(dut.strobe, 1)
                await ctx.tick()
                if ctx.get(dut.o_strobe):
                    data.append(ctx.get(dut.o_data))
            ctx.set(dut.strobe, 0)
            await ctx.tick()
            ctx.set(dut.end, 1)
            ctx.set(dut.good, goods is None or goods[k])
            await ctx.tick()
            ctx.set(dut.end, 0)
            ctx.set(dut.good, 0)
            source = ctx.get(dut.source.as_value())
            if ctx.get(dut.arp):
                said.append(("arp", source >> 16))
            elif ctx.get(dut.datagram):
                assert ctx.get(dut.filled) == bool(data)
                header = ctx.get(dut.header.as_value()).to_bytes(14, "big")
                said.append(("datagram", source, ctx.get(dut.flags), header, bytes(data)))
            else:
                said.append(None)
            await ctx.tick()
            assert not ctx.get(dut.arp | dut.datagram)

    run_simulation(dut, bench)
    return said


def expected(source, datagram):
    payload = datagram.packed()
    return "datagram", packed(source), datagram.flags, payload[4:18], datagram.data


@pytest.mark.parametrize("sizes", [(0, 1, 2, 5, 30), regress((MAX_DATA - 1, MAX_DATA))])
def test_datagrams_for_the_board(sizes):
    datagrams = [with_data(random.Random(size).randbytes(size)) for size in sizes]
    for check in (True, False):
        found = parsed([framed(udp_frame(HOST, BOARD, one.packed(), check=check)) for one in datagrams])
        assert found == [expected(HOST, one) for one in datagrams]


def test_requests_for_the_address_of_the_board():
    asks = arp_frame(HOST, asks=BOARD.ip)
    directly = BOARD.mac + asks[6:]
    another = Place(b"\x02\x00\x00\x00\x00\x01", bytes([10, 1, 2, 3]))
    found = parsed([framed(asks), framed(directly), framed(arp_frame(another, asks=BOARD.ip))])
    assert found == [("arp", packed(HOST) >> 16)] * 2 + [("arp", packed(another) >> 16)]
    others = [
        arp_frame(HOST, asks=BOARD.ip[:3] + b"\x01"),
        arp_frame(HOST, target=BOARD),
        HOST.mac + asks[6:],
        *(asks[:place] + bytes([asks[place] ^ 0x10]) + asks[place + 1 :] for place in (12, 15, 17, 19, 21)),
    ]
    assert parsed([framed(frame) for frame in [*others, asks]]) == [None] * len(others) + [("arp", packed(HOST) >> 16)]


def spoilt(place, bit=0x04, *, ip=False, udp=False):
    """A frame with a bit turned, and the checksum of IPv4 right again, or that of UDP left out."""
    frame = bytearray(udp_frame(HOST, BOARD, with_data(b"0123456789").packed(), check=not udp))
    frame[place] ^= bit
    if ip:
        frame[24:26] = b"\0\0"
        frame[24:26] = checksum(bytes(frame[14:34])).to_bytes(2, "big")
    return framed(bytes(frame))


@pytest.mark.parametrize(
    "frames",
    [
        # addresses, type; the checksum of IPv4 covers its header, that of UDP the rest
        [spoilt(place, udp=True) for place in (0, 5, 12, 13, 16, 18, 22, 24, 25, 26)],
        [spoilt(place) for place in (34, 35, 40, 41, 46, 59, 60, 69)],
        # options, parts, another protocol, another address; another port, another version, magic
        [spoilt(place, bit, ip=True, udp=True) for place, bit in ((14, 1), (20, 0x20), (21, 1), (23, 1), (33, 1))],
        [spoilt(place, udp=True) for place in (36, 37, 42, 43, 44)],
        # lengths that contradict each other
        [spoilt(39, 1, udp=True), spoilt(17, 1, ip=True, udp=True), spoilt(16, 1, ip=True, udp=True)],
    ],
    ids=["checksum of IPv4", "checksum of UDP", "IPv4", "UDP", "lengths"],
)
def test_frames_that_are_passed_over(frames):
    whole = with_data(b"0123456789")
    found = parsed([*frames, framed(udp_frame(HOST, BOARD, whole.packed()))])
    assert found == [None] * len(frames) + [expected(HOST, whole)]


def test_frames_that_are_shorter_than_they_say():
    whole = with_data(bytes(range(1, 41)))
    frame, payload = udp_frame(HOST, BOARD, whole.packed(), check=False), whole.packed()
    # the FCS and what fills a frame up are no data
    assert parsed([framed(frame[:-cut]) for cut in (1, 4, 5, 8)]) == [None] * 4
    # nor is a header that is cut short, or data beyond the longest
    short = framed(udp_frame(HOST, BOARD, payload[:17]))
    assert parsed([short, framed(frame)]) == [None, expected(HOST, whole)]
    long = bytearray(udp_frame(HOST, BOARD, bytes(MAX_DATA + 19), check=False)[:60])
    long[42:60] = payload[:18]
    assert parsed([framed(bytes(long))]) == [None]


def test_a_frame_that_came_damaged_is_passed_over():
    frames = [framed(udp_frame(HOST, BOARD, ASKS.packed())), framed(arp_frame(HOST, asks=BOARD.ip))] * 2
    found = parsed(frames, goods=[False, False, True, True])
    assert found == [None, None, expected(HOST, ASKS), ("arp", packed(HOST) >> 16)]


def test_other_addresses_of_the_board():
    other = EthernetFacts(ip="10.9.8.7", port=5000).place
    frames = [framed(udp_frame(HOST, place, ASKS.packed())) for place in (BOARD, other)]
    assert parsed(frames, board=other) == [None, expected(HOST, ASKS)]


def test_the_sum_in_ones_complement():
    coin, dut, found = random.Random(3), ByteChecksum(), []
    texts = [coin.randbytes(coin.choice((1, 2, 7, 20))) for _ in range(6)]
    texts = [text + b"\0" * (len(text) % 2) for text in texts] + [b"\xff" * 8]
    right = [text + checksum(text).to_bytes(2, "big") for text in texts]
    wrong = [text[:-1] + bytes([text[-1] ^ 1]) for text in right]

    async def bench(ctx):
        for text in [*right, *wrong]:
            ctx.set(dut.begin, 1)
            await ctx.tick()
            ctx.set(dut.begin, 0)
            for place, byte in enumerate(text):
                ctx.set(dut.data, byte)
                ctx.set(dut.high, place % 2 == 0)
                ctx.set(dut.strobe, 1)
                await ctx.tick()
            ctx.set(dut.strobe, 0)
            await ctx.tick().repeat(dut.latency - 1)
            found.append(ctx.get(dut.right))

    run_simulation(dut, bench)
    assert found == [1] * len(right) + [0] * len(wrong)
    with pytest.raises(ValueError, match=r"^first must be 0 to 65535, not 65536$"):
        ByteChecksum(65536)


def test_places_of_the_header_are_those_of_the_format():
    assert struct.calcsize(">IIIH") == len(PacketParser(BOARD).header.as_value()) // 8
