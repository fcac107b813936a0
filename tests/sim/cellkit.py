"""Runs one cell of sim/ecp5 on lists of its pins, through the same steps as a netlist."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from licgate.resources import simulation_source
from licgate.sim.form import cells_script
from licgate.sim.netlist import SOURCES
from licgate.synth.toolchain import YOSYS, cxxrtl_runtime

HARNESS = """
#include "model.cc"
#include <cstdio>
#include <string>
int main() {
    cxxrtl_design::p_top top;
    std::string line;
    for (int c; (c = std::getchar()) != EOF;) {
        if (c != '\\n') { line += char(c); continue; }
        for (size_t k = 0; k < line.size(); k++) {
            uint32_t &chunk = top.p_i.data[k / 32];
            chunk = (chunk & ~(1u << k % 32)) | uint32_t(line[k] - '0') << k % 32;
        }
        for (bool level : {false, true}) {
            top.p_clk.set<bool>(level);
            top.step();
            top.step();  // what a reset without a clock did a step ago
            if (level) continue;
            for (size_t k = 0; k < OUTPUTS; k++) std::putchar('0' + (top.p_o.data[k / 32] >> k % 32 & 1));
        }
        std::putchar('\\n');
        line.clear();
    }
}
"""


def run_cells(cells, rows):
    """Give instances of cells the same pins, cycle by cycle, and return what each showed before the clock's edge.

    Parameters
    ----------
    cells : list of (str, dict, list of str, list of str)
        Type, parameters as Verilog, inputs and outputs; the pins of all inputs are one row's bits, in this order. An
        input called like a clock is the clock.
    rows : sequence of sequence of int
        A row for each cycle, of as many bits as there are inputs in all.

    Returns
    -------
    list of list of int
        A row for each cycle, of the outputs of all.
    """
    at_in = at_out = 0
    body = []
    for number, (kind, parameters, inputs, outputs) in enumerate(cells):
        pins = []
        for name in inputs:
            if name in ("CLK", "CLK0", "CLKA", "CLKB", "WCK"):
                pins.append(f".{name}(clk)")
                continue
            name, _, width = name.partition(":")
            width = int(width or 1)
            pins.append(f".{name}(i[{at_in + width - 1}:{at_in}])")
            at_in += width
        for name in outputs:
            name, _, width = name.partition(":")
            width = int(width or 1)
            pins.append(f".{name}(o[{at_out + width - 1}:{at_out}])")
            at_out += width
        values = ", ".join(f".{key}({value})" for key, value in parameters.items())
        body.append(
            f"{kind} #({values}) u{number} ({', '.join(pins)});" if values else f"{kind} u{number} ({', '.join(pins)});"
        )
    top = (
        f"module top (input clk, input [{at_in - 1}:0] i, output [{at_out - 1}:0] o);\n"
        + "\n".join(body)
        + "\nendmodule\n"
    )
    assert all(len(row) == at_in for row in rows)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name in SOURCES:
            shutil.copy(simulation_source(f"ecp5/{name}"), folder)
        (folder / "top.v").write_text(top)
        (folder / "main.cc").write_text(HARNESS.replace("OUTPUTS", str(at_out)))
        command = YOSYS.command("-q", "-p", cells_script("top.v"))
        subprocess.run(command, cwd=folder, env=YOSYS.environment(), check=True, capture_output=True)
        compiler = [
            os.environ.get("CXX") or "g++",
            "-std=c++17",
            "-O0",
            f"-I{cxxrtl_runtime()}",
            "main.cc",
            "-o",
            "model",
        ]
        subprocess.run(compiler, cwd=folder, check=True)
        text = "".join("".join(map(str, row)) + "\n" for row in rows)
        done = subprocess.run([folder / "model"], input=text, capture_output=True, text=True, check=True)
    return [[int(bit) for bit in line] for line in done.stdout.splitlines()]


def columns(rows, *widths):
    """Rows cut into numbers of these widths, the lowest bit first."""
    out = []
    for row in rows:
        at, values = 0, []
        for width in widths:
            values.append(sum(bit << k for k, bit in enumerate(row[at : at + width])))
            at += width
        out.append(values)
    return out


def bits(value, width):
    """The lowest bits of a number, the lowest first."""
    return [value >> k & 1 for k in range(width)]
