"""The command line of boards: how one is found, and what is said of options that do not go together."""

import json
import sys
import types

import pytest

from licgate.cli import main

ENCODE = ["encode", "x.png", "-o", "x.lic"]


@pytest.fixture
def usb(monkeypatch):
    """Make up the serial ports of this system: a function that takes (path, vendor, product, title)."""
    pytest.importorskip("serial", reason="pyserial is the extra board")
    import serial.tools.list_ports as ports

    def plug(*devices):
        found = [
            types.SimpleNamespace(device=d[0], vid=d[1], pid=d[2], product=d[3], description=None) for d in devices
        ]
        monkeypatch.setattr(ports, "comports", lambda: found)

    plug()
    return plug


def error(capsys, *arguments):
    assert main(list(arguments)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line.removeprefix("licgate: error: ")


def test_which_board_is_meant(usb, capsys):
    assert error(capsys, *ENCODE, "--engine", "board").startswith(
        "no board is found at a USB port: plug it in, or name"
    )
    usb(("/dev/ttyACM9", None, None, "modem"), ("/dev/ttyNONE1", 0x0403, 0x6015, "ULX3S FPGA 85K"))
    assert error(capsys, "board", "info").startswith("serial:/dev/ttyNONE1: there is no such port")
    usb(*((f"/dev/ttyNONE{k}", 0x0403, 0x6015, "ULX3S FPGA 85K") for k in (2, 1)))
    told = error(capsys, "board", "info")
    assert told == "there are serial:/dev/ttyNONE1, serial:/dev/ttyNONE2: choose one with --port"


def test_scan_lists_boards_and_what_they_say(usb, capsys):
    assert main(["board", "scan"]) == 0
    assert capsys.readouterr().out == "no board is found at a USB port\n"
    usb(("/dev/ttyNONE1", 0x0403, 0x6010, "ECPIX-5"))
    assert main(["board", "scan"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split() == ["serial:/dev/ttyNONE1", "0403:6010", "ECPIX-5"]
    assert second.startswith("  serial:/dev/ttyNONE1: there is no such port")
    assert main(["board", "scan", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert set(row) == {"port", "usb", "title", "error"}
    assert error(capsys, "board", "scan", "--port", "tcp:h:1").startswith("scan looks at every port: leave --port out")


def test_without_pyserial_a_scan_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "serial", None)
    assert error(capsys, "board", "scan") == "serial ports need pyserial; install it with: pip install 'licgate[board]'"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*ENCODE, "--port", "tcp:h:1"], "--port goes with --engine board, not reference"),
        (["simulate", "--baud", "9600"], "--baud goes with --engine board, not cxxrtl"),
        (
            ["simulate", "--engine", "board", "--faults", "1"],
            "--faults goes with simulated gateware, not with --engine",
        ),
        (["board"], "the following arguments are required: ACTION (see: licgate board --help)"),
        (["board", "benchmark", "--runs", "0"], "--runs 0 makes no sense: give 1 or more"),
        (
            ["board", "info", "--build", "nowhere", "--port", "tcp:127.0.0.1:1"],
            "cannot read nowhere: No such file or dir",
        ),
    ],
)
def test_what_does_not_go_together(arguments, message, capsys):
    assert error(capsys, *arguments).startswith(message)
