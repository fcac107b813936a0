"""One shape with external memory, and how wide its buffers may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from licgate.backends.options import MEMORY_SHAPE
from licgate.explore.space import Candidate
from licgate.perf.streamed.estimate import StreamedEstimate

__all__ = ["Bands", "StreamCandidate"]


@dataclass(frozen=True, kw_only=True)
class StreamCandidate(Candidate):
    """One shape with external memory; ``bound`` are estimated cycles of a frame, or fewer where it has no estimate.

    Attributes
    ----------
    cores : int
    estimate : StreamedEstimate or None
    """

    cores: int
    estimate: StreamedEstimate | None = None

    @property
    def label(self) -> str:
        """Short name, for files."""
        config = self.config
        shape = f"{self.cores}x{config.rows}x{config.cols}x{config.lanes}"
        return f"{shape}-b{config.block_rows}-g{config.band_groups}-d{config.weight_words}"

    @property
    def options(self) -> list:
        """What ``licgate build`` is told of the shape beside rows, columns and lanes."""
        fields = [(f"--{name.replace('_', '-')}", getattr(self.config, name)) for name in MEMORY_SHAPE]
        given = [word for option, value in fields if value is not None for word in (option, value)]
        return ["--memory", "sdram", "--cores", self.cores, *given]


class Bands(NamedTuple):
    """A height of blocks and a width of bands of an array, and how wide its buffers may be.

    Attributes
    ----------
    wide : StreamCandidate
        With the widest.
    slots : int
        Of its line memory, but for those that are fetched ahead.
    prefetch, rings, results : tuple of int
        Word columns fetched ahead, words of the weight ring, words of results: from narrow to wide.
    """

    wide: StreamCandidate
    slots: int
    prefetch: tuple
    rings: tuple
    results: tuple
