"""Options by which a device is found, and the connection that they come to."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from licgate.errors import ConfigError, DeviceError, ToolError

if TYPE_CHECKING:
    from licgate.runtime.connection import Connection
    from licgate.runtime.serialport import FoundPort
    from licgate.runtime.usbport import FoundUsb

__all__ = ["ENGINE", "add_port_arguments", "check_port_arguments", "connect", "found_ports", "note", "released"]

#: What ``--engine`` calls a device.
ENGINE = "board"


def add_port_arguments(parser: argparse.ArgumentParser, *, engine: bool = True) -> None:
    """Add ``--port`` and ``--baud``; with ``engine`` they are said to go with ``--engine board``."""
    group = parser.add_argument_group("with --engine board") if engine else parser
    group.add_argument(
        "--port",
        metavar="ADDRESS",
        help="serial:/dev/ttyUSB0, usb:SERIAL, udp:HOST[:PORT], tcp:HOST:PORT or pty:PATH (default: the one board that "
        "is found at a USB port)",
    )
    group.add_argument(
        "--build", type=Path, metavar="DIR", help="folder of the device's build (default: what this machine remembers)"
    )
    group.add_argument("--baud", type=int, metavar="N", help="rate of a serial port (default: 3000000)")


def check_port_arguments(args: argparse.Namespace) -> None:
    """Refuse options of a device where another engine is asked for."""
    for option in ("port", "baud", "build"):
        if args.engine != ENGINE and getattr(args, option) is not None:
            raise ConfigError(f"--{option} goes with --engine {ENGINE}, not {args.engine}")


def connect(args: argparse.Namespace) -> Connection:
    """Connect to the device of parsed options, once.

    Raises
    ------
    ConfigError, ToolError, DeviceError
        See :class:`licgate.runtime.connection.Connection`; or no device is named, and not one is found.
    """
    from licgate.runtime.connection import Connection
    from licgate.runtime.ports import BAUD
    from licgate.target.build import read_facts, remember

    # a device talks to one at a time
    if getattr(args, "connection", None) is None:
        facts = None if args.build is None else read_facts(args.build)
        connection = Connection(args.port or _only_port().address, baud=args.baud or BAUD, note=note)
        if facts is not None:
            if facts.build != connection.identity.build:
                raise ConfigError(
                    f"the device is of build {connection.identity.build:016x}, {args.build} holds {facts.name}: load "
                    "its bitstream, or name another folder"
                )
            remember(facts)
        args.connection = connection
    return args.connection


@contextmanager
def released(args: argparse.Namespace) -> Iterator[None]:
    """Give the device of `connect` back in the end, if there was one."""
    try:
        yield
    finally:
        if getattr(args, "connection", None) is not None:
            args.connection.close()


def note(line: str) -> None:
    """Say something on the side."""
    print(f"licgate: note: {line}", file=sys.stderr, flush=True)


def found_ports() -> list[FoundPort | FoundUsb]:
    """Devices that say they are licgate's, and serial ports of devices with a USB id that a board has.

    Raises
    ------
    ToolError
        None is found, and a package is missing that would find serial ports.
    """
    from licgate.runtime.serialport import serial_ports
    from licgate.runtime.usbport import usb_ports
    from licgate.target.board import board_files, find_board

    found: list[FoundPort | FoundUsb] = []
    # who builds for the serial port alone needs no pyusb
    with suppress(ToolError):
        found += usb_ports()

    ids = []
    for name in board_files():
        try:
            ids += find_board(name).usb
        except ConfigError:
            continue  # a broken file hides none of the others
    try:
        found += serial_ports(ids)
    except ToolError:
        if not found:
            raise
    return found


def _only_port() -> FoundPort | FoundUsb:
    found = found_ports()
    # what says that it is licgate's is meant, whatever serial port is beside it
    own = [port for port in found if port.address.startswith("usb:")]
    if len(own or found) == 1:
        return (own or found)[0]
    if not found:
        raise DeviceError("no board is found at a USB port: plug it in, or name its port with --port")
    raise DeviceError(f"there are {', '.join(port.address for port in found)}: choose one with --port")
