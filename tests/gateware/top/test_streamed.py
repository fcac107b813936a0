"""A streamed accelerator over its link, with the SDRAM chip at its pins: the host program uploads, runs and reads."""

from dataclasses import replace

import numpy as np
import pytest

from licgate.errors import ConfigError, DeviceError
from licgate.gateware.top.board import EmulatedBoard
from licgate.gateware.top.streamed import StreamedAccelerator
from licgate.manifest.synthetic import synthetic_manifest
from licgate.program.schedule import make_schedule
from licgate.reference import run_transform
from licgate.runtime import streamed as host
from licgate.target.frames import write_frame
from licgate.target.registers import Register
from licgate.target.sdram import ULX3S_SDRAM
from licgate.target.streamed import StreamedConfig
from tests.gateware.kit import Monitor, stream_put_all
from tests.gateware.linked import LinkedBench, linked
from tests.gateware.memory.chip import SdramChip, attach
from tests.marks import regress

MANIFEST = synthetic_manifest(channels=(3, 4), kernel=3, seed=3)
CONFIG = StreamedConfig(rows=4, cols=4)
TIMING = replace(ULX3S_SDRAM, power_up_us=1.0)
MHZ = 60.0


class Bench(LinkedBench):
    """The board with the chip at its pins."""

    def __init__(self, *, cores=1, seed=None):
        self.accelerator = StreamedAccelerator(MANIFEST, CONFIG, TIMING, MHZ, cores=cores)
        super().__init__(EmulatedBoard(linked(self.accelerator)), seed=seed)
        self.program = self.accelerator.program
        self.chip = SdramChip(TIMING, MHZ)

    def run(self, *testbenches, limit=30_000):
        request = Monitor(self.accelerator.accelerator.host.request, "request")
        chip = attach(self.chip, self.board.pins)
        super().run(*testbenches, limit=limit, monitors=[request], background=[chip])


def schedules(program, sizes):
    """A schedule for each size, in stretches of memory beside each other."""
    found, origin = [], 700
    for width, height in sizes:
        found.append(make_schedule(program, program.chains[0], width, height, origin=origin))
        origin += found[-1].beats + 13
    return found


def inputs(sizes):
    return [np.random.default_rng(k).integers(0, 256, (3, h, w)) for k, (w, h) in enumerate(sizes)]


@pytest.mark.parametrize(("sizes", "seed"), [([(9, 5)], 2), ([(8, 3), (3, 5)], None)])
def test_the_host_program_gets_what_the_reference_gives(sizes, seed):
    bench = Bench(cores=len(sizes), seed=seed)
    plans, images = schedules(bench.program, sizes), inputs(sizes)

    async def program(ctx):
        outputs, counters = await bench.talk(ctx, host.run(plans, images, model=MANIFEST.hash))
        for x, y in zip(images, outputs, strict=True):
            assert np.array_equal(y, run_transform(MANIFEST.g_a, x))
        for row in counters:
            assert row["busy"] > row["steps"] > 0
            assert row["busy"] >= row["steps"] + row["wait_map"] + row["wait_weights"] + row["wait_output"]

    bench.run(program)


@pytest.mark.parametrize("wait", [40, regress(300)])
def test_a_reset_in_mid_run_leaves_nothing_behind(wait):
    bench = Bench()
    sizes = [(9, 5)]
    plans, images = schedules(bench.program, sizes), inputs(sizes)

    async def program(ctx):
        await bench.talk(ctx, host.write_register(Register.ADDRESS, plans[0].address))
        # only the input is missing; what it is does not matter here
        begin, commands = plans[0].memory(images[0])[:100], plans[0].address - plans[0].origin
        await bench.talk(ctx, host.upload(plans[0].origin, begin))
        await bench.talk(ctx, host.upload(plans[0].address, plans[0].memory(images[0])[commands:][:64]))
        await bench.talk(ctx, host.write_register(Register.CONTROL, 1))
        assert await bench.talk(ctx, host.read_register(Register.STATUS)) & 1
        # a read beside the run, given up as well
        await bench.talk(ctx, host.write_register(Register.MEMORY_READ, 5000))
        await ctx.tick().repeat(wait)
        await stream_put_all(ctx, bench.board.i, write_frame(Register.CONTROL, 2))
        await ctx.tick().repeat(700)
        bench.received.clear()
        status = await bench.talk(ctx, host.read_register(Register.STATUS))
        assert status == 1 << 16, "idle, not done, the core is done"
        outputs, _ = await bench.talk(ctx, host.run(plans, images))
        assert np.array_equal(outputs[0], run_transform(MANIFEST.g_a, images[0]))

    bench.run(program)


