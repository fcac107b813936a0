"""Build plans: an accelerator and a board turned into the files and commands which the tools get."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from textwrap import dedent

from amaranth.back import rtlil
from amaranth.build.run import BuildPlan
from amaranth.hdl import ClockDomain, Module

from licgate.synth.verilog import printing_files, printing_script
from licgate.target.board import Board
from licgate.target.ethernet import EthernetFacts

__all__ = ["ROUTED", "Plan", "make_plan", "make_portable_plan"]

NAME = "top"

# The multipliers of array and lanes are instances; a product left as `*` is meant for the fabric, where booth encoding
# takes 170 LUT4 for 8x8 bits instead of 290.
# Yosys' own script is run in parts, for what stands between them. Enables and resets of fewer than FEWEST_CONTROLLED
# flip-flops become logic in front of them: a wire of their own to such pins takes longer than that, and slices
# share their flip-flops' control signals. Wires are taken to last as long as they do, rather than 0.3 ns.
FEWEST_CONTROLLED = 12
WIRE_PS = 600
ECP5_FLIP_FLOPS = (
    "-cell $_DFF_?_ 01 -cell $_DFF_?P?_ r -cell $_SDFF_?P?_ r "
    "-cell $_DFFE_??_ 01 -cell $_DFFE_?P??_ r -cell $_SDFFE_?P??_ r -cell $_DLATCH_?_ x"
)
ECP5_PARTS = "synth_ecp5 -nodsp -top top -run"
# A memory with the attribute no_rw_check does not mind what a read gives while the same word is written on the other
# port; by itself Yosys would build logic around the block that makes it the old word, and lengthen its slowest path.
SIMPLE_MEMORIES = "t:$mem_v2 a:no_rw_check %i r:RD_PORTS=1 %i r:WR_PORTS=1 %i"
DONT_CARE = f"memory_collect; setparam -set RD_COLLISION_X_MASK 1'1 {SIMPLE_MEMORIES}"
ECP5_BEFORE = f"hierarchy -top top; proc; flatten -noscopeinfo; {DONT_CARE}; opt_expr; opt_clean; wreduce; booth; "
ECP5_BEFORE += (
    f"{ECP5_PARTS} begin:map_ffs; opt_clean; "
    f"dfflegalize {ECP5_FLIP_FLOPS} -mince {FEWEST_CONTROLLED} -minsrst {FEWEST_CONTROLLED}; opt_merge; "
    f"{ECP5_PARTS} map_ffs:map_luts; abc9 -W {WIRE_PS}; clean"
)
ECP5_OPTIONS = ["-nodsp", "-run", "map_cells:"]

# Router 1 gives the better clock (an early array of 8 x 12: 85 MHz in 5 minutes against 77 MHz in 6 by router 2, all
# else equal). With the array's multipliers at their places it is done with a full device too: 12 x 12, and 12 of lanes.
ROUTER1_MULTIPLIERS = 156

#: What nextpnr writes back of a design without pins.
ROUTED = "routed.json"

# What a user puts beside the processor; blocks of the device stay instances.
VERILOG = "licgate.v"
VERILOG_SCRIPT = f"read_rtlil {NAME}.il; rename {NAME} licgate; {printing_script(VERILOG)}; design -reset\n"
XCUP_SCRIPT = f"""\
    read_rtlil {NAME}.il
    hierarchy -top {NAME}
    proc
    flatten -noscopeinfo
    {DONT_CARE}
    synth_xilinx -family xcup -flatten -noiopad -noclkbuf -nodsp -top {NAME}
    autoname
    tee -q -o stat.json stat -json
    write_json {NAME}.json
