"""What an accelerator is given for a run, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from licgate.manifest.checks import AnyIntegers, Integers

__all__ = ["Outcome", "PatchResult", "Ran", "Task"]


@dataclass(frozen=True)
class Outcome:
    """What a run gave.

    Attributes
    ----------
    patches : ndarray, shape (n, 4)
        x, y, width, height of the patches that were asked for.
    latents : ndarray of int64, shape (m,)
        What came out, in the order of the stream.
    lasts : ndarray of bool, shape (m,)
    counters : dict
        The accelerator's counters, by the names of ``licgate.target.registers.COUNTERS``.
    """

    patches: Integers
    latents: Integers
    lasts: np.ndarray
    counters: dict[str, int]


@dataclass(frozen=True)
class Task:
    """One run of the accelerator.

    Attributes
    ----------
    words : ndarray of int
        What the stream carries, as unsigned numbers: pixels of shape (H, W), of which patches are taken, see
        :func:`licgate.runtime.transforms.pixel_words`; or values of shape (n,), all of them in this order, once a
        patch has been asked for.
    registers : tuple of (int, int)
        Addresses and values, written in order; the last one starts the accelerator.
    patches : list of (int, int, int, int)
        x, y, width, height of those that it has to ask for.
    values : int
        That it has to give.
    """

    words: AnyIntegers
    registers: tuple[tuple[int, int], ...]
    patches: list[tuple[int, int, int, int]]
    values: int

    def wrong(self, outcome: Outcome) -> str | None:
        """What is wrong with an outcome, whatever its values; None for nothing."""
        if [tuple(window) for window in outcome.patches.tolist()] != self.patches:
            return f"the accelerator asked for other patches than the {len(self.patches)} expected"
        if len(outcome.latents) != self.values:
            return f"the accelerator gave {len(outcome.latents)} values, expected were {self.values}"
        return None


@dataclass(frozen=True)
class PatchResult:
    """What one patch or strip gave.

    Attributes
    ----------
    x, y, width, height : int
        Its place in the input.
    out_x, out_y : int
        Where its values belong in the whole output (of the patch itself where patches are independent).
    values : ndarray of int64, shape (C, h, w)
        Those that count.
    misplaced : int
        ``last`` marks that are missing or where none belongs.
    """

    x: int
    y: int
    width: int
    height: int
    out_x: int
    out_y: int
    values: AnyIntegers
    misplaced: int


@dataclass(frozen=True)
class Ran:
    """A transform that was run: its patches, and the sums of their counters."""

    patches: tuple[PatchResult, ...]
    counters: dict[str, int]

    def output(self) -> Integers:
        """The whole output, put together."""
        channels = len(self.patches[0].values)
        height = max(p.out_y + p.values.shape[1] for p in self.patches)
        width = max(p.out_x + p.values.shape[2] for p in self.patches)
        out = np.empty((channels, height, width), dtype=np.int64)
        for p in self.patches:
            out[:, p.out_y : p.out_y + p.values.shape[1], p.out_x : p.out_x + p.values.shape[2]] = p.values
        return out