def test_a_hang_is_reported_with_the_state_of_every_stream():
    bench = Bench()
    (plan,) = schedules(bench.program, [(9, 5)])
    # the first band waits for a column that nothing loads
    index = next(k for k, (kind, _) in enumerate(plan.commands) if kind == "band")
    fields = plan.commands[index][1]
    commands = list(plan.commands)
    commands[index] = ("band", {**fields, "loads": fields["loads"] + 1})
    commands = [*commands[: index + 1], ("end", {})]
    broken = replace(plan, commands=tuple(commands))

    async def program(ctx):
        await bench.talk(ctx, host.write_register(Register.WATCHDOG, 600))
        message = r"^the accelerator hung; core 0: weights waits for data, load waits for data, band idle, passes "
        with pytest.raises(DeviceError, match=message):
            await bench.talk(ctx, host.run([broken], inputs([(9, 5)])))

    bench.run(program)


def test_registers_and_what_is_refused():
    bench = Bench(cores=2)
    names = [probe.name for probe in bench.accelerator.watchdogs[0].probes]
    assert tuple(names) == host.STREAM_NAMES

    async def program(ctx):
        async def read(address):
            return await bench.talk(ctx, host.read_register(address))

        async def write(address, value):
            await bench.talk(ctx, host.write_register(address, value))

        assert await read(Register.MODEL) == int(MANIFEST.hash[:8], 16)
        assert await read(Register.SHAPE) == 4 | 4 << 8
        assert await read(Register.MEMORY_SHAPE) == 16 | 24 << 8 | 2 << 16
        assert await read(Register.STATUS) == 3 << 16
        for core, address in ((0, 123), (1, 456)):
            await write(Register.CORE, core)
            await write(Register.ADDRESS, address)
        assert await read(Register.ADDRESS) == 456
        await write(Register.CORE, 0)
        assert await read(Register.ADDRESS) == 123
        # a transfer beside another one
        await write(Register.MEMORY_WRITE, 10)
        assert await read(Register.STATUS) == 3 << 16 | 1 << 4
        await write(Register.MEMORY_READ, 10)
        assert await read(Register.STATUS) == 3 << 16 | 1 << 4 | 1 << 2
        for refused in (host.upload(0, np.zeros(1)), host.download(0, 1)):
            with pytest.raises(DeviceError, match=r"^the accelerator refused to move memory: another transfer or a re"):
                await bench.talk(ctx, refused)
        await write(Register.CONTROL, 2)
        await ctx.tick().repeat(400)
        assert await read(Register.STATUS) == 3 << 16
        for wrong, message in (
            (host.run(schedules(bench.program, [(4, 4)] * 3), inputs([(4, 4)] * 3)), "the device has 2 cores, 3 sched"),
            (host.run([], [], model="0" * 64), "was built for model .*, not 00000000: load that"),
        ):
            with pytest.raises(DeviceError, match=message):
                await bench.talk(ctx, wrong)

    bench.run(program)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"cores": 0}, ValueError, r"^cores must be an integer from 1 to 16, not 0$"),
        ({"clock_mhz": 150.0}, ValueError, r"^ULX3S runs at 1 to 143 MHz with a CAS latency of 3, not at 150 MHz$"),
        ({"round_trip": 4}, ValueError, r"^round_trip must be 0 to 3 cycles, not 4$"),
        ({"config": StreamedConfig(rows=4, cols=4, beat_bits=8)}, ValueError, r"^the program is for a memory of 8 bi"),
        ({"config": StreamedConfig(rows=1, cols=4)}, ConfigError, r"^a word of the input of .* take more rows or "),
    ],
)
def test_constructor_errors(options, error, message):
    with pytest.raises(error, match=message):
        StreamedAccelerator(**{"manifest": MANIFEST, "config": CONFIG, "timing": TIMING, "clock_mhz": MHZ, **options})
