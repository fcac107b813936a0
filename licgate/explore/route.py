"""Builds of chosen shapes, here or on a cluster, kept as JSON so that a second run goes on."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from licgate import __version__
from licgate.errors import ERROR, TimingError
from licgate.explore.space import Candidate, Space
from licgate.synth.output import OutputFolder

__all__ = ["Build", "build_command", "read_result", "result_key", "route_shapes", "run_here"]

# what does not change when the same is built again; other failures are tried anew
_FINAL = ("met", "missed")


def result_key(space: Space, candidate: Candidate, clock_mhz: float, seeds: Sequence[int]) -> str:
    """Name under which the result of a build is kept: the same for the same model, board, shape, clock and version."""
    own = space.board.own_file
    parts = {
        "version": __version__,
        "model": space.manifest.hash,
        "board": [space.board.name, space.board.device, *([own.read_text(encoding="utf-8")] if own else [])],
        "mode": space.mode,
        "image": [space.width, space.height],
        "config": asdict(candidate.config),
        "clock_mhz": clock_mhz,
        "seeds": list(seeds),
    }
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
    return f"{candidate.label}-{digest}"


def build_command(
    space: Space,
    candidate: Candidate,
    model: str | None,
    clock_mhz: float,
    seeds: Sequence[int],
    out: Path,
    board: str | None = None,
) -> list[str]:
    """The command that builds a shape: a process of its own, so that nothing it does reaches the others.

    ``board`` is what the board is called where it runs, if that is another machine.
    """
    config, board = candidate.config, board or space.board.reference
    command = [sys.executable, "-m", "licgate", "build", "--board", board, "--mode", space.mode]
    command += ["--rows", config.rows, "--cols", config.cols, "--lanes", config.lanes, *candidate.options]
    command += ["--clock", f"{clock_mhz:g}", "--size", f"{space.width}x{space.height}", "--jobs", 1]
    command += ["--packing"] if config.packing else []
    command += ["--arithmetic", config.arithmetic] if config.arithmetic != "direct" else []
    command += ["--out", out, "--seed", *seeds]
    return [str(part) for part in (*command, *(["--model", model] if model else []))]


@dataclass(frozen=True)
class Build:
    """One build to do.

    Attributes
    ----------
    key : str
        See `result_key`.
    command : callable
        Gets the model (None for the default one) and the output folder, by the names which they have where the build is
        run, and ``board=`` if that has another name there; returns the command.
    """

    key: str
    command: Callable[..., list[str]]


def run_here(
    builds: Sequence[Build],
    *,
    folder: Path,
    say: Callable[[str], None],
    finished: Callable[[str, int], None],
    model: str | None = None,
    jobs: int = 1,
) -> None:
    """Run builds as processes of this machine.

    Parameters
    ----------
    builds : sequence of Build
    folder : Path
        Gets ``KEY.log``, and the folder ``KEY`` that the build is told to write to.
    say : callable
        Takes progress lines.
    finished : callable
        Gets key and exit code of each build, from several threads.
    model : str or None
        The model as ``licgate build`` gets it.
    jobs : int
        Builds at the same time.
    """
    running = []

    def one(build: Build) -> None:
        say(f"{build.key}: building, see {build.key}.log")
        words = build.command(model, folder / build.key)
        with (folder / f"{build.key}.log").open("w", encoding="utf-8") as log:
            process = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
            running.append(process)
            code = process.wait()
        finished(build.key, code)

    with ThreadPoolExecutor(max(1, jobs)) as pool:
        try:
            for done in [pool.submit(one, build) for build in builds]:
                done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in running:
                if process.poll() is None:
                    process.terminate()
            raise


def route_shapes(
    space: Space,
    candidates: Sequence[Candidate],
    *,
    out: Path,
    clock_mhz: float,
    seeds: Sequence[int] = (1,),
    say: Callable[[str], None] = print,
    run: Callable[..., None] = run_here,
    command: Callable[..., list[str]] = build_command,
) -> list[dict]:
    """Place and route shapes, and return what became of each.

    One that fails does not stop the others: its ``status`` is ``missed`` (timing) or ``failed``, and ``why`` is the
    line with which the build ended. What has a result under ``out`` is not built again, unless it had failed, wherever
    it was built.

    Parameters
    ----------
    space : Space
    candidates : sequence of Candidate
    out : Path
        Folder: for each shape its result ``KEY.json``, what its build wrote ``KEY.log``, and the build's folder
        ``KEY``.
    clock_mhz : float
        Clock asked for.
    seeds : sequence of int
    say : callable
        Takes progress lines.
    run : callable
        Runs the builds: `run_here`, with its ``model`` and ``jobs`` given, or the ``run`` of a
        `licgate.explore.scheduler.Cluster`.
    command : callable
        Makes the command, of the arguments of `build_command`.

    Raises
    ------
    ConfigError
        The folder cannot be written to.
    """
    folder = OutputFolder(out)
    keys = [result_key(space, candidate, clock_mhz, seeds) for candidate in candidates]
    results: dict[str, dict] = {}
    for key in keys:
        kept = read_result(folder.path / f"{key}.json")
        if kept is not None and kept.get("status") in _FINAL:
            results[key] = kept
            say(f"{key}: {_line(kept)} (kept)")
    todo = {key: candidate for key, candidate in zip(keys, candidates, strict=True) if key not in results}
    lock = threading.Lock()

    def finished(key: str, code: int) -> None:
        result = {"shape": asdict(todo[key].config), "key": key} | _result(folder.path, key, code)
        with lock:
            results[key] = result
            folder.write(f"{key}.json", json.dumps(result, indent=2) + "\n")
            say(f"{key}: {_line(result)} ({len(results)} of {len(set(keys))})")

    def build(key: str, candidate: Candidate) -> Build:
        return Build(key, lambda model, out, **at: command(space, candidate, model, clock_mhz, seeds, out, **at))

    if todo:
        run([build(*item) for item in todo.items()], folder=folder.path, say=say, finished=finished)
    return [results[key] for key in keys]


def _result(folder: Path, key: str, code: int) -> dict:
    """What a build that ended with ``code`` made."""
    status = {0: "met", TimingError.exit_code: "missed"}.get(code, "failed")
    report = read_result(folder / key / "report.json") if status in _FINAL else None
    if status in _FINAL and report is None:
        status = "failed"
    lines = (folder / f"{key}.log").read_text(encoding="utf-8", errors="replace").splitlines()
    last = next((line.strip() for line in reversed(lines) if line.strip()), "it wrote nothing")
    found = {"status": status, "why": "" if status == "met" else last.removeprefix(ERROR)}
    if report is not None:
        figures = ("clock_mhz", "fps", "cycles", "utilization", "lut_per_multiplier")
        found |= {key: report["performance"][key] for key in figures}
        found["cells"] = {cell: count["used"] for cell, count in report["utilization"].items()}
    return found


def read_result(path: Path) -> dict | None:
    """A JSON object from a file; None where there is none, or half of one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _line(result: dict) -> str:
    if "fps" not in result:
        return f"failed: {result['why']}"
    figures = f"{result['fps']:.2f} frames/s at {result['clock_mhz']:.1f} MHz"
    return figures if result["status"] == "met" else f"{figures}, timing missed"
