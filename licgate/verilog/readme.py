"""README.md of a delivery: ports, clock, registers, cycles, and how its testbench is run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from licgate.gateware.top.module import Port
from licgate.target.registers import Register
from licgate.verilog.delivery import Delivery
from licgate.verilog.vectors import Vectors

__all__ = ["readme"]

#: What ports are for, by the beginning of their names; the longest that fits counts.
_MEANINGS = {
    "s_axis_": "AXI4-Stream in: pixels of g_a in raster order, channel 0 in the low bits; of other transforms values "
    "of a feature map, one a beat, in the low 16 bits",
    "m_axis_t": "AXI4-Stream out: results, 16 bits, signed",
    "m_axis_patch_": "AXI4-Stream out: the patch whose pixels are wanted next, x, y, width and height of 16 bits each, "
    "x in the low ones; tie `tready` high where it is not wanted",
    "s_axi_": "AXI4-Lite: registers, register n at byte 4n",
    "m_axi_": "AXI4: memory of commands, weights and maps; bytes from 0 on",
    "i_": "in: pixels of g_a in raster order, channel 0 in the low bits; of other transforms values of a feature map, "
    "one at a time, in the low 16 bits",
    "o_": "out: results, 16 bits, signed",
    "o_patch_": "out: the patch whose pixels are wanted next; tie `ready` high where it is not wanted",
    "csr_": "registers: `csr_r_data` follows `csr_addr` by two cycles; `csr_w_stb` writes in its cycle",
    "interrupt": "the run is done, or hangs, or the bus answered an error; a level",
}

_CLOCK = """\
The module has no parameters: its shape is that of the array and the model; another one is another module.

`aclk` is the clock of everything, `aresetn` its synchronous reset, low for a cycle or longer. A host then writes
CONTROL ({control}) = 2 and waits until STATUS ({status}) reads 0, 256 cycles later: what has no reset of its own has
drained by then. `interrupt` falls three cycles behind a start. A `valid` does not wait for its `ready`."""

_STREAMS = """\
`{last}` is high with the last result of a patch, and never else; `{first}` with the first result of a run, and never
else. An image no wider than the line buffers ({width} pixels) is one patch: then a run is one packet, from `{first}` to
`{last}`. Both are part of the payload: they stay with an offer until it is taken. Inputs carry no such mark: how many
come, the registers say. No input is taken before its run begins; those of the next run may wait at the port.

The order of results: row by row; in a row by groups of {rows} columns; in a group by channel, then by column. Feature
maps go in in that order, too. What ends in a transposed convolution (g_s: pixels) comes in depth form: channel
`(2p + q) * C + c` at row i, column j is channel c at row 2i + p, column 2j + q.

To run: write TRANSFORM ({transform}), WIDTH, HEIGHT, PATCH_WIDTH, PATCH_HEIGHT ({sizes} on; whole strides for g_a) and
CONTROL ({control}) = 1. STATUS ({status}) reads 2, and `interrupt` is high, when all results have left."""

_MEMORY = """\
To run: put a schedule with weights, commands and input into memory (`licgate.program.schedule.Schedule.memory` makes
it, in beats of {bits} bits, little endian; `vectors/memory.hex` is one), write ADDRESS ({address}), the beat of its
first command, and CONTROL ({control}) = 1. STATUS ({status}) reads 2, and `interrupt` is high, when the results lie in
memory. There are no streams; bursts are of whole beats, incrementing, up to 256, and cross no 4 KB; at most two reads
and two writes are under way, all with one ID."""

_RUNNING = """\
    make icarus                     # Icarus Verilog
    make verilator                  # Verilator 5
    make icarus SEED=7 STALLS=90    # other stalls, in 90 of 100 cycles; STALLS=0: none, and cycles are compared

It prints PASS, or what differs and FAIL; the exit status is 0 only with PASS. Every stream stalls at random (a seed
draws the same in every simulator). Offers that fall or change before they are taken, and unknown values in them, are
failures. By hand:

    iverilog -g2005 -Ivectors -s testbench -o tb.vvp {sources} && vvp tb.vvp +seed=7

`test_licgate.py` (`make cocotb`) puts the same vectors through cocotbext-axi{cocotb}. `licgate.core` is for FuseSoC:
`fusesoc --cores-root=. run --target=sim licgate:codec:licgate`. `package.tcl` makes an IP of Vivado, `vivado -mode
batch -source package.tcl`; it is written from Vivado's documentation, and has not been run."""

_CELLS = {
    "ecp5": "Multipliers and adders are cells of an ECP5 (MULT18X18D, CCU2C); `cells/` has models of them for "
    "simulators. Lint wants `-Wno-PINMISSING` then.",
    "ultrascale": "Multipliers are DSP48E2 of an UltraScale+; simulators need the model that Vivado has in "
    "`data/verilog/src/unisims/DSP48E2.v`, with `glbl.v`: `CELLS=FILES`.",
}

