"""Verilog of a design, by Yosys: for simulators, for the maker's tools, and for people who use no Amaranth."""

from __future__ import annotations

import tempfile
from pathlib import Path

from amaranth.back import rtlil

from licgate.resources import simulation_source
from licgate.synth.toolchain import YOSYS, run_tool

__all__ = ["print_verilog", "printing_files", "printing_script"]

_WIDTHS = "widths.v"
# Cells of families that a design may hold: what their outputs drive is driven.
_CELLS = ("ecp5/cells_sim.v", "ecp5/cells_bb.v", "xilinx/cells_xtra.v")


def printing_script(target: str) -> str:
    """Commands for Yosys that write the design at hand as Verilog.

    Processes become multiplexers and flip-flops: so nothing waits for an event, no case is incomplete, and what is
    unknown in a simulation stays so. All operands get the width at which their cell works, which Verilog would do
    unseen, and linters ask for. What nothing drives, or what drives itself, is an error.

    Parameters
    ----------
    target : str
        The file; `printing_files` lie beside it.
    """
    return "; ".join(
        [
            *(f"read_verilog -lib -nooverwrite +/{cells}" for cells in _CELLS),
            "proc -norom",
            "memory_collect",
            "opt_expr",
            "pmuxtree",
            f"techmap -map {_WIDTHS}",
            "opt_clean -purge",
            "check -assert",
            "setattr -unset src -unset full_case",
            "setattr -mod -unset src -unset generator -unset top",
            f"write_verilog -norename {target}",
        ]
    )


def printing_files() -> dict[str, str]:
    """Files that `printing_script` reads, by their names."""
    return {_WIDTHS: simulation_source(f"verilog/{_WIDTHS}").read_text(encoding="utf-8")}


def print_verilog(module, name: str, *, platform=None) -> str:
    """Verilog of a module with ``ports``.

    Parameters
    ----------
    module : Elaboratable
    name : str
        What it is called.
    platform : object or None
        Has bodies for multipliers and adders of a device; None for plain Verilog.

    Raises
    ------
    ToolError, BuildError
        Yosys is missing, or fails.
    """
    text = rtlil.convert(module, name=name, platform=platform, ports=module.ports, emit_src=False)
    with tempfile.TemporaryDirectory(prefix="licgate-") as folder:
        for file, content in {"design.il": text, **printing_files()}.items():
            Path(folder, file).write_text(content, encoding="utf-8")
        script = f"read_rtlil design.il; {printing_script('design.v')}\n"
        Path(folder, "design.ys").write_text(script, encoding="utf-8")
        run_tool(YOSYS, "-q", "design.ys", folder=Path(folder), log="yosys.log", label="Verilog")
        return Path(folder, "design.v").read_text(encoding="utf-8")
