"""Board files: found by name, complete, and each able to plan a build without any tool installed."""

import dataclasses
import json
import os
import re

import pytest

from licgate.cli import main
from licgate.errors import ConfigError
from licgate.resources import shipped_folder
from licgate.synth.buildplan import make_plan
from licgate.synth.rgmii import Ecp5RgmiiPads
from licgate.target.board import Board, board_files, find_board, list_boards
from licgate.target.ethernet import EthernetFacts
from tests.synth.stub import StubAccelerator

NAMES = [board.name for board in list_boards()]


def test_all_files_are_boards():
    assert sorted(path.stem.replace("_", "-") for path in shipped_folder("boards").glob("*.py")) == NAMES
    assert list(board_files()) == NAMES
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
    for pin in ("rx", "tx") if board.links[0] == "serial" else ():
        assert f'"uart_0__{pin}__io" SITE' in lpf


@pytest.mark.parametrize("name", [name for name in NAMES if find_board(name).rgmii])
def test_pads_of_ethernet(name):
    board = find_board(name)
    facts = EthernetFacts(ip="10.1.2.3", receive_bytes=2048, transmit_bytes=2048)
    plan = make_plan(StubAccelerator(), board=board, frequency=board.frequency, link="udp", ethernet=facts)
    lpf, netlist = plan.files.files["top.lpf"], plan.files.files["top.il"]
    assert 'FREQUENCY NET "ethernet_clock" 125000000.0 HZ' in lpf
    assert "uart" not in lpf
    pins = [*("rst", "rx_clk", "tx_clk"), *(f"{way}_data" for way in ("rx", "tx"))]
    assert all(f"eth_rgmii_0__{pin}__io" in lpf for pin in pins)
    # four of data and one of control each way, and the clock that goes
    assert (netlist.count("cell \\IDDRX1F"), netlist.count("cell \\ODDRX1F")) == (5, 6)
    steps = [int(text.split()[0], 2) if "'" in text else int(text.split()[0]) for text in _delays(netlist)]
    receive, transmit = (delay // 25 for delay in board.rgmii)
    assert sorted(steps) == sorted([receive] * 5 + [0] * 5 + [transmit])


def _delays(netlist):
    """Values of the parameter DEL_VALUE."""
    return [text.removeprefix("32'") for text in re.findall(r"parameter (?:signed )?\\DEL_VALUE (\S+)", netlist)]


def test_links_of_boards():
    links = {name: find_board(name).links for name in NAMES}
    assert links["butterstick"] == ("udp",)
    assert links["ecpix5-85f"] == ("serial", "udp")
    assert links["ulx3s-85f"] == ("serial", "usb")
    assert links["zcu102"] == ()
    assert find_board("butterstick").host_block_rams == 2 + 12
    assert find_board("ecpix5-85f").host_block_rams == 2
    assert find_board("ecpix5-85f").link_block_rams(EthernetFacts()) == 14


@pytest.mark.parametrize("delay", [-25, 3200])
def test_delays_that_there_are_not(delay):
    with pytest.raises(ValueError, match=rf"^receive_ps must be 0 to 3175, not {delay}$"):
        Ecp5RgmiiPads(None, receive_ps=delay, transmit_ps=0)


def test_ulx3s_is_the_part_which_the_data_sheet_describes():
    board = find_board("ulx3s-85f")
    assert (board.multipliers, board.memories, board.resources["TRELLIS_COMB"]) == (156, 208, 83640)
    assert board.make_platform().required_tools == ("yosys", "nextpnr-ecp5", "ecppack")


@pytest.mark.parametrize("name", [name for name in NAMES if find_board(name).sdram is not None])
def test_pads_of_an_sdram_are_those_of_the_board(name):
    ports = find_board(name).platform().get_sdram().ports
    assert (len(ports.a), len(ports.ba), len(ports.dq)) == (13, 2, 16)


def test_widest_operand_of_the_multipliers():
    assert [find_board(name).packed_bits for name in ("ulx3s-85f", "ecpix5-85f", "zcu102")] == [18, 18, 27]


def test_zcu102_says_that_it_is_synthesis_only():
    board = find_board("zcu102")
    assert board.resources == {"LUT": 274080, "FF": 548160, "DSP48E2": 2520, "RAMB36": 912}
    assert board.notes[0].startswith("synthesis only, clock assumed")


def test_unknown_board():
    with pytest.raises(ConfigError, match=r"^unknown board 'nexys'; there are: butterstick, ecpix5-85f, icepi-zero, "):
        find_board("nexys")


def test_file_without_a_board(tmp_path):
    (tmp_path / "my_board.py").write_text("BOARD = 1\n")
    with pytest.raises(ConfigError, match=r"^board file .*my_board\.py must define BOARD, a Board named 'my-board'$"):
        find_board("my-board", folder=tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": "ice40"}, r"^board zcu102: family 'ice40' is none of ecp5, xcup$"),
        ({"multiplier": "MUL"}, r"^board zcu102: MUL is missing from its resources$"),
        (
            {"resources": {"DSP48E2": 1, "RAMB36": 1, "FF": 1}},
            r"^board zcu102: resources of family xcup are DSP48E2, FF",
        ),
        ({"resources": {"DSP48E2": 1, "RAMB36": 1, "LUT": 1, "FF": 1, "X": 1}}, r"^board zcu102: resources of family "),
        ({"family": "ecp5"}, r"^board zcu102: a routed board needs clock_input, and baud or rgmii$"),
    ],
)
def test_board_errors(change, message):
    fields = {field.name: getattr(find_board("zcu102"), field.name) for field in dataclasses.fields(Board)}
    with pytest.raises(ConfigError, match=message):
        Board(**fields | change)


