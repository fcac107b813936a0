"""Board files: found by name, complete, and each able to plan a build without any tool installed."""

import dataclasses

import pytest

from licgate.errors import ConfigError
from licgate.synth.plan import make_plan
from licgate.target.board import Board, boards_folder, find_board, list_boards
from tests.synth.stub import StubAccelerator

NAMES = [board.name for board in list_boards()]


def test_all_files_are_boards():
    assert sorted(path.stem.replace("_", "-") for path in boards_folder().glob("*.py")) == NAMES
    assert {"ulx3s-85f", "zcu102"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_plan(name, monkeypatch):
    monkeypatch.setenv("PATH", "")
    board = find_board(name)
    plan = make_plan(StubAccelerator(), board=board, frequency=board.frequency)
    assert plan.clock_mhz == pytest.approx(board.frequency, rel=0.01)
    assert ("nextpnr.json" in plan.route) if board.routed else (plan.route is None and plan.pack is None)
    assert board.rows * board.cols <= board.multipliers
    again = make_plan(StubAccelerator(), board=board, frequency=board.frequency)
    assert plan.files.digest() == again.files.digest()
    other = make_plan(StubAccelerator(2), board=board, frequency=board.frequency)
    assert plan.files.digest() != other.files.digest()


@pytest.mark.parametrize("name", [name for name in NAMES if find_board(name).routed])
def test_pins_and_clocks_are_constrained(name):
    board = find_board(name)
    lpf = make_plan(StubAccelerator(), board=board, frequency=board.frequency).files.files["top.lpf"]
    assert f'FREQUENCY NET "design_clock" {board.frequency * 1e6} HZ' in lpf
    assert f" {board.clock_input * 1e6} HZ" in lpf
    for pin in ("rx", "tx"):
        assert f'"uart_0__{pin}__io" SITE' in lpf


def test_ulx3s_is_the_part_which_the_data_sheet_describes():
    board = find_board("ulx3s-85f")
    assert (board.multipliers, board.memories, board.resources["TRELLIS_COMB"]) == (156, 208, 83640)
    assert board.make_platform().required_tools == ("yosys", "nextpnr-ecp5", "ecppack")


def test_widest_operand_of_the_multipliers():
    assert [find_board(name).packed_bits for name in ("ulx3s-85f", "ecpix5-85f", "zcu102")] == [18, 18, 27]


def test_zcu102_says_that_it_is_synthesis_only():
    board = find_board("zcu102")
    assert board.resources == {"LUT": 274080, "FF": 548160, "DSP48E2": 2520, "RAMB36": 912}
    assert board.notes[0].startswith("synthesis only, clock assumed")


def test_unknown_board():
    with pytest.raises(ConfigError, match=r"^unknown board 'nexys'; there are: ecpix5-85f, ulx3s-85f, zcu102$"):
        find_board("nexys")


def test_file_without_a_board(tmp_path):
    (tmp_path / "my_board.py").write_text("BOARD = 1\n")
    with pytest.raises(ConfigError, match=r"^board file my_board\.py must define BOARD, a Board named 'my-board'$"):
        find_board("my-board", folder=tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": "ice40"}, r"^board zcu102: family 'ice40' is none of ecp5, xcup$"),
        ({"multiplier": "MUL"}, r"^board zcu102: MUL is missing from its resources$"),
        ({"family": "ecp5"}, r"^board zcu102: a routed board needs clock_input and baud$"),
    ],
)
def test_board_errors(change, message):
    fields = {field.name: getattr(find_board("zcu102"), field.name) for field in dataclasses.fields(Board)}
    with pytest.raises(ConfigError, match=message):
        Board(**fields | change)
