"""What a person is told of a device that is not there, not the right one, or not understood; and ports themselves."""

import os
import socket
import sys
import threading
import tty
from collections import Counter
from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest

from licgate.errors import ConfigError, DeviceError, ToolError
from licgate.reference import run_transform
from licgate.runtime.address import open_port
from licgate.runtime.connection import Connection
from licgate.runtime.engines import DeviceRun, ResidentEngine
from licgate.runtime.ports import Tcp, UnpluggedError
from licgate.target.build import BuildFacts, read_facts, recall, remember
from licgate.target.config import AcceleratorConfig
from licgate.target.frames import FrameType
from licgate.target.registers import Kind, Register
from tests.runtime.double import Double, DoublePort, Receiver
from tests.sim.kit import tiny_codec

MANIFEST = tiny_codec()


def connected(port, **options):
    return Connection("double", opened=lambda: port, patience=0, **options)


class Says(DoublePort):
    """A port from which the same comes whatever is sent."""

    def __init__(self, data):
        super().__init__(None)
        self._data = data

    def write(self, data):
        pass

    def read(self, timeout):
        return self._data if timeout else b""


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"^nothing answers at double: is the bitstream loaded \(licgate load BOARD\), is it the right port "),
        (
            b"\xf8\x00\x80\xfe",
            r"^what comes from double are no frames of licgate \(it begins f8 00 80 fe f8 00 80",
        ),
    ],
)
def test_silence_and_garbage_are_told_apart(data, message):
    port = Says(data)
    port.deadline = 0.01
    with pytest.raises(DeviceError, match=message):
        connected(port)


@pytest.mark.parametrize(
    ("registers", "message"),
    [
        ({Register.ID: 0x12345678}, r"^what answers there is no device of licgate: its ID is 0x12345678$"),
        (
            {Register.PROTOCOL: 0x0F02},
            r"^the device speaks version 2 of the link, this program version 1: build and",
        ),
    ],
)
def test_what_is_no_device_of_this_version(registers, message):
    device = Double(MANIFEST)
    device.registers |= registers
    with pytest.raises(DeviceError, match=message):
        connected(DoublePort(device))


def test_a_device_of_before_the_links_registers():
    class Old(Double):
        def _value(self, address):
            return 0 if address >= Register.PROTOCOL else super()._value(address)

    with pytest.raises(DeviceError, match=r"^the device was built by a licgate of before this version"):
        connected(DoublePort(Old(MANIFEST)))


def test_a_run_that_another_host_has_left_behind():
    class Busy(Double):
        """Sends frames of a run between all others, until it is reset."""

        at_work = True

        def _control(self, value):
            self.at_work = False
            super()._control(value)

        def _send(self, kind, payload):
            if self.at_work:
                for left in ((FrameType.ACK, b"\x03"), (FrameType.PATCH, bytes(8)), (FrameType.LATENTS_LAST, b"\1\2")):
                    super()._send(*left)
            super()._send(kind, payload)

    device = Busy(MANIFEST)
    connection = connected(DoublePort(device))
    assert connection.identity.transforms == ("g_a",)
    assert not device.at_work
    assert connection.attempts == 0


class Holding(DoublePort):
    """A way that holds bytes back, and counts what it carried by types of frames, and what it was told to forget."""

    backpressure = True

    def __init__(self, device):
        super().__init__(device)
        self.carried, self.aborts = Counter(), 0
        take = device._take
        device._receiver = Receiver(lambda kind, *frame: (self.carried.update([kind]), take(kind, *frame)))

    def abort(self):
        self.aborts += 1
        self.device._reset()


