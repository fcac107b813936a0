"""Load a bitstream into a board, with openFPGALoader."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from licgate.errors import ConfigError, DeviceError, ToolError
from licgate.target.board import Board

__all__ = ["load"]

_PROGRAM, _VARIABLE = "openFPGALoader", "OPENFPGALOADER"

#: Libraries of a system that the program needs, and the Debian packages that bring them.
_PACKAGES = {
    "libftdi1.so.2": "libftdi1-2",
    "libusb-1.0.so.0": "libusb-1.0-0",
    "libhidapi-hidraw.so.0": "libhidapi-hidraw0",
}


def load(board: Board, folder: Path) -> None:
    """Load the bitstream of a build.

    Parameters
    ----------
    board : Board
    folder : Path
        Of the build.

    Raises
    ------
    ConfigError
        There is no bitstream, or openFPGALoader does not know the board.
    ToolError
        openFPGALoader, or a library that it needs, is missing.
    DeviceError
        It finds no board, or fails.
    """
    bitstream = folder / "top.bit"
    if board.loader is None:
        raise ConfigError(f"board {board.name} has no loader: its board file names what openFPGALoader calls it")
    if not bitstream.is_file():
        raise ConfigError(f"there is no {bitstream}: build it, or name the folder of the build with --out")
    command = [_program(), "-b", board.loader, str(bitstream)]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    except OSError as error:
        raise ToolError(f"{command[0]} does not run: {error.strerror or error}") from None
    if done.returncode:
        raise _failure(board, done.returncode, done.stdout)


def _program() -> str:
    """The openFPGALoader of this system, or the one that the environment names."""
    named = os.environ.get(_VARIABLE) or _PROGRAM
    program = shutil.which(named)
    if program is None:
        if named != _PROGRAM:
            raise ToolError(f"{_VARIABLE} names {named}, which is no program to run: correct or unset it")
        raise ToolError(f"{_PROGRAM} is missing: install your system's, or: pip install 'licgate[program]'")
    return program


def _failure(board: Board, code: int, output: str) -> ToolError | DeviceError:
    """What went wrong, in a line."""
    if missing := re.search(r"error while loading shared libraries: (\S+?):", output):
        library = missing[1]
        package = _PACKAGES.get(library, "the package that has it")
        return ToolError(f"{_PROGRAM} needs the system's library {library} (Debian: apt install {package})")
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", output).splitlines() if line.strip()]
    told = next((line for line in lines if re.search("error|unable|fail", line.lower())), (lines or ["nothing"])[-1])
    if re.search(r"unable to open ftdi|device not found|no device|usb_open|-3\b|-4\b", told.lower()):
        return DeviceError(
            f"{_PROGRAM} finds no {board.title} at a USB port ({told}): plug it in, and make sure that your user may "
            "open it (its udev rules)"
        )
    return DeviceError(f"{_PROGRAM} ended with exit code {code}: {told}")
