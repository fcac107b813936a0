"""What every simulation engine takes and gives."""

import importlib
from dataclasses import dataclass
from functools import partial

import numpy as np

from licgate.errors import ConfigError, SimulationError
from licgate.target.registers import COUNTERS, Register, Status

__all__ = [
    "PATIENCE",
    "Job",
    "armed",
    "check_outcome",
    "engine_names",
    "get_engine",
    "seed_of",
]

#: Cycles without progress after which the accelerator's watchdog bites. The host itself waits four times as long, and
#: some more, for a pixel, a window or a latent to move: an accelerator may be at work and yet give nothing.
PATIENCE = 50_000_000

_ENGINES = {
    "cxxrtl": "licgate.sim.cxxrtl",
    "amaranth": "licgate.sim.pysim",
    "netlist": "licgate.sim.cxxrtl",
    "routed": "licgate.sim.cxxrtl",
    "verilator": "licgate.sim.cxxrtl",
}
_COMPILED = ("netlist", "routed", "verilator")  # by a name that says how
_NETLISTS = ("netlist", "routed")
_LARGEST_SEED = (1 << 32) - 1


@dataclass(frozen=True)
class Job:
    """One run of the accelerator.

    Attributes
    ----------
    words : ndarray of int
        What the stream carries, as unsigned numbers: pixels of shape (H, W), of which patches are taken, see
        :func:`licgate.runtime.transforms.pixel_words`; or values of shape (n,), all of them in this order, once a
        window has been asked for.
    registers : tuple of (int, int)
        Addresses and values, written in order; the last one starts the accelerator.
    faults : int or None
        Seed of a host that sends late and takes when it likes; None is one that is always there. It changes cycles,
        never a value.
    random : int or None
        Seed of what hardware leaves open, see :mod:`licgate.sim.chance`; None is what was designed. It changes nothing.
    """

    words: np.ndarray
    registers: tuple
    faults: int | None = None
    random: int | None = None


def engine_names():
    """Names of the engines, the default first."""
    return tuple(_ENGINES)


def get_engine(name):
    """The function ``run(accelerator, job, progress=None) -> Outcome`` of an engine.

    ``progress`` is called with the number of latents so far, now and then.
    """
    if name not in _ENGINES:
        raise ConfigError(f"engine {name!r} is unknown; there are {', '.join(_ENGINES)}")
    run = importlib.import_module(_ENGINES[name]).run
    return partial(run, engine=name) if name in _COMPILED else run


def seed_of(engine, random):
    """The seed of what hardware leaves open: in a netlist it is always at random.

    Raises
    ------
    ConfigError
        It is not an integer from 0 to 2³² − 1, or the engine is Verilator, for which nothing is left open.
    """
    if random is None:
        return 1 if engine in _NETLISTS else None
    if engine == "verilator":
        raise ConfigError("--random goes without --engine verilator: take cxxrtl, amaranth, netlist or routed")
    if not 0 <= random <= _LARGEST_SEED:
        raise ConfigError(f"a seed of {random} is out of range: give --random 0 to {_LARGEST_SEED}")
    return random


def armed(accelerator, registers, patience):
    """Registers to write with the watchdog's threshold before them, and those to read when all is over.

    Raises
    ------
    ConfigError
        The patience is no positive number of 32 bits.
    """
    if not 1 <= patience < 1 << 32:
        raise ConfigError(f"a patience of {patience} cycles makes no sense: give 1 to {(1 << 32) - 1}")
    return ((Register.WATCHDOG, patience), *registers), (*COUNTERS.values(), *accelerator.watchdog.registers)


def check_outcome(accelerator, *, hung, status, values, patience):
    """Return the counters; raise when the accelerator hung or refused the job.

    Parameters
    ----------
    accelerator : Accelerator
    hung : bool
        The host lost its patience.
    status : int
    values : sequence of int
        Of the registers that `armed` asks for.
    patience : int

    Raises
    ------
    SimulationError
    """
    counters = dict(zip(COUNTERS, values, strict=False))
    streams = accelerator.watchdog.describe(values[len(COUNTERS) :])
    if status & Status.HUNG:
        raise SimulationError(
            f"the accelerator hung: no progress for {patience} cycles, at cycle {counters['cycles']}; {streams}"
        )
    if hung:
        raise SimulationError(
            f"the accelerator stopped making progress, nothing came or went (status register {status:#x}); {streams}"
        )
    if status & Status.REFUSED:
        raise SimulationError(
            "the accelerator refused the image: a size is zero or a patch is wider than its line buffers"
        )
    return counters
