"""The core beside a processor: started through its registers, at a memory behind AXI4 that is slow, stalls or fails."""

from types import SimpleNamespace

import numpy as np
import pytest
from amaranth.back import rtlil

from licgate.gateware.top.module import memory_module
from licgate.gateware.top.zynq import ZynqAccelerator
from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf.streamed.frame import StreamedModel
from licgate.program.schedule import make_schedule
from licgate.program.streamed import compile_streamed
from licgate.reference import run_transform
from licgate.target.axi import AxiTiming
from licgate.target.registers import IDS, Kind, Register, Status
from licgate.target.streamed import StreamedConfig
from tests.gateware.host.test_axilite import OKAY, bus_monitors, read, write
from tests.gateware.kit import monitor, run_simulation
from tests.gateware.memory.axipaced import PacedSlave
from tests.gateware.memory.axislave import AxiSlave

MANIFEST = synthetic_manifest(channels=(3, 4), kernel=3, seed=3)
TIMING = AxiTiming(data_bits=32, read_latency=20, write_latency=9)
BUSY, DONE, REFUSED, HUNG, FAILED = Status.BUSY, Status.DONE, Status.REFUSED, Status.HUNG, Status.FAILED


def config_of(rows, cols):
    return StreamedConfig(rows=rows, cols=cols, beat_bits=32, page_beats=256, address_bits=29)


def make(width, height, rows=4, cols=4):
    config = config_of(rows, cols)
    program = compile_streamed([MANIFEST.g_a], config)
    schedule = make_schedule(program, program.chains[0], width, height, origin=1 << 22)
    x = np.random.default_rng(width).integers(0, 256, (3, height, width))
    contents = dict(enumerate(schedule.memory(x).tolist(), schedule.origin))
    expected = run_transform(program.chains[0].transform, x)
    return SimpleNamespace(
        accelerator=ZynqAccelerator(MANIFEST, config), schedule=schedule, contents=contents, expected=expected
    )


def output(case, slave):
    schedule = case.schedule
    return schedule.output(np.array([slave.contents.get(schedule.origin + k, 0) for k in range(schedule.beats)]))


async def finish(ctx, accelerator):
    while not ctx.get(accelerator.interrupt):
        await ctx.tick()


@pytest.mark.parametrize(("rows", "cols"), [(4, 4), (6, 5)])
def test_a_frame(rows, cols):
    case = make(13, 6, rows, cols)
    accelerator, bus = case.accelerator, case.accelerator.control
    slave = PacedSlave(accelerator.bus, TIMING, case.contents)

    async def processor(ctx):
        assert await read(ctx, bus, 4 * Register.ID) == (IDS[Kind.AXI], OKAY)
        assert await read(ctx, bus, 4 * Register.MODEL) == (int(MANIFEST.hash[:8], 16), OKAY)
        assert (await read(ctx, bus, 4 * Register.SHAPE))[0] == rows | cols << 8
        assert (await read(ctx, bus, 4 * Register.MEMORY_SHAPE))[0] == 32 | 29 << 8 | 1 << 16
        await write(ctx, bus, 4 * Register.ADDRESS, case.schedule.address)
        assert (await read(ctx, bus, 4 * Register.ADDRESS))[0] == case.schedule.address
        await write(ctx, bus, 4 * Register.CONTROL, 1)
        assert (await read(ctx, bus, 4 * Register.STATUS))[0] == BUSY
        # a second start is refused and changes nothing
        await write(ctx, bus, 4 * Register.CONTROL, 1)
        assert (await read(ctx, bus, 4 * Register.STATUS))[0] == BUSY | REFUSED
        await finish(ctx, accelerator)
        assert (await read(ctx, bus, 4 * Register.STATUS))[0] & ~REFUSED == DONE
        (run,) = StreamedModel([case.schedule], TIMING, start=1).runs
        assert (await read(ctx, bus, 4 * Register.BUSY))[0] == run.steps
        assert (await read(ctx, bus, 4 * Register.CYCLES))[0] == run.done - run.start - 1
        assert (await read(ctx, bus, 4 * 30))[0] == 0

    monitors = bus_monitors(bus) + [monitor(getattr(accelerator.bus, name), name) for name in ("ar", "r", "aw", "w")]
    run_simulation(accelerator, processor, background=[slave.process], monitors=monitors, limit=40_000)
    assert np.array_equal(output(case, slave), case.expected)


