"""Cells of ECP5 against models of their own in Python, written from the documentation and not from the Verilog."""

import itertools
import random

import pytest

from tests.sim.cellkit import bits, columns, run_cells

pytestmark = pytest.mark.synth


def table(init, *inputs):
    return init >> sum(bit << k for k, bit in enumerate(inputs)) & 1


def test_tables_and_multiplexers():
    inits = [0xCAFE, 0x0001, 0x8000, 0x6996]
    cells = [("LUT4", {"INIT": f"16'h{init:04x}"}, list("ABCD"), ["Z"]) for init in inits]
    cells += [("PFUMX", {}, ["ALUT", "BLUT", "C0"], ["Z"]), ("L6MUX21", {}, ["D0", "D1", "SD"], ["Z"])]
    rows = [[*row, *row, *row, *row, *row[:3], *row[:3]] for row in itertools.product((0, 1), repeat=4)]
    for row, shown in zip(rows, run_cells(cells, rows), strict=True):
        a, b, c, d = row[:4]
        assert shown == [*(table(init, a, b, c, d) for init in inits), a if c else b, b if c else a]


def carry_bit(init, inject, a, b, c, d, carry):
    """Sum and carry out, as the family's carry chain has them."""
    propagate, generate = table(init, a, b, c, d), table(init & 0xF, a, b)
    if inject:
        return propagate, carry if propagate else 0
    return propagate ^ carry, carry if propagate else generate


def test_carry_chains_in_both_of_their_cells():
    source = random.Random(1)
    settings = [(0x96AA, 0x96AA, False, False), (0xA6AA, 0x66AA, False, True), (0x1234, 0xF0C5, True, False)]
    names = ["CIN", *(f"{pin}{k}" for k in range(2) for pin in "ABCD")]
    cells, yes = [], ['"NO"', '"YES"']
    for i0, i1, j0, j1 in settings:
        inits = {"INIT0": f"16'h{i0:04x}", "INIT1": f"16'h{i1:04x}", "INJECT1_0": yes[j0], "INJECT1_1": yes[j1]}
        cells.append(("CCU2C", inits, names, ["S0", "S1", "COUT"]))
        half = {"MODE": '"CCU2"', "INITVAL": f"16'h{i0:04x}", "CCU2_INJECT1": yes[j0]}
        cells.append(("TRELLIS_COMB", half, ["FCI", *"ABCD"], ["F", "FCO"]))
    rows = []
    for _ in range(300):
        row = [source.randrange(2) for _ in range(9)]
        rows.append([*row, *row[:5]] * len(settings))
    for row, shown in zip(rows, run_cells(cells, rows), strict=True):
        expected = []
        for i0, i1, j0, j1 in settings:
            s0, between = carry_bit(i0, j0, *row[1:5], row[0])
            s1, out = carry_bit(i1, j1, *row[5:9], between)
            expected += [s0, s1, out, s0, between]
        assert shown == expected


FLIP_FLOPS = [
    {},
    {"CEMUX": "CE"},
    {"CEMUX": "INV", "REGSET": "SET"},
    {"CEMUX": "0"},
    {"LSRMUX": "INV", "CEMUX": "CE", "REGSET": "SET"},
    {"SD": "0", "CEMUX": "CE"},
    {"LSRMODE": "PRLD"},
    {"SRMODE": "ASYNC", "CEMUX": "CE"},
    {"SRMODE": "ASYNC", "REGSET": "SET", "LSRMUX": "INV"},
]


def test_flip_flops_of_all_modes():
    source = random.Random(2)
    cells = [
        ("TRELLIS_FF", {k: f'"{v}"' for k, v in f.items()}, ["CLK", "LSR", "CE", "DI", "M"], ["Q"]) for f in FLIP_FLOPS
    ]
    rows = [[source.random() < 0.3, *(source.randrange(2) for _ in range(3))] for _ in range(400)]
    rows = [[int(bit) for bit in row] for row in rows]
    states = [int(f.get("REGSET") == "SET") for f in FLIP_FLOPS]
    shown = run_cells(cells, [row * len(cells) for row in rows])
    for (lsr, ce, di, m), seen in zip(rows, shown, strict=True):
        for k, f in enumerate(FLIP_FLOPS):
            reset = lsr ^ (f.get("LSRMUX") == "INV")
            value = m if f.get("LSRMODE") == "PRLD" else int(f.get("REGSET") == "SET")
            if reset and f.get("SRMODE") == "ASYNC":
                states[k] = value
            assert seen[k] == states[k], f
            enable = {"CE": ce, "INV": 1 - ce, "0": 0, "1": 1}[f.get("CEMUX", "1")]
            if reset:
                states[k] = value
            elif enable:
                states[k] = m if f.get("SD") == "0" else di


