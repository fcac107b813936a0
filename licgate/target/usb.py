"""What a device at a USB cable says of itself, and by which host programs know it."""

from __future__ import annotations

__all__ = [
    "BYTES_PER_SECOND",
    "ENDPOINT",
    "INTERFACE",
    "MANUFACTURER",
    "PACKET",
    "PRODUCT",
    "PRODUCT_ID",
    "VENDOR_ID",
    "serial_number",
]

#: Of pid.codes, for tests; what a device is its strings say, since others may use these numbers, too.
VENDOR_ID, PRODUCT_ID = 0x1209, 0x0001

MANUFACTURER = "licgate"

#: What the product's string begins with; the board follows.
PRODUCT = "licgate"

#: Number of the one interface, which is vendor-specific.
INTERFACE = 0

#: Number of both bulk endpoints, OUT and IN, and the bytes of their packets.
ENDPOINT, PACKET = 1, 64

#: At most: a host has time for 19 packets in a frame of a millisecond.
BYTES_PER_SECOND = 19 * PACKET * 1000


def serial_number(build: int) -> str:
    """Serial number of a device: the build, as the registers BUILD hold it, in 16 hexadecimal digits."""
    return f"{build:016x}"