def test_a_memory_that_stalls_at_random_changes_no_bit():
    case = make(9, 5)
    slave = AxiSlave(case.accelerator.bus, case.contents, p=0.6, seed=4)
    watched = [monitor(getattr(case.accelerator.bus, name), name) for name in ("ar", "r", "aw", "w", "b")]

    async def processor(ctx):
        await write(ctx, case.accelerator.control, 4 * Register.ADDRESS, case.schedule.address)
        await write(ctx, case.accelerator.control, 4 * Register.CONTROL, 1)
        await finish(ctx, case.accelerator)

    run_simulation(case.accelerator, processor, background=[slave.process], monitors=watched, limit=60_000)
    assert np.array_equal(output(case, slave), case.expected)
    assert min(one.stalled for one in watched if one.name in ("ar", "w")) > 0


def test_a_reset_in_the_middle_of_a_frame_and_a_frame_behind_it():
    case = make(9, 5)
    accelerator, bus = case.accelerator, case.accelerator.control
    slave = PacedSlave(accelerator.bus, TIMING, case.contents)

    async def processor(ctx):
        await write(ctx, bus, 4 * Register.ADDRESS, case.schedule.address)
        await write(ctx, bus, 4 * Register.CONTROL, 1)
        await ctx.tick().repeat(700)
        await write(ctx, bus, 4 * Register.CONTROL, 2)
        assert (await read(ctx, bus, 4 * Register.STATUS))[0] == BUSY
        while (await read(ctx, bus, 4 * Register.STATUS))[0]:
            pass
        assert not slave.reads
        assert not slave.writes
        slave.contents = dict(case.contents)
        await write(ctx, bus, 4 * Register.CONTROL, 1)
        await finish(ctx, accelerator)
        assert (await read(ctx, bus, 4 * Register.STATUS))[0] == DONE

    run_simulation(accelerator, processor, background=[slave.process], limit=60_000)
    assert np.array_equal(output(case, slave), case.expected)


def test_an_answer_that_is_not_okay_interrupts():
    case = make(9, 5)
    slave = AxiSlave(case.accelerator.bus, case.contents, p=0.0, fails=("r",))

    async def processor(ctx):
        bus = case.accelerator.control
        await write(ctx, bus, 4 * Register.ADDRESS, case.schedule.address)
        await write(ctx, bus, 4 * Register.CONTROL, 1)
        await finish(ctx, case.accelerator)
        assert (await read(ctx, bus, 4 * Register.STATUS))[0] & FAILED

    run_simulation(case.accelerator, processor, background=[slave.process], limit=20_000)


def test_a_memory_that_never_answers_is_a_hang():
    case = make(9, 5)
    slave = PacedSlave(case.accelerator.bus, AxiTiming(data_bits=32, read_latency=10_000), case.contents)

    async def processor(ctx):
        bus = case.accelerator.control
        await write(ctx, bus, 4 * Register.WATCHDOG, 300)
        await write(ctx, bus, 4 * Register.ADDRESS, case.schedule.address)
        await write(ctx, bus, 4 * Register.CONTROL, 1)
        await finish(ctx, case.accelerator)
        assert (await read(ctx, bus, 4 * Register.STATUS))[0] == BUSY | HUNG
        words = [(await read(ctx, bus, 4 * address))[0] for address in case.accelerator.watchdog.registers]
        assert "the list of commands" in case.accelerator.watchdog.describe(words)

    run_simulation(case.accelerator, processor, background=[slave.process], limit=20_000)


def test_ports_have_the_names_that_interfaces_are_found_by():
    module = memory_module(ZynqAccelerator(MANIFEST, config_of(4, 4)))
    text = rtlil.convert(module, name="licgate", ports=module.ports, emit_src=False)
    lines = text[text.index("module \\licgate\n") :].splitlines()
    found = {}
    for line in lines[1:]:
        words = line.split()
        if words[:1] == ["end"]:
            break
        if words[:1] == ["wire"] and words[3] in ("input", "output"):
            found[words[5].removeprefix("\\")] = (words[3], int(words[2]))
    assert found["aclk"] == found["aresetn"] == ("input", 1)
    assert (found["m_axi_araddr"], found["m_axi_arlen"]) == (("output", 40), ("output", 8))
    assert (found["m_axi_rdata"], found["m_axi_wdata"]) == (("input", 32), ("output", 32))
    assert (found["m_axi_wstrb"], found["m_axi_bready"]) == (("output", 4), ("output", 1))
    assert (found["s_axi_awaddr"], found["s_axi_rdata"]) == (("input", 12), ("output", 32))
    assert (found["s_axi_awready"], found["s_axi_bready"]) == (("output", 1), ("input", 1))
    assert len(found) == len(module.ports)


def test_another_memory_is_refused():
    with pytest.raises(ValueError, match="data_bits must be 32, 64, 128, 256 or 512, not 16"):
        ZynqAccelerator(MANIFEST, StreamedConfig(rows=4, cols=4))