@pytest.mark.parametrize(("holds", "stream", "kind"), [(1, 1, 4), (1, 0, 3), (0, 1, 3)])
def test_pixels_need_no_answer_where_both_the_way_and_the_device_hold_them(holds, stream, kind):
    device = Double(MANIFEST, stream=stream)
    port = Holding(device)
    port.backpressure = bool(holds)
    x = np.random.default_rng(0).integers(0, 256, (3, 48, 48))
    with connected(port) as connection:
        ran = ResidentEngine(connection, MANIFEST, ["g_a"]).run("g_a", x).output()
    assert np.array_equal(ran, run_transform(MANIFEST.g_a, x))
    assert port.carried[kind] == -(-48 * 48 // 85)
    assert port.carried[7 - kind] == 0
    assert port.aborts == 1


def test_a_way_that_holds_bytes_back_is_emptied_before_a_run_begins_again():
    class Loses(Holding):
        """Loses a byte of the first picture."""

        def to_device(self, data):
            if len(data) < 1000 or self.carried[4]:
                return data
            return data[:500] + data[501:]

    port, lines = Loses(Double(MANIFEST, stream=1)), []
    port.deadline = 0.01
    x = np.random.default_rng(0).integers(0, 256, (3, 48, 48))
    with connected(port, note=lines.append) as connection:
        ran = ResidentEngine(connection, MANIFEST, ["g_a"]).run("g_a", x).output()
        assert connection.attempts == 1
    assert np.array_equal(ran, run_transform(MANIFEST.g_a, x))
    assert port.aborts == 2
    assert lines == ["the device dropped a frame (BAD_CRC); begun again, attempt 2 of 6"]


def test_another_model_or_other_transforms():
    connection = connected(DoublePort(Double(MANIFEST)))
    device = Double(MANIFEST)
    device.registers[Register.MODEL] = 5
    with pytest.raises(DeviceError, match=r"^the device was built for model 00000005, not tiny-bmshj2018-"):
        ResidentEngine(connected(DoublePort(device)), MANIFEST, ["g_a"])
    with pytest.raises(DeviceError, match=r"^the device holds g_a, not g_s$"):
        ResidentEngine(connection, MANIFEST, ["g_s"])
    with pytest.raises(DeviceError, match=r"^the device holds g_a, and h_s or g_s is needed: load a build of another"):
        DeviceRun(connection, MANIFEST, ["h_s", "g_s"])


def test_what_a_build_wrote_down_is_known_again(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    config = AcceleratorConfig(rows=3, cols=4, max_width=64, lanes=2)
    what = {"board": "ulx3s-85f", "model": MANIFEST.name, "hash": MANIFEST.hash, "transforms": ("g_a",)}
    facts = BuildFacts(kind=Kind.RESIDENT, config=config, clock_khz=100_000, **what)
    assert recall(facts.build) is None
    remember(facts)
    assert recall(facts.build) == facts
    connection = connected(DoublePort(Double(MANIFEST, build=facts.build)))
    assert connection.identity.facts == facts
    assert ResidentEngine(connection, MANIFEST, ["g_a"]).config == config
    (tmp_path / "device.json").write_text(facts.text().replace('"lanes": 2', '"lanes": 1'))
    with pytest.raises(ConfigError, match=r"device.json is not what a build of licgate .* writes \(it was changed\)"):
        read_facts(tmp_path)
    with pytest.raises(ConfigError, match=r"^cannot read .*nowhere: No such file or directory: name a folder that lic"):
        read_facts(tmp_path / "nowhere")


@pytest.mark.parametrize("address", ["spi:1:2", "tcp:nowhere", "tcp::1", "tcp:h:70000", "pty:", "serial:", "ttyUSB0"])
def test_what_is_no_address(address):
    with pytest.raises(
        ConfigError, match=rf"^--port '{address}' is none of serial:/dev/NAME, usb:SERIAL, udp:HOST, tcp:HOST:PORT and "
    ):
        open_port(address)


def test_what_is_an_address_where_nothing_is():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(UnpluggedError, match=rf"^tcp:127.0.0.1:{port}: connection refused$"):
        open_port(f"tcp:127.0.0.1:{port}")
    with pytest.raises(UnpluggedError, match=r"^pty:/dev/pts/none: no such file or directory$"):
        open_port("pty:/dev/pts/none")


def test_serial_ports_without_their_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(ToolError, match=r"^serial ports need pyserial; install it with: pip install 'licgate\[board\]"):
        open_port("/dev/ttyUSB0")


@pytest.mark.skipif(not find_spec("serial"), reason="pyserial is the extra board")
def test_a_serial_port_that_is_not_there():
    with pytest.raises(UnpluggedError, match=r"^serial:/dev/ttyNONE: there is no such port: licgate board scan lists"):
        open_port("serial:/dev/ttyNONE")


def serve_bytes(device, read, write):
    """Let a device double answer at two functions, until they fail."""

    def serve():
        try:
            while data := read():
                device.feed(data)
                write(device.taken())
        except OSError:
            pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


def test_over_tcp_and_what_hangs_up():
    x = np.random.default_rng(0).integers(0, 256, (3, 16, 16))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = Tcp("127.0.0.1", server.getsockname()[1])
        client, _ = server.accept()
        thread = serve_bytes(Double(MANIFEST), lambda: client.recv(4096), client.sendall)
        with connected(port) as connection:
            right = ResidentEngine(connected(DoublePort(Double(MANIFEST))), MANIFEST, ["g_a"]).run("g_a", x).output()
            assert np.array_equal(ResidentEngine(connection, MANIFEST, ["g_a"]).run("g_a", x).output(), right)
            client.shutdown(socket.SHUT_RDWR)
            with pytest.raises(UnpluggedError, match=r"^tcp:127.0.0.1:\d+ has hung up$"):
                all(iter(partial(port.read, 1.0), None))
        thread.join(timeout=5)
        client.close()


@pytest.mark.parametrize("kind", ["pty", "serial"])
def test_over_a_terminal(kind):
    if kind == "serial" and not find_spec("serial"):
        pytest.skip("pyserial is the extra board")
    master, slave = os.openpty()
    tty.setraw(slave)
    thread = serve_bytes(Double(MANIFEST), lambda: os.read(master, 4096), lambda data: os.write(master, data))
    x = np.random.default_rng(0).integers(0, 256, (3, 16, 16))
    right = ResidentEngine(connected(DoublePort(Double(MANIFEST))), MANIFEST, ["g_a"]).run("g_a", x).output()
    for _ in range(2):
        with Connection(f"{kind}:{os.ttyname(slave)}") as connection:
            assert np.array_equal(ResidentEngine(connection, MANIFEST, ["g_a"]).run("g_a", x).output(), right)
    os.close(slave)
    thread.join(timeout=30)
    assert not thread.is_alive()  # or it would read from whatever file gets the number of its own
    os.close(master)