def test_distributed_memory_in_both_of_its_cells():
    source = random.Random(3)
    init = source.getrandbits(64)
    contents = [init >> 4 * k & 15 for k in range(16)]
    first = [word & 1 for word in contents]
    # nextpnr reorders the contents by the pins that the address comes to: D, B, C, A from its lowest bit
    by_index = sum(first[k >> 3 & 1 | (k >> 1 & 1) << 1 | (k >> 2 & 1) << 2 | (k & 1) << 3] << k for k in range(16))
    cells = [
        ("TRELLIS_DPR16X4", {"INITVAL": f"64'h{init:016x}"}, ["WCK", "WRE", "WAD:4", "DI:4", "RAD:4"], ["DO:4"]),
        (
            "TRELLIS_COMB",
            {"MODE": '"DPRAM"', "INITVAL": f"16'h{by_index:04x}"},
            ["WCK", "WRE", "WAD0", "WAD1", "WAD2", "WAD3", "WD", "D", "B", "C", "A"],
            ["F"],
        ),
    ]
    rows, expected = [], []
    for _ in range(300):
        enable, to, data, at = (source.randrange(n) for n in (2, 16, 16, 16))
        rows.append([enable, *bits(to, 4), *bits(data, 4), *bits(at, 4), enable, *bits(to, 4), data & 1, *bits(at, 4)])
        expected.append([contents[at], first[at]])
        if enable:
            contents[to], first[to] = data, data & 1
    assert columns(run_cells(cells, rows), 4, 1) == expected
    # what leads there keeps the order of the pins
    order = ["D0", "B0", "C0", "A0", "C1", "A1", "D1", "B1"]
    pins = [*(f"WADO{k}" for k in range(4)), *(f"WDO{k}" for k in range(4))]
    rows = [bits(k, 8) for k in range(0, 256, 7)]
    assert run_cells([("TRELLIS_RAMW", {}, order, pins)], rows) == rows


def test_multipliers_with_and_without_their_registers():
    source = random.Random(4)
    names = [f"A{k}" for k in range(18)] + [f"B{k}" for k in range(18)]
    pins = ["CLK0", *names, "SIGNEDA", "SIGNEDB", "CE0", "RST0"]
    # registers at the operands, in the middle and at the product
    settings = [(1, 1, 1), (0, 0, 0), (1, 0, 1), (0, 1, 0)]
    cells = []
    for at_operands, middle, product in settings:
        has = {"INPUTA": at_operands, "INPUTB": at_operands, "PIPELINE": middle, "OUTPUT": product}
        parameters = {f"REG_{name}_CLK": '"CLK0"' if there else '"NONE"' for name, there in has.items()}
        cells.append(("MULT18X18D", parameters, pins, [f"P{k}" for k in range(36)]))
    rows, expected = [], []
    states = [[[0, 0], 0, 0] for _ in settings]
    for _ in range(300):
        a, b = (source.choice((source.getrandbits(18), 1 << 17, (1 << 18) - 1, 0)) for _ in range(2))
        signed_a, signed_b = source.randrange(2), source.randrange(2)
        enable, reset = int(source.random() < 0.9), int(source.random() < 0.05)
        rows.append([*bits(a, 18), *bits(b, 18), signed_a, signed_b, enable, reset] * len(settings))
        value_a = a - (1 << 18) if signed_a and a >> 17 else a
        value_b = b - (1 << 18) if signed_b and b >> 17 else b
        shown = []
        for (at_operands, middle, product), state in zip(settings, states, strict=True):
            x, y = state[0] if at_operands else (value_a, value_b)
            half = state[1] if middle else x * y
            shown.append((state[2] if product else half) % (1 << 36))
            if reset:
                state[:] = [[0, 0], 0, 0]
            elif enable:
                state[:] = [[value_a, value_b], x * y, half]
        expected.append(shown)
    assert columns(run_cells(cells, rows), *[36] * len(settings)) == expected
