"""Bands of a streamed frame that are alike, and the frame as a list of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["FramePlan", "Kind", "Operation"]


class Operation(NamedTuple):
    """What is the same for all passes of an operation.

    Attributes
    ----------
    tiles : tuple of (int, int)
        Weight words and beats of each.
    counts : tuple of int
        Output channels of each tile.
    packing : tuple of int
        Cycles in which the packer takes a record of each tile.
    flight : tuple of int
        Cycles from the end of a pass to its last result.
    """

    tiles: tuple
    counts: tuple
    packing: tuple
    flight: tuple


class Kind(NamedTuple):
    """Bands that are alike.

    Attributes
    ----------
    stage : int
        Of the chain.
    groups, rows : int
    pairs, beyond : bool
        Parities of columns are made apart, one pass after the other; the last group has no second record.
    outputs : int
        Neighbouring outputs of a pass of the convolution, each of a record of its own: 1, or 4.
    lengths : tuple of int
        Cycles that a pass of the convolution takes of the feeder, by row and parity.
    passes : tuple of tuple of int
        Cycles from one pass of the convolution to the next, at least, by tile, row and parity.
    norm_length : int
    norm : tuple of int
        The same of the GDN, by tile; 0 and empty without.
    steps : int
        Cycles in which the array steps.
    conv, gdn : Operation, Operation or None
    loads : tuple of int
        Word columns to be fetched that each group waits for; each has ``column`` beats.
    column : int
    weights, keep : bool
    release : tuple of int
        Slots that become free behind each group.
    written : tuple of int
        Beats of each write of a record.
    map_burst, write_burst : float
        Mean beats of a transaction.
    """

    stage: int
    groups: int
    rows: int
    pairs: bool
    beyond: bool
    outputs: int
    lengths: tuple
    passes: tuple
    norm_length: int
    norm: tuple
    steps: int
    conv: Operation
    gdn: Operation | None
    loads: tuple
    column: int
    weights: bool
    keep: bool
    release: tuple
    written: tuple
    map_burst: float
    write_burst: float

    @property
    def pixels(self) -> int:
        """Passes of a tile: groups times rows, and parities of columns where these are apart."""
        return self.groups * len(self.lengths)

    @property
    def records(self) -> int:
        """Records that are written."""
        return self.outputs * (self.pixels - self.rows * self.beyond)

    @property
    def tiles(self) -> tuple:
        """Weight tiles, (words, beats) each."""
        return self.conv.tiles + (self.gdn.tiles if self.gdn is not None else ())


@dataclass(frozen=True)
class FramePlan:
    """A frame.

    Attributes
    ----------
    kinds : list of Kind
    bands : list of (int, int)
        Kind, and number of writes of the frame that its columns wait for.
    steps : int
        Cycles in which the array steps: no run takes fewer.
    beats : dict of str to int
        Moved: commands, weights, maps, results.
    end : int
        First beat of external memory behind those in use.
    """

    kinds: list
    bands: list
    steps: int
    beats: dict
    end: int
