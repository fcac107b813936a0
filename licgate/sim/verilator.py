"""Verilator: a second simulator behind the same harnesses, of the Verilog that Yosys writes of a design."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from licgate.errors import ToolError
from licgate.resources import simulation_source
from licgate.synth.verilog import printing_files, printing_script

__all__ = ["SCRIPT", "find_verilator", "runtime_arguments", "verilated_files", "verilator_command"]

#: For Yosys: Verilog of top.il.
SCRIPT = f"read_rtlil top.il; {printing_script('top.v')}"

_TOP = re.compile(r"^module \\top\n(.*?)^end$", re.MULTILINE | re.DOTALL)
_PORT = re.compile(r"^  wire (?:width (\d+) )?(?:input|output) \d+  (?:signed )?\\(\w+)$", re.MULTILINE)
_HEADER, _PARTS = "pins.hpp", "parts.cc"


def find_verilator():
    """Path of Verilator, and what it says of its version.

    ``VERILATOR`` names it, a path or a name that is looked up in ``PATH``.

    Raises
    ------
    ToolError
        It is missing, or older than 5.
    """
    named = os.environ.get("VERILATOR") or "verilator"
    program = shutil.which(named)
    if program is None:
        raise ToolError(
            f"{named} is missing; install it (Debian: apt install verilator), or name Verilator 5 or later in VERILATOR"
        )
    version = _said(program, "--version")
    major = re.match(r"Verilator (\d+)\.", version)
    if major is None or int(major[1]) < 5:
        raise ToolError(f"{program} is {version or 'no Verilator'}; name Verilator 5 or later in VERILATOR")
    return str(Path(program).absolute()), version


def verilator_command(found):
    """Command line that makes C++ of top.v, without checking its style; ``found`` is what `find_verilator` returns.

    What Verilog leaves undefined is ones, where CXXRTL has zeros: no value may depend on it.
    """
    options = "--cc -O3 --no-timing --x-assign 1 --x-initial 0 -Wno-fatal -Wno-lint -Wno-style --output-split 0"
    return [found[0], *options.split(), "--top-module", "top", "--prefix", "Vtop", "--Mdir", ".", "top.v"]


def runtime_arguments(found, folder):
    """What a compiler needs besides the harness, once Verilator has run in a folder.

    All that is compiled becomes one source: apart, each of dozens would read the same headers again.
    """
    runtime = Path(_said(found[0], "--getenv", "VERILATOR_ROOT"), "include")
    sources = [*sorted(path.name for path in folder.glob("Vtop*.cpp")), "verilated.cpp", "verilated_threads.cpp"]
    text = "".join(f'#include "{name}"\n' for name in sources)
    (folder / _PARTS).write_text(text, encoding="utf-8")
    # what is not traced
    defines = [f"-DVM_{what}=0" for what in ("COVERAGE", "SC", "TRACE", "TRACE_FST", "TRACE_VCD")]
    return [*defines, "-pthread", f"-I{runtime}", f"-I{runtime / 'vltstd'}"]


def _said(program, *arguments):
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{program} cannot be run: {getattr(error, 'strerror', None) or 'no answer'}") from None
    return done.stdout.strip()


def verilated_files(rtlil):
    """Sources that make of a Verilated ``top`` the model that harnesses include.

    Parameters
    ----------
    rtlil : str
        What the Verilog is written of: it knows the ports.

    Returns
    -------
    dict of str to str
        ``model.cc``, its header, and what `SCRIPT` reads.
    """
    ports = [(name, int(width or 1)) for width, name in _PORT.findall(_TOP.search(rtlil)[1])]
    # what CXXRTL makes of a name, and what Verilator does
    pins = "".join(
        f"    licgate::Pin<{width}> p_{name.replace('_', '__')}{{model.{name.replace('__', '___05F')}}};\n"
        for name, width in ports
    )
    text = (
        f'#include "{_PARTS}"\n#include "{_HEADER}"\n'
        f"namespace cxxrtl_design {{\nstruct p_top {{\n    Vtop model;\n{pins}"
        "    void step() { model.eval(); }\n};\n}\n"
    )
    return {"model.cc": text, _HEADER: simulation_source(_HEADER).read_text(encoding="utf-8"), **printing_files()}
