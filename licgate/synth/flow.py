"""Run a plan's steps, each from the cache when nothing that goes into it has changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from licgate.errors import BuildError
from licgate.synth import fanout, outreg
from licgate.synth.buildplan import ROUTED, ROUTER1_MULTIPLIERS, Plan
from licgate.synth.cache import BuildCache, cache_key
from licgate.synth.components import count_components_of_file
from licgate.synth.toolchain import ECPPACK, NEXTPNR_ECP5, YOSYS, Found, run_tool
from licgate.target.board import Board

__all__ = ["Flow", "Routed", "find_tools"]

SYNTHESIS_FILES = ["top.json", "stat.json", "yosys.log"]


@dataclass(frozen=True)
class Routed:
    """Outcome of one place-and-route.

    Attributes
    ----------
    seed : int
    report : dict
        Of nextpnr.
    clocks : dict
    log, result : str
        Files in the working folder. The result is the configuration for ecppack, or where there is nothing to pack the
        netlist as it was routed.
    """

    seed: int
    report: dict
    clocks: dict
    log: str
    result: str

    @property
    def slack(self) -> float:
        """Smallest ratio of achieved to constrained frequency over the clocks."""
        return min(clock["achieved_mhz"] / clock["constraint_mhz"] for clock in self.clocks.values())


def find_tools(board: Board, *, route: bool) -> dict[str, Found]:
    """Find what a build will need, by name, before anything is made for it.

    Raises
    ------
    ToolError
        A tool is missing or of a bad version.
    """
    used = (YOSYS, NEXTPNR_ECP5, ECPPACK) if board.routed and route else (YOSYS,)
    return {tool.name: tool.find() for tool in used}


class Flow:
    """The steps of one build in one working folder.

    Parameters
    ----------
    plan : Plan
    board : Board
    folder : Path
        Existing folder for all intermediate files.
    cache : BuildCache
    say : callable
        Takes progress lines.
    tools : dict of str to Found
        See `find_tools`.
    """

    def __init__(
        self,
        *,
        plan: Plan,
        board: Board,
        folder: Path,
        cache: BuildCache,
        say: Callable[[str], None],
        tools: dict[str, Found],
    ):
        self.plan, self.board, self.folder, self.cache, self.say = plan, board, folder, cache, say
        self.tools = tools
        # What works on the netlist behind Yosys is as much part of the synthesis as Yosys.
        behind = [Path(module.__file__).read_text(encoding="utf-8") for module in (outreg, fanout)]
        self._key = cache_key(plan.files.digest(), self.tools["yosys"].identity, *behind)
        plan.files.extract(folder)

    def synthesize(self) -> tuple[dict, list[dict]]:
        """Cells by type, and by block.

        Raises
        ------
        BuildError
            Yosys failed.
        """
        files = [*SYNTHESIS_FILES, *self.plan.made]
        if self.cache.fetch(self._key, files, self.folder):
            self.say("synthesis: from the cache")
        else:
            self.say(f"synthesis: yosys {self.tools['yosys']}")
            run_tool(YOSYS, *self.plan.synthesize, folder=self.folder, log="yosys.out", label="synthesis", say=self.say)
            (self.folder / "top.rpt").replace(self.folder / "yosys.log")
            if self.plan.route is not None:
                outreg.absorb_output_registers_of_file(self.folder / "top.json")
                fanout.copy_registers_of_file(self.folder / "top.json")
            self.cache.store(self._key, files, self.folder)
        stat = json.loads((self.folder / "stat.json").read_text())
        cells = stat.get("design", {}).get("num_cells_by_type", {})
        return cells, count_components_of_file(self.folder / "top.json", self.folder / "top.il")

    def check_fit(self, cells: dict) -> None:
        """Refuse a design with more multipliers or block RAMs than there are, before hours go into placing it.

        Raises
        ------
        BuildError
            It does not fit.
        """
        for cell in (self.board.multiplier, self.board.memory):
            used, available = cells.get(cell, 0), self.board.resources[cell]
            if used > available:
                raise BuildError(
                    f"the design needs {used} {cell}, {self.board.device} has {available}: "
                    "take fewer rows or columns, smaller buffers or a smaller model"
                )

    def route(self, seed: int, *, multipliers: int) -> Routed:
        """Place and route with one seed.

        Raises
        ------
        BuildError
            nextpnr failed: the design does not fit or cannot be routed.
        """
        router = "router1" if multipliers <= ROUTER1_MULTIPLIERS else "router2"
        options = ("--router", router, "--seed", str(seed))
        key = cache_key(self._key, self.tools["nextpnr-ecp5"].identity, *self.plan.route, *options)
        result = "top.config" if self.plan.pack is not None else ROUTED
        files = [f"nextpnr_{seed}.json", f"nextpnr_{seed}.log", f"{seed}_{result}"]
        label = f"place and route, seed {seed}"
        if self.cache.fetch(key, files, self.folder):
            self.say(f"{label}: from the cache")
        else:
            self.say(f"{label}: nextpnr-ecp5 {self.tools['nextpnr-ecp5']}, {router}")
            rename = {"nextpnr.json": files[0], "top.tim": files[1], result: files[2]}
            arguments = [rename.get(argument, argument) for argument in (*self.plan.route, *options)]
            out = f"nextpnr_{seed}.out"
            run_tool(NEXTPNR_ECP5, *arguments, folder=self.folder, log=out, label=label, say=self.say)
            self.cache.store(key, files, self.folder)
        report = json.loads((self.folder / files[0]).read_text())
        clocks = {
            name.removeprefix("$glbnet$"): {
                "achieved_mhz": round(clock["achieved"], 2),
                "constraint_mhz": round(clock["constraint"], 2),
            }
            for name, clock in report["fmax"].items()
        }
        if not clocks:
            raise BuildError(f"nextpnr reported no clock at all (see {files[1]})")
        return Routed(seed, report, clocks, files[1], files[2])

    def pack(self, routed: Routed) -> Path:
        """Make the bitstream."""
        arguments = [routed.result if argument == "top.config" else argument for argument in self.plan.pack]
        run_tool(ECPPACK, *arguments, folder=self.folder, log="ecppack.log", label="bitstream", say=self.say)
        return self.folder / "top.bit"
