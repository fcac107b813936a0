"""An encoder's stages one after the other, or each at work on an image of its own: frames a second of both.

An encoder runs g_a, h_a and h_s on an array, and codes what they give in an entropy coder. Mazouz et al.
("kd-hybrid-fpga", Table X) compare two arrangements of these stages:

- sequential: one accelerator runs g_a, h_a and h_s of an image, then the coder codes it, then comes the next image;
- pipelined: one accelerator runs g_a, another h_a and h_s of the image before, and the coder codes the one before that.

A third one lies between them: one accelerator for the transforms, and the coder at work on the image before.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass

import numpy as np

from licgate.codec import Codec
from licgate.codec.trace import Trace
from licgate.errors import ConfigError
from licgate.perf.predict import predict
from licgate.reference import run_transform

__all__ = [
    "FIRST",
    "SECOND",
    "STAGES",
    "Arrangement",
    "Coder",
    "Part",
    "accelerator_part",
    "measure_coder",
    "overlapped",
    "padded_size",
    "pipelined",
    "sequential",
]

FIRST, SECOND = ("g_a",), ("h_a", "h_s")
STAGES = (*FIRST, *SECOND)


@dataclass(frozen=True)
class Coder:
    """The entropy stage of one image, measured on the host.

    Attributes
    ----------
    seconds : float
        Median wall clock of what follows h_s: levels and symbols, and the range coder.
    coding_seconds : float
        The range coder's part of it.
    symbols : int
        Latents and hyper latents that are coded.
    bytes : int
        That they take.
    repeat : int
        Times that it was measured.
    """

    seconds: float
    coding_seconds: float
    symbols: int
    bytes: int
    repeat: int

    def cycles(self, clock_mhz: float) -> int:
        """The seconds in cycles of a clock."""
        return max(1, round(self.seconds * clock_mhz * 1e6))


@dataclass(frozen=True)
class Part:
    """An accelerator and what it runs of every image.

    Attributes
    ----------
    rows, cols : int
    cycles : dict of str to int
        Of each of its transforms, for one image.
    macs : int
        Multiply-accumulates of an image.
    work : float or None
        Cycles of one multiplier that they take: fewer where layers are packed. None is ``macs``.
    """

    rows: int
    cols: int
    cycles: dict
    macs: int
    work: float | None = None

    @property
    def total(self) -> int:
        """Cycles of an image."""
        return sum(self.cycles.values())

    @property
    def multipliers(self) -> int:
        """Multipliers of the array."""
        return self.rows * self.cols


@dataclass(frozen=True)
class Arrangement:
    """How the stages of an encoder share the time.

    Attributes
    ----------
    name : str
    parts : tuple of Part
    coder_cycles : int
    interval : int
        Cycles from one image to the next.
    latency : int
        Cycles from an image's first pixel to its last byte, when stages wait for the slowest one.
    """

    name: str
    parts: tuple
    coder_cycles: int
    interval: int
    latency: int

    def fps(self, clock_mhz: float) -> float:
        """Frames a second."""
        return clock_mhz * 1e6 / self.interval

    @property
    def multipliers(self) -> int:
        """Of all arrays."""
        return sum(part.multipliers for part in self.parts)

    @property
    def utilization(self) -> float:
        """Share of all multipliers' cycles with a product that an image needs."""
        work = sum(part.macs if part.work is None else part.work for part in self.parts)
        return work / (self.multipliers * self.interval)

    @property
    def binds(self) -> str:
        """The stage that takes the longest: transforms that share an accelerator, or ``coder``."""
        stages = {" + ".join(part.cycles): part.total for part in self.parts} | {"coder": self.coder_cycles}
        return max(stages, key=stages.get)

    def as_dict(self, clock_mhz: float) -> dict:
        """What goes into JSON."""
        return {
            "arrays": [
                {"rows": part.rows, "cols": part.cols, "cycles": dict(part.cycles), "macs": part.macs}
                for part in self.parts
            ],
            "multipliers": self.multipliers,
            "coder_cycles": self.coder_cycles,
            "interval": self.interval,
            "latency": self.latency,
            "fps": self.fps(clock_mhz),
            "utilization": self.utilization,
            "binds": self.binds,
        }


