"""How many block RAMs an accelerator takes of a device, before anything is synthesised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from licgate.perf.memories import MemoryUse, program_memories, streamed_memories
from licgate.target.board import Board

__all__ = ["Fit", "memory_fit", "streamed_fit"]


@dataclass(frozen=True)
class Fit:
    """Memory cells of an accelerator on a device.

    Attributes
    ----------
    cell : str
    needed, available : int
    by : dict of str to dict
        What is held to ``cells`` and ``bits``.
    """

    cell: str
    needed: int
    available: int
    by: dict

    @property
    def fits(self) -> bool:
        """There are as many as needed."""
        return self.needed <= self.available

    def __str__(self) -> str:
        parts = {name: row["cells"] for name, row in self.by.items()}
        large = [f"{parts.pop(name)} for {name}" for name in ("weights", "line buffers") if name in parts]
        return f"{self.needed} {self.cell} ({', '.join((*large, f'{sum(parts.values())} for others'))})"


def memory_fit(program, board: Board, *, link: int | None = None) -> Fit:
    """Count the block RAMs that a program takes on a board, whose link takes ``link``, or those of its default one."""
    return _counted(program_memories(program), board, 1, link)


def streamed_fit(program, board: Board, cores: int, *, link: int | None = None) -> Fit:
    """Count the block RAMs that cores with a streamed program take on a board; ``link`` as in `memory_fit`."""
    return _counted(streamed_memories(program), board, cores, link)


def _counted(uses: Iterable[MemoryUse], board: Board, cores: int, link: int | None) -> Fit:
    cells, bits = Counter(), Counter()
    for use in uses:
        cells[use.holds] += cores * use.cells(board.block_rams)
        bits[use.holds] += cores * use.bits
    if link := board.host_block_rams if link is None else link:
        cells["host link"] += link
    by = {name: {"cells": cells[name], "bits": bits[name] or None} for name in cells}
    return Fit(board.memory, sum(cells.values()), board.memories, by)
