"""Addresses of devices: which port one stands for."""

from __future__ import annotations

from pathlib import Path

from licgate.errors import ConfigError
from licgate.runtime.ports import BAUD, Port, Pty, Tcp
from licgate.runtime.serialport import Serial
from licgate.runtime.udp import Udp
from licgate.runtime.usbport import Usb
from licgate.target.datagrams import PORT

__all__ = ["open_port"]


def open_port(address: str, *, baud: int = BAUD) -> Port:
    """Open a way to a device.

    Parameters
    ----------
    address : str
        ``serial:PATH``, ``usb:SERIAL`` (``usb:`` for the only one), ``udp:HOST[:PORT]``, ``tcp:HOST:PORT`` or
        ``pty:PATH``; a path alone is that of a serial port.
    baud : int
        Rate of a serial port.

    Raises
    ------
    ConfigError
        It is no address.
    ToolError
        A serial port or a USB device needs a package that is not installed.
    UnpluggedError
        Nothing is there.
    """
    kind, _, rest = address.partition(":")
    if kind == "tcp":
        host, _, port = rest.rpartition(":")
        if host and port.isdecimal() and int(port) < 1 << 16:
            return Tcp(host, int(port))
    elif kind == "usb" and ":" in address:
        return Usb(rest)
    elif kind == "udp":
        host, _, port = rest.partition(":")
        number = int(port) if port.isdecimal() else PORT if rest == host else 0
        if host and number in range(1, 1 << 16):
            return Udp(host, number)
    elif kind == "pty" and rest:
        return Pty(rest)
    elif (kind == "serial" and rest) or "/" in address or Path(address).exists():
        return Serial(rest if kind == "serial" else address, baud)
    known = "serial:/dev/NAME, usb:SERIAL, udp:HOST, tcp:HOST:PORT and pty:/dev/pts/N"
    raise ConfigError(f"--port {address!r} is none of {known}")