"""


@dataclass(frozen=True)
class Plan:
    """What the tools get.

    Parameters
    ----------
    files : BuildPlan
        Input files; its digest (RTLIL without source locations) is part of every cache key.
    synthesize : tuple of str
        Arguments of Yosys.
    route, pack : tuple of str or None
        Arguments of nextpnr (seed and router come on top) and ecppack; None where there is nothing to route or to pack.
    clock_mhz : float
        Frequency that the design gets, or is assumed to get.
    made : tuple of str
        Files for the user that the synthesis makes.
    """

    files: BuildPlan
    synthesize: tuple[str, ...]
    route: tuple[str, ...] | None
    pack: tuple[str, ...] | None
    clock_mhz: float
    made: tuple[str, ...] = ()


def make_plan(
    accelerator,
    *,
    board: Board,
    frequency: float,
    build: int = 0,
    link: str | None = None,
    ethernet: EthernetFacts | None = None,
) -> Plan:
    """Plan the build of an accelerator.

    Parameters
    ----------
    accelerator : Component
        With members ``i``, ``o``, ``o_patch`` and ``csr``; or, where nothing is routed, a module with ``ports`` of its
        own, of which the user gets the Verilog too.
    frequency : float
        Clock wanted, in MHz.
    build : int
        64 bits by which a host knows the build.
    link : str, optional
        One of the board's ``links``, by default the first.
    ethernet : EthernetFacts, optional
        Of the link ``udp``.

    Raises
    ------
    ConfigError
        The board's PLL cannot make that clock, or the board has no such link.
    ToolError
        The link needs a package that is not installed.
    """
    if board.routed:
        link = board.check_link(link or board.default_link)
        return _ecp5_plan(accelerator, board, frequency, build, link=link, ethernet=ethernet)
    return _xcup_plan(accelerator, board, frequency)


def make_portable_plan(component, *, board: Board, clock_mhz: float) -> Plan:
    """Plan synthesis, place and route of a component with its ports at the top, without pins, PLL and host link.

    Everything else is as in a build for the board, from the bodies of multipliers to what Yosys is told. There is no
    bitstream of it.

    Parameters
    ----------
    component : Component
    board : Board
        One that is routed.
    clock_mhz : float
        What nextpnr is to try for.
    """
    files, synthesize, route, _ = _ecp5_tools(board, Module())
    domain = partial(ClockDomain, reset_less=True)
    text = rtlil.convert(component, name=NAME, platform=board.platform(), emit_src=False, missing_domain=domain)
    files.files[f"{NAME}.il"] = text
    # pairs of an option and its file
    dropped = [index for name in ("--lpf", "--textcfg") for index in (route.index(name), route.index(name) + 1)]
    kept = [argument for index, argument in enumerate(route) if index not in dropped]
    options = ("--write", ROUTED, "--out-of-context", "--freq", str(clock_mhz))
    return Plan(files, synthesize, (*kept, *options), None, clock_mhz)


def _ecp5_plan(accelerator, board: Board, frequency: float, build: int, **ways) -> Plan:
    from licgate.synth.pll import ecp5_pll
    from licgate.synth.top import Ecp5Top

    pll = ecp5_pll(board.clock_input, frequency)
    top = Ecp5Top(accelerator, pll=pll, board=board, build=build, **ways)
    files, synthesize, route, pack = _ecp5_tools(board, top)
    svf = pack.index("--svf")
    return Plan(files, synthesize, route, pack[:svf] + pack[svf + 2 :], pll.f_out)


def _ecp5_tools(board: Board, top) -> tuple[BuildPlan, tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Files of a design, and the arguments of Yosys, nextpnr and ecppack."""
    files = board.platform().build(
        top,
        name=NAME,
        do_build=False,
        emit_src=False,
        debug_verilog=False,
        synth_opts=ECP5_OPTIONS,
        script_after_read=ECP5_BEFORE,
        script_after_synth="tee -q -o stat.json stat -json",
        # The build decides itself what missed timing means; nextpnr would stop without a report.
        nextpnr_opts=["--report", "nextpnr.json", "--timing-allow-fail"],
    )
    (_, *synthesize), (_, *route), (_, *pack) = json.loads(files.files[f"build_{NAME}.json"])["commands"]
    return files, tuple(synthesize), tuple(route), tuple(pack)


def _xcup_plan(accelerator, board: Board, frequency: float) -> Plan:
    files = BuildPlan(script=f"build_{NAME}")
    ports = getattr(accelerator, "ports", None)
    text = rtlil.convert(accelerator, name=NAME, platform=board.platform(), ports=ports, emit_src=False)
    files.add_file(f"{NAME}.il", text)
    files.add_file(f"{NAME}.ys", ("" if ports is None else VERILOG_SCRIPT) + dedent(XCUP_SCRIPT))
    for name, content in ({} if ports is None else printing_files()).items():
        files.add_file(name, content)
    made = () if ports is None else (VERILOG,)
    return Plan(files, ("-q", "-l", f"{NAME}.rpt", f"{NAME}.ys"), None, None, frequency, made)
