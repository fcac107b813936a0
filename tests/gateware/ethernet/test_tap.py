"""The link at a TAP device: this kernel's own ARP, IPv4 and UDP are at the other end."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.needs_tap
@pytest.mark.slow
@pytest.mark.regress
def test_bytes_there_and_back_through_the_kernels_network():
    command = ["unshare", "-rn", sys.executable, "-m", "tests.gateware.ethernet.tapped"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["right"]), done.stderr[-2000:]
