"""The golden vectors through cocotbext-axi, which was written by others: python3 test_licgate.py, or make cocotb.

Needs cocotb 2 and cocotbext-axi; SEED and STALLS are those of the testbench, SIM is icarus or verilator.
"""

import os
import random
import re
import sys
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, with_timeout
from cocotbext.axi import (
    AxiBus,
    AxiLiteBus,
    AxiLiteMaster,
    AxiRam,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

HERE = Path(__file__).resolve().parent
SEED, STALLS = (int(os.environ.get(name, usual)) for name, usual in (("SEED", 1), ("STALLS", 50)))
END, WRITE, EXPECT, UNTIL, INTERRUPT, CYCLES = range(6)


def words(name):
    """Numbers of a file of vectors."""
    return [int(line, 16) for line in (HERE / "vectors" / name).read_text().split()]


def defines():
    """Numbers that the testbench gets; None where there is only a name."""
    lines = re.findall(r"^`define LICGATE_(\w+) ?(\d+)?$", (HERE / "vectors" / "job.vh").read_text(), re.MULTILINE)
    return {name: int(value) if value else None for name, value in lines}


def pauses(salt):
    """Whether a channel stalls, cycle by cycle."""
    coin = random.Random(SEED * 100 + salt)
    while True:
        yield coin.randrange(100) < STALLS


def stalled(channels, salt):
    """Let channels stall at random."""
    for number, channel in enumerate(channels):
        channel.set_pause_generator(pauses(10 * salt + number))


async def host(dut):
    """Carry out the list of operations."""
    master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.aclk, dut.aresetn, reset_active_level=False)
    writes, reads = master.write_if, master.read_if
    stalled((writes.aw_channel, writes.w_channel, writes.b_channel, reads.ar_channel, reads.r_channel), 1)
    for line in words("program.hex"):
        operation, register, value = line >> 40, line >> 32 & 0xFF, line & 0xFFFFFFFF
        if operation == WRITE:
            await master.write_dword(4 * register, value)
        elif operation == EXPECT:
            found = await master.read_dword(4 * register)
            assert found == value, f"register {register}: {found:#x}, expected {value:#x}"
        elif operation == UNTIL:
            while await master.read_dword(4 * register) != value:
                pass
        elif operation == INTERRUPT:
            for _ in range(8):
                await RisingEdge(dut.aclk)
            while not int(dut.interrupt.value):
                await RisingEdge(dut.aclk)


async def begun(dut):
    """Clock and reset."""
    dut.aresetn.value = 0
    cocotb.start_soon(Clock(dut.aclk, 10, "ns").start())
    for _ in range(8):
        await RisingEdge(dut.aclk)
    dut.aresetn.value = 1


@cocotb.test(skip="MEMORY" in defines())
async def streams(dut):
    """Inputs give the golden results, run by run a packet, with both marks; patches are asked for as expected."""
    count, links = defines(), {}
    for name, kind in (("s_axis", AxiStreamSource), ("m_axis", AxiStreamSink), ("m_axis_patch", AxiStreamSink)):
        bus = AxiStreamBus.from_prefix(dut, name)
        links[name] = kind(bus, dut.aclk, dut.aresetn, reset_active_level=False, byte_lanes=1)
    stalled(links.values(), 2)
    await begun(dut)
    await links["s_axis"].send(AxiStreamFrame(tdata=words("input.hex")))
    await with_timeout(cocotb.start_soon(host(dut)), 100, "ms")
    found = []
    while len(found) < count["OUTPUTS"]:
        frame = await with_timeout(links["m_axis"].recv(compact=False), 1, "ms")
        last = [0] * (len(frame.tdata) - 1) + [1]
        found += [value | end << 16 | first << 17 for value, end, first in zip(frame.tdata, last, frame.tuser)]
    assert found == words("golden.hex")
    asked = [word for _ in range(count["PATCHES"]) for word in (await links["m_axis_patch"].recv()).tdata]
    assert asked == words("patches.hex")
    assert links["m_axis"].empty()
    assert links["s_axis"].idle()


@cocotb.test(skip="MEMORY" not in defines())
async def memory(dut):
    """What lies in memory in the end is what is expected there, bit by bit of the mask."""
    size = defines()["BITS"] // 8
    ram = AxiRam(
        AxiBus.from_prefix(dut, "m_axi"),
        dut.aclk,
        dut.aresetn,
        reset_active_level=False,
        size=defines()["BEATS"] * size,
    )
    writes, reads = ram.write_if, ram.read_if
    stalled((writes.aw_channel, writes.w_channel, writes.b_channel, reads.ar_channel, reads.r_channel), 2)
    for beat, word in enumerate(words("memory.hex")):
        ram.write(size * beat, word.to_bytes(size, "little"))
    await begun(dut)
    await with_timeout(cocotb.start_soon(host(dut)), 100, "ms")
    for beat, (expected, mask) in enumerate(zip(words("expected.hex"), words("mask.hex"), strict=True)):
        found = int.from_bytes(ram.read(size * beat, size), "little")
        assert not (found ^ expected) & mask, f"beat {beat}: {found:#x}, expected {expected:#x} in {mask:#x}"


def main():
    """Build and run; the exit status says how it went."""
    from cocotb_tools.runner import get_results, get_runner

    names, simulator = defines(), os.environ.get("SIM", "icarus")
    if "PLAIN" in names:
        print("this module has plain streams: run the testbench instead")
        return 2
    top, sources = "licgate", [HERE / "licgate.v"]
    if "MEMORY" in names:
        top, sources = "licgate_with_ids", [*sources, HERE / "testbench" / "with_ids.v"]
    sources += [Path(name) for name in os.environ.get("CELLS", "").split()]
    runner, folder = get_runner(simulator), HERE / "build" / f"cocotb-{simulator}"
    options = ["-g2005"] if simulator == "icarus" else ["-Wno-fatal"]
    runner.build(
        sources=sources,
        includes=[HERE / "vectors"],
        hdl_toplevel=top,
        build_dir=folder,
        build_args=options,
        timescale=("1ns", "1ps"),
        always=True,
    )
    path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    # cocotbext-axi 0.1.28 calls what cocotb 2.1 would have called otherwise
    environment = {"PYTHONPATH": path, "PYTHONWARNINGS": "ignore::DeprecationWarning"}
    results = runner.test(
        hdl_toplevel=top, test_module="test_licgate", build_dir=folder, test_dir=folder, extra_env=environment
    )
    _, failed = get_results(results)
    print("FAIL" if failed else "PASS")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
