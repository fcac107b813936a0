"""Fixtures that many tests share."""

import os
import subprocess
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import numpy as np
import pytest

from licgate.errors import ToolError
from licgate.images import demo_image
from licgate.sim.verilator import find_verilator

# What a simulation is compiled with, unless CXXFLAGS says so: most are too short for optimising to pay.
SHORT, LONG, LONGEST = "-O0", "-O1", ""
_asked = os.environ.get("CXXFLAGS")
KODAK = Path(__file__).resolve().parents[2] / "shared" / "data" / "kodak"


def pytest_runtest_setup(item):
    if _asked is None:
        long = LONG if item.get_closest_marker("long_simulation") else SHORT
        os.environ["CXXFLAGS"] = LONGEST if item.get_closest_marker("regress") else long
    if item.get_closest_marker("needs_shared_data") and not KODAK.is_dir():
        pytest.skip("the Kodak pictures are not here; they are not part of the repository")
    if item.get_closest_marker("needs_verilator"):
        try:
            find_verilator()
        except ToolError as error:
            pytest.skip(str(error))
    if item.get_closest_marker("needs_iverilog") and not (which("iverilog") and which("vvp")):
        pytest.skip("iverilog is not here (Debian: apt install iverilog)")
    if item.get_closest_marker("needs_cocotb") and not all(map(find_spec, ("cocotb_tools", "cocotbext"))):
        pytest.skip("cocotb or cocotbext-axi is not here; they are of the extra dev")
    if item.get_closest_marker("needs_usb") and not all(map(find_spec, ("luna", "usb_protocol", "usb"))):
        pytest.skip("LUNA or pyusb is not here; they are the extra usb")
    if item.get_closest_marker("needs_scapy") and not find_spec("scapy"):
        pytest.skip("scapy is not here; it is of the extra dev")
    if item.get_closest_marker("needs_tap") and not _tap():
        pytest.skip(
            "no TAP device in a network namespace of its own: unshare -rn, ip, or /dev/net/tun is not permitted"
        )
    if item.get_closest_marker("needs_dask") and not find_spec("distributed"):
        pytest.skip("the package distributed is not here; it is the extra dask")
    if item.get_closest_marker("needs_sphinx") and not all(map(find_spec, ("sphinx", "myst_parser", "furo"))):
        pytest.skip("sphinx, myst-parser or furo is not here; they are the extra docs")
    if item.get_closest_marker("needs_setuptools") and not (find_spec("pip") and _setuptools() >= 77):
        pytest.skip("pip or setuptools 77 is not here; it is of the extra dev")


def _tap():
    if not (which("unshare") and which("ip")):
        return False
    command = ["unshare", "-rn", "ip", "tuntap", "add", "licgate0", "mode", "tap"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _setuptools():
    try:
        return int(metadata.version("setuptools").split(".")[0])
    except metadata.PackageNotFoundError:
        return 0


@pytest.fixture
def kodak():
    """Return the folder of the Kodak pictures; for tests marked `needs_shared_data`."""
    return KODAK


@pytest.fixture(scope="session")
def photograph():
    """Return a photograph that ships in a package: uint8 of shape (H, W, 3)."""
    image = demo_image()
    image.setflags(write=False)
    return image


@pytest.fixture
def random():
    return np.random.default_rng(0)
