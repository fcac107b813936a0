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


def memory_fit(program, board: Board) -> Fit:
    """Count the block RAMs that a program takes on a board."""
    return _counted(program_memories(program), board, 1)


def streamed_fit(program, board: Board, cores: int) -> Fit:
    """Count the block RAMs that cores with a streamed program take on a board."""
    return _counted(streamed_memories(program), board, cores)


def _counted(uses: Iterable[MemoryUse], board: Board, cores: int) -> Fit:
    cells, bits = Counter(), Counter()
    for use in uses:
        cells[use.holds] += cores * use.cells(board.block_rams)
        bits[use.holds] += cores * use.bits
    if board.host_block_rams:
        cells["host link"] += board.host_block_rams
    by = {name: {"cells": cells[name], "bits": bits[name] or None} for name in cells}
    return Fit(board.memory, sum(cells.values()), board.memories, by)
