"""Ways to a device that carry bytes: what a way does, TCP ports and pseudo-terminals."""

from __future__ import annotations

import os
import select
import socket
import termios
import tty
from abc import ABC, abstractmethod

from licgate.errors import DeviceError

__all__ = ["AT_WORK", "BAUD", "Port", "Pty", "Tcp", "UnpluggedError"]

#: Rate of the boards' serial ports.
BAUD = 3_000_000

#: Seconds beyond the deadline for which a device at work may take nothing, where what it does not take waits: an answer
#: comes behind pixels then, for which a small array has room when it has done with the rows before.
AT_WORK = 10.0

_CHUNK = 1 << 16


class UnpluggedError(DeviceError):
    """The way to the device is gone; it may come back."""


class Port(ABC):
    """A way to a device; opened when it is made.

    Attributes
    ----------
    address : str
        As ``--port`` takes it.
    deadline : float
        Seconds within which a device at this way answers; to a simulation others may be quicker.
    backpressure : bool
        What the device does not take waits on its way and is not lost, and what comes from it is taken in while
        something is written, so neither side waits for the other.
    """

    address: str
    deadline = 1.0
    backpressure = False

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send bytes; it may wait, no longer than the deadline, or where they are held back as long as something moves.

        Raises
        ------
        LineError
            They are held back, and nothing moves.
        UnpluggedError
            The way is gone.
        """

    @abstractmethod
    def read(self, timeout: float) -> bytes:
        """What has come, of one byte or more; nothing if nothing comes for ``timeout`` seconds.

        Raises
        ------
        UnpluggedError
            The way is gone.
        """

    @abstractmethod
    def close(self) -> None:
        """Give it back."""

    def abort(self) -> None:  # noqa: B027
        """Make the device forget what is on its way to it and from it, and what it is at; nothing where no way does it.

        Where bytes wait on their way no command gets past them.

        Raises
        ------
        UnpluggedError
            The way is gone.
        """


class _Readable(Port):
    """A port that is a file of the system."""

    _file: int

    def read(self, timeout: float) -> bytes:
        """See `Port.read`."""
        try:
            if not select.select([self._file], [], [], timeout)[0]:
                return b""
            data = os.read(self._file, _CHUNK)
        except OSError as error:
            raise _gone(self.address, error) from None
        if not data:
            raise UnpluggedError(f"{self.address} has hung up")
        return data


class Tcp(_Readable):
    """A TCP port, of an emulated board or of a serial port elsewhere.

    Parameters
    ----------
    host : str
    port : int

    Raises
    ------
    UnpluggedError
        Nobody listens there.
    """

    deadline = 5.0

    def __init__(self, host: str, port: int) -> None:
        self.address = f"tcp:{host}:{port}"
        try:
            self._socket = socket.create_connection((host, port), timeout=self.deadline)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._file = self._socket.fileno()
        except OSError as error:
            raise _gone(self.address, error) from None

    def write(self, data: bytes) -> None:
        """See `Port.write`."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise _gone(self.address, error) from None

    def close(self) -> None:
        """See `Port.close`."""
        self._socket.close()


class Pty(_Readable):
    """A pseudo-terminal of an emulated board.

    Parameters
    ----------
    path : str

    Raises
    ------
    UnpluggedError
        There is no such terminal.
    """

    deadline = 5.0

    def __init__(self, path: str) -> None:
        self.address = f"pty:{path}"
        try:
            self._file = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            tty.setraw(self._file)
        except (OSError, termios.error) as error:
            raise _gone(self.address, error) from None

    def write(self, data: bytes) -> None:
        """See `Port.write`."""
        try:
            while data:
                if not select.select([], [self._file], [], self.deadline)[1]:
                    raise UnpluggedError(f"{self.address} takes no bytes")
                data = data[os.write(self._file, data) :]
        except OSError as error:
            raise _gone(self.address, error) from None

    def close(self) -> None:
        """See `Port.close`."""
        os.close(self._file)


def _gone(address: str, error: Exception) -> UnpluggedError:
    reason = getattr(error, "strerror", None) or str(error)
    return UnpluggedError(f"{address}: {reason[:1].lower()}{reason[1:]}")
