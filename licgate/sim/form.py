"""What is simulated of an accelerator: what Amaranth describes, or the netlist that its build places or has placed."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil

from licgate.caches import cache_folder
from licgate.errors import ConfigError
from licgate.resources import simulation_source
from licgate.sim.chance import ChancePlatform, Marked
from licgate.sim.netlist import SOURCES, first_values, keep_constants, simulated
from licgate.sim.verilator import SCRIPT, find_verilator, verilated_files
from licgate.synth.buildplan import make_portable_plan
from licgate.synth.cache import BuildCache
from licgate.synth.flow import Flow, find_tools
from licgate.target.board import find_board

__all__ = [
    "NETLIST",
    "ROUTED",
    "RTL",
    "VERILOG",
    "Form",
    "Model",
    "cells_script",
    "form_of",
    "make_model",
    "make_netlist",
]

_BOARD, _SEED = "ulx3s-85f", 1
_CHANCE = "-DLICGATE_CHANCE"


@dataclass(frozen=True)
class Form:
    """What becomes of an accelerator before it is simulated.

    Attributes
    ----------
    netlist : bool
        Cells of an ECP5, as they go into nextpnr.
    routed : bool
        Those that nextpnr has placed and routed.
    random : bool
        What hardware leaves open can be random. It always can in a netlist.
    verilog : bool
        Verilog, for Verilator; others are for CXXRTL.
    """

    netlist: bool = False
    routed: bool = False
    random: bool = False
    verilog: bool = False


RTL, NETLIST, ROUTED = Form(), Form(True, False, True), Form(True, True, True)
VERILOG = Form(verilog=True)


@dataclass(frozen=True)
class Model:
    """What is compiled.

    Attributes
    ----------
    files : dict of str to str
        Their contents, by their names.
    script : str
        For Yosys; makes model.cc, or top.v for Verilator.
    flags : tuple of str
        For the compiler.
    verilator : tuple of str
        Verilator and its version; nothing where CXXRTL makes the model.
    """

    files: dict
    script: str
    flags: tuple
    verilator: tuple = ()


def form_of(engine, random):
    """The form that an engine's name and a seed, or none, come to."""
    if engine == "netlist":
        return NETLIST
    if engine == "routed":
        return ROUTED
    if engine == "verilator":
        return VERILOG
    return Form(random=random is not None)


def make_model(accelerator, form):
    """Bring an accelerator into a form, for CXXRTL or Verilator.

    Raises
    ------
    ConfigError
        Its multipliers are not those of an ECP5.
    ToolError, BuildError
        Yosys, nextpnr or Verilator is missing, or fails.
    SimulationError
        The netlist holds a cell of which there is no model.
    """
    if form.netlist:
        netlist, starts = make_netlist(accelerator, routed=form.routed)
        return netlist_model(netlist, starts)
    if form.verilog:
        verilator = find_verilator()
        text = rtlil.convert(accelerator, name="top", emit_src=False)
        return Model({"top.il": text, **verilated_files(text)}, SCRIPT, ("-O2",), verilator)
    script = "read_rtlil top.il; write_cxxrtl -O6 {} model.cc"
    if not form.random:
        text = rtlil.convert(accelerator, name="top", emit_src=False)
        return Model({"top.il": text}, script.format("-g0"), ("-O2",))
    text = rtlil.convert(Marked(accelerator), name="top", platform=ChancePlatform(), emit_src=False)
    return Model({"top.il": text}, script.format("-g1"), ("-O2", _CHANCE))


def make_netlist(accelerator, *, routed=False):
    """Synthesise an accelerator as a build for the ULX3S does, and with ``routed`` place and route it.

    Returns
    -------
    netlist : dict
        What goes into nextpnr, or what it has written back.
    starts : dict of str to str
        See :func:`licgate.sim.netlist.first_values`.

    Raises
    ------
    ConfigError, ToolError, BuildError
        See `make_model`.
    """
    board = find_board(_BOARD)
    try:
        plan = make_portable_plan(Marked(accelerator), board=board, clock_mhz=board.frequency)
    except ValueError as error:
        raise ConfigError(f"there is no netlist for {board.device}: {error}") from None
    with tempfile.TemporaryDirectory(prefix="licgate-") as folder:
        folder, cache = Path(folder), BuildCache(cache_folder("build"))
        tools = find_tools(board, route=routed)
        flow = Flow(plan=plan, board=board, folder=folder, cache=cache, say=lambda line: None, tools=tools)
        cells, _ = flow.synthesize()
        netlist = json.loads((folder / "top.json").read_text())
        starts = first_values(netlist["modules"]["top"])
        if routed:
            flow.check_fit(cells)
            result = flow.route(_SEED, multipliers=cells.get(board.multiplier, 0)).result
            given, netlist = netlist, json.loads((folder / result).read_text())
            keep_constants(netlist, given)
    return netlist, starts


def netlist_model(netlist, starts):
    """A netlist with the models of its cells, for CXXRTL."""
    cells = {name: simulation_source(f"ecp5/{name}").read_text(encoding="utf-8") for name in SOURCES}
    # one function holds thousands of bits: to optimise it takes minutes, and a small picture seconds without
    return Model(
        cells | {"top.json": json.dumps(simulated(netlist, starts))}, cells_script("top.json"), ("-O0", _CHANCE)
    )


def cells_script(netlist):
    """Script for Yosys that makes model.cc of a file of cells, as JSON or Verilog."""
    read = "read_json" if netlist.endswith(".json") else "read_verilog"
    return (
        f"read_verilog {' '.join(SOURCES)}; {read} {netlist}; hierarchy -top top; proc; flatten -noscopeinfo; "
        "opt_expr -mux_bool; opt_clean -purge; write_cxxrtl -O6 -g1 model.cc"
    )
