"""Serial ports, by pyserial: opened, and found by the USB ids of boards. It is the extra ``board``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from licgate.errors import ToolError
from licgate.runtime.ports import Port, UnpluggedError

__all__ = ["FoundPort", "Serial", "serial_ports"]


def _pyserial() -> Any:
    """The package."""
    try:
        import serial
        import serial.tools.list_ports
    except ModuleNotFoundError:
        raise ToolError("serial ports need pyserial; install it with: pip install 'licgate[board]'") from None
    return serial


class Serial(Port):
    """A serial port, 8N1.

    Parameters
    ----------
    path : str
    baud : int

    Raises
    ------
    ToolError
        pyserial is not installed.
    UnpluggedError
        There is no such port, or it is not ours to open.
    """

    def __init__(self, path: str, baud: int) -> None:
        self.address, self._serial = f"serial:{path}", _pyserial()
        try:
            self._port = self._serial.Serial(path, baud, timeout=0, write_timeout=self.deadline, exclusive=True)
        except (OSError, ValueError) as error:
            raise UnpluggedError(f"{self.address}: {_reason(error)}") from None
        # an FTDI chip holds back what is not a full packet, for 16 ms if nobody asks for less
        with contextlib.suppress(Exception):
            self._port.set_low_latency_mode(True)
        with contextlib.suppress(OSError):
            self._port.reset_input_buffer()

    def write(self, data: bytes) -> None:
        """See `Port.write`."""
        try:
            self._port.write(data)
        except OSError as error:
            raise UnpluggedError(f"{self.address}: {_reason(error)}") from None

    def read(self, timeout: float) -> bytes:
        """See `Port.read`."""
        try:
            self._port.timeout = timeout
            data: bytes = self._port.read(1)
            self._port.timeout = 0
            return data + self._port.read(1 << 16) if data else data
        except (OSError, TypeError) as error:  # TypeError: pyserial, of a port that goes meanwhile
            raise UnpluggedError(f"{self.address}: {_reason(error)}") from None

    def close(self) -> None:
        """See `Port.close`."""
        with contextlib.suppress(OSError):
            self._port.close()


def _reason(error: Exception) -> str:
    """What the system said, or pyserial."""
    number = getattr(error, "errno", None)
    if number == 2:
        return "there is no such port: licgate board scan lists those there are"
    if number == 13:
        return "not permitted: your user has to be in the group of the port (often dialout, see: ls -l)"
    if number in (11, 16):
        return "another program has it open"
    return " ".join(str(error).split())


@dataclass(frozen=True)
class FoundPort:
    """A serial port that is there.

    Attributes
    ----------
    path : str
    usb : tuple of (int, int) or None
        Vendor and product.
    title : str
        What the device calls itself.
    """

    path: str
    usb: tuple[int, int] | None
    title: str

    @property
    def address(self) -> str:
        """As ``--port`` takes it."""
        return f"serial:{self.path}"


def serial_ports(ids: Iterable[tuple[int, int]]) -> list[FoundPort]:
    """Serial ports of devices with one of these USB ids, by their paths.

    Raises
    ------
    ToolError
        pyserial is not installed.
    """
    wanted, found = set(ids), []
    for port in _pyserial().tools.list_ports.comports():
        usb = (port.vid, port.pid) if port.vid is not None else None
        if usb in wanted:
            found.append(FoundPort(port.device, usb, port.product or port.description or "?"))
    return sorted(found, key=lambda port: port.path)
