"""The host program on lines that spoil bytes: right values or an error in a line, never others, never a hang."""

from functools import partial
from random import Random

import numpy as np
import pytest

from licgate.errors import DeviceError
from licgate.reference import run_transform
from licgate.runtime.connection import ATTEMPTS, Connection
from licgate.runtime.engines import ResidentEngine
from tests.marks import regress
from tests.runtime.double import Double, DoublePort, FaultyPort
from tests.sim.kit import tiny_codec

MANIFEST = tiny_codec()


def connected(port, **options):
    return Connection("double", opened=lambda: port, patience=0, **options)


def picture(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (3, height, width))


@pytest.mark.parametrize("name", ["g_a", "h_a", "h_s", "g_s"])
def test_every_transform_on_a_clean_line(name):
    transform = MANIFEST.transforms[name]
    device = Double(MANIFEST, transforms=tuple(MANIFEST.transforms), max_width=32)
    low, high = transform.input.min, transform.input.max
    x = np.random.default_rng(1).integers(low, high + 1, (transform.in_channels, 8, 40 if name == "g_a" else 12))
    with connected(DoublePort(device)) as connection:
        ran = ResidentEngine(connection, MANIFEST, [name]).run(name, x)
    assert np.array_equal(ran.output(), run_transform(transform, x))
    assert sum(p.misplaced for p in ran.patches) == 0
    assert connection.attempts == 0
    assert name != "g_a" or len(ran.patches) > 1


@pytest.mark.parametrize(("faults", "rate"), [(2000, 1 / 300), (1500, 1 / 1000), regress(10_000, 1 / 1000)])
def test_faults_of_the_line_never_make_a_wrong_value(faults, rate, monkeypatch):
    monkeypatch.setattr("licgate.runtime.connection.Random", partial(Random, 5))
    coin, total = np.random.default_rng(7), dict.fromkeys(FaultyPort.KINDS, 0)
    right, told = 0, []
    expected = {}
    while sum(total.values()) < faults:
        seed = int(coin.integers(20))
        x = picture(int(4 * coin.integers(2, 5)), 8, seed)
        key = (x.shape, seed)
        if key not in expected:
            expected[key] = run_transform(MANIFEST.g_a, x)
        port = FaultyPort(Double(MANIFEST), coin, rate)
        try:
            with connected(port) as connection:
                output = ResidentEngine(connection, MANIFEST, ["g_a"]).run("g_a", x).output()
            assert np.array_equal(output, expected[key])
            right += 1
        except DeviceError as error:
            told.append(str(error))
        total = {kind: total[kind] + port.faults[kind] for kind in total}
    assert all(total.values())
    assert all("\n" not in line and "double" in line for line in told), told
    # a fault in every third frame of pixels is too much for most runs, one in every tenth for few
    assert right > (10 * len(told) if rate < 1 / 500 else 10)


def test_a_line_that_is_spoilt_all_the_time_is_an_error_in_a_line():
    class Worse(FaultyPort):
        def to_host(self, data):
            if b"\xa5\x83" in data:  # once a run is under way
                self.rate = 0.05
            return super().to_host(data)

    port = Worse(Double(MANIFEST), np.random.default_rng(3), 0)
    connection, notes = connected(port, note=lambda line: notes.append(line)), []
    with pytest.raises(DeviceError, match=rf"^double: {ATTEMPTS} attempts failed, the last one: .*; take a shorter"):
        ResidentEngine(connection, MANIFEST, ["g_a"]).run("g_a", picture(32, 32))
    assert len(notes) >= ATTEMPTS - 1
    assert connection.attempts == ATTEMPTS - 1


def test_an_unplugged_device_is_met_again_and_the_run_begun_again():
    device, notes = Double(MANIFEST), []
    ports = iter([DoublePort(device, unplug=600), DoublePort(device)])
    connection = Connection("double", opened=lambda: next(ports), note=notes.append)
    x = picture(32, 32)
    assert np.array_equal(
        ResidentEngine(connection, MANIFEST, ["g_a"]).run("g_a", x).output(), run_transform(MANIFEST.g_a, x)
    )
    assert device.started == 2
    assert [note.split(";")[0] for note in notes] == ["double is gone"] * 2


def test_a_device_that_does_not_come_back_or_is_another_one():
    def run(ports, message):
        ports = iter(ports)
        connection = Connection("double", opened=lambda: next(ports), patience=0)
        with pytest.raises(DeviceError, match=message):
            ResidentEngine(connection, MANIFEST, ["g_a"]).run("g_a", picture(32, 32))

    class Gone(DoublePort):
        def __init__(self):
            super().__init__(None)
            self.gone = True

    first = DoublePort(Double(MANIFEST), unplug=600)
    run([first, Gone(), Gone()], r"^double is gone: the device is gone; plug it in and start again$")
    first, other = DoublePort(Double(MANIFEST), unplug=600), DoublePort(Double(MANIFEST, rows=2))
    run([first, other], r"^another device came back at double: load the bitstream and start again$")
