"""The whole link at the pins of a GMII, compiled: bytes there and back, whatever the line does, and how fast."""

import random
from itertools import pairwise

import pytest

from licgate.runtime.session import HostEnd, State
from licgate.target.datagrams import MAX_DATA, Datagram, Flag, unpacked
from licgate.target.ethernet import EthernetFacts, Place, arp_frame, arp_of, framed, udp_frame, udp_of
from tests.gateware.ethernet.linkkit import HOST, OTHER, RETRY, Bench, Echo, compiled, echoed
from tests.marks import regress

pytestmark = [pytest.mark.slow, pytest.mark.long_simulation]

FACTS, KEEP = EthernetFacts(), 2
BOARD = FACTS.place


@pytest.fixture(scope="module")
def model():
    with compiled(Echo(FACTS, keep=KEEP, retry=RETRY)) as model:
        yield model


@pytest.fixture
def bench(model):
    bench = Bench(model)
    yield bench
    # so that the next one begins with nothing under way
    bench.model.send(udp_frame(HOST, BOARD, Datagram(session=0xE0D, flags=Flag.OPEN).packed()))
    bench.model.send(udp_frame(HOST, BOARD, Datagram(session=0xE0D, flags=Flag.CLOSED).packed()))
    bench.model.run(100_000)


def rate(data, cycles):
    """Payload of a line of 1 Gbit/s."""
    return len(data) / cycles


@pytest.mark.parametrize(
    "odds",
    [
        {},
        {"loss": 0.02, "late": 0.02},
        {"loss": 0.1, "double": 0.1, "late": 0.1, "damage": 0.1},
        regress({"loss": 0.25, "double": 0.1, "late": 0.25, "damage": 0.1}),
    ],
    ids=["clean", "some faults", "many faults", "hardly a line"],
)
def test_every_byte_comes_back_once_and_in_order(odds, model, bench):
    for seed in range(2):
        bench = Bench(model, seed=seed, **odds)
        host, data = bench.open(seed + 1), random.Random(seed).randbytes(30_000)
        begun = model.cycles
        bench.carry(host, data, echoed(data, KEEP))
        assert (bench.faults > 0) == bool(odds)
        if not odds:
            assert (host.repeated, host.dropped) == (0, 0)
            assert rate(data, model.cycles - begun) > 0.5


def test_the_rate_into_the_device_is_that_of_the_line(model, bench):
    host, size = bench.open(1), 300_000
    host.offer(random.Random(0).randbytes(size))
    begun = model.cycles
    while host.backlog:
        bench.step((host, HOST))
        host.taken()
    # 1454 of 1538 bytes that a frame takes with all around it, at the most
    assert 0.8 < size / (model.cycles - begun) <= MAX_DATA / (MAX_DATA + 84)
    assert host.repeated == 0


def test_the_rate_with_losses(model, bench):
    bench = Bench(model, seed=4, loss=0.01, late=0.005)
    host, size = bench.open(1), 300_000
    host.offer(bytes(size))
    begun = model.cycles
    while host.backlog:
        bench.step((host, HOST))
        host.taken()
    assert bench.faults > 2
    assert size / (model.cycles - begun) > 0.5


def test_the_rate_from_the_device(model, bench):
    host = bench.open(1)
    data = bytes(200_000)
    host.offer(data)
    got, begun = 0, model.cycles
    while got < len(data) // KEEP:
        bench.step((host, HOST))
        got += len(host.taken())
    assert got / (model.cycles - begun) > 0.35
    # one for every datagram that is answered, or fuller
    sizes = [len(unpacked(udp_of(frame[:-4])[2]).data) for _, frame in bench.frames]
    assert sum(sizes) / sum(size > 0 for size in sizes) > 0.4 * MAX_DATA


