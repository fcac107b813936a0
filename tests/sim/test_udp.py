"""An emulated board behind Ethernet, and the host program, over a real UDP socket that loses what it carries."""

import argparse
import random
import select
import socket
import threading
from contextlib import contextmanager

import numpy as np
import pytest

from licgate.backends import get_backend
from licgate.cli_build import fitted_design
from licgate.cli_emulate import add_emulate_arguments
from licgate.errors import ConfigError
from licgate.manifest import save_manifest
from licgate.reference import run_transform
from licgate.runtime.connection import Connection
from licgate.runtime.engines import ResidentEngine
from licgate.runtime.ports import Port
from licgate.sim.board import Emulation
from licgate.sim.bridge import UdpBridge
from licgate.sim.gmii import PacedGmii
from licgate.target.board import find_board
from licgate.target.build import remember
from tests.gateware.ethernet.linkkit import HOST, Bench
from tests.sim.kit import tiny_codec
from tests.sim.test_board import SHAPE, emulating

MANIFEST = tiny_codec()
LINK = ["--board", "ecpix5-85f", "--link", "udp"]


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    model = tmp_path_factory.mktemp("models") / "tiny"
    save_manifest(MANIFEST, model)
    with emulating(str(model), *LINK, mode="analysis", width=["--max-width", "32"]) as (_, address):
        yield address


@contextmanager
def losing(address, odds, seed=0):
    """A relay in front of an address that loses as many of the datagrams, and doubles and delays as many."""
    coin, faults, ends = random.Random(seed), [], threading.Event()
    host, _, port = address.removeprefix("udp:").partition(":")
    there = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    there.connect((host, int(port)))
    here.bind(("127.0.0.1", 0))

    def relay():
        client, late = None, []
        while not ends.is_set():
            ready = select.select([here, there], [], [], 0.02)[0]
            for side in ready:
                if side is here:
                    payload, client = here.recvfrom(1 << 16)
                    send = there.send
                else:
                    payload = there.recv(1 << 16)

                    def send(payload, client=client):
                        here.sendto(payload, client)

                chance = coin.random()
                if chance < 3 * odds:
                    faults.append(payload)
                    if chance < 2 * odds:
                        (late if chance < odds else []).append((send, payload))
                        continue
                    send(payload)
                send(payload)
            if late and coin.random() < 0.5:
                send, payload = late.pop(0)
                send(payload)

    thread = threading.Thread(target=relay, daemon=True)
    thread.start()
    try:
        yield f"udp:127.0.0.1:{here.getsockname()[1]}", faults
    finally:
        ends.set()
        thread.join()
        here.close(), there.close()


class PacedPort(Port):
    """The host's end of a session in virtual time, in front of a model that runs while it is waited for."""

    address, deadline = "udp:paced", 3600.0

    def __init__(self, bench, session):
        self._bench, self._host = bench, bench.open(session)

    def write(self, data):
        self._host.offer(data)

    def read(self, timeout):
        # longer than a device waits before it sends again
        for _ in range(10_000 if timeout else 1):
            self._bench.step((self._host, HOST))
            if data := self._host.taken():
                return data
        return b""

    def close(self):
        pass


@pytest.mark.regress
@pytest.mark.slow
def test_transforms_on_gateware_in_virtual_time(tmp_path):
    save_manifest(MANIFEST, tmp_path / "tiny")
    parser = argparse.ArgumentParser()
    add_emulate_arguments(parser)
    args = parser.parse_args([*SHAPE, *LINK, "--max-width", "32", "--model", str(tmp_path / "tiny")])
    backend = get_backend(args.memory)
    design = fitted_design(args, backend, find_board(args.board), must_fit=False)
    emulation = Emulation(backend.accelerator(design), design.facts, ethernet=design.ethernet)
    remember(design.facts)
    x = np.random.default_rng(3).integers(0, 256, (3, 8, 16))
    with PacedGmii(emulation.board, clock_khz=design.facts.clock_khz) as model:
        for session, odds in enumerate(({}, {"loss": 0.1, "double": 0.05, "late": 0.05, "damage": 0.1})):
            bench = Bench(model, seed=session, **odds)
            with Connection(
                "udp:paced", opened=lambda bench=bench, session=session: PacedPort(bench, session)
            ) as found:
                ran = ResidentEngine(found, MANIFEST, ["g_a"]).run("g_a", x)
                # nothing of what is lost reaches the frames
                assert found.attempts == 0
                assert found.identity.link["serial"] == 0
            assert np.array_equal(ran.output(), run_transform(MANIFEST.g_a, x))
            assert (bench.faults > 0) == bool(odds)


@pytest.mark.regress
@pytest.mark.slow
@pytest.mark.parametrize("odds", [0.0, 0.04])
def test_transforms_on_gateware_behind_udp(odds, board):
    x = np.random.default_rng(3).integers(0, 256, (3, 16, 32))
    with losing(board, odds) as (address, faults):
        for _ in range(2):
            with Connection(address) as connection:
                ran = ResidentEngine(connection, MANIFEST, ["g_a"]).run("g_a", x)
                assert connection.attempts == 0
                assert connection.identity.link["serial"] == 0
            assert np.array_equal(ran.output(), run_transform(MANIFEST.g_a, x))
    assert bool(faults) == bool(odds)


@pytest.mark.regress
@pytest.mark.slow
def test_a_client_that_dies_leaves_nothing_behind(board):
    x = np.random.default_rng(4).integers(0, 256, (3, 8, 16))
    for _ in range(3):
        connection = Connection(board)
        connection.link.port.write(b"\xa5\x03\xff and then nothing")
        connection.link.port._socket.close()  # without a farewell
        with Connection(board) as connection:
            ran = ResidentEngine(connection, MANIFEST, ["g_a"]).run("g_a", x)
            assert connection.attempts == 0
        assert np.array_equal(ran.output(), run_transform(MANIFEST.g_a, x))


@pytest.mark.parametrize("where", ["tcp:127.0.0.1:1", "udp:", "udp:127.0.0.1:x", "udp:127.0.0.1:70000"])
def test_where_nobody_can_listen(where):
    with pytest.raises(
        ConfigError, match=r"^--listen '.*' is not udp:HOST\[:PORT\], such as udp:127\.0\.0\.1, for an Eth"
    ):
        UdpBridge(where)


def test_a_port_that_is_taken():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"^cannot listen on 127\.0\.0\.1:{port}: .*: take another port$"):
            UdpBridge(f"udp:127.0.0.1:{port}")
