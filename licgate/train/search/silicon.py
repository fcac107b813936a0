"""Facts of the boards as plain numbers, for code that must not load amaranth; a test holds them to the board files."""

from __future__ import annotations

from dataclasses import dataclass

from licgate.errors import TrainingError
from licgate.perf.memories import BLOCKS, HOST_BLOCKS


@dataclass(frozen=True, kw_only=True)
class Silicon:
    """What a board offers to the array.

    Attributes
    ----------
    name : str
    multiplier, memory : str
        Cells of the device.
    multipliers, memories : int
        How many of them there are.
    ports : tuple of int
        Signed widths of the two operands of a multiplier, the wider one first.
    blocks : tuple of tuple of int
        (depth, width) of one memory cell.
    rows, cols, max_width : int
        Shape of the board's default accelerator.
    clock_mhz : float
        Its clock.
    host_blocks : int
        Memory cells of the host link.
    """

    name: str
    multiplier: str
    multipliers: int
    ports: tuple[int, int]
    memory: str
    memories: int
    blocks: tuple
    rows: int
    cols: int
    max_width: int
    clock_mhz: float
    host_blocks: int

    @property
    def packing(self) -> int:
        """Bits that a + 2w may take so that two products by one activation of a bits share a multiplier."""
        return self.ports[0]

    def multiplier_cells(self, activation: int, weight: int) -> int:
        """Multipliers of one product of signed operands; each part beyond the first of an operand is a bit narrower."""
        wide, narrow = sorted((activation, weight), reverse=True)
        parts = (max(1, -(-(width - 1) // (port - 1))) for width, port in zip((wide, narrow), self.ports, strict=True))
        first, second = parts
        return first * second


def _ecp5(name: str) -> Silicon:
    return Silicon(
        name=name,
        multiplier="MULT18X18D",
        multipliers=156,
        ports=(18, 18),
        memory="DP16KD",
        memories=208,
        blocks=BLOCKS["DP16KD"],
        rows=8,
        cols=12,
        max_width=768,
        clock_mhz=100.0,
        host_blocks=HOST_BLOCKS,
    )


BOARDS = {
    "ulx3s-85f": _ecp5("ulx3s-85f"),
    "ecpix5-85f": _ecp5("ecpix5-85f"),
    "zcu102": Silicon(
        name="zcu102",
        multiplier="DSP48E2",
        multipliers=2520,
        ports=(27, 18),
        memory="RAMB36",
        memories=912,
        blocks=BLOCKS["RAMB36"],
        rows=24,
        cols=12,
        max_width=1280,
        clock_mhz=200.0,
        host_blocks=0,
    ),
}


def find_silicon(name: str) -> Silicon:
    """Look a board up.

    Raises
    ------
    TrainingError
        When it is not in the table.
    """
    if name not in BOARDS:
        raise TrainingError(f"board {name!r} is unknown: choose {', '.join(BOARDS)}")
    return BOARDS[name]
