"""Resources by component, counted from the hierarchical names in a flattened netlist."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

__all__ = ["component_of", "count_components", "count_components_of_file", "instances_of"]

#: Instances that only hold others: their parts are components of their own.
WRAPPERS = ("board", "linked", "accelerator", "system", "core", "engine")

KINDS = (
    (re.compile(r"LUT[1-6]$|INV$"), "LUT"),
    (re.compile(r"CCU2C$|CARRY[48]$"), "carry"),
    (re.compile(r"TRELLIS_FF$|FD[RSPC]E(_1)?$"), "FF"),
    (re.compile(r"TRELLIS_DPR16X4$|RAM(32|64|128|256)[MX].*|SRL.*"), "LUT RAM"),
    (re.compile(r"MULT18X18D$|DSP48E2$"), "multiplier"),
    (re.compile(r"DP16KD$|RAMB(18|36)E2$"), "block RAM"),
)


def instances_of(rtlil: str, top: str = "top") -> dict:
    """Tree of the instances in an RTLIL text: name to the tree below it."""
    modules: dict[str, dict[str, str]] = {}
    for line in rtlil.splitlines():
        words = line.split()
        if words[:1] == ["module"]:
            inside = modules.setdefault(words[1], {})
        elif words[:1] == ["cell"]:
            inside[words[2].removeprefix("\\")] = words[1]

    def tree(module: str) -> dict:
        return {name: tree(kind) for name, kind in modules[module].items() if kind in modules}

    return tree(f"\\{top}")


def component_of(cell: str, instances: dict) -> str:
    """Block which a cell of the flattened netlist belongs to.

    That is the outermost instance in its name, or the one inside a wrapper; elements of an array (``lane_0``,
    ``lane_1``) are one component, and so are the parts of several cores. What a wrapper holds itself is the wrapper's.
    """
    component = "top"
    for part in cell.split("."):
        if part not in instances:
            break
        component, instances = part, instances[part]
        if _unnumbered(part) not in WRAPPERS:
            break
    return _unnumbered(component)


def _unnumbered(name: str) -> str:
    return re.sub(r"(_\d+|\$\d+)+$", "", name)


def count_components(cells: dict[str, str], instances: dict) -> list[dict]:
    """Cells per component and kind, the largest component first, from cell name to cell type."""
    components: dict[str, Counter] = {}
    for name, cell_type in cells.items():
        for pattern, kind in KINDS:
            if pattern.match(cell_type):
                components.setdefault(component_of(name, instances), Counter())[kind] += 1
                break
    names = [kind for _, kind in KINDS]
    rows = [
        {"component": component, **{kind: counts[kind] for kind in names}} for component, counts in components.items()
    ]
    return sorted(rows, key=lambda row: (-row["LUT"] - row["multiplier"], row["component"]))


def count_components_of_file(netlist: Path, rtlil: Path, top: str = "top") -> list[dict]:
    """`count_components` of a netlist that Yosys wrote as JSON, with the hierarchy of the RTLIL it was made from."""
    with netlist.open() as file:
        cells = json.load(file)["modules"][top]["cells"]
    plain = str.maketrans({"\\": None})
    types = {name.replace("$flatten", "").translate(plain): cell["type"] for name, cell in cells.items()}
    return count_components(types, instances_of(rtlil.read_text(), top))
