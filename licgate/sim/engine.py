"""What every simulation engine takes and gives."""

import importlib
from dataclasses import dataclass

import numpy as np

from licgate.errors import ConfigError, SimulationError
from licgate.gateware.ports import Register

__all__ = ["COUNTERS", "PATIENCE", "Job", "Outcome", "check_outcome", "engine_names", "get_engine", "pixel_words"]

COUNTERS = {
    "cycles": Register.CYCLES,
    "busy": Register.BUSY,
    "stall_input": Register.STALL_INPUT,
    "stall_memory": Register.STALL_MEMORY,
    "stall_output": Register.STALL_OUTPUT,
}

#: Cycles without a pixel, a window or a latent after which a simulation counts as hung.
PATIENCE = 50_000_000

_ENGINES = {"cxxrtl": "licgate.sim.cxxrtl", "amaranth": "licgate.sim.pysim"}


@dataclass(frozen=True)
class Job:
    """One run of the accelerator.

    Attributes
    ----------
    words : ndarray of int
        What the stream carries, as unsigned numbers: pixels of shape (H, W), of which windows are taken, see
        :func:`pixel_words`; or values of shape (n,), all of them in this order, once a window has been asked for.
    registers : tuple of (int, int)
        Addresses and values, written in order; the last one starts the accelerator.
    """

    words: np.ndarray
    registers: tuple


def pixel_words(image, bits):
    """Pixels (C, H, W) as the stream carries them, shape (H, W): channel 0 in the low bits, ``bits`` each."""
    mask = (1 << bits) - 1
    packed = np.zeros(image.shape[1:], dtype=np.int64)
    for channel, plane in enumerate(image):
        packed |= (plane.astype(np.int64) & mask) << (bits * channel)
    return packed


@dataclass(frozen=True)
class Outcome:
    """What a simulation gave.

    Attributes
    ----------
    windows : ndarray, shape (n, 4)
        x, y, width, height of the windows that were asked for.
    latents : ndarray of int64, shape (m,)
        What came out, in the order of the stream.
    lasts : ndarray of bool, shape (m,)
    counters : dict
        The accelerator's counters, by the names of ``COUNTERS``.
    """

    windows: np.ndarray
    latents: np.ndarray
    lasts: np.ndarray
    counters: dict


def engine_names():
    """Names of the engines, the default first."""
    return tuple(_ENGINES)


def get_engine(name):
    """The function ``run(accelerator, job, progress=None) -> Outcome`` of an engine.

    ``progress`` is called with the number of latents so far, now and then.
    """
    if name not in _ENGINES:
        raise ConfigError(f"engine {name!r} is unknown; there are {', '.join(_ENGINES)}")
    return importlib.import_module(_ENGINES[name]).run


def check_outcome(hung, status):
    """Raise when the accelerator hung or refused the job."""
    if hung:
        raise SimulationError(f"the accelerator stopped making progress (status register {status:#x})")
    if status >> 2 & 1:
        raise SimulationError(
            "the accelerator refused the image: a size is zero or a patch is wider than its line buffers"
        )
