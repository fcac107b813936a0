"""The model of the block RAM in all widths and modes, and what it gives where a read meets a write."""

import random

import pytest

from tests.sim.blockram import BlockRam, Port, places
from tests.sim.cellkit import bits, columns, run_cells

pytestmark = pytest.mark.synth

PINS = [
    "CLKA",
    *(f"{group}{side}{k}" for side in "AB" for group, n in (("DI", 18), ("AD", 14)) for k in range(n)),
    *(f"{pin}{side}" for side in "AB" for pin in ("CE", "OCE", "WE", "RST")),
    "CLKB",
]
OUTPUTS = [f"DO{side}{k}" for side in "AB" for k in range(18)]
# widths, modes while they write, output registers
SETTINGS = [
    ((18, 18), ("NORMAL", "READBEFOREWRITE"), (False, True)),
    ((9, 18), ("WRITETHROUGH", "NORMAL"), (True, False)),
    ((4, 9), ("READBEFOREWRITE", "NORMAL"), (False, False)),
    ((2, 1), ("WRITETHROUGH", "READBEFOREWRITE"), (True, True)),
    ((1, 4), ("NORMAL", "NORMAL"), (False, True)),
]
WIDE = [(36, False), (36, True), (18, True), (9, False), (4, True), (1, False)]


def contents(source):
    """Random contents, and the parameters that they are."""
    words = [source.getrandbits(18) for _ in range(1024)]
    parameters = {}
    for block in range(64):
        value = sum(word << 20 * k for k, word in enumerate(words[16 * block : 16 * block + 16]))
        parameters[f"INITVAL_{block:02X}"] = f"320'h{value:x}"
    return [word >> k & 1 for word in words for k in range(18)], parameters


def address(source, width):
    """One of few words, so that ports meet."""
    return source.randrange(64) if width < 18 else source.randrange(4) << 4 | source.randrange(4)


def pins(a, b):
    row = [*bits(a.data, 18), *bits(a.address, 14), *bits(b.data, 18), *bits(b.address, 14)]
    return [*row, *(v for p in (a, b) for v in (p.ce, p.oce, p.we, p.rst))]


@pytest.mark.slow
def test_two_ports_of_every_width():
    source = random.Random(1)
    init, parameters = contents(source)
    cells, rams = [], []
    for widths, modes, registered in SETTINGS:
        more = {f"DATA_WIDTH_{side}": widths[k] for k, side in enumerate("AB")}
        more |= {f"WRITEMODE_{side}": f'"{modes[k]}"' for k, side in enumerate("AB")}
        more |= {f"REGMODE_{side}": '"OUTREG"' if registered[k] else '"NOREG"' for k, side in enumerate("AB")}
        cells.append(("DP16KD", parameters | more, PINS, OUTPUTS))
        rams.append(BlockRam(widths, modes, registered, init))
    rows, expected = [], []
    for _ in range(500):
        row, shown = [], []
        for ram in rams:
            shown.append(ram.shown())
            while True:
                ports = []
                for width in ram.widths:
                    ce, we, oce = (int(source.random() < share) for share in (0.9, 0.4, 0.8))
                    where = address(source, width)
                    ports.append(
                        Port(where, source.getrandbits(18), ce=ce, we=we, oce=oce, rst=int(source.random() < 0.05))
                    )
                # where they meet comes below; two that write meet in a byte
                unit = 9 if ports[0].we and ports[1].we else 1
                reached = [
                    {place // unit for place in places(w, p.address)[0]} for w, p in zip(ram.widths, ports, strict=True)
                ]
                if not (reached[0] & reached[1] and (ports[0].we or ports[1].we)):
                    break
            ram.tick(ports)
            row += pins(*ports)
        rows.append(row)
        expected.append(shown)
    found = columns(run_cells(cells, rows), *[18] * 2 * len(rams))
    for seen, shown in zip(found, expected, strict=True):
        wanted = [value for pair in shown for value in pair]
        assert seen == wanted


@pytest.mark.regress
@pytest.mark.slow
def test_words_of_36_bits_written_by_one_port_and_read_by_the_other():
    source = random.Random(2)
    init, parameters = contents(source)
    cells, rams = [], []
    for width, registered in WIDE:
        mode = '"OUTREG"' if registered else '"NOREG"'
        more = {"DATA_WIDTH_A": 36, "DATA_WIDTH_B": width, "REGMODE_A": mode, "REGMODE_B": mode}
        cells.append(("DP16KD", parameters | more, PINS, OUTPUTS))
        rams.append(BlockRam((36, width), ("NORMAL", "NORMAL"), (False, registered), init))
    rows, expected = [], []
    for _ in range(500):
        row, shown = [], []
        for ram, (width, _) in zip(rams, WIDE, strict=True):
            value = ram.shown()[1]
            shown += [value & (1 << 18) - 1, value >> 18] if width == 36 else [0, value]
            while True:
                write = Port(
                    source.randrange(2) << 5 | source.randrange(16), source.getrandbits(36), we=source.randrange(2)
                )
                read = Port(source.randrange(64), ce=int(source.random() < 0.9), oce=int(source.random() < 0.8))
                if write.address >> 5 != read.address >> 5 or not write.we:
                    break
            ram.tick([write, read])
            halves = Port(write.address, write.data & (1 << 18) - 1, we=write.we)
            row += pins(halves, Port(read.address, write.data >> 18, ce=read.ce, oce=read.oce))
        rows.append(row)
        expected.append(shown)
    assert columns(run_cells(cells, rows), *[18] * 2 * len(rams)) == expected


def test_what_is_read_while_it_is_written_is_random_and_nothing_else_is():
    cell = ("DP16KD", {"DATA_WIDTH_A": 36, "DATA_WIDTH_B": 36, "SEED": 12345}, PINS, OUTPUTS)
    two = ("DP16KD", {"DATA_WIDTH_A": 18, "DATA_WIDTH_B": 9, "SEED": 77}, PINS, OUTPUTS)
    rows = []
    for number in range(64):
        # in turn: other words, the same word, the same word but no byte of it enabled, the same without a write
        same, enabled, we = (number % 4 > 0), 0 if number % 4 == 2 else 15, number % 4 != 3
        where = (number % 8) << 5
        write = Port(where | enabled, 5, we=int(we))
        read = Port(where if same else where ^ 1 << 5, 0)
        rows.append([*pins(write, read), *pins(Port(where & ~31 | (enabled & 3), 5, we=int(we)), read)])
    found = columns(run_cells([cell, two], rows), 36, 18, 18)
    wild = [(seen[0], seen[2]) for seen in found[2::4]]
    assert len({value for value, _ in wild}) == len({value for _, value in wild}) == len(wild)
    for number, seen in enumerate(found[1:]):
        if number % 4 != 1:
            assert {seen[0], seen[2]} <= {0, 5}
