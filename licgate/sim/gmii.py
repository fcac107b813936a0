"""A link over Ethernet as compiled C++: frames at the pins of its GMII, as many cycles at a time as are asked for."""

import struct
import subprocess

from licgate.errors import SimulationError
from licgate.resources import simulation_source
from licgate.sim.cxxrtl import build
from licgate.target.ethernet import framed

__all__ = ["HARNESS", "RECORD", "PacedGmii", "packed_frame"]

HARNESS = simulation_source("gmii.cpp")

#: In front of a frame from the harness: the cycle of its first byte, and its length.
RECORD = struct.Struct("<QH")


def packed_frame(frame):
    """A record of a frame, whose FCS is added, for the harness."""
    data = framed(frame)
    return struct.pack("<H", len(data)) + data


class PacedGmii:
    """A model whose cycles are counted out; a context that ends it.

    Parameters
    ----------
    component : Component
        With members ``receive`` and ``transmit``, as of an `EthernetLink`.
    clock_khz : int
        Of the domain ``sync``.

    Attributes
    ----------
    cycles : int
        Of the GMII, that it has run.

    Raises
    ------
    ToolError
        Yosys or g++ is missing, or one of them fails.
    """

    def __init__(self, component, *, clock_khz=125_000):
        pipe = subprocess.PIPE
        command = [build(component, HARNESS), str(clock_khz), "1"]
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe)
        self.cycles = 0

    def send(self, frame):
        """Send a frame without its FCS, behind those that are under way."""
        self._process.stdin.write(packed_frame(frame))

    def send_raw(self, data):
        """Send a frame as it is, FCS included."""
        self._process.stdin.write(struct.pack("<H", len(data)) + data)

    def run(self, cycles):
        """Run as many cycles; the frames that came, as (cycle of their first byte, bytes with FCS).

        Raises
        ------
        SimulationError
            The model has ended.
        """
        self._process.stdin.write(struct.pack("<HI", 0, cycles))
        self._process.stdin.flush()
        frames = []
        while True:
            head = self._process.stdout.read(RECORD.size)
            if len(head) < RECORD.size:
                raise SimulationError(f"the simulated link ended with exit code {self._process.wait()}")
            cycle, length = RECORD.unpack(head)
            if not length:
                self.cycles = cycle
                return frames
            frames.append((cycle, self._process.stdout.read(length)))

    def close(self):
        """End it."""
        self._process.kill()
        self._process.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
