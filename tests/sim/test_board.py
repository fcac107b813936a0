"""An emulated board and its clients, over TCP and over a pseudo-terminal."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest

from licgate.cli import main
from licgate.errors import DeviceError
from licgate.images import load_image, save_image
from licgate.manifest import save_manifest
from licgate.reference import run_transform
from licgate.runtime import resident
from licgate.runtime.address import open_port
from licgate.runtime.connection import Connection
from licgate.runtime.engines import ResidentEngine
from licgate.target.registers import Register
from tests.runtime.double import FaultyPort
from tests.sim.kit import tiny_codec

MANIFEST = tiny_codec()
SHAPE = ["--board", "ulx3s-85f", "--arithmetic", "direct", "--rows", "2", "--cols", "3"]
WIDTH = ["--max-width", "96"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_manifest(MANIFEST, folder)
    return str(folder)


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "picture.png"
    save_image(np.random.default_rng(0).integers(0, 256, (64, 96, 3)).astype(np.uint8), path)
    return path


def _as_by_a_terminal():
    """What a shell starts in the background does not mind an interrupt."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def emulating(model, *options, mode="both", width=WIDTH):
    """Run ``licgate emulate``; the process, and the address that it prints."""
    command = [sys.executable, "-m", "licgate", "emulate", *SHAPE, *width, "--model", model]
    command += ["--mode", mode, *options]
    environment = os.environ | {"CXXFLAGS": "-O1"}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=_as_by_a_terminal,
    ) as process:
        try:
            for line in process.stdout:
                if " an emulated board at " in line:
                    yield process, line.split(" an emulated board at ")[1].split()[0]
                    break
            else:
                pytest.fail(process.stderr.read())
        finally:
            process.kill()


@pytest.fixture(scope="module")
def board(model):
    with emulating(model) as (_, address):
        yield address


def coded(picture, folder, model, *options):
    """Bytes of the picture's file, and pixels of what is decoded of it."""
    folder.mkdir()
    file, image = folder / "picture.lic", folder / "decoded.png"
    assert main(["encode", str(picture), "-o", str(file), "--model", model, *options]) == 0
    assert main(["decode", str(file), "-o", str(image), "--model", model, *options]) == 0
    return file.read_bytes(), load_image(image)[0]


@pytest.mark.slow
@pytest.mark.parametrize("client", ["first", "next"])
def test_a_picture_over_tcp_is_that_of_the_reference(client, board, picture, model, tmp_path, capsys):
    right, found = (
        coded(picture, tmp_path / name, model, *options)
        for name, options in (("right", []), ("found", ["--engine", "board", "--port", board]))
    )
    assert found[0] == right[0]
    assert np.array_equal(found[1], right[1])
    assert "g_a, h_a, h_s of tiny-bmshj2018-hyperprior on the board" in capsys.readouterr().err


@pytest.mark.regress
@pytest.mark.slow
@pytest.mark.parametrize(("listen", "width"), [("tcp:127.0.0.1:0", "256"), ("pty", "96")])
def test_a_picture_of_no_round_size_in_one_piece_and_in_strips(listen, width, model, tmp_path):
    path = tmp_path / "picture.png"
    save_image(np.random.default_rng(1).integers(0, 256, (170, 250, 3)).astype(np.uint8), path)
    with emulating(model, "--listen", listen, width=["--max-width", width]) as (_, address):
        found = coded(path, tmp_path / "found", model, "--engine", "board", "--port", address)
    right = coded(path, tmp_path / "right", model)
    assert found[0] == right[0]
    assert np.array_equal(found[1], right[1])