OWN = """
from dataclasses import replace
from licgate.target.board import find_board
BOARD = replace(find_board("zcu102"), name="my-board", title="Mine", rows=7)
"""


def test_folders_of_ones_own_go_first(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "mine, ü"
    folder.mkdir()
    (folder / "my_board.py").write_text(OWN)
    (folder / "zcu102.py").write_text("BOARD = {}['key']\n")
    (folder / "_shared.py").write_text("raise OSError")
    monkeypatch.setenv("LICGATE_BOARDS", f"{folder}{os.pathsep}")
    with pytest.raises(ConfigError, match=r"zcu102\.py, line 1: KeyError: 'key'$"):
        find_board("my-board")  # it is made of the other one
    (folder / "my_board.py").write_text(OWN.replace("zcu102", "ecpix5-85f"))
    board = find_board("my-board")
    assert (board.title, board.rows, board.path) == ("Mine", 7, folder / "my_board.py")
    assert (board.own_file, board.reference) == (folder / "my_board.py", str(folder / "my_board.py"))
    assert (find_board("ulx3s-85f").own_file, find_board("ulx3s-85f").reference) == (None, "ulx3s-85f")
    assert main(["boards", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == sorted([*NAMES, "my-board"])
    assert rows["my-board"]["file"] == str(folder / "my_board.py")
    assert rows["zcu102"]["error"].endswith("KeyError: 'key'")
    assert main(["boards"]) == 0
    assert "zcu102       broken: board file " in capsys.readouterr().out
    assert main(["boards", "zcu102"]) == 2


def test_a_board_file_by_its_path(tmp_path, monkeypatch, capsys):
    (tmp_path / "anything ü.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    for path in ("anything ü.py", str(tmp_path / "anything ü.py")):
        assert find_board(path).name == "my-board"
        assert main(["boards", path]) == 0
        assert capsys.readouterr().out.startswith("my-board     Mine ")
    assert find_board(find_board("anything ü.py").reference).title == "Mine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("BOARD = 1\n", r"^board file .*b\.py must define BOARD, a Board$"),
        ("x = 1\nBOARD = y\n", r"^board file .*b\.py, line 2: NameError: name 'y' is not defined$"),
        ("import no_such_package\n", r"^board file .*b\.py, line 1: ModuleNotFoundError: No module named"),
        ("BOARD = (\n", r"^board file .*b\.py: SyntaxError: "),
        ("raise SystemExit(3)\n", r"^board file .*b\.py, line 1: SystemExit: 3$"),
        ("from licgate.target.board import Board\nBoard()\n", r"b\.py, line 2: TypeError: "),
        ("x = '\0'\n", r"^board file .*b\.py: .*null bytes"),
    ],
)
def test_a_broken_board_file_is_one_line(tmp_path, text, message, capsys):
    (tmp_path / "b.py").write_text(text)
    with pytest.raises(ConfigError, match=message):
        find_board(str(tmp_path / "b.py"))
    assert main(["plan", "--board", str(tmp_path / "b.py")]) == 2
    err = capsys.readouterr().err
    assert err.startswith("licgate: error: board file ")
    assert err.count("\n") == 1


def test_a_platform_that_cannot_be_made(tmp_path):
    (tmp_path / "b.py").write_text(
        "from dataclasses import replace\nfrom licgate.target.board import find_board\n"
        "def make_platform():\n    import no_such_package\n\n"
        "BOARD = replace(find_board('zcu102'), name='b', make_platform=make_platform)\n"
    )
    board = find_board(str(tmp_path / "b.py"))
    with pytest.raises(
        ConfigError, match=r"^board file .*b\.py, line 4: ModuleNotFoundError: No module named 'no_such_p"
    ):
        make_plan(StubAccelerator(), board=board, frequency=board.frequency)


def test_a_board_file_that_is_missing(tmp_path):
    for path in (tmp_path / "no.py", tmp_path):
        with pytest.raises(ConfigError, match=r"^no board file .*no\.py$|^unknown board "):
            find_board(str(path))
    with pytest.raises(ConfigError, match=r"ValueError: .*null"):
        find_board("a\0b.py")


def test_a_folder_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("LICGATE_BOARDS", f"{tmp_path}{os.pathsep}{tmp_path / 'no'}")
    for look in (list_boards, lambda: find_board("zcu102")):
        with pytest.raises(ConfigError, match=f"^LICGATE_BOARDS names {tmp_path / 'no'}, which is no folder that can"):
            look()
