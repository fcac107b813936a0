"""The host program over UDP: against a device in Python behind a real socket, which loses and doubles datagrams."""

import contextlib
import random
import select
import socket
import threading
import time

import numpy as np
import pytest

from licgate.errors import ConfigError, DeviceError
from licgate.reference import run_transform
from licgate.runtime.address import open_port
from licgate.runtime.connection import Connection
from licgate.runtime.engines import ResidentEngine
from licgate.runtime.ports import UnpluggedError
from licgate.runtime.udp import Udp
from tests.runtime.double import Double
from tests.runtime.udpdouble import DeviceEnd
from tests.sim.kit import tiny_codec

MANIFEST = tiny_codec()


class Board:
    """A device behind a UDP port of this machine; a context in which a thread serves it.

    ``device`` takes bytes by ``feed`` and gives them by ``taken``; ``loss`` is how many of the datagrams are lost each
    way, and as many are doubled.
    """

    def __init__(self, device, *, loss=0.0, seed=0):
        self.device, self.end, self._coin, self._loss = device, DeviceEnd(), random.Random(seed), loss
        self.socket, self.lost, self.silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0, False
        self.socket.bind(("127.0.0.1", 0))
        self.address = f"udp:127.0.0.1:{self.socket.getsockname()[1]}"
        self._ends, self._out = False, bytearray()

    def copies(self):
        chance = self._coin.random()
        self.lost += chance < self._loss
        return 0 if chance < self._loss else 2 if chance > 1 - self._loss else 1

    def serve(self):
        moved = time.monotonic()
        while not self._ends:
            if select.select([self.socket], [], [], 0.004)[0]:
                payload, peer = self.socket.recvfrom(1 << 16)
                for _ in range(self.copies()):
                    self.end.receive(payload, peer)
            self.device.feed(self.end.read(1 << 16))
            self._out += self.device.taken()
            del self._out[: self.end.write(self._out)]
            if time.monotonic() > moved + 0.01:
                moved = time.monotonic()
                self.end.timeout()
            while not self.silent and (sent := self.end.due()):
                for _ in range(self.copies()):
                    self.socket.sendto(sent[1].packed(), sent[0])

    def __enter__(self):
        self._thread = threading.Thread(target=self.serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ends = True
        self._thread.join()
        self.socket.close()


@pytest.mark.parametrize("loss", [0.0, 0.1])
def test_transforms_over_a_network_that_loses(loss):
    x = np.random.default_rng(1).integers(0, 256, (3, 24, 32))
    with Board(Double(MANIFEST), loss=loss) as board:
        for _ in range(2):
            with Connection(board.address) as connection:
                ran = ResidentEngine(connection, MANIFEST, ["g_a"]).run("g_a", x)
                # nothing of what is lost reaches the frames
                assert connection.attempts == 0
            assert np.array_equal(ran.output(), run_transform(MANIFEST.g_a, x))
        assert board.lost > 5 if loss else board.lost == 0


def test_another_program_takes_over_with_a_clean_end_of_the_first():
    with Board(Double(MANIFEST)) as board:
        first = Udp("127.0.0.1", int(board.address.rpartition(":")[2]))
        with contextlib.closing(open_port(board.address)) as second:
            with pytest.raises(DeviceError, match=r"^another program has begun to talk to udp:127\.0\.0\.1:\d+: a dev"):
                first.read(5.0)
            assert second.read(0.0) == b""
        first.close()


def test_a_device_that_is_loaded_anew_is_met_again():
    x = np.random.default_rng(2).integers(0, 256, (3, 8, 16))
    with Board(Double(MANIFEST)) as board:
        notes = []
        with Connection(board.address, note=notes.append) as connection:
            board.end = DeviceEnd()
            ran = ResidentEngine(connection, MANIFEST, ["g_a"]).run("g_a", x)
        assert np.array_equal(ran.output(), run_transform(MANIFEST.g_a, x))
        assert "knows nothing of this session: it was switched off, or loaded anew; waiting 20 s for it" in notes[0]


def test_what_a_person_is_told(monkeypatch):
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        monkeypatch.setattr(Udp, "deadline", 0.3)
        with pytest.raises(UnpluggedError, match=rf"^udp:127\.0\.0\.1:{port} does not answer: is it on, its link at"):
            open_port(f"udp:127.0.0.1:{port}")
    with pytest.raises(UnpluggedError, match=rf"^udp:127\.0\.0\.1:{port}: connection refused$"):
        open_port(f"udp:127.0.0.1:{port}")
    with Board(Double(MANIFEST)) as board, contextlib.closing(open_port(board.address)) as link:
        board.silent = True
        with pytest.raises(UnpluggedError, match=r"^udp:127\.0\.0\.1:\d+ takes no bytes$"):
            link.write(bytes(1 << 18))


@pytest.mark.parametrize("address", ["udp:", "udp:here:x", "udp:here:0", "udp:here:70000", "udp:here:"])
def test_addresses_that_are_none(address):
    with pytest.raises(ConfigError, match=r"^--port 'udp:.*' is none of serial:/dev/NAME, usb:SERIAL, udp:HOST, tcp:"):
        open_port(address)