@pytest.mark.slow
def test_a_client_that_dies_in_the_middle_leaves_nothing_behind(board):
    x = np.random.default_rng(1).integers(0, 256, (3, 32, 96))
    for dies_after in (3, 20, 60):
        with Connection(board) as connection:
            size = {Register.WIDTH: 96, Register.HEIGHT: 32, Register.PATCH_WIDTH: 96, Register.PATCH_HEIGHT: 32}
            words = np.zeros((32, 96), dtype=np.int64)
            talk = resident.run(words, {Register.TRANSFORM: 0, **size}, outstanding=connection.identity.link["frames"])
            port, data = connection.link.port, next(talk)
            for _ in range(dies_after):
                port.write(data)
                data = talk.send(connection.link._frame(False))
            port.write(data[: len(data) // 2] + b"\xa5\x03\xff")  # in the middle of a frame
        with Connection(board) as connection:
            ran = ResidentEngine(connection, MANIFEST, ["g_a"]).run("g_a", x)
            assert connection.attempts == 0
        assert np.array_equal(ran.output(), run_transform(MANIFEST.g_a, x))


@pytest.mark.slow
def test_faults_of_the_line_in_front_of_gateware(board):
    class Faulty(FaultyPort):
        """A TCP port that spoils bytes."""

        deadline = 2.0

        def __init__(self, address, coin, rate):
            super().__init__(None, coin, rate)
            self._port, self.address = open_port(address), address

        def write(self, data):
            self._port.write(self.to_device(data))

        def read(self, timeout):
            return self.to_host(self._port.read(0 if self._late else timeout))

        def close(self):
            self._port.close()

    coin, x = np.random.default_rng(5), np.random.default_rng(2).integers(0, 256, (3, 8, 16))
    right, faults = run_transform(MANIFEST.g_a, x), 0
    for _ in range(12):
        port = Faulty(board, coin, 1 / 600)
        try:
            with Connection(board, opened=partial(lambda port: port, port)) as connection:
                found = ResidentEngine(connection, MANIFEST, ["g_a"]).run("g_a", x).output()
            assert np.array_equal(found, right)
        except DeviceError:
            port.close()
        faults += sum(port.faults.values())
    assert faults > 20


@pytest.mark.slow
def test_the_verbs_of_a_board(board, model, tmp_path, capsys):
    assert main(["board", "info", "--port", board]) == 0
    told = capsys.readouterr().out
    assert "emulated board, resident: g_a, h_a, h_s, g_s of tiny" in told
    assert "on 2 x 3, 100 MHz" in told
    report = tmp_path / "report.json"
    assert main(["board", "selftest", "--port", board, "--model", model, "--report", str(report)]) == 0
    told = capsys.readouterr().out
    assert "WRONG" not in told
    assert told.splitlines()[-1].startswith("passed (")
    assert '"passed": true' in report.read_text()
    assert "by the cycle model" in told
    assert main(["board", "benchmark", "--port", board, "--model", model, "--crop", "32x32", "--runs", "1"]) == 0
    assert "MB/s to the device" in capsys.readouterr().out
    assert main(["simulate", "--engine", "board", "--port", board, "--model", model, "--crop", "48x32"]) == 0
    assert "bit-exact" in capsys.readouterr().out
    assert main(["board", "selftest", "--port", board]) == 2
    assert "which is none of those here: name its folder with --model" in capsys.readouterr().err
    assert main(["encode", "x.png", "-o", str(tmp_path / "x.lic"), "--engine", "board", "--port", board]) == 2
    assert "the device was built for model tiny-bmshj2018-hyperprior (" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pty", "serial"])
def test_over_a_terminal_and_stopped_by_ctrl_c(kind, model):
    if kind == "serial" and not find_spec("serial"):
        pytest.skip("pyserial is not here; it is the extra board")
    x = np.random.default_rng(3).integers(0, 256, (3, 64, 96))
    with emulating(model, "--listen", "pty") as (process, address):
        port = address if kind == "pty" else address.replace("pty:", "serial:")
        for _ in range(2):
            with Connection(port) as connection:
                ran = ResidentEngine(connection, MANIFEST, ["g_a"]).run("g_a", x)
            assert np.array_equal(ran.output(), run_transform(MANIFEST.g_a, x))
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert process.stderr.read() == "licgate: interrupted\n"


@pytest.mark.slow
def test_through_the_pins_of_the_uart(model):
    x = np.random.default_rng(4).integers(0, 256, (3, 8, 16))
    with emulating(model, "--pins", mode="analysis") as (_, address), Connection(address) as connection:
        assert connection.identity.link["serial"] == 1
        ran = ResidentEngine(connection, MANIFEST, ["g_a"]).run("g_a", x)
        assert connection.attempts == 0
    assert np.array_equal(ran.output(), run_transform(MANIFEST.g_a, x))


@pytest.mark.regress
@pytest.mark.slow
def test_with_an_sdram(picture, model, tmp_path, capsys):
    shape = ["--memory", "sdram", "--rows", "3", "--cols", "4"]
    with emulating(model, *shape, mode="analysis", width=[]) as (_, address):
        right, found = tmp_path / "right.lic", tmp_path / "found.lic"
        assert main(["encode", str(picture), "-o", str(right), "--model", model]) == 0
        engine = ["--engine", "board", "--port", address]
        assert main(["encode", str(picture), "-o", str(found), "--model", model, *engine]) == 0
        assert found.read_bytes() == right.read_bytes()
        assert main(["board", "selftest", "--port", address, "--model", model]) == 0
        assert "WRONG" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--listen", "udp:1"], r"--listen 'udp:1' is neither tcp:HOST:PORT, such as tcp:127.0.0.1:7878, nor pty"),
        (["--listen", "tcp:127.0.0.1:65536"], r"--listen 'tcp:127.0.0.1:65536' is neither"),
        (["--memory", "axi"], r"board ulx3s-85f with --memory axi has no host link to emulate"),
        (["--board", "zcu102"], r"board zcu102 with --memory chip has no host link to emulate"),
    ],
)
def test_what_is_not_emulated(options, message, model, capsys):
    assert main(["emulate", *SHAPE, "--model", model, *options]) == 2
    assert message in capsys.readouterr().err
