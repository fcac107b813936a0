"""Both ends of a session over networks that lose, double and reorder: every byte once, in order; or a clean end."""

import random

import pytest

from licgate.runtime.session import HostEnd, State
from licgate.target.datagrams import MAX_DATA, Datagram, Flag, unpacked
from tests.marks import regress
from tests.runtime.udpdouble import DeviceEnd, Network

STEP = 5e-5


class Line:
    """A host and a device, and networks between them."""

    def __init__(self, seed=0, *, device=None, **odds):
        self.coin, self.now = random.Random(seed), 0.0
        self.device = device or DeviceEnd(receive_bytes=4096, transmit_bytes=2048)
        self.there, self.back = (Network(random.Random(f"{seed}{way}"), **odds) for way in ("there", "back"))
        self._progress = (0.0, 0)

    def step(self, *hosts):
        self.now += STEP
        for host in hosts:
            for payload in host.due(self.now):
                self.there.put((payload, host), self.now)
        for payload, host in self.there.come(self.now):
            self.device.receive(payload, host)
        while sent := self.device.due():
            self.back.put((sent[0], sent[1].packed()), self.now)
        for host, payload in self.back.come(self.now):
            if host is not None:
                host.receive(payload, self.now)
        if self.device.first != self._progress[1] or not self.device.gone:
            self._progress = (self.now, self.device.first)
        elif self.now > self._progress[0] + 4e-3:
            self.device.timeout()
            self._progress = (self.now, self.device.first)

    def carry(self, host, there, back, *, limit=400_000):
        """Carry bytes both ways at once; what came there and back."""
        while host.state is not State.OPEN:
            self.step(host)
        host.offer(there)
        came, got, at = bytearray(), bytearray(), 0
        for _ in range(limit):
            self.step(host)
            if self.coin.random() < 0.7:
                came += self.device.read(self.coin.randrange(1, 2000))
            at += self.device.write(back[at : at + self.coin.randrange(1, 1500)])
            got += host.taken()
            if len(came) >= len(there) and len(got) >= len(back) and not host.backlog and not self.device.kept:
                return bytes(came), bytes(got)
        raise AssertionError(f"{len(came)} of {len(there)} bytes came, {len(got)} of {len(back)} came back")


@pytest.mark.parametrize(
    "odds",
    [
        {},
        {"loss": 0.05},
        {"double": 0.1, "late": 0.1},
        {"loss": 0.2, "double": 0.2, "late": 0.3},
        regress({"loss": 0.35, "double": 0.3, "late": 0.5}),
    ],
    ids=lambda odds: "-".join(odds) + str(odds.get("loss", "")) or "clean",
)
def test_every_byte_comes_once_and_in_order(odds):
    for seed in range(3):
        line, host = Line(seed, **odds), HostEnd(seed)
        there, back = (random.Random(f"{seed}{way}").randbytes(60_000) for way in "ab")
        assert line.carry(host, there, back) == (there, back)
        assert host.state is State.OPEN
        assert (host.repeated + host.dropped > 0) == bool(odds)


def test_numbers_wrap_in_the_middle_of_a_session():
    line, host = Line(loss=0.05), HostEnd(5)
    line.carry(host, b"", b"")
    for end, first, expected in ((host, "_first", "_expected"), (line.device, "first", "expected")):
        setattr(end, first, 0xFFFFF000)
        setattr(end, expected, 0xFFFFF000)
    there, back = random.Random(1).randbytes(20_000), random.Random(2).randbytes(20_000)
    assert line.carry(host, there, back) == (there, back)


def test_a_new_host_takes_over_and_the_one_before_is_told():
    line, first, second = Line(), HostEnd(1), HostEnd(2)
    first.offer(b"x" * 10_000)
    for _ in range(100):
        line.step(first)
    for _ in range(200):
        line.step(first, second)
    assert (first.state, second.state) == (State.TAKEN, State.OPEN)
    line.device.read(1 << 16)
    there, back = b"there" * 1000, b"back" * 1000
    assert line.carry(second, there, back) == (there, back)
    line.device.receive(second.farewell(), second)
    assert line.device.session is None
    for _ in range(6000):
        line.step(second)
    assert second.state is State.CLOSED
    assert second.due(line.now + 10) == []


def test_a_device_that_was_loaded_anew_says_so():
    line, host = Line(), HostEnd(1)
    line.carry(host, b"abc", b"def")
    line.device = DeviceEnd()
    for _ in range(6000):  # nothing is sent, and it is asked all the same
        line.step(host)
    assert host.state is State.CLOSED


def test_room_that_comes_back_while_the_word_of_it_is_lost():
    line, host = Line(), HostEnd(1)
    host.offer(bytes(20_000))
    for _ in range(3000):
        line.step(host)
    assert len(line.device.waiting) >= 4096 - MAX_DATA
    came = len(line.device.read(1 << 16))
    assert line.device.due() is not None  # lost
    for _ in range(40_000):
        line.step(host)
        came += len(line.device.read(1 << 16))
    assert came == 20_000


def test_what_is_none_of_its_session_is_passed_over():
    host = HostEnd(7)
    assert unpacked(host.due(0.0)[0]).flags is Flag.OPEN
    for payload in (
        b"",
        b"no datagram, though long enough",
        Datagram(session=8, flags=Flag.OPEN).packed(),
        Datagram(session=7, data=b"before it is open").packed(),
    ):
        host.receive(payload, 0.0)
        assert (host.state, host.taken()) == (State.OPENING, b"")
    host.receive(Datagram(session=7, flags=Flag.OPEN, window=100).packed(), 0.0)
    host.offer(b"1234567890")
    assert unpacked(host.due(0.0)[0]).data == b"1234567890"
    # an acknowledgement of what was never sent
    host.receive(Datagram(session=7, acknowledged=11, window=100).packed(), 0.0)
    assert host.backlog == 10
    host.receive(Datagram(session=7, acknowledged=10, window=100).packed(), 0.0)
    assert host.backlog == 0


def test_how_long_it_waits_follows_the_round_trip():
    host = HostEnd(1)
    assert [len(host.due(now)) for now in (0.0, 0.05, 0.11, 0.2, 0.32)] == [1, 0, 1, 0, 1]
    host.receive(Datagram(session=1, flags=Flag.OPEN, window=4000).packed(), 0.4)
    now = 1.0
    for acknowledged in range(1, 51):
        host.offer(b"x")
        assert len(host.due(now)) == 1
        host.receive(Datagram(session=1, acknowledged=acknowledged, window=4000).packed(), now + 0.03)
        now += 0.1
    host.offer(b"y")
    host.due(now)
    assert host.due(now + 0.029) == []
    assert len(host.due(now + 0.045)) == 1
    assert host.repeated == 1
