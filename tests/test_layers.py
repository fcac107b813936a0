"""The floors of the house: what may import what, read from the source and seen in a fresh interpreter."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.floors import floor, imported

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "licgate"

# third-party packages that a room must not import, at module level or inside a function
FORBIDDEN = {
    "errors": {"torch", "amaranth", "numpy"},
    "files": {"torch", "amaranth", "numpy"},
    "resources": {"torch", "amaranth", "numpy"},
    "caches": {"torch", "amaranth", "numpy"},
    "manifest": {"torch", "amaranth"},
    "images": {"torch", "amaranth"},
    "program": {"torch", "amaranth"},
    "reference": {"torch", "amaranth"},
    "codec": {"torch", "amaranth"},
    "runtime": {"torch", "amaranth"},
    "gateware": {"torch"},
    "perf": {"torch"},
    "target": {"torch", "amaranth"},
    "sim": {"torch"},
    "synth": {"torch"},
    "backends": {"torch"},
    "explore": {"torch"},
    "verilog": {"torch"},
    "train": {"amaranth"},
}

FILES = sorted(PACKAGE.rglob("*.py"))


def room(path):
    """Return the room that a source file belongs to."""
    part = path.relative_to(PACKAGE).parts[0]
    return part.removesuffix(".py")


# Parsed once, and before any test: CPython 3.11 before 3.11.8 can fail at it behind a simulation (gh-106905).
IMPORTED = {path: imported(path.read_text(encoding="utf-8"), path.relative_to(ROOT).parent.parts) for path in FILES}


def floor_of(name):
    level = floor(name)
    assert level is not None, f"licgate/{name} stands on no floor; add it to FLOORS in tests/floors.py"
    return level


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path):
    own = room(path)
    if path == PACKAGE / "__init__.py":
        # what it hands out stands above it, and is imported on demand: see the test of what a fresh import loads
        assert {name.split(".")[0] for name in IMPORTED[path]} <= {"__future__", "typing", "licgate"}
        return
    for name in IMPORTED[path]:
        parts = name.split(".")
        if parts[0] == "licgate" and len(parts) > 1 and parts[1] != "__version__":
            assert floor_of(parts[1]) <= floor_of(own), f"{own} imports {name}, which stands above it"
        assert parts[0] not in FORBIDDEN.get(own, ()), f"{own} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_star_imports_and_no_pickle(path):
    names = IMPORTED[path]
    assert not {name for name in names if name.endswith(".*")}
    if room(path) != "train":
        assert not {name for name in names if name.split(".")[0] in ("pickle", "shelve", "marshal")}


def loaded(statement):
    """Return the top-level modules that a fresh interpreter has after `statement`."""
    code = f"{statement}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("name", sorted(FORBIDDEN))
def test_a_fresh_import_loads_nothing_forbidden(name):
    if not (PACKAGE / name).is_dir() and not (PACKAGE / f"{name}.py").is_file():
        pytest.skip(f"licgate.{name} is not there yet")
    modules = [
        f"licgate.{'.'.join(p.relative_to(PACKAGE).with_suffix('').parts)}"
        for p in FILES
        if room(p) == name and not p.stem.startswith("__")
    ] or [f"licgate.{name}"]
    found = loaded("import " + ", ".join(modules))
    assert not found & FORBIDDEN[name]
    assert "licgate" in found


def test_the_package_itself_loads_next_to_nothing():
    assert not loaded("import licgate") & {"torch", "amaranth", "numpy", "PIL", "constriction", "json"}
    assert {"numpy", "constriction"} <= loaded("import licgate\nlicgate.load_model")
    assert not loaded("import licgate\nlicgate.load_model") & {"torch", "amaranth", "PIL"}


def test_the_command_line_loads_nothing_heavy():
    if not (PACKAGE / "cli.py").is_file():
        pytest.skip("licgate.cli is not there yet")
    assert not loaded("import licgate.cli") & {"torch", "amaranth", "numpy", "PIL"}


def test_the_checks_see_what_they_look_for():
    source = "def f():\n    from ..gateware import pe\n    import torch.nn\n"
    assert imported(source, ("licgate", "manifest")) == {"licgate.gateware.pe", "torch.nn"}
    assert "json" in loaded("import json")
