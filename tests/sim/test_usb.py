"""A picture through a USB cable: host program, pyusb, D+ and D-, gateware; not a bit differs from the reference."""

import threading

import numpy as np
import pytest

from licgate.cli import main
from licgate.gateware.top.resident import Accelerator
from licgate.images import save_image
from licgate.manifest import save_manifest
from licgate.runtime.connection import Connection
from licgate.target.config import AcceleratorConfig
from licgate.target.usb import ENDPOINT, serial_number
from tests.gateware.usb.device import BUILD, compiled
from tests.gateware.usb.host import UsbHost, WireProcess
from tests.sim.kit import tiny_codec

pytestmark = [pytest.mark.needs_usb, pytest.mark.slow, pytest.mark.regress]
CONFIG = AcceleratorConfig(rows=2, cols=3, max_width=48)


class Gadget:
    """A simulated device behind a simulated host controller, as `tests.runtime.usbbackend` asks for one."""

    gone = False

    def __init__(self, host):
        self.lock, self.rest = threading.Lock(), threading.Event()
        self._host = host
        self.device, self.configuration = host.enumerate()
        self.control, self.set_interface = host.control, host.set_interface
        self.written = 0

    def write(self, data):
        taken = self._host.write(ENDPOINT, data[:1300], patience=2000)
        self.written += taken
        return taken

    def read(self, size):
        return self._host.read(ENDPOINT, size, patience=200)


def test_a_picture_over_the_cable_is_that_of_the_reference(tmp_path, capsys):
    from tests.runtime.usbbackend import plugged

    manifest = tiny_codec()
    save_manifest(manifest, tmp_path / "tiny")
    picture, model = tmp_path / "picture.png", str(tmp_path / "tiny")
    save_image(np.random.default_rng(0).integers(0, 256, (32, 48, 3)).astype(np.uint8), picture)
    # g_a alone, which is what pixels go to: the reference runs the rest
    program = compiled(Accelerator(manifest, CONFIG))
    with WireProcess(program) as wire:
        gadget = Gadget(UsbHost(wire))
        with plugged(gadget):
            files = []
            for name, options in (("right", []), ("found", ["--engine", "board", "--port", "usb:"])):
                file = tmp_path / f"{name}.lic"
                assert main(["encode", str(picture), "-o", str(file), "--model", model, *options]) == 0
                files.append(file.read_bytes())
            assert files[0] == files[1]
            assert "g_a of tiny-bmshj2018-hyperprior on the board" in capsys.readouterr().err
            # a program that dies in the middle of a picture leaves nothing to the next
            with Connection("usb:") as connection:
                assert connection.streams
                assert connection.link.port.address == f"usb:{serial_number(BUILD)}"
                connection.link.port.write(b"\xa5\x04\xff" + bytes(100))
            file = tmp_path / "again.lic"
            assert main(["encode", str(picture), "-o", str(file), "--model", model, *options]) == 0
            assert file.read_bytes() == files[0]
            assert "begun again" not in capsys.readouterr().err
    assert gadget.written > 2 * 3 * 32 * 48
