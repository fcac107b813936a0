"""Resources by block, counted from the hierarchical names in a flattened netlist."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

__all__ = ["block_of", "count_blocks", "count_blocks_of_file"]

#: The instance of the accelerator in a board's top; its parts are blocks of their own.
ACCELERATOR = "accelerator"

KINDS = (
    (re.compile(r"LUT[1-6]$|INV$"), "LUT"),
    (re.compile(r"CCU2C$|CARRY[48]$"), "carry"),
    (re.compile(r"TRELLIS_FF$|FD[RSPC]E(_1)?$"), "FF"),
    (re.compile(r"TRELLIS_DPR16X4$|RAM(32|64|128|256)[MX].*|SRL.*"), "LUT RAM"),
    (re.compile(r"MULT18X18D$|DSP48E2$"), "multiplier"),
    (re.compile(r"DP16KD$|RAMB(18|36)E2$"), "block RAM"),
)


def block_of(cell: str) -> str:
    """Block which a cell belongs to: the outermost named instance, array elements (``lane_0``, ``lane_1``) as one."""
    parts = [part for part in cell.split(".")[:-1] if part and not part.startswith("$")]
    if parts[:1] == [ACCELERATOR]:
        parts = parts[1:] or [ACCELERATOR]
    return re.sub(r"(_\d+)+$", "", parts[0]) if parts else "top"


def count_blocks(cells: dict[str, str]) -> list[dict]:
    """Cells per block and kind, the largest block first, from cell name to cell type."""
    blocks: dict[str, Counter] = {}
    for name, cell_type in cells.items():
        for pattern, kind in KINDS:
            if pattern.match(cell_type):
                blocks.setdefault(block_of(name), Counter())[kind] += 1
                break
    names = [kind for _, kind in KINDS]
    rows = [{"block": block, **{kind: counts[kind] for kind in names}} for block, counts in blocks.items()]
    return sorted(rows, key=lambda row: (-row["LUT"] - row["multiplier"], row["block"]))


def count_blocks_of_file(netlist: Path, top: str = "top") -> list[dict]:
    """`count_blocks` of a netlist that Yosys wrote as JSON."""
    with netlist.open() as file:
        cells = json.load(file)["modules"][top]["cells"]
    plain = str.maketrans({"\\": None})
    return count_blocks({name.replace("$flatten", "").translate(plain): cell["type"] for name, cell in cells.items()})
