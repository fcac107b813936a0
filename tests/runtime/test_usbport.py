"""USB devices as host programs see them, by pyusb on a backend of doubles."""

import sys
import time
from functools import partial

import numpy as np
import pytest

from licgate.cli import main
from licgate.errors import DeviceError, ToolError
from licgate.reference import run_transform
from licgate.runtime import usbport
from licgate.runtime.address import open_port
from licgate.runtime.connection import Connection
from licgate.runtime.device import LineError
from licgate.runtime.engines import ResidentEngine
from licgate.runtime.ports import UnpluggedError
from licgate.runtime.usbport import Usb, usb_ports
from licgate.target.frames import FrameType, encode_frame
from tests.runtime.double import Double
from tests.sim.kit import tiny_codec

pytestmark = pytest.mark.needs_usb
MANIFEST = tiny_codec()


def gadget(**options):
    from tests.runtime.usbbackend import DoubleGadget

    return DoubleGadget(Double(MANIFEST, stream=1), **options)


def plugged(*gadgets):
    from tests.runtime.usbbackend import plugged as plug

    return plug(*gadgets)


def test_a_picture_goes_as_a_stream_while_latents_come():
    """What is given waits to be read before more is taken: who writes all before he reads would wait for ever."""
    device, x = gadget(room=300), np.random.default_rng(0).integers(0, 256, (3, 80, 112))
    kinds = []
    take = device.double._receiver._take
    device.double._receiver._take = lambda kind, *frame: (kinds.append(kind), take(kind, *frame))
    with plugged(device) as backend:
        with Connection("usb:") as connection:
            assert connection.streams
            assert connection.link.port.address == "usb:0123456789abcdef"
            ran = ResidentEngine(connection, MANIFEST, ["g_a"]).run("g_a", x).output()
            assert connection.attempts == 0
        assert not backend.claimed
    assert np.array_equal(ran, run_transform(MANIFEST.g_a, x))
    assert kinds.count(FrameType.PIXELS_STREAM) > 100
    assert FrameType.PIXELS not in kinds
    assert device.resets == 2  # when it is opened, and when it is met


def test_devices_are_found_and_named(capsys):
    first, second = gadget(), gadget(serial="00000000000000ff")
    other = gadget(product="somebody's light bulb")
    with plugged(second, other, first):
        assert [port.address for port in usb_ports()] == ["usb:00000000000000ff", "usb:0123456789abcdef"]
        with pytest.raises(UnpluggedError, match=r"^usb:: there are usb:00000000000000ff, usb:0123456789abcdef: name"):
            Usb("")
        with Connection("usb:00000000000000ff") as connection:
            assert connection.identity.transforms == ("g_a",)
        with pytest.raises(UnpluggedError, match=r"^usb:12: there is no such device: licgate board scan lists those"):
            open_port("usb:12")
    with plugged(first):
        assert main(["board", "scan"]) == 0
        told = capsys.readouterr().out
        assert "usb:0123456789abcdef" in told
        assert "1209:0001  licgate of paper" in told
        assert "g_a of" in told
        # and it is the one that is meant
        assert main(["board", "info"]) == 0
        assert "usb:0123456789abcdef" in capsys.readouterr().out


def test_what_the_system_refuses_is_told_in_a_line(monkeypatch):
    device = gadget()
    with plugged(device), Connection("usb:") as connection:
        with pytest.raises(UnpluggedError, match=r"^usb:0123456789abcdef: another program has it open$"):
            Usb()
        device.gone = True
        with pytest.raises(UnpluggedError, match=r"^usb:0123456789abcdef: it is gone$"):
            connection.link.port.write(b"x")
        with pytest.raises(UnpluggedError, match=r"^usb:0123456789abcdef: it is gone$"):
            all(iter(partial(connection.link.port.read, 1.0), None))
    monkeypatch.setattr("usb.backend.libusb1.get_backend", lambda *_, **__: None)
    for name in ("libusb0", "openusb"):
        monkeypatch.setattr(f"usb.backend.{name}.get_backend", lambda *_, **__: None)
    with pytest.raises(ToolError, match=r"^pyusb finds no libusb 1\.0; install it \(Debian: apt install libusb-1\.0-0"):
        Usb()
    monkeypatch.setitem(sys.modules, "usb.core", None)
    with pytest.raises(ToolError, match=r"^USB devices need pyusb; install it with: pip install 'licgate\[usb\]'$"):
        Usb()


def test_a_device_that_takes_nothing_is_given_up_and_begun_again(monkeypatch):
    monkeypatch.setattr(usbport, "AT_WORK", 0.0)
    device = gadget()
    with plugged(device), Connection("usb:") as connection:
        port = connection.link.port
        port.deadline = 0.05
        device.write = lambda data: 0
        begun = time.monotonic()
        with pytest.raises(LineError, match=r"^usb:0123456789abcdef has taken nothing for 0\.05 s$"):
            port.write(encode_frame(FrameType.PIXELS_STREAM, bytes(3)))
        assert time.monotonic() - begun < 5
        del device.write
        before = device.resets
        port.abort()
        assert device.resets == before + 1


def test_one_that_answers_nothing():
    device = gadget()
    device.double.feed = lambda data: None
    with plugged(device):
        port = Usb()
        port.deadline = 0.02
        with pytest.raises(
            DeviceError, match=r"^usb:0123456789abcdef does not answer as a device of licgate's does: unp"
        ):
            Connection(port.address, opened=lambda: port)
