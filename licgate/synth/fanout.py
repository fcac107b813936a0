"""Copies of registers that many read, each for a part of its readers.

A register in front of hundreds of readers makes its net cross the chip. In the source it would be of no use to write
copies: synthesis merges equal registers. So they are made behind it, where nothing is merged any more.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path

__all__ = ["copy_registers", "copy_registers_of_file"]

#: Readers of one register; a block RAM, which is as far from the next as many slices, counts as some.
MOST_READERS = 32
_WEIGHTS = {"DP16KD": 8}


def copy_registers_of_file(path: Path, top: str = "top") -> int:
    """Do so in a netlist that Yosys wrote as JSON; return the number of copies."""
    netlist = json.loads(path.read_text())
    count = copy_registers(netlist["modules"][top])
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(netlist))
    temporary.replace(path)
    return count


def copy_registers(module: dict, most: int = MOST_READERS) -> int:
    """Copy flip-flops of a module that have more than ``most`` readers, in place; return the number of copies.

    Copied is what comes from another flip-flop, or through one LUT4 from such, where another reader costs no time. A
    copy serves readers that are neighbours by their names, which are those of the design's hierarchy. Where a register
    with copies comes straight from another one with copies, each takes the other's copy of the same part of the names:
    a chain from neighbour to neighbour, of which synthesis has made one register a step, becomes many again.
    """
    cells = module["cells"]
    drivers, readers = {}, defaultdict(list)
    for name, cell in cells.items():
        for port, bits in cell["connections"].items():
            for index, bit in enumerate(bits):
                if not isinstance(bit, int):
                    continue
                if cell["port_directions"].get(port) == "output":
                    drivers[bit] = name
                else:
                    readers[bit].append((name, port, index))
    ports = {bit for port in module.get("ports", {}).values() for bit in port["bits"]}
    last = max([bit for bits in (drivers, readers, ports) for bit in bits if isinstance(bit, int)], default=1)
    copies, families = {}, {}
    for name, cell in cells.items():
        if cell["type"] != "TRELLIS_FF":
            continue
        (output,) = cell["connections"]["Q"]
        weights = [min(_WEIGHTS.get(cells[reader]["type"], 1), most) for reader, _, _ in readers[output]]
        if sum(weights) <= most or output in ports or not _is_quick(cells, drivers, cell):
            continue
        found = sorted(readers[output], key=_place)
        groups = min(-(-sum(weights) // most), len(found))
        families[name] = [cell]
        for k in range(1, groups):
            last += 1
            connections = {port: list(bits) for port, bits in cell["connections"].items()}
            # its driver, for those behind it, is as good as the cell itself
            drivers[last] = name
            copies[f"{name}_copy_{k}"] = copied = {**cell, "connections": {**connections, "Q": [last]}}
            families[name].append(copied)
            for reader, port, index in found[len(found) * k // groups : len(found) * (k + 1) // groups]:
                cells[reader]["connections"][port][index] = last
    for family in families.values():
        source = families.get(drivers.get(family[0]["connections"].get("DI", ["0"])[0]))
        if source is not None:
            for k, cell in enumerate(family):
                cell["connections"]["DI"] = list(source[k * len(source) // len(family)]["connections"]["Q"])
    cells.update(copies)
    return len(copies)


def _is_quick(cells, drivers, cell):
    """The flip-flop's data come from flip-flops, through one LUT4 at most."""
    source = cells.get(drivers.get(cell["connections"].get("DI", ["0"])[0]))
    if source is None or source["type"] == "TRELLIS_FF":
        return source is not None
    if source["type"] != "LUT4":
        return False
    inputs = [drivers.get(source["connections"][port][0]) for port in "ABCD" if port in source["connections"]]
    return all(name is None or cells[name]["type"] == "TRELLIS_FF" for name in inputs)


def _place(reader):
    """The reader's name, with numbers in their order."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", reader[0])]
