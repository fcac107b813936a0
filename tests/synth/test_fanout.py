"""Copies of registers that many read: the same logic, fewer readers each."""

import copy
import itertools
from collections import Counter

import pytest

from licgate.synth.fanout import copy_registers

CLOCK, DATA, ENABLE = 2, 3, 4


def cell(kind, output, **inputs):
    out = "Q" if kind == "TRELLIS_FF" else "Z"
    return {
        "type": kind,
        "port_directions": {**dict.fromkeys(inputs, "input"), out: "output"},
        "connections": {**{port: [bit] for port, bit in inputs.items()}, out: [output]},
    }


def netlist(readers, source="TRELLIS_FF", deep=False):
    """A register behind a flip-flop or a LUT4, in front of many LUT4."""
    cells = {
        "early": cell("TRELLIS_FF", 5, CLK=CLOCK, DI=DATA),
        "other": cell("LUT4" if deep else "TRELLIS_FF", 8, **({"A": 5} if deep else {"CLK": CLOCK, "DI": 5})),
        "source": cell("TRELLIS_FF", 6, CLK=CLOCK, DI=5)
        if source == "TRELLIS_FF"
        else cell("LUT4", 6, A=5, B=8, C="0"),
        "wide": cell("TRELLIS_FF", 7, CLK=CLOCK, DI=6, CE=ENABLE),
    }
    for k in range(readers):
        cells[f"row_{k}.value"] = cell("LUT4", 100 + k, A=5, B=7)
    return {"ports": {"clk": {"bits": [CLOCK]}, "y": {"bits": [100 + k for k in range(readers)]}}, "cells": cells}


def drivers(module):
    return {c["connections"]["Q"][0]: name for name, c in module["cells"].items() if c["type"] == "TRELLIS_FF"}


@pytest.mark.parametrize("source", ["TRELLIS_FF", "LUT4"])
@pytest.mark.parametrize(("readers", "registers"), [(5, 1), (6, 2), (10, 2), (11, 3), (50, 10)])
def test_no_copy_has_more_readers_than_allowed(source, readers, registers):
    module = netlist(readers, source)
    before = copy.deepcopy(module)
    # the register in front has the LUT4 too, and is copied with them
    count = copy_registers(module, most=5)
    of = drivers(module)
    served = Counter(of[c["connections"]["B"][0]] for n, c in module["cells"].items() if n.startswith("row_"))
    assert len(served) == registers
    assert max(served.values()) <= 5
    assert count == len(module["cells"]) - len(before["cells"])
    for name in served:
        made = module["cells"][name]["connections"]
        assert (made["DI"], made["CLK"], made["CE"]) == ([6], [CLOCK], [ENABLE])
    # nothing else has changed
    for name, old in before["cells"].items():
        new = module["cells"][name]
        assert new["type"] == old["type"]
        assert new["connections"].keys() == old["connections"].keys()


def test_neighbours_by_name_share_a_copy():
    module = netlist(12)
    copy_registers(module, most=4)
    shared = [module["cells"][f"row_{k}.value"]["connections"]["B"] for k in range(12)]
    assert all(len({tuple(bit) for bit in shared[k : k + 4]}) == 1 for k in (0, 4, 8))
    assert len({tuple(bit) for bit in shared}) == 3


@pytest.mark.parametrize("what", ["behind two LUT4", "at a port", "behind a port"])
def test_what_would_cost_time_or_a_port_stays(what):
    module = netlist(12, "LUT4", deep=what == "behind two LUT4")
    if what == "at a port":
        module["ports"]["wide"] = {"bits": [7]}
    if what == "behind a port":
        module["cells"]["wide"]["connections"]["DI"] = [DATA]
    copy_registers(module, most=4)
    assert not any(name.startswith("wide_copy") for name in module["cells"])


def test_a_chain_of_copied_registers_stays_a_chain_of_neighbours():
    """Each copy comes from that copy of the register in front which serves the same part of the names."""
    steps, rows = 4, 12
    cells = {"first": cell("TRELLIS_FF", 10, CLK=CLOCK, DI=DATA)}
    for step in range(steps):
        cells[f"step_{step}"] = cell("TRELLIS_FF", 11 + step, CLK=CLOCK, DI=10 + step)
        for row in range(rows):
            cells[f"row_{row}.at_{step}"] = cell("TRELLIS_FF", 100 + step * rows + row, CLK=CLOCK, LSR=11 + step)
    module = {"ports": {"clk": {"bits": [CLOCK]}}, "cells": cells}
    copy_registers(module, most=5)
    of = drivers(module)
    serving = [
        [of[cells[f"row_{row}.at_{step}"]["connections"]["LSR"][0]] for row in range(rows)] for step in range(steps)
    ]
    assert all(max(Counter(names).values()) <= 5 for names in serving)
    assert all(len(set(names)) == 3 for names in serving)
    for front, behind in itertools.pairwise(serving):
        for at, name in zip(front, behind, strict=True):
            assert of[cells[name]["connections"]["DI"][0]] == at


def test_a_block_ram_counts_as_several_readers():
    for kind, registers in (("LUT4", 1), ("DP16KD", 3)):
        module = netlist(0)
        for k in range(9):
            module["cells"][f"bank_{k}"] = cell(kind, 100 + k, A=7)
        copy_registers(module, most=24)
        of = drivers(module)
        served = Counter(of[module["cells"][f"bank_{k}"]["connections"]["A"][0]] for k in range(9))
        assert sorted(served.values()) == [9 // registers] * registers
