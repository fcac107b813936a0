"""Boards: what a board file says, and how board files are found."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from licgate.errors import ConfigError, LicgateError
from licgate.manifest.architectures import MODES
from licgate.resources import search_path, shipped_folder
from licgate.target.arithmetic import ARITHMETICS, DIRECT
from licgate.target.cells import BLOCK_RAMS, HOST_BLOCK_RAMS, MULTIPLIERS
from licgate.target.ethernet import EthernetFacts
from licgate.target.link import LINKS
from licgate.target.sdram import SdramTiming

__all__ = ["Board", "board_files", "find_board", "list_boards"]

#: Cells that the resources of a board of each family tell of.
FAMILIES = {
    "ecp5": {"TRELLIS_COMB", "TRELLIS_FF", "MULT18X18D", "DP16KD"},
    "xcup": {"LUT", "FF", "DSP48E2", "RAMB36"},
}


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
        Cells of the device by the name which the report uses, all of those in `FAMILIES`.
    multiplier, memory : str
        Which of those cells are the multipliers and the block RAMs.
    clock_input : float or None
        MHz of the oscillator; None without place-and-route.
    baud : int or None
        Rate of the serial link; None without one.
    rgmii : (int, int) or None
        Delays of received data and of the transmitted clock in ps, where there is a PHY for gigabit Ethernet behind an
        RGMII, for the link ``udp``.
    max_width : int
        Default patch width in pixels, where it fits.
    shapes : dict of str to (int, int)
        Rows and columns for modes of the build that want others; see `licgate.manifest.architectures.MODES`.
    arithmetics : dict of str to str
        How the array of a mode on the chip sums by default, where it is not ``direct``: one of `ARITHMETICS`.
    streamed : (int, int) or None
        Default rows and columns with external memory; None without.
    sdram : SdramTiming or None
        Of the board's SDR SDRAM, for ``--memory sdram``.
    axi_ports : int
        AXI4 ports of the board's own memory, for ``--memory axi``.
    memory_bandwidth : float or None
        Bytes a second of that memory at most, all ports together.
    usb : tuple of (int, int)
        Vendor and product of the USB devices that the serial port can belong to.
    usb_lines : bool
        D+ and D- of a USB cable are pins of the FPGA, resource ``usb`` of the platform, for the link ``usb``.
    loader : str or None
        What openFPGALoader calls the board.
    notes : tuple of str
        What the report adds to its assumptions.
    path : Path or None
        File that the board comes from; `find_board` fills it in.

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
    rgmii: tuple[int, int] | None = None
    max_width: int = 768
    shapes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    arithmetics: Mapping[str, str] = field(default_factory=dict)
    streamed: tuple[int, int] | None = None
    sdram: SdramTiming | None = None
    axi_ports: int = 0
    memory_bandwidth: float | None = None
    usb: tuple[tuple[int, int], ...] = ()
    usb_lines: bool = False
    loader: str | None = None
    notes: tuple[str, ...] = ()
    path: Path | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise ConfigError(f"board {self.name}: family {self.family!r} is none of {', '.join(FAMILIES)}")
        for cell in (self.multiplier, self.memory):
            if cell not in self.resources:
                raise ConfigError(f"board {self.name}: {cell} is missing from its resources")
        for what, cell, known in (("multiplier", self.multiplier, MULTIPLIERS), ("memory", self.memory, BLOCK_RAMS)):
            if cell not in known:
                raise ConfigError(f"board {self.name}: {what} {cell!r} is none of {', '.join(known)}")
        for what in ("shapes", "arithmetics"):
            if unknown := set(getattr(self, what)) - set(MODES):
                named, modes = ", ".join(sorted(unknown)), ", ".join(MODES)
                raise ConfigError(f"board {self.name}: {what} for {named}, but modes are {modes}")
        if unknown := set(self.arithmetics.values()) - set(ARITHMETICS):
            named, names = ", ".join(sorted(unknown)), ", ".join(ARITHMETICS)
            raise ConfigError(f"board {self.name}: arithmetic {named} is none of {names}")
        if self.routed and (self.clock_input is None or not self.links):
            raise ConfigError(f"board {self.name}: a routed board needs clock_input, and baud or rgmii")
        if set(self.resources) != FAMILIES[self.family]:
            cells = ", ".join(sorted(FAMILIES[self.family]))
            raise ConfigError(f"board {self.name}: resources of family {self.family} are {cells}")
        for what in ("shapes", "arithmetics", "resources"):
            object.__setattr__(self, what, MappingProxyType(dict(getattr(self, what))))

    @property
    def routed(self) -> bool:
        """Whether there is an open place-and-route for the device."""
        return self.family == "ecp5"

    def platform(self) -> Any:
        """Make the platform.

        Raises
        ------
        ConfigError
            The board file fails at it.
        """
        try:
            return self.make_platform()
        except LicgateError:
            raise
        except Exception as error:
            raise _fault(self.path, error) from None

    @property
    def own_file(self) -> Path | None:
        """File of a board that is not part of this installation; None for one that is."""
        return None if self.path is None or self.path.parent == shipped_folder("boards").resolve() else self.path

    @property
    def reference(self) -> str:
        """What finds this board again, in a process that is started here: name, or path of its file."""
        return self.name if self.own_file is None else str(self.own_file)

    def check_link(self, link: str) -> str:
        """Refuse a way to the host that the board has not, by a ConfigError; else return it."""
        if link not in self.links:
            there = f"it has: {', '.join(self.links)}" if self.links else "it has none"
            raise ConfigError(f"board {self.name} has no --link {link}; {there}")
        return link

    def shape(self, mode: str) -> tuple[int, int]:
        """Default rows and columns of a mode."""
        return self.shapes.get(mode, (self.rows, self.cols))

    def arithmetic(self, mode: str) -> str:
        """How the array of a mode on the chip sums by default."""
        return self.arithmetics.get(mode, DIRECT.name)

    @property
    def multipliers(self) -> int:
        """Multiplier blocks of the device."""
        return self.resources[self.multiplier]

    @property
    def memories(self) -> int:
        """Block RAMs of the device."""
        return self.resources[self.memory]

    @property
    def packed_bits(self) -> int:
        """Widest operand of the multipliers, see `AcceleratorConfig`."""
        return MULTIPLIERS[self.multiplier][0]

    @property
    def block_rams(self) -> tuple[tuple[int, int], ...]:
        """(depth, width) of one block RAM."""
        return BLOCK_RAMS[self.memory]

    @property
    def links(self) -> tuple[str, ...]:
        """Ways to a host, the default first: some of `licgate.target.link.LINKS`."""
        there = {"serial": self.baud is not None, "usb": self.usb_lines, "udp": self.rgmii is not None}
        return tuple(name for name in LINKS if there[name])

    @property
    def default_link(self) -> str:
        """The first of ``links``; ``serial`` where there is none, as nothing is asked of it then."""
        return next(iter(self.links), LINKS[0])

    @property
    def host_block_rams(self) -> int:
        """Block RAMs of the default host link, which designs that are only synthesised lack."""
        return self.link_block_rams(self.default_ethernet)

    @property
    def default_ethernet(self) -> EthernetFacts | None:
        """Of the default link, where it is one over Ethernet."""
        return EthernetFacts() if self.default_link == "udp" else None

    def link_block_rams(self, ethernet: EthernetFacts | None) -> int:
        """Block RAMs of a host link: of its frames, and where it is over Ethernet of its buffers."""
        return (HOST_BLOCK_RAMS if self.routed else 0) + (ethernet.block_rams if ethernet else 0)

    def multiplier_cells(self, activation: int, weight: int) -> int:
        """Multipliers of one product of signed operands; each part beyond the first of an operand is a bit narrower."""
        operands = sorted((activation, weight), reverse=True)
        ports = MULTIPLIERS[self.multiplier]
        wide, narrow = (max(1, -(-(w - 1) // (port - 1))) for w, port in zip(operands, ports, strict=True))
        return wide * narrow


def board_files(folder: Path | None = None) -> dict[str, Path]:
    """Board files by the names of their boards: of `folder`, or of the search path, where the first one counts."""
    files: dict[str, Path] = {}
    for base in search_path("boards") if folder is None else [folder]:
        for path in base.glob("[!_]*.py"):
            files.setdefault(path.stem.replace("_", "-"), path)
    return dict(sorted(files.items()))


def find_board(board: str, *, folder: Path | None = None) -> Board:
    """Load a board file.

    Parameters
    ----------
    board : str
        A name, or the path of a board file, which ends in ``.py``.
    folder : Path, optional
        Where names are looked up instead of the search path, see `licgate.resources.search_path`.

    Raises
    ------
    ConfigError
        There is no such board, or its file does not define a `Board` named ``BOARD``, with the name of the file.
    """
    files = board_files(folder)
    if board in files:
        return _load(files[board], board)
    if board.endswith(".py"):
        return _load(Path(board), None)
    raise ConfigError(
        f"unknown board {board!r}; there are: {', '.join(files) or 'none'} (or give a path to a board file, NAME.py)"
    )


def _load(path: Path, name: str | None) -> Board:
    """Run a board file; whatever it does wrong is one line."""
    try:
        path = path.resolve()
        if not path.is_file():
            raise ConfigError(f"no board file {path}")
        module = ModuleType(f"licgate_board_{path.stem}")
        module.__file__ = str(path)
        SourceFileLoader(module.__name__, str(path)).exec_module(module)
    except LicgateError:
        raise
    except (Exception, SystemExit) as error:
        raise _fault(path, error) from None
    board = getattr(module, "BOARD", None)
    if not isinstance(board, Board) or (name is not None and board.name != name):
        wanted = "a Board" if name is None else f"a Board named {name!r}"
        raise ConfigError(f"board file {path} must define BOARD, {wanted}")
    return replace(board, path=path)


def _fault(path: Path | None, error: BaseException) -> ConfigError:
    """What a board file does wrong, in one line: a file of somebody's own can raise anything."""
    frames = traceback.walk_tb(error.__traceback__)
    lines = [line for frame, line in frames if frame.f_code.co_filename == str(path)]
    where = f"{path}, line {lines[-1]}" if lines else str(path)
    return ConfigError(f"board file {where}: {type(error).__name__}: {error}")


def list_boards(*, folder: Path | None = None) -> list[Board]:
    """All boards, by name."""
    return [find_board(name, folder=folder) for name in board_files(folder)]
