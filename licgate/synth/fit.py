"""Whether an accelerator's memories fit a device, before anything is synthesised."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from licgate.errors import ConfigError
from licgate.manifest.architectures import MODES
from licgate.perf.memories import program_memories
from licgate.program import compile_program, input_widths
from licgate.target.board import Board

__all__ = ["Fit", "choose_config", "memory_fit"]

WIDTH_STEP = 64


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
    """Count the memory cells that a program takes on a board."""
    cells, bits = Counter(), Counter()
    for use in program_memories(program):
        cells[use.holds] += use.cells(board.blocks)
        bits[use.holds] += use.bits
    if board.host_blocks:
        cells["host link"] += board.host_blocks
    by = {name: {"cells": cells[name], "bits": bits[name] or None} for name in cells}
    return Fit(board.memory, sum(cells.values()), board.memories, by)


def choose_config(manifest, board: Board, mode: str, config, *, max_width: int | None, must_fit: bool):
    """Settle the width of an accelerator's line buffers and what its lanes multiply with, and see that it fits.

    Parameters
    ----------
    manifest : Manifest
    board : Board
    mode : str
        One of `MODES`: which transforms the accelerator contains.
    config : AcceleratorConfig
        All but the width. Where the device's multipliers do not suffice for array and lanes, those of the lanes are
        made of logic.
    max_width : int or None
        Width asked for; None takes the widest that fits, up to the board's.
    must_fit : bool
        Refuse what does not fit.

    Returns
    -------
    AcceleratorConfig, Fit

    Raises
    ------
    ConfigError
        It does not fit, or the array does not run the model.
    """
    transforms = MODES[mode]

    def at(width):
        changed = replace(config, max_width=width)
        chains = [manifest.transforms[name] for name in transforms]
        program = compile_program(chains, changed, input_widths(manifest, transforms, width))
        if program.multiplier_cells > board.multipliers:
            # The array comes first.
            changed = replace(changed, lane_multipliers="fabric")
        return changed, memory_fit(program, board)

    wanted = board.max_width if max_width is None else max_width
    missing = [name for name in transforms if name not in manifest.transforms]
    if missing:
        raise ConfigError(
            f"a build of mode {mode} needs {', '.join(missing)}, model {manifest.name} has only "
            f"{', '.join(manifest.transforms)}: take another --mode or model"
        )
    found = at(wanted)
    if found[1].fits:
        return found
    narrower = _widest(at, wanted)
    if max_width is None and narrower is not None:
        return narrower
    if not must_fit:
        return found
    line = (
        f"mode {mode} of {manifest.name} on an array of {config.rows} x {config.cols} with lines of {wanted} pixels "
        f"needs {found[1]}, {board.device} has {board.memories}: "
    )
    if narrower is not None:
        raise ConfigError(f"{line}--max-width {narrower[0].max_width} fits; --synthesis-only gives a report")
    least = at(WIDTH_STEP)[1].needed
    raise ConfigError(
        f"{line}with lines of {WIDTH_STEP} it needs {least}; take other --rows and --cols, another --mode or a smaller "
        "model; --synthesis-only gives a report"
    )


def _widest(at, below):
    """The configuration with the widest lines that fits, of multiples of the step, or None."""
    low, high, found = 0, (below - 1) // WIDTH_STEP, None
    # wider lines take no fewer cells
    while low < high:
        middle = (low + high + 1) // 2
        tried = at(middle * WIDTH_STEP)
        if tried[1].fits:
            low, found = middle, tried
        else:
            high = middle - 1
    return found
