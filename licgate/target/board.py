"""Boards: what a board file says, and how board files are found."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from licgate.errors import ConfigError
from licgate.manifest.architectures import MODES
from licgate.target.cells import BLOCKS, HOST_BLOCKS, MULTIPLIERS
from licgate.target.sdram import SdramTiming

__all__ = ["Board", "boards_folder", "find_board", "list_boards"]

FAMILIES = ("ecp5", "xcup")


@dataclass(frozen=True, kw_only=True)
class Board:
    """One board (or bare device) an accelerator can be built for.

    Parameters
    ----------
    name : str
        Name on the command line, e.g. ``ulx3s-85f``.
    title : str
        Name for people.
    device : str
        Part, package and speed grade.
    family : str
        ``ecp5`` (placed and routed) or ``xcup`` (UltraScale+: synthesis only).
    make_platform : callable
        Returns a new platform object each time, since Amaranth's prepare once. What it needs of Amaranth it imports
        itself: the file's facts are read without.
    frequency : float
        Default clock of the accelerator in MHz: a constraint where the design is routed, an assumption where it is not.
    rows, cols : int
        Default shape of the array.
    resources : dict of str to int
        Cells of the device by the name which the report uses.
    multiplier, memory : str
        Which of those cells are the multipliers and the block memories.
    clock_input : float or None
        MHz of the oscillator; None without place-and-route.
    baud : int or None
        Rate of the serial link.
    max_width : int
        Default patch width in pixels, where it fits.
    shapes : dict of str to (int, int)
        Rows and columns for modes of the build that want others; see `licgate.manifest.architectures.MODES`.
    streamed : (int, int) or None
        Default rows and columns with external memory; None without.
    sdram : SdramTiming or None
        Of the board's SDR SDRAM, for ``--memory sdram``.
    axi_ports : int
        AXI4 ports of the board's own memory, for ``--memory axi``.
    memory_bandwidth : float or None
        Bytes a second of that memory at most, all ports together.
    notes : tuple of str
        What the report adds to its assumptions.

    Raises
    ------
    ConfigError
        A field makes no sense.
    """

    name: str
    title: str
    device: str
    family: str
    make_platform: Callable[[], Any]  # an Amaranth platform, which this room does not know
    frequency: float
    rows: int
    cols: int
    resources: Mapping[str, int]
    multiplier: str
    memory: str
    clock_input: float | None = None
    baud: int | None = None
    max_width: int = 768
    shapes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    streamed: tuple[int, int] | None = None
    sdram: SdramTiming | None = None
    axi_ports: int = 0
    memory_bandwidth: float | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise ConfigError(f"board {self.name}: family {self.family!r} is none of {', '.join(FAMILIES)}")
        for cell in (self.multiplier, self.memory):
            if cell not in self.resources:
                raise ConfigError(f"board {self.name}: {cell} is missing from its resources")
        for what, cell, known in (("multiplier", self.multiplier, MULTIPLIERS), ("memory", self.memory, BLOCKS)):
            if cell not in known:
                raise ConfigError(f"board {self.name}: {what} {cell!r} is none of {', '.join(known)}")
        if unknown := set(self.shapes) - set(MODES):
            raise ConfigError(f"board {self.name}: shapes for {', '.join(unknown)}, but modes are {', '.join(MODES)}")
        if self.routed and (self.clock_input is None or self.baud is None):
            raise ConfigError(f"board {self.name}: a routed board needs clock_input and baud")
        object.__setattr__(self, "shapes", MappingProxyType(dict(self.shapes)))
        object.__setattr__(self, "resources", MappingProxyType(dict(self.resources)))

    @property
    def routed(self) -> bool:
        """Whether there is an open place-and-route for the device."""
        return self.family == "ecp5"

    def shape(self, mode: str) -> tuple[int, int]:
        """Default rows and columns of a mode."""
        return self.shapes.get(mode, (self.rows, self.cols))

    @property
    def multipliers(self) -> int:
        """Multiplier blocks of the device."""
        return self.resources[self.multiplier]

    @property
    def memories(self) -> int:
        """Memory blocks of the device."""
        return self.resources[self.memory]

    @property
    def packed_bits(self) -> int:
        """Widest operand of the multipliers, see `AcceleratorConfig`."""
        return MULTIPLIERS[self.multiplier][0]

    @property
    def blocks(self) -> tuple[tuple[int, int], ...]:
        """(depth, width) of one memory block."""
        return BLOCKS[self.memory]

    @property
    def host_blocks(self) -> int:
        """Memory blocks of the host link, which designs that are only synthesised lack."""
        return HOST_BLOCKS if self.routed else 0

    def multiplier_cells(self, activation: int, weight: int) -> int:
        """Multipliers of one product of signed operands; each part beyond the first of an operand is a bit narrower."""
        operands = sorted((activation, weight), reverse=True)
        ports = MULTIPLIERS[self.multiplier]
        wide, narrow = (max(1, -(-(w - 1) // (port - 1))) for w, port in zip(operands, ports, strict=True))
        return wide * narrow


def boards_folder() -> Path:
    """Folder of the board files, beside the package."""
    return Path(__file__).resolve().parents[2] / "boards"


def _board_files(folder: Path | None) -> dict[str, Path]:
    folder = boards_folder() if folder is None else folder
    return {path.stem.replace("_", "-"): path for path in sorted(folder.glob("*.py"))}


def find_board(name: str, *, folder: Path | None = None) -> Board:
    """Load the board file of `name`.

    Raises
    ------
    ConfigError
        There is no such board, or its file does not define a `Board` named ``BOARD`` with that name.
    """
    files = _board_files(folder)
    path = files.get(name)
    if path is None:
        raise ConfigError(f"unknown board {name!r}; there are: {', '.join(files) or 'none'}")
    spec = importlib.util.spec_from_file_location(f"licgate_board_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"board file {path.name} is no Python")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    board = getattr(module, "BOARD", None)
    if not isinstance(board, Board) or board.name != name:
        raise ConfigError(f"board file {path.name} must define BOARD, a Board named {name!r}")
    return board


def list_boards(*, folder: Path | None = None) -> list[Board]:
    """All boards, by name."""
    return [find_board(name, folder=folder) for name in _board_files(folder)]
