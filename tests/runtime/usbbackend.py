"""A backend for pyusb whose devices are objects of Python: pyusb itself is the one that host programs use."""

import errno
import threading
from contextlib import contextmanager
from types import SimpleNamespace
from unittest.mock import patch

import usb.backend
import usb.backend.libusb1
import usb.core

from licgate.target.usb import MANUFACTURER, PRODUCT, PRODUCT_ID, VENDOR_ID

__all__ = ["DoubleGadget", "plugged"]


def fields(data, names):
    """Bytes, and numbers of two bytes where the name says so, by names."""
    values, at = {}, 0
    for name in names.split():
        size = 2 if name.startswith(("w", "bcd", "id")) else 1
        values[name], at = int.from_bytes(data[at : at + size], "little"), at + size
    return SimpleNamespace(**values, extra_descriptors=[])


class Backend(usb.backend.IBackend):
    """What pyusb asks of libusb, asked of gadgets.

    A gadget has ``device`` and ``configuration`` (descriptors), ``control(kind, request, value, index, length)``,
    ``write(data)`` (how much it took in a moment), ``read(size)``, ``set_interface(number, setting)`` and ``gone``.
    """

    def __init__(self, gadgets):
        self._gadgets, self.claimed = gadgets, set()

    def enumerate_devices(self):
        return iter(self._gadgets)

    def get_device_descriptor(self, gadget):
        names = "bLength bDescriptorType bcdUSB bDeviceClass bDeviceSubClass bDeviceProtocol bMaxPacketSize0 idVendor "
        names += "idProduct bcdDevice iManufacturer iProduct iSerialNumber bNumConfigurations"
        descriptor = fields(gadget.device, names)
        place = self._gadgets.index(gadget) + 1
        descriptor.bus, descriptor.address = 1, place
        descriptor.port_number, descriptor.port_numbers, descriptor.speed = place, (place,), 2
        return descriptor

    def get_configuration_descriptor(self, gadget, config):
        if config:
            raise IndexError
        names = "bLength bDescriptorType wTotalLength bNumInterfaces bConfigurationValue iConfiguration bmAttributes "
        return fields(gadget.configuration, names + "bMaxPower")

    def get_interface_descriptor(self, gadget, intf, alt, config):
        if intf or alt:
            raise IndexError
        names = "bLength bDescriptorType bInterfaceNumber bAlternateSetting bNumEndpoints bInterfaceClass "
        return fields(gadget.configuration[9:], names + "bInterfaceSubClass bInterfaceProtocol iInterface")

    def get_endpoint_descriptor(self, gadget, ep, intf, alt, config):
        names = "bLength bDescriptorType bEndpointAddress bmAttributes wMaxPacketSize bInterval"
        descriptor = fields(gadget.configuration[18 + 7 * ep :], names)
        descriptor.bRefresh = descriptor.bSynchAddress = 0
        return descriptor

    def open_device(self, gadget):
        return gadget

    def close_device(self, gadget):
        pass

    def get_configuration(self, gadget):
        return gadget.configuration[5]

    def claim_interface(self, gadget, intf):
        if gadget in self.claimed:
            raise usb.core.USBError("Resource busy", -6, errno.EBUSY)
        self.claimed.add(gadget)

    def release_interface(self, gadget, intf):
        self.claimed.discard(gadget)

    def set_interface_altsetting(self, gadget, intf, setting):
        self._there(gadget)
        with gadget.lock:
            gadget.set_interface(intf, setting)

    def ctrl_transfer(self, gadget, kind, request, value, index, data, timeout):
        self._there(gadget)
        with gadget.lock:
            got = gadget.control(kind, request, value, index, length=len(data))
        data[: len(got)] = type(data)("B", got)
        return len(got)

    def bulk_write(self, gadget, ep, intf, data, timeout):
        self._there(gadget)
        with gadget.lock:
            taken = gadget.write(data.tobytes())
        if not taken:
            raise usb.core.USBTimeoutError("Operation timed out", -7, errno.ETIMEDOUT)
        return taken

    def bulk_read(self, gadget, ep, intf, buff, timeout):
        self._there(gadget)
        with gadget.lock:
            got = gadget.read(len(buff))
        if not got:
            gadget.rest.wait(0.001)
            raise usb.core.USBTimeoutError("Operation timed out", -7, errno.ETIMEDOUT)
        buff[: len(got)] = type(buff)("B", got)
        return len(got)

    def _there(self, gadget):
        if gadget.gone:
            raise usb.core.USBError("No such device (it may have been disconnected)", -4, errno.ENODEV)


@contextmanager
def plugged(*gadgets):
    """Let pyusb find these, and nothing else."""
    backend = Backend(gadgets)
    with patch.object(usb.backend.libusb1, "get_backend", lambda *_, **__: backend):
        yield backend


class DoubleGadget:
    """A device double at a cable, which takes no more than ``room`` bytes while nobody reads what it gives."""

    def __init__(self, double, *, serial="0123456789abcdef", product=f"{PRODUCT} of paper", room=2000):
        self.double, self.gone, self.lock, self.rest = double, False, threading.Lock(), threading.Event()
        self.strings = {1: MANUFACTURER, 2: product, 3: serial}
        self.device = bytes([18, 1, 0, 2, 0xFF, 0, 0, 64]) + VENDOR_ID.to_bytes(2, "little")
        self.device += PRODUCT_ID.to_bytes(2, "little") + bytes([0, 0, 1, 2, 3, 1])
        self.configuration = bytes([9, 2, 32, 0, 1, 1, 0, 0x80, 250, 9, 4, 0, 0, 2, 0xFF, 0, 0, 0])
        self.configuration += bytes([7, 5, 0x01, 2, 64, 0, 0, 7, 5, 0x81, 2, 64, 0, 0])
        self.resets, self._out, self._room = 0, b"", room

    def control(self, kind, request, value, index, length):
        assert (kind, request, value >> 8) == (0x80, 6, 3)
        number = value & 0xFF
        text = b"\x09\x04" if not number else self.strings[number].encode("utf-16-le")
        return (bytes([len(text) + 2, 3]) + text)[:length]

    def set_interface(self, number, setting):
        assert (number, setting) == (0, 0)
        self.resets += 1
        self._out = b""
        self.double._receiver.timeout()
        self.double._reset()
        self.double.taken()

    def write(self, data):
        self._out += self.double.taken()
        if len(self._out) > self._room:
            return 0
        self.double.feed(data[:1000])
        return len(data[:1000])

    def read(self, size):
        self._out += self.double.taken()
        got, self._out = self._out[:size], self._out[size:]
        return got
