"""Loading a board: what openFPGALoader is given, and what its failures come to in a line."""

import re

import pytest

from licgate.cli import main

PROGRAM = '#!/bin/sh\necho "$@" > {log}\n{rest}\n'


@pytest.fixture
def build(tmp_path):
    folder = tmp_path / "build"
    folder.mkdir()
    (folder / "top.bit").write_bytes(b"bits")
    return folder


def loader(tmp_path, monkeypatch, rest="exit 0"):
    """An openFPGALoader that notes what it is given; return where."""
    log, program = tmp_path / "log", tmp_path / "loader"
    program.write_text(PROGRAM.format(log=log, rest=rest))
    program.chmod(0o755)
    monkeypatch.setenv("OPENFPGALOADER", str(program))
    return log


def error(capsys, *arguments):
    assert main(["load", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line.removeprefix("licgate: error: ")


@pytest.mark.parametrize(("board", "name"), [("ulx3s-85f", "ulx3s"), ("ecpix5-85f", "ecpix5")])
def test_the_bitstream_goes_to_the_board(board, name, build, tmp_path, monkeypatch, capsys):
    log = loader(tmp_path, monkeypatch)
    assert main(["load", board, "--out", str(build)]) == 0
    assert log.read_text().split() == ["-b", name, str(build / "top.bit")]
    assert re.search(r"top.bit runs on .*; ask it: licgate board info$", capsys.readouterr().out.strip())


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        (
            "echo 'error while loading shared libraries: libftdi1.so.2: cannot open shared object file' >&2; exit 127",
            r"^openFPGALoader needs the system's library libftdi1.so.2 \(Debian: apt install libftdi1-2\)$",
        ),
        (
            "echo 'unable to open ftdi device: -3 (device not found)'; echo 'JTAG init failed'; exit 1",
            r"^openFPGALoader finds no .*at a USB port \(unable to open ftdi device: -3 \(device not found\)\): plug",
        ),
        ("echo 'Error: wrong device'; exit 3", r"^openFPGALoader ended with exit code 3: Error: wrong device$"),
        ("exit 3", r"^openFPGALoader ended with exit code 3: nothing$"),
    ],
)
def test_failures_are_one_line(rest, message, build, tmp_path, monkeypatch, capsys):
    loader(tmp_path, monkeypatch, rest)
    assert re.search(message, error(capsys, "ulx3s-85f", "--out", str(build)))


def test_what_is_missing(build, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("OPENFPGALOADER", raising=False)
    assert error(capsys, "ulx3s-85f", "--out", str(build)).startswith("openFPGALoader is missing: install your system")
    monkeypatch.setenv("OPENFPGALOADER", "nothing")
    assert error(capsys, "ulx3s-85f", "--out", str(build)).startswith("OPENFPGALOADER names nothing, which is no prog")
    assert error(capsys, "zcu102", "--out", str(build)).startswith("board zcu102 has no loader")
    assert "there is no" in error(capsys, "ulx3s-85f", "--out", str(tmp_path))