_LINT = """\
`make lint` is Verilator's `-Wall` without five classes: DECLFILENAME (one file holds all modules), UNUSEDSIGNAL (bits
that nobody reads, which synthesis drops), SYMRSVDWORD (`interrupt` is a name that C++ libraries know), CMPCONST (a
limit that a counter of this shape is too narrow to reach), UNOPTFLAT (a word one bit of which is a copy of another;
that nothing drives itself was checked bit by bit when this was written)."""


def readme(
    delivery: Delivery, ports: Sequence[Port], vectors: Vectors, figures: tuple[tuple[int, int], list, float]
) -> str:
    """The page.

    Parameters
    ----------
    delivery : Delivery
    ports : sequence of Port
    vectors : Vectors
    figures : tuple
        Width and height of an image, what it costs (:meth:`Delivery.costs`), and a clock in MHz.
    """
    return "\n".join([*_page(delivery, ports, vectors, figures), ""])


def _page(delivery, ports, vectors, figures) -> Iterator[str]:
    config, manifest = delivery.config, delivery.manifest
    yield f"# licgate: {', '.join(delivery.transforms)} of {manifest.name}"
    yield ""
    where = "in a memory behind AXI4" if delivery.external else "on the chip"
    yield f"Module `licgate` in `licgate.v`, Verilog-2005, one clock. An array of {config.rows} x {config.cols},"
    yield f"arithmetic {config.arithmetic}, weights and feature maps {where}. Model hash {manifest.hash}."
    yield ""
    yield "## Ports"
    yield ""
    yield from _ports(ports)
    yield ""
    yield _CLOCK.format(control=f"{Register.CONTROL:d}", status=f"{Register.STATUS:d}")
    yield ""
    yield "## A run"
    yield ""
    yield _run(delivery)
    yield ""
    yield "Registers: `registers.json`, `registers.h`."
    yield ""
    yield "## Cycles"
    yield ""
    yield from _cycles(delivery, vectors, *figures)
    yield ""
    yield "## Testbench"
    yield ""
    cocotb = "" if not delivery.plain else " (with AXI alone; this module has plain streams)"
    bench = ["licgate.v", "testbench/testbench.v", "testbench/parts.v", "testbench/host.v"]
    yield _RUNNING.format(cocotb=cocotb, sources=" ".join([*bench, *["testbench/memory.v"] * delivery.external]))
    yield ""
    if delivery.cells != "generic":
        yield _CELLS[delivery.cells]
        yield ""
    yield _LINT


def _ports(ports) -> Iterator[str]:
    yield "| port | | bits | |"
    yield "|---|---|---|---|"
    yield "| `aclk`, `aresetn` | in | 1 | clock, and synchronous reset, active low |"
    told = set()
    for port in ports:
        prefix = max((begin for begin in _MEANINGS if port.name.startswith(begin)), key=len)
        meaning = "" if prefix in told else _MEANINGS[prefix]
        told.add(prefix)
        yield f"| `{port.name}` | {'out' if port.driven else 'in'} | {port.width} | {meaning} |"


def _run(delivery) -> str:
    numbers = {name.lower(): f"{Register[name]:d}" for name in ("CONTROL", "STATUS", "TRANSFORM", "ADDRESS")}
    if delivery.external:
        return _MEMORY.format(bits=delivery.config.beat_bits, **numbers)
    marks = ("o_last", "o_first") if delivery.plain else ("m_axis_tlast", "m_axis_tuser")
    shape = {"rows": delivery.config.rows, "width": delivery.config.max_width, "sizes": f"{Register.WIDTH:d}"}
    return _STREAMS.format(last=marks[0], first=marks[1], **shape, **numbers)


def _cycles(delivery, vectors, size, costs, clock_mhz) -> Iterator[str]:
    timing = delivery.timing
    memory = (
        f" A memory is assumed of {timing.read_latency} cycles to a read's first beat and {timing.write_latency} to a "
        f"write's answer, {timing.beats} beats in {timing.per} cycles each way."
    )
    yield "From start to done by the exact cycle model, while nobody stalls; the clock is assumed: only a"
    yield f"place-and-route knows it.{memory if delivery.external else ''}"
    yield ""
    yield f"| transform | input | cycles | ms at {clock_mhz:g} MHz | |"
    yield "|---|---|---|---|---|"
    whole = f"of an image of {size[0]} x {size[1]}"
    for what, rows in ((whole, costs), ("`vectors/`", vectors.runs)):
        for name, (width, height), cycles in rows:
            yield f"| {name} | {width} x {height} | {cycles} | {cycles / clock_mhz / 1e3:.3f} | {what} |"
