"""Devices at a USB cable of their own, found by what they say of themselves; by pyusb, of the extra ``usb``."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from typing import Any

from licgate.errors import ToolError
from licgate.runtime.device import LineError
from licgate.runtime.ports import AT_WORK, Port, UnpluggedError
from licgate.target.usb import ENDPOINT, INTERFACE, PRODUCT, PRODUCT_ID, VENDOR_ID

__all__ = ["FoundUsb", "Usb", "usb_ports"]

#: Bytes of a transfer to the device, a whole number of full frames: one that is late leaves no frame half way.
_WRITTEN = 63 * 260
#: Bytes of a transfer from it, seconds for which one waits, and milliseconds for which a transfer to it does.
_READ, _LOOK, _WAIT = 1 << 14, 0.05, 1000


def _pyusb() -> Any:
    """The package."""
    try:
        import usb.core
        import usb.util
    except ModuleNotFoundError:
        raise ToolError("USB devices need pyusb; install it with: pip install 'licgate[usb]'") from None
    return usb


@dataclass(frozen=True)
class FoundUsb:
    """A device that is there.

    Attributes
    ----------
    serial : str
    usb : tuple of (int, int)
        Vendor and product.
    title : str
        What it calls itself.
    device : object
        Of pyusb.
    """

    serial: str
    usb: tuple[int, int]
    title: str
    device: Any

    @property
    def address(self) -> str:
        """As ``--port`` takes it."""
        return f"usb:{self.serial}"


def usb_ports() -> list[FoundUsb]:
    """Devices of licgate's at USB cables of their own, by their serial numbers.

    Raises
    ------
    ToolError
        pyusb is not installed, or finds no libusb.
    UnpluggedError
        There is one, and it is not ours to open.
    """
    usb, found = _pyusb(), []
    try:
        for device in usb.core.find(find_all=True, idVendor=VENDOR_ID, idProduct=PRODUCT_ID):
            title = _text(device, "product")
            if title.startswith(f"{PRODUCT} "):  # others may use these numbers
                found.append(FoundUsb(_text(device, "serial_number"), (VENDOR_ID, PRODUCT_ID), title, device))
    except usb.core.NoBackendError:
        raise ToolError("pyusb finds no libusb 1.0; install it (Debian: apt install libusb-1.0-0)") from None
    except usb.core.USBError as error:
        raise UnpluggedError(f"usb: {_reason(error)}") from None
    return sorted(found, key=lambda port: port.serial)


def _text(device: Any, name: str) -> str:
    """A string of a device's."""
    try:
        return str(getattr(device, name) or "")
    except ValueError:  # pyusb, of a device that is not ours to ask
        raise UnpluggedError(f"usb: {_NOT_PERMITTED}") from None


class Usb(Port):
    """A device at a USB cable of its own.

    What comes from it is taken in by a thread, so that neither side waits for the other.

    Parameters
    ----------
    serial : str
        Serial number; empty for the only one that is there.

    Raises
    ------
    ToolError
        pyusb or libusb is not installed.
    UnpluggedError
        There is no such device, or it is not ours to open.
    """

    backpressure = True

    def __init__(self, serial: str = "") -> None:
        self.address, self._usb = f"usb:{serial}", _pyusb()
        found = [port for port in usb_ports() if serial in ("", port.serial)]
        if not found:
            raise UnpluggedError(f"{self.address}: there is no such device: licgate board scan lists those there are")
        if len(found) > 1:
            raise UnpluggedError(f"{self.address}: there are {', '.join(port.address for port in found)}: name one")
        self.address, self._device = found[0].address, found[0].device
        self._came, self._data = threading.Condition(), bytearray()
        self._fault: Exception | None = None
        self._moved, self._ends, self._away = time.monotonic(), False, False
        self._reading = threading.Lock()
        with self._told():
            self._usb.util.claim_interface(self._device, INTERFACE)
            self._device.set_interface_altsetting(INTERFACE, 0)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def write(self, data: bytes) -> None:
        """See `Port.write`; it waits as long as the device takes something, or gives something, now and then."""
        self._moved = time.monotonic()
        for start in range(0, len(data), _WRITTEN):
            part = data[start : start + _WRITTEN]
            while part:
                with self._told(), contextlib.suppress(self._usb.core.USBTimeoutError):
                    if taken := self._device.write(ENDPOINT, part, _WAIT):
                        self._moved, part = time.monotonic(), part[taken:]
                        continue
                if time.monotonic() - self._moved > self.deadline + AT_WORK:
                    raise LineError(f"{self.address} has taken nothing for {self.deadline + AT_WORK:g} s")

    def read(self, timeout: float) -> bytes:
        """See `Port.read`."""
        with self._came:
            self._came.wait_for(lambda: self._data or self._fault, timeout)
            data, self._data = bytes(self._data), bytearray()
        if not data and self._fault:
            raise UnpluggedError(f"{self.address}: {_reason(self._fault)}")
        return data

    def abort(self) -> None:
        """See `Port.abort`: SET_INTERFACE empties both ways and resets what is behind."""
        self._away = True
        try:
            with self._reading, self._told():
                self._device.set_interface_altsetting(INTERFACE, 0)
                with self._came:
                    self._data.clear()
        finally:
            self._away = False

    def close(self) -> None:
        """See `Port.close`."""
        self._ends = True
        self._listener.join(timeout=2.0)
        with contextlib.suppress(Exception):
            self._usb.util.release_interface(self._device, INTERFACE)
        with contextlib.suppress(Exception):
            self._usb.util.dispose_resources(self._device)

    def _listen(self) -> None:
        while not self._ends:
            if self._away:  # let the one who waits have the lock
                time.sleep(0.001)
                continue
            data = b""
            with self._reading:
                try:
                    data = bytes(self._device.read(0x80 | ENDPOINT, _READ, round(_LOOK * 1000)))
                except self._usb.core.USBTimeoutError:
                    continue
                except self._usb.core.USBError as error:
                    self._fault = error
            with self._came:
                self._data += data
                self._moved = time.monotonic()
                self._came.notify_all()
            if self._fault:
                return

    @contextlib.contextmanager
    def _told(self) -> Any:
        """Say in a line what the system refuses."""
        try:
            yield
        except self._usb.core.USBTimeoutError:
            raise
        except self._usb.core.USBError as error:
            raise UnpluggedError(f"{self.address}: {_reason(error)}") from None


_NOT_PERMITTED = (
    f"not permitted: give your user the device, by a rule of udev (ATTRS{{idVendor}}=={VENDOR_ID:04x}, "
    f"ATTRS{{idProduct}}=={PRODUCT_ID:04x})"
)


def _reason(error: Exception) -> str:
    """What the system said."""
    number = getattr(error, "errno", None)
    if number == 13:
        return _NOT_PERMITTED
    if number == 16:
        return "another program has it open"
    if number == 19:
        return "it is gone"
    return " ".join(str(error).split())