def sequential(part: Part, coder_cycles: int) -> Arrangement:
    """All transforms, then the coder, then the next image."""
    whole = part.total + coder_cycles
    return Arrangement("sequential", (part,), coder_cycles, whole, whole)


def overlapped(part: Part, coder_cycles: int) -> Arrangement:
    """All transforms on one array; the coder is at work on the image before."""
    interval = max(part.total, coder_cycles)
    return Arrangement("overlapped", (part,), coder_cycles, interval, 2 * interval)


def pipelined(first: Part, second: Part, coder_cycles: int) -> Arrangement:
    """g_a, h_a and h_s, and the coder, each at work on an image of its own."""
    interval = max(first.total, second.total, coder_cycles)
    return Arrangement("pipelined", (first, second), coder_cycles, interval, 3 * interval)


def padded_size(manifest, width: int, height: int) -> tuple[int, int]:
    """An image's sides as the codec pads them, to whole positions of the hyper latents.

    Raises
    ------
    ConfigError
        The model is no codec, or has a context model: what follows h_s is then no coder alone.
    """
    missing = [name for name in STAGES if name not in manifest.transforms]
    if missing:
        raise ConfigError(f"model {manifest.name} has no {missing[0]}: an encoder needs {', '.join(STAGES)}")
    if "context" in manifest.transforms:
        raise ConfigError(
            f"model {manifest.name} has a context model, between h_s and the coder: take a model without one"
        )
    unit = int(manifest.g_a.stride * manifest.transforms["h_a"].stride)
    return -(-width // unit) * unit, -(-height // unit) * unit


def accelerator_part(manifest, config, transforms, width: int, height: int) -> Part:
    """An accelerator with these transforms, by the exact cycle model.

    Parameters
    ----------
    manifest : Manifest
    config : AcceleratorConfig
    transforms : sequence of str
        Some of `STAGES`.
    width, height : int
        Image in pixels.

    Returns
    -------
    Part

    Raises
    ------
    ConfigError
        See :func:`padded_size` and :func:`licgate.perf.predict`.
    """
    size = padded_size(manifest, width, height)
    prediction = predict(manifest, config, *size, transforms=tuple(transforms))
    cycles = {row["name"]: row["cycles"] for row in prediction.transforms}
    return Part(config.rows, config.cols, cycles, prediction.macs, prediction.multiplier_cycles)


def measure_coder(manifest, pixels, *, repeat: int = 3) -> Coder:
    """Time the entropy stage of a picture on this machine, on one core.

    The transforms run once; what is timed is what an encoder does with what they gave.

    Parameters
    ----------
    manifest : Manifest
        With its entropy tables.
    pixels : ndarray of uint8, shape (H, W, 3)
    repeat : int
        Times to measure, after one that does not count.

    Returns
    -------
    Coder

    Raises
    ------
    ConfigError, ImageError, ManifestError
        The model or the picture cannot be coded.
    """
    if repeat < 1:
        raise ConfigError(f"a coder measured {repeat} times gives no figure: measure it once at least")
    known: dict[str, np.ndarray] = {}

    def run(transform, x):
        if transform.name not in known:
            known[transform.name] = run_transform(transform, x, dtype=None)
        return known[transform.name]

    padded_size(manifest, 1, 1)
    codec, traces = Codec(manifest, run=run), []
    for _ in range(repeat + 1):
        trace = Trace()
        data = codec.encode(pixels, trace=trace)
        traces.append(trace)
    coding = [trace.seconds["coder"] for trace in traces[1:]]
    whole = [trace.seconds["coder"] + trace.seconds["latents"] for trace in traces[1:]]
    symbols = known["g_a"].size + known["h_a"].size
    return Coder(statistics.median(whole), statistics.median(coding), symbols, len(data), repeat)
