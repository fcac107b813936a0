"""Output registers that move into the block RAMs."""

import copy

import pytest

from licgate.synth.outreg import absorb_output_registers


def flip_flop(data, q, **changes):
    cell = {
        "type": "TRELLIS_FF",
        "parameters": {"CEMUX": "1 ", "CLKMUX": "CLK", "LSRMUX": "LSR", "REGSET": "RESET"},
        "port_directions": {"CLK": "input", "DI": "input", "LSR": "input", "Q": "output", "CE": "input"},
        "connections": {"CLK": [2], "DI": [data], "LSR": ["0"], "Q": [q]},
    }
    for key, value in changes.items():
        cell["parameters" if key in ("CEMUX", "REGSET", "CLKMUX") else "connections"][key] = value
    return cell


def netlist(**changes):
    memory = {
        "type": "DP16KD",
        "parameters": {"REGMODE_A": "NOREG", "REGMODE_B": "NOREG"},
        "port_directions": {"DOA0": "output", "DOA1": "output", "DOB0": "output"},
        "connections": {
            "CLKA": [2],
            "CEA": ["1"],
            "OCEA": ["1"],
            "RSTA": ["0"],
            "CLKB": [2],
            "CEB": ["1"],
            "OCEB": ["1"],
            "RSTB": ["0"],
            "DOA0": [10],
            "DOA1": [11],
            "DOB0": [12],
        },
    }
    return {
        "ports": {"q": {"bits": [20, 21]}},
        "cells": {"memory": memory, "r0": flip_flop(10, 20), "r1": flip_flop(11, 21, **changes)},
    }


def test_the_flip_flops_become_the_blocks_own():
    module = netlist()
    assert absorb_output_registers(module) == 1
    assert list(module["cells"]) == ["memory"]
    memory = module["cells"]["memory"]
    assert (memory["connections"]["DOA0"], memory["connections"]["DOA1"]) == ([20], [21])
    assert memory["parameters"] == {"REGMODE_A": "OUTREG", "REGMODE_B": "NOREG"}
    assert absorb_output_registers(module) == 0


@pytest.mark.parametrize(
    "changes",
    [{"CE": [5]}, {"LSR": [5]}, {"CLK": [3]}, {"REGSET": "SET"}, {"CLKMUX": "INV"}, {"CEMUX": "INV"}, {"M": [9]}],
)
def test_one_flip_flop_that_does_more_keeps_all_outside(changes):
    module = netlist(**changes)
    before = copy.deepcopy(module)
    assert absorb_output_registers(module) == 0
    assert module == before


@pytest.mark.parametrize(("pin", "value"), [("CEA", [7]), ("OCEA", [7]), ("RSTA", [7])])
def test_a_port_that_stops_or_resets_is_left_alone(pin, value):
    module = netlist()
    module["cells"]["memory"]["connections"][pin] = value
    assert absorb_output_registers(module) == 0


def test_the_enable_of_an_unused_register_is_switched_on():
    module = netlist()
    module["cells"]["memory"]["connections"]["OCEA"] = ["0"]
    assert absorb_output_registers(module) == 1
    assert module["cells"]["memory"]["connections"]["OCEA"] == ["1"]


@pytest.mark.parametrize("other", [{}, {"CE": [5]}])
def test_both_halves_of_a_wide_block_or_none(other):
    module = netlist()
    module["cells"]["memory"]["parameters"]["DATA_WIDTH_B"] = f"{36:032b}"
    module["cells"]["r2"] = flip_flop(12, 22, **other)
    assert absorb_output_registers(module) == (0 if other else 2)
    modes = {module["cells"]["memory"]["parameters"][f"REGMODE_{side}"] for side in "AB"}
    assert modes == {"NOREG" if other else "OUTREG"}


def test_the_writing_side_of_a_wide_block_says_nothing_of_its_reads():
    module = netlist()
    memory = module["cells"]["memory"]
    memory["parameters"]["DATA_WIDTH_B"] = f"{36:032b}"
    memory["connections"] |= {"CLKA": [7], "CEA": [8], "OCEA": ["0"], "RSTA": [9]}
    module["cells"]["r2"] = flip_flop(12, 22)
    assert absorb_output_registers(module) == 2
    assert (memory["parameters"]["REGMODE_A"], memory["parameters"]["REGMODE_B"]) == ("OUTREG", "OUTREG")
    assert (memory["connections"]["OCEA"], memory["connections"]["OCEB"]) == (["1"], ["1"])


@pytest.mark.parametrize(("pin", "value"), [("CEB", [7]), ("CEB", ["0"]), ("OCEB", [7]), ("RSTB", [7]), ("CLKB", [7])])
def test_the_reading_side_of_a_wide_block_does(pin, value):
    module = netlist()
    memory = module["cells"]["memory"]
    memory["parameters"]["DATA_WIDTH_B"] = f"{36:032b}"
    memory["connections"][pin] = value
    module["cells"]["r2"] = flip_flop(12, 22)
    assert absorb_output_registers(module) == 0


def test_an_output_with_another_reader_is_left_alone():
    module = netlist()
    module["ports"]["tap"] = {"bits": [10]}
    assert absorb_output_registers(module) == 0
    module = netlist()
    module["cells"]["extra"] = flip_flop(11, 30)
    assert absorb_output_registers(module) == 0
