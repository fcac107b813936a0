"""An emulated board: a whole build but for PLL and pads, as compiled C++, with a host's bytes in and out."""

import contextlib
import subprocess
import threading

from licgate.errors import ConfigError, SimulationError
from licgate.gateware.top.board import EmulatedBoard, LinkedAccelerator, SerialAccelerator
from licgate.gateware.top.ethernet import EthernetAccelerator
from licgate.resources import simulation_source
from licgate.sim import gmii
from licgate.sim.cxxrtl import build
from licgate.target.link import FRAME_TIMEOUT_SECONDS, LinkFacts

__all__ = ["BoardProcess", "Emulation"]

_HARNESS = simulation_source("board.cpp")
_FASTEST_DIVISOR = 4


class Emulation:
    """What is emulated of a build.

    Parameters
    ----------
    accelerator : Component
        Of a fitted design.
    facts : BuildFacts
    pins : bool
        Bytes go through the UART, bit by bit, at four cycles a bit; else they go to and from the link.
    ethernet : EthernetFacts or None
        Bytes go through the Ethernet link, and frames to and from the pins of its GMII.

    Attributes
    ----------
    board : Component
        What is simulated.

    Raises
    ------
    ConfigError
        An accelerator with an SDRAM is to be behind Ethernet, or a UART and Ethernet are asked for.
    """

    def __init__(self, accelerator, facts, *, pins=False, ethernet=None):
        self.facts, self.pins = facts, pins
        link = LinkFacts(build=facts.build, clock_khz=facts.clock_khz, serial=pins, emulated=True)
        timeout = round(FRAME_TIMEOUT_SECONDS * facts.clock_khz * 1e3)
        board = LinkedAccelerator(accelerator, timeout=timeout, facts=link)
        self._harness = _HARNESS
        if ethernet is not None:
            if board.has_bus or pins:
                raise ConfigError("--link udp is emulated with --memory chip, and without --pins")
            self.board, self._harness = EthernetAccelerator(board, ethernet), gmii.HARNESS
            self._arguments = [str(facts.clock_khz), "0"]
            return
        self._arguments = [str(_FASTEST_DIVISOR if pins else 0)]
        round_trip = 0
        if board.has_bus:
            controller = accelerator.accelerator.controller
            round_trip = controller.round_trip
            self._arguments += map(str, controller.timing.words(controller.clock_mhz))
        if pins:
            board = SerialAccelerator(board, divisor=_FASTEST_DIVISOR)
        self.board = EmulatedBoard(board, round_trip=round_trip)

    def start(self):
        """Compile it, or find it in the cache, and let it run.

        Returns
        -------
        BoardProcess

        Raises
        ------
        ToolError, BuildError
            Yosys or g++ is missing, or one of them fails.
        """
        return BoardProcess([build(self.board, self._harness), *self._arguments])


class BoardProcess:
    """The running program; a context that ends it.

    Attributes
    ----------
    cycles : int
        That it has run, as of about a second ago.
    stdin, stdout : files
        Bytes to the board, and from it.
    """

    def __init__(self, command):
        pipe = subprocess.PIPE
        # of its own session: an interrupt is for whoever serves it
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, start_new_session=True
        )
        self.stdin, self.stdout = self._process.stdin, self._process.stdout
        self.cycles, self._said = 0, []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self):
        for line in self._process.stderr:
            text = line.decode(errors="replace").strip()
            if text.isdecimal():
                self.cycles = int(text)
            else:
                self._said.append(text)

    def check(self):
        """Raise a SimulationError if it has ended by itself."""
        code = self._process.poll()
        if code is None:
            return
        self._listener.join(timeout=1.0)
        told = f": {self._said[-1]}" if self._said else ""
        raise SimulationError(f"the emulated board ended with exit code {code}{told}")

    def close(self):
        """End it."""
        for file in (self.stdin, self.stdout):
            with contextlib.suppress(OSError):
                file.close()
        self._process.kill()
        self._process.wait()
        self._listener.join(timeout=1.0)
        self._process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
