"""Whether a device does what its build says: registers, values, counters; and how fast bytes come and go."""

import platform
import random
import time
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from licgate import __version__
from licgate.errors import DeviceError
from licgate.perf.predict import input_sizes
from licgate.reference import run_transform
from licgate.runtime.device import read_register, reset, write_register
from licgate.runtime.identity import read_identity
from licgate.sim.boards import board_gateware
from licgate.target.registers import Register

__all__ = ["SIDE", "Check", "Meter", "identity_facts", "line_errors", "random_input", "selftest"]

#: Of the picture.
SIDE = 64

_NONCES = 64


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name, told : str
    passed : bool or None
        None where it could not be looked at.
    """

    name: str
    passed: bool | None
    told: str


@dataclass
class Meter:
    """Bytes and seconds since it was made, or since `lap`."""

    link: object
    began: float = field(default_factory=time.monotonic)
    sent: int = 0
    received: int = 0

    def __post_init__(self):
        self.sent, self.received = self.link.sent, self.link.received

    def rates(self):
        """Seconds, and MB/s to and from the device."""
        seconds = max(time.monotonic() - self.began, 1e-9)
        return {
            "seconds": seconds,
            "mb_per_s_to_device": (self.link.sent - self.sent) / seconds / 1e6,
            "mb_per_s_from_device": (self.link.received - self.received) / seconds / 1e6,
        }


def identity_facts(connection):
    """What a device says of itself, as JSON has it."""
    identity = connection.identity
    facts = identity.facts
    return {
        "port": connection.address,
        "kind": identity.kind.value,
        "model": f"{identity.model:08x}",
        "build": f"{identity.build:016x}",
        "clock_khz": identity.clock_khz,
        "transforms": list(identity.transforms),
        "link": dict(identity.link),
        "shape": dict(identity.shape),
        "known": facts.document() if facts else None,
    }


def line_errors(connection):
    """Bytes that the device's UART has lost so far: framing, overflow."""
    word = connection.hold(lambda: read_register(Register.LINE_ERRORS))
    return word & 0xFFFF, word >> 16


def random_input(transform, size, seed=0):
    """An input of a transform, with values of its whole range, (C, H, W)."""
    low, high = transform.input.min, transform.input.max
    return np.random.default_rng(seed).integers(low, high + 1, (transform.in_channels, size[1], size[0]))


def selftest(connection, manifest, say):
    """Test a device.

    Parameters
    ----------
    connection : Connection
    manifest : Manifest
        That it was built of.
    say : callable
        Takes each `Check` when it is done.

    Returns
    -------
    dict
        What ``licgate board selftest --report`` writes.

    Raises
    ------
    DeviceError
        The line fails it every time, or it is another device than expected.
    """
    checks, before, started = [], line_errors(connection), time.monotonic()

    def done(check):
        checks.append(check)
        say(check)

    done(_registers(connection))
    done(_scratch(connection))
    gateware = board_gateware(connection, manifest, connection.identity.transforms)
    runs = []
    for name, size in input_sizes(manifest, connection.identity.transforms, SIDE, SIDE).items():
        run, found = _transform(connection, gateware, name, size)
        runs.append(run)
        for check in found:
            done(check)
    lost = [(now - then) % 65536 for now, then in zip(line_errors(connection), before)]
    again = connection.attempts
    told = f"{lost[0]} bytes without a stop bit, {lost[1]} not taken in time, {again} runs begun again"
    done(Check("line", not any(lost) and not again, told))
    return {
        "licgate": __version__,
        "system": platform.platform(),
        "device": identity_facts(connection),
        "passed": all(check.passed is not False for check in checks),
        "checks": [vars(check) for check in checks],
        "runs": runs,
        "seconds": time.monotonic() - started,
    }


def _registers(connection):
    """The identity reads the same twice, and addresses without a register read 0."""
    same = connection.hold(read_identity) == connection.identity
    empty = [connection.hold(partial(read_register, address)) for address in (60, 63)]
    return Check("registers", same and not any(empty), "read the same twice, 0 where there is none")


def _scratch(connection):
    """What is written is read."""
    coin = random.Random(1)

    def loopback():
        yield from reset()
        wrong = 0
        for value in [*(1 << k for k in range(32)), *(coin.getrandbits(32) for _ in range(_NONCES))]:
            yield from write_register(Register.SCRATCH, value)
            wrong += (yield from read_register(Register.SCRATCH)) != value
        return wrong

    wrong = connection.hold(loopback)
    return Check("scratch", wrong == 0, f"{32 + _NONCES} values written and read, {wrong} wrong")


def _transform(connection, gateware, name, size):
    """Values and counters of a transform, and how fast they came."""
    transform = gateware.program.chain_of(name).transform
    x = random_input(transform, size)
    meter = Meter(connection.link)
    try:
        ran = gateware.run(name, x)
    except DeviceError as error:
        return {"transform": name, "error": str(error)}, [Check(name, False, str(error))]
    rates, output, right = meter.rates(), ran.output(), run_transform(transform, x)
    wrong = int(np.count_nonzero(output != right)) + sum(p.misplaced for p in ran.patches)
    (busy, steps), cycles = gateware.steps(name, ran), ran.counters["cycles"]
    speed = f"{rates['mb_per_s_to_device']:.3f} MB/s to the device, {rates['mb_per_s_from_device']:.3f} MB/s from it"
    told = f"{busy} steps of the array, {steps} by the cycle model; {cycles} cycles, waiting for the host included"
    if steps is None:
        told = "its build is not known here (device.json), so neither is its cycle model"
    checks = [
        Check(name, wrong == 0, f"{size[0]} x {size[1]}, {output.size} values, {wrong} wrong; {speed}"),
        Check(f"{name} counters", None if steps is None else busy == steps and cycles >= busy, told),
    ]
    return {"transform": name, "size": list(size), "counters": ran.counters, "steps": steps, **rates}, checks
