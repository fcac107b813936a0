"""Everything that is delivered, as texts by their names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from licgate import __version__
from licgate.resources import simulation_source
from licgate.synth.verilog import print_verilog
from licgate.target.registermap import c_header, json_map
from licgate.verilog.delivery import Delivery
from licgate.verilog.readme import readme

__all__ = ["MARK", "NAME", "package"]

#: What the module is called, and its file without an ending.
NAME = "licgate"
#: The file by which a folder is known as one of these.
MARK = "licgate.core"

_BENCH = ("testbench.v", "parts.v", "host.v")
#: For cocotb alone.
_WITH_IDS = "with_ids.v"
#: Models of a family's cells for simulators, where licgate has them.
_MODELS = {"ecp5": ("mult18x18d.v", "logic.v")}
_STATIC = ("Makefile", "package.tcl", "test_licgate.py")


def package(
    delivery: Delivery, pixels, size: tuple[int, int], clock_mhz: float, say: Callable[[str], None] = print
) -> dict[str, str]:
    """Files of a delivery, by their names.

    Parameters
    ----------
    delivery : Delivery
    pixels : ndarray of uint8, shape (H, W, 3)
        Picture of the golden vectors.
    size : tuple of int
        Width and height of the image that figures are for.
    clock_mhz : float
        Clock that figures assume.
    say : callable
        Takes progress lines.

    Raises
    ------
    ConfigError
        The array does not run the model, or not this picture or image.
    ToolError, BuildError
        Yosys is missing, or fails.
    """
    module = delivery.module()
    costs = delivery.costs(*size)
    say(f"golden vectors: {', '.join(delivery.transforms)} of a picture of {pixels.shape[1]} x {pixels.shape[0]}")
    vectors = delivery.vectors(pixels)
    say("Verilog, by Yosys")
    text = print_verilog(module, NAME, platform=delivery.platform)
    accelerators = {kind: found for kind, found in json_map()["accelerators"].items() if kind == delivery.kind.value}
    bench = [*_BENCH, *(["memory.v"] if delivery.external else [])]
    files = {
        f"{NAME}.v": _head(delivery) + text.partition("\n")[2],
        "registers.json": json.dumps({"accelerators": accelerators}, indent=2) + "\n",
        "registers.h": c_header(),
        "README.md": readme(delivery, module.described, vectors, (size, costs, clock_mhz)),
    }
    files |= {f"vectors/{name}": content for name, content in vectors.files().items()}
    files |= {f"testbench/{name}": _source(f"testbench/{name}") for name in bench}
    if delivery.external:
        files |= {f"testbench/{_WITH_IDS}": _source(f"testbench/{_WITH_IDS}")}
    files |= {f"cells/{name}": _cells(name) for name in _MODELS.get(delivery.cells, ())}
    files |= {name: _source(name) for name in _STATIC}
    files[MARK] = "\n".join([*_core(delivery, bench, sorted(files)), ""])
    return files


def _source(name: str) -> str:
    return simulation_source(f"verilog/{name}").read_text(encoding="utf-8")


def _cells(name: str) -> str:
    return simulation_source(f"ecp5/{name}").read_text(encoding="utf-8")


def _head(delivery: Delivery) -> str:
    shape = f"{delivery.config.rows} x {delivery.config.cols}"
    return (
        f"// {', '.join(delivery.transforms)} of {delivery.manifest.name} on an array of {shape}, by licgate "
        f"{__version__}; see README.md.\n"
    )


def _core(delivery: Delivery, bench: list[str], files: list[str]) -> Iterator[str]:
    """Lines of FuseSoC's description, CAPI 2."""
    vectors, cells = ([name for name in files if name.startswith(part)] for part in ("vectors/", "cells/"))
    yield "CAPI=2:"
    yield f"name: licgate:codec:{NAME}:{__version__}"
    yield f"description: {', '.join(delivery.transforms)} of {delivery.manifest.name} for learned image compression"
    yield "filesets:"
    yield "  rtl:"
    yield f"    files: [{NAME}.v]"
    yield "    file_type: verilogSource-2005"
    yield "  testbench:"
    yield "    files:"
    yield from (f"      - {name}" for name in [*(f"testbench/{name}" for name in bench), *cells])
    yield "      - vectors/job.vh: {is_include_file: true}"
    yield "    file_type: verilogSource-2005"
    yield "  vectors:"
    yield "    files:"
    yield from (f"      - {name}: {{copyto: {name}}}" for name in vectors if name.endswith(".hex"))
    yield "    file_type: user"
    yield "parameters:"
    for name, what in (("seed", "of the stalls"), ("stalls", "in so many of a hundred cycles")):
        yield f"  {name}: {{datatype: int, description: {what}, paramtype: plusarg}}"
    yield "targets:"
    yield "  default: &default"
    yield "    filesets: [rtl]"
    yield f"    toplevel: {NAME}"
    yield "  lint:"
    yield "    <<: *default"
    yield "    default_tool: verilator"
    yield "    tools: {verilator: {mode: lint-only}}"
    yield "  sim:"
    yield "    filesets: [rtl, testbench, vectors]"
    yield "    toplevel: testbench"
    yield "    default_tool: icarus"
    yield "    parameters: [seed, stalls]"
    yield "    tools:"
    yield "      icarus: {iverilog_options: [-g2005]}"
    yield "      verilator: {mode: binary, verilator_options: [--timing, -Wno-fatal]}"
