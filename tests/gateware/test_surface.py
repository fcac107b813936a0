"""What `licgate.gateware` offers to designs of one's own: by name, and loaded when it is asked for."""

import subprocess
import sys

import pytest

from licgate import gateware


def test_every_name_is_there():
    assert dir(gateware) == sorted(gateware.__all__)
    for name in gateware.__all__:
        assert getattr(gateware, name).__doc__ or name.endswith(("layout", "signature")), name


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match=r"^module 'licgate.gateware' has no attribute 'Feeder'$"):
        _ = gateware.Feeder


def test_the_package_alone_loads_nothing():
    source = "import sys, licgate.gateware; print([m for m in ('amaranth', 'numpy', 'torch') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
