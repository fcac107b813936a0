"""How much of a serial line the host program uses, behind a USB chip that holds back what is not a full packet."""

from collections import deque

import numpy as np
import pytest

from licgate.reference import run_transform
from licgate.runtime.connection import Connection
from licgate.runtime.engines import ResidentEngine
from licgate.runtime.ports import Port
from tests.runtime.double import Double
from tests.sim.kit import tiny_codec

MANIFEST = tiny_codec()

#: Seconds: of a byte at 3 Mbaud, 8N1; of the chip's timer; from one look of the host's at the chip to the next.
BYTE, TIMER, POLL = 10 / 3e6, 16e-3, 1e-3
#: Bytes of data in a packet of a full-speed chip.
PACKET = 62


class FtdiPort(Port):
    """A serial port in time of its own: bytes take their time, packets go when they are full or the timer has run.

    Attributes
    ----------
    now : float
        Seconds so far.
    free : float
        When the line to the device has carried all that it was given.
    """

    address, deadline = "ftdi", 5.0

    def __init__(self, device, *, timer=TIMER):
        self.device, self.now, self._timer = device, 0.0, timer
        self.free = self._given = 0.0
        self._line = deque()  # (when it is in the chip, byte)
        self._packets = deque()  # (when the host has it, bytes)

    def write(self, data):
        for byte in data:
            self.free = max(self.free, self.now) + BYTE
            self.device.feed(bytes([byte]))
            for answer in self.device.taken():
                self._given = max(self._given, self.free) + BYTE
                self._line.append((self._given, answer))

    def read(self, timeout):
        end = self.now + timeout
        while self._line and not self._packets:
            self._packets.append(self._packet())
        if not self._packets or self._packets[0][0] > end:
            self.now = end
            return b""
        when, data = self._packets.popleft()
        self.now = max(self.now, when)
        return data

    def _packet(self):
        """The next packet: a full one, or what has come when the timer has run."""
        first = self._line[0][0]
        runs = (first // self._timer + 1) * self._timer
        data = bytearray()
        while self._line and len(data) < PACKET and self._line[0][0] <= runs:
            last, byte = self._line.popleft()
            data.append(byte)
        leaves = last if len(data) == PACKET else runs
        return (leaves // POLL + 1) * POLL, bytes(data)

    def close(self):
        pass


def run_over(frames, size):
    """Run g_a over a picture; return when each byte of its pixels had gone."""
    port = FtdiPort(Double(MANIFEST, frames=frames, max_width=size[0]))
    x = np.random.default_rng(0).integers(0, 256, (3, size[1], size[0]))
    went, feed = [], port.device.feed

    def watched(data):
        if port.device.wants_pixels:
            went.append(port.free)
        feed(data)

    with Connection("ftdi", opened=lambda: port) as connection:
        port.device.feed = watched
        output = ResidentEngine(connection, MANIFEST, ["g_a"]).run("g_a", x).output()
    assert np.array_equal(output, run_transform(MANIFEST.g_a, x))
    return went


@pytest.mark.parametrize(("frames", "least", "most"), [(15, 0.85, 1.001), (7, 0.2, 0.6)])
def test_while_pixels_go_the_line_is_full_though_answers_are_late(frames, least, most):
    """With fewer frames under way it waits for their answers."""
    went = run_over(frames, (256, 96))
    assert least <= (len(went) - 1) * BYTE / (went[-1] - went[0]) <= most
