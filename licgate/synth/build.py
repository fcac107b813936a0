"""One build from an accelerator to a folder with bitstream, reports and logs."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from licgate.errors import BuildError, ConfigError, TimingError
from licgate.synth.buildplan import VERILOG, make_plan
from licgate.synth.cache import BuildCache
from licgate.synth.design import Design, Frame
from licgate.synth.flow import Flow, Routed, find_tools
from licgate.synth.html import render_html
from licgate.synth.output import OutputFolder
from licgate.synth.report import Built, headline, make_report, timing_of
from licgate.synth.toolchain import log_tail, stop_tools
from licgate.target.board import Board
from licgate.target.build import DEVICE_FILE, remember

__all__ = ["Wishes", "build", "check_shape"]

STALE = ("top.bit", DEVICE_FILE, "report.json", "report.html", "nextpnr.log", "nextpnr.json", "yosys.log", VERILOG)


def check_shape(board: Board, *, rows: int, cols: int) -> None:
    """Refuse an array with more multipliers than the device has.

    Raises
    ------
    ConfigError
        It has.
    """
    if rows * cols > board.multipliers:
        raise ConfigError(
            f"an array of {rows} x {cols} needs {rows * cols} multipliers, "
            f"{board.device} has {board.multipliers} {board.multiplier}: take fewer rows or columns"
        )


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a build is to do.

    Attributes
    ----------
    out : Path
        Output folder.
    seeds : sequence of int
        Seeds of place-and-route; the fastest result is kept.
    timing_allow_fail : bool
        Write a bitstream even though timing is missed.
    cache_folder : Path or None
        Build cache; None for none.
    jobs : int or None
        Seeds routed at the same time; by default as many as there are cores.
    route : bool
        Place and route where the board has it; without, the design need not fit.
    say : callable
        Takes progress lines.
    """

    out: Path
    seeds: Sequence[int] = (1,)
    timing_allow_fail: bool = False
    cache_folder: Path | None = None
    jobs: int | None = None
    route: bool = True
    say: Callable[[str], None] = print


def build(accelerator, design: Design, frame: Frame, wishes: Wishes) -> dict:
    """Build an accelerator for a board and return what report.json says.

    Parameters
    ----------
    accelerator : Component
        Of the design, not elaborated yet.
    design : Design
        Fitted.
    frame : Frame
        What an image costs on it, for the report.
    wishes : Wishes

    Raises
    ------
    ConfigError
        The array is larger than the device, the clock cannot be made, or the folder cannot be written.
    ToolError
        A tool is missing or of a bad version.
    BuildError
        A tool failed; its log is in the folder.
    TimingError
        Timing is missed; reports and logs are in the folder, a bitstream is not.
    """
    board, say = design.board, wishes.say
    check_shape(board, rows=design.config.rows, cols=design.config.cols)
    output = OutputFolder(wishes.out)
    route = wishes.route and board.routed
    tools = find_tools(board, route=route)
    facts = design.facts if board.routed else None
    build_number = facts.build if facts else 0
    plan = make_plan(
        accelerator,
        board=board,
        frequency=design.clock_mhz,
        build=build_number,
        link=design.link,
        ethernet=design.ethernet,
    )
    with tempfile.TemporaryDirectory(prefix="licgate-") as work:
        folder = Path(work)
        cache = BuildCache(wishes.cache_folder)
        flow = Flow(plan=plan, board=board, folder=folder, cache=cache, say=say, tools=tools)
        try:
            cells, components = flow.synthesize()
            routes = _routed(flow, cells, wishes) if route else []
        except BuildError:
            _save_logs(output, folder, say)
            raise
        cells = {cell: design.copies * count for cell, count in cells.items()}
        timing, best = timing_of(routes, plan.clock_mhz)
        said = {name: found.as_dict() for name, found in tools.items()}
        report = make_report(design, frame, Built(said, timing, best, cells, components, plan.clock_mhz))
        report["files"] = _kept(output, flow, best, bitstream=timing["met"] or wishes.timing_allow_fail)
        if facts and "bitstream" in report["files"]:
            report["files"]["device"] = output.write(DEVICE_FILE, facts.text())
            remember(facts)
        output.write("report.html", render_html(report))
        output.write("report.json", json.dumps(report, indent=2) + "\n")
    say(headline(report))
    if timing["met"] is False and not wishes.timing_allow_fail:
        raise TimingError(
            f"timing not met, no bitstream written (see {output.path / 'report.html'}); "
            "lower --clock, try more --seed, or accept it with --timing-allow-fail"
        )
    return report


def _routed(flow: Flow, cells: dict, wishes: Wishes) -> list[Routed]:
    """Place and route every seed."""
    flow.check_fit(cells)
    multipliers = cells.get(flow.board.multiplier, 0)
    workers = max(1, min(len(wishes.seeds), wishes.jobs or os.cpu_count() or 1))
    with ThreadPoolExecutor(workers) as pool:
        try:
            return list(pool.map(lambda seed: flow.route(seed, multipliers=multipliers), wishes.seeds))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop_tools()
            raise


def _kept(output: OutputFolder, flow: Flow, best: Routed | None, *, bitstream: bool) -> dict[str, str]:
    """Put what was made into the output folder, in place of what an earlier build left there."""
    folder = flow.folder
    for name in STALE:
        output.remove(name)
    files = {"yosys_log": output.copy(folder / "yosys.log", "yosys.log")}
    if VERILOG in flow.plan.made:
        files["verilog"] = output.copy(folder / VERILOG, VERILOG)
    if best is not None:
        files["nextpnr_log"] = output.copy(folder / best.log, "nextpnr.log")
        files["nextpnr_report"] = output.copy(folder / f"nextpnr_{best.seed}.json", "nextpnr.json")
        if bitstream:
            files["bitstream"] = output.copy(flow.pack(best), "top.bit")
    return {**files, "html": "report.html", "json": "report.json"}


def _save_logs(output: OutputFolder, folder: Path, say: Callable[[str], None]) -> None:
    """Keep the logs of a failed build, and show the end of the latest."""
    logs = sorted(folder.glob("*.out"), key=lambda path: path.stat().st_mtime)
    for log in (*logs, *folder.glob("*.rpt"), *folder.glob("*.tim")):
        output.copy(log, log.name)
    if logs:
        say(log_tail(logs[-1]) or f"{logs[-1].name} is empty")
