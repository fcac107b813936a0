"""What a host link says of the device that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FRAME_TIMEOUT_SECONDS", "LINKS", "LinkFacts"]

#: Ways between a board and its host.
LINKS = ("serial", "usb", "udp")

#: After which the device gives up a frame that has begun and does not go on.
FRAME_TIMEOUT_SECONDS = 0.1


@dataclass(frozen=True)
class LinkFacts:
    """Constants of the link's registers.

    Attributes
    ----------
    build : int
        64 bits by which the build is known, see :class:`licgate.target.build.BuildFacts`; 0 for none.
    clock_khz : int
        Of the accelerator.
    serial : bool
        Bytes go through a UART.
    emulated : bool
        The device is a simulation.
    stream : bool
        The way to the device holds back what it cannot take, so the link takes PIXELS_STREAM.
    """

    build: int = 0
    clock_khz: int = 0
    serial: bool = False
    emulated: bool = False
    stream: bool = False
