"""The fastest arrays for an encoder's stages: one after the other, or each at work on an image of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import numpy as np

from licgate.errors import ConfigError
from licgate.explore.bound import least_cycles
from licgate.explore.cycles import CycleCounter
from licgate.explore.space import LARGEST
from licgate.images import demo_image
from licgate.perf.encoder import (
    FIRST,
    SECOND,
    STAGES,
    Coder,
    accelerator_part,
    overlapped,
    padded_size,
    pipelined,
    sequential,
)
from licgate.program import compile_program, input_widths
from licgate.target.config import AcceleratorConfig

__all__ = ["ArraySearch", "compare_arrangements", "picture_of"]


class ArraySearch:
    """Arrays of up to so many multipliers for an encoder's transforms, by the cycle model.

    Lines are as wide as the image and lanes as many as suffice; whether a device holds them is not asked.

    Parameters
    ----------
    manifest : Manifest
    width, height : int
        Image in pixels.
    """

    def __init__(self, manifest, width: int, height: int):
        self.manifest, self.size = manifest, padded_size(manifest, width, height)
        self._counter, self._bounds, self._known, self._arrays = CycleCounter(), {}, {}, {}

    def fastest(self, transforms: tuple, multipliers: int) -> tuple[tuple[int, int], int]:
        """Rows and columns of the array of no more multipliers that takes the fewest cycles, and how many.

        Of equally fast ones the smallest.

        Raises
        ------
        ConfigError
            There is none.
        """
        bounds = self._bounds_of(transforms, multipliers)
        best = None
        for shape in sorted(bounds, key=lambda shape: (bounds[shape], shape[0] * shape[1])):
            if best is not None and bounds[shape] > best[0]:
                break
            found = self._cycles(transforms, shape), shape[0] * shape[1], shape
            best = found if best is None else min(best, found)
        return best[2], best[0]

    def split(
        self, multipliers: int, say: Callable[[int, int], None] = lambda done, of: None
    ) -> tuple[tuple[int, int], tuple[int, int]]:
        """Two arrays of so many multipliers together, for g_a and for h_a and h_s, whose slower one is the fastest.

        Raises
        ------
        ConfigError
            There are no two.
        """
        if multipliers < 2:
            raise ConfigError(f"{multipliers} multipliers make no two arrays: give 2 at least")
        counts = range(1, multipliers)
        bounds = {
            n: max(min(self._bounds_of(names, m).values()) for names, m in ((FIRST, multipliers - n), (SECOND, n)))
            for n in counts
        }
        best = None
        for done, count in enumerate(sorted(counts, key=lambda n: (bounds[n], n))):
            say(done, len(counts))
            if best is not None and bounds[count] > best[0]:
                break
            first, second = self.fastest(FIRST, multipliers - count), self.fastest(SECOND, count)
            found = max(first[1], second[1]), first[1] + second[1], (first[0], second[0])
            best = found if best is None else min(best, found)
        return best[2]

    def _bounds_of(self, transforms, multipliers):
        """Least cycles of every shape of no more multipliers, but for columns that save no pass."""
        if multipliers < 1:
            raise ConfigError(f"{multipliers} multipliers make no array: give 1 at least")
        for shape in self._shapes(transforms):
            if shape[0] * shape[1] <= multipliers and (transforms, shape) not in self._bounds:
                config = self.config(shape)
                program = self._program(transforms, config)
                self._bounds[transforms, shape] = least_cycles(program, self.manifest, config, *self.size)
        return {
            shape: bound
            for (names, shape), bound in self._bounds.items()
            if names == transforms and shape[0] * shape[1] <= multipliers
        }

    def _shapes(self, transforms):
        if transforms not in self._arrays:
            channels = [op.channels_out for op in self._program(transforms, self.config((1, 1))).ops]
            passes = {}
            for cols in range(1, LARGEST + 1):
                passes.setdefault(tuple(-(-number // cols) for number in channels), cols)
            self._arrays[transforms] = [(rows, cols) for rows in range(1, LARGEST + 1) for cols in passes.values()]
        return self._arrays[transforms]

    def _cycles(self, transforms, shape):
        if (transforms, shape) not in self._known:
            config = self.config(shape)
            program = self._program(transforms, config)
            self._known[transforms, shape] = self._counter.cycles(program, self.manifest, config, *self.size)
        return self._known[transforms, shape]

    def config(self, shape: tuple[int, int]) -> AcceleratorConfig:
        """The accelerator of an array."""
        return AcceleratorConfig(rows=shape[0], cols=shape[1], max_width=self.size[0])

    def _program(self, transforms, config):
        chains = [self.manifest.transforms[name] for name in transforms]
        return compile_program(chains, config, input_widths(self.manifest, transforms, config.max_width), weights=False)


def compare_arrangements(
    manifest,
    multipliers: int,
    width: int,
    height: int,
    clock_mhz: float,
    coder: Coder,
    *,
    say: Callable[[int, int], None] = lambda done, of: None,
) -> dict:
    """Frames a second of an encoder's stages one after the other and side by side.

    Parameters
    ----------
    manifest : Manifest
    multipliers : int
        Of the sequential array, at most; of both arrays of the pipeline together where the total is to be equal.
    width, height : int
        Image in pixels.
    clock_mhz : float
        Assumed.
    coder : Coder
        Its seconds are cycles of that clock.
    say : callable
        Gets how many splits of how many are done.

    Returns
    -------
    dict
        ``sequential`` and ``overlapped`` on the fastest array; ``pipelined_equal_total`` on the fastest two of as many
        multipliers together; ``pipelined_equal_arrays`` on two that are each like the sequential one, so of twice as
        many; for each but the first ``speedup`` over it. See :class:`licgate.perf.encoder.Arrangement`.

    Raises
    ------
    ConfigError
        No array is made of so few multipliers, or the model is no encoder.
    """
    search = ArraySearch(manifest, width, height)
    whole, _ = search.fastest(STAGES, multipliers)
    parts = {}

    def part(names, shape):
        if (names, shape) not in parts:
            parts[names, shape] = accelerator_part(manifest, search.config(shape), names, width, height)
        return parts[names, shape]

    cycles = coder.cycles(clock_mhz)
    first, second = search.split(multipliers, say)
    found = {
        "sequential": sequential(part(STAGES, whole), cycles),
        "overlapped": overlapped(part(STAGES, whole), cycles),
        "pipelined_equal_total": pipelined(part(FIRST, first), part(SECOND, second), cycles),
        "pipelined_equal_arrays": pipelined(part(FIRST, whole), part(SECOND, whole), cycles),
    }
    base = found["sequential"].interval
    rows = {
        name: arrangement.as_dict(clock_mhz) | {"speedup": base / arrangement.interval}
        for name, arrangement in found.items()
    }
    return {
        "model": manifest.name,
        "image": [width, height],
        "padded": list(search.size),
        "clock_mhz": clock_mhz,
        "multipliers": multipliers,
        "coder": asdict(coder) | {"cycles": cycles},
        "arrangements": rows,
    }


def picture_of(width: int, height: int) -> np.ndarray:
    """The demonstration photograph, repeated and cut to a size; uint8 of shape (height, width, 3)."""
    pixels = demo_image()
    return np.tile(pixels, (-(-height // pixels.shape[0]), -(-width // pixels.shape[1]), 1))[:height, :width]