def test_arp_is_answered_while_data_come_and_go(model, bench):
    host = bench.open(1)
    host.offer(bytes(100_000))
    for _ in range(30):
        seen = len(bench.frames)
        model.send(arp_frame(OTHER, asks=BOARD.ip))
        # a question waits behind what the host has sent, its answer behind a datagram
        for _ in range(FACTS.receive_bytes // 400 + 10):
            bench.step((host, HOST))
            host.taken()
            answers = [frame for _, frame in bench.frames[seen:] if arp_of(frame)]
            if answers:
                break
        assert answers == [framed(arp_frame(BOARD, target=OTHER))]


def test_frames_of_the_board_are_byte_by_byte_those_of_software(model, bench):
    host = bench.open(0x12345678)
    host.offer(b"abcdef")
    for _ in range(50):
        bench.step((host, HOST))
    said = [udp_of(frame[:-4]) for _, frame in bench.frames]
    assert all(one[:2] == (BOARD, HOST) for one in said)
    first, last = unpacked(said[0][2]), next(one for one in map(unpacked, (s[2] for s in said)) if one.data)
    assert first == Datagram(session=0x12345678, flags=Flag.OPEN, window=FACTS.receive_bytes)
    # every second byte, from wherever the test before has ended
    kept = b"ceg" if last.data.startswith(b"c") else b"bdf"
    assert last == Datagram(session=0x12345678, acknowledged=6, window=FACTS.receive_bytes, data=kept)
    for _, frame in bench.frames:
        assert frame == framed(udp_frame(BOARD, HOST, udp_of(frame[:-4])[2], check=False))


def answers(model, payload, place=HOST):
    model.send(udp_frame(place, BOARD, payload))
    return [(udp_of(frame[:-4])[1], unpacked(udp_of(frame[:-4])[2])) for _, frame in model.run(4000)]


def test_strangers_are_told_and_a_new_session_takes_over(model, bench):
    asks = Datagram(session=77, flags=Flag.ASK).packed()
    assert answers(model, asks) == [(HOST, Datagram(session=77, flags=Flag.CLOSED))]
    host = bench.open(1)
    assert answers(model, asks, OTHER) == [(OTHER, Datagram(session=77, flags=Flag.TAKEN))]
    host.offer(bytes(10_000))
    for _ in range(5):
        bench.step((host, HOST))
    second = HostEnd(2)
    for _ in range(60):
        bench.step((host, HOST), (second, OTHER))
    assert (host.state, second.state) == (State.TAKEN, State.OPEN)
    model.run(100_000)
    data = random.Random(9).randbytes(5000)
    second.taken()
    second.offer(data)
    got = b""
    for _ in range(200):
        bench.step((second, OTHER))
        got += second.taken()
    # what was on its way between link and accelerator comes in front, and may have been half of what is kept
    assert any(got.endswith(echoed(data[start:], KEEP)) for start in range(KEEP))
    assert len(got) < 2500 + 64
    assert answers(model, second.farewell(), OTHER) == []
    assert answers(model, asks) == [(HOST, Datagram(session=77, flags=Flag.CLOSED))]


def test_what_a_host_does_not_acknowledge_is_sent_again(model, bench):
    host = bench.open(1)
    host.offer(bytes(30_000))
    for _ in range(12):
        bench.step((host, HOST))
    # the host is gone, and what was sent last is sent again, with pauses
    frames = model.run(4 * RETRY)
    data = [cycle for cycle, frame in frames if len(frame) > 64]
    begun = [b for a, b in pairwise(data) if b - a > RETRY // 2]
    spaces = [b - a for a, b in pairwise(begun)]
    assert len(spaces) >= 2
    assert all(RETRY <= space < 1.1 * RETRY for space in spaces), spaces


@pytest.mark.regress
def test_a_host_that_dies_leaves_a_link_that_falls_silent(model, bench):
    host = bench.open(1)
    host.offer(bytes(30_000))
    for _ in range(12):
        bench.step((host, HOST))
    model.run(260 * RETRY)
    assert model.run(3 * RETRY) == []
    bench.open(2)


def test_sessions_of_many_hosts_one_after_the_other(model, bench):
    for session in range(1, 12):
        place = Place(bytes([2, 0, 0, 0, 0, session]), bytes([10, 0, 0, session]), 1000 + session)
        host, data = bench.open(session, place), bytes([session]) * 64
        bench.carry(host, data, echoed(data, KEEP), place)
        host.offer(bytes(3000))
        for _ in range(session):
            bench.step((host, place))
        model.run(50_000)  # what is left comes to an end


@pytest.mark.regress
def test_small_buffers_and_another_clock():
    facts = EthernetFacts(receive_bytes=2048, transmit_bytes=2048)
    with compiled(Echo(facts, linger=100, retry=20_000)) as model:
        for seed in range(3):
            bench = Bench(model, seed=seed, loss=0.1, double=0.1, late=0.1, damage=0.05)
            host, data = bench.open(seed + 1), random.Random(seed).randbytes(30_000)
            bench.carry(host, data, echoed(data))
