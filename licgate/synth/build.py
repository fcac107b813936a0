"""One build from an accelerator to a folder with bitstream, reports and logs."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from licgate.errors import BuildError, ConfigError, TimingError
from licgate.synth.cache import BuildCache
from licgate.synth.flow import Flow, find_tools
from licgate.synth.html import render_html
from licgate.synth.output import OutputFolder
from licgate.synth.plan import VERILOG, make_plan
from licgate.synth.report import headline, make_report, timing_of
from licgate.synth.toolchain import log_tail, stop_tools
from licgate.target.board import Board

__all__ = ["build", "check_shape"]

STALE = ("top.bit", "report.json", "report.html", "nextpnr.log", "nextpnr.json", "yosys.log", VERILOG)


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


def build(
    accelerator,
    *,
    board: Board,
    manifest,
    config,
    prediction,
    mode: str,
    fit,
    image: tuple[int, int],
    out: Path,
    frequency: float | None = None,
    seeds: Sequence[int] = (1,),
    timing_allow_fail: bool = False,
    cache_folder: Path | None = None,
    jobs: int | None = None,
    route: bool = True,
    cost=None,
    external: dict | None = None,
    copies: int = 1,
    say: Callable[[str], None] = print,
) -> dict:
    """Build an accelerator for a board and return what report.json says.

    Parameters
    ----------
    accelerator : Component
        The design, not elaborated yet.
    board : Board
    manifest, config, prediction
        What the accelerator was made of, and what the cycle model says of it.
    mode : str
        One of `licgate.manifest.architectures.MODES`.
    fit : Fit
        Memories by what they hold.
    image : tuple of int
        Width and height that `prediction` is for.
    out : Path
        Output folder.
    frequency : float or None
        Clock in MHz, the board's own by default.
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
    cost : FrameCost or None
        What a frame costs, for the report.
    external : dict or None
        How external memory is used, for the report: ``cores`` and what else is to be told.
    copies : int
        How often the design is put on the device, each with a frame of its own.
    say : callable
        Takes progress lines.

    Raises
    ------
    ConfigError
        The array is larger than the device, the clock cannot be made, or `out` cannot be written.
    ToolError
        A tool is missing or of a bad version.
    BuildError
        A tool failed; its log is in `out`.
    TimingError
        Timing is missed; reports and logs are in `out`, a bitstream is not.
    """
    check_shape(board, rows=config.rows, cols=config.cols)
    output = OutputFolder(out)
    route = route and board.routed
    tools = find_tools(board, route=route)
    plan = make_plan(accelerator, board=board, frequency=frequency or board.frequency)
    with tempfile.TemporaryDirectory(prefix="licgate-") as work:
        folder = Path(work)
        flow = Flow(plan=plan, board=board, folder=folder, cache=BuildCache(cache_folder), say=say, tools=tools)
        try:
            cells, blocks = flow.synthesize()
            routes = []
            if route:
                flow.check_fit(cells)
                workers = max(1, min(len(seeds), jobs or os.cpu_count() or 1))
                with ThreadPoolExecutor(workers) as pool:
                    run = lambda seed: flow.route(seed, multipliers=cells.get(board.multiplier, 0))  # noqa: E731
                    try:
                        routes = list(pool.map(run, seeds))
                    except BaseException:
                        pool.shutdown(wait=False, cancel_futures=True)
                        stop_tools()
                        raise
        except BuildError:
            _save_logs(output, folder, say)
            raise

        cells = {cell: copies * count for cell, count in cells.items()}
        timing, best = timing_of(routes, plan.clock_mhz)
        report = make_report(
            board=board,
            manifest=manifest,
            config=config,
            prediction=prediction,
            mode=mode,
            fit=fit,
            image=image,
            tools={name: found.as_dict() for name, found in tools.items()},
            timing=timing,
            best=best,
            cells=cells,
            blocks=blocks,
            clock_mhz=plan.clock_mhz,
            cost=cost,
            external=external,
            copies=copies,
        )
        for name in STALE:
            output.remove(name)
        files = {"yosys_log": output.copy(folder / "yosys.log", "yosys.log")}
        if VERILOG in plan.made:
            files["verilog"] = output.copy(folder / VERILOG, VERILOG)
        if best is not None:
            files["nextpnr_log"] = output.copy(folder / best.log, "nextpnr.log")
            files["nextpnr_report"] = output.copy(folder / f"nextpnr_{best.seed}.json", "nextpnr.json")
            if timing["met"] or timing_allow_fail:
                files["bitstream"] = output.copy(flow.pack(best), "top.bit")
        report["files"] = {**files, "html": "report.html", "json": "report.json"}
        output.write("report.html", render_html(report))
        output.write("report.json", json.dumps(report, indent=2) + "\n")

    say(headline(report))
    if timing["met"] is False and not timing_allow_fail:
        raise TimingError(
            f"timing not met, no bitstream written (see {output.path / 'report.html'}); "
            "lower --frequency, try more --seed, or accept it with --timing-allow-fail"
        )
    return report


def _save_logs(output: OutputFolder, folder: Path, say: Callable[[str], None]) -> None:
    """Keep the logs of a failed build, and show the end of the latest."""
    logs = sorted(folder.glob("*.out"), key=lambda path: path.stat().st_mtime)
    for log in (*logs, *folder.glob("*.rpt"), *folder.glob("*.tim")):
        output.copy(log, log.name)
    if logs:
        say(log_tail(logs[-1]) or f"{logs[-1].name} is empty")
