"""The cycle model of a streamed core behind AXI4 against the simulated gateware: every column, tile and write."""

import numpy as np
import pytest

from licgate.gateware.streamed.axisystem import AxiSystem
from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf.streamed.frame import StreamedModel
from licgate.program.schedule import make_schedule
from licgate.program.streamed import compile_streamed
from licgate.reference import run_transform
from licgate.target.axi import AxiTiming
from licgate.target.streamed import StreamedConfig
from tests.gateware.kit import monitor, run_simulation
from tests.gateware.memory.axipaced import PacedSlave
from tests.marks import regress

PACKED = {"packing": True, "packed_bits": 27}
FAST, POINTS = {"arithmetic": "fip"}, {"arithmetic": "fip-f4"}


def make_program(bits, options):
    shape = {"rows": 8, "cols": 8, "output_words": 32, "address_bits": 28}
    config = StreamedConfig(**shape, **options, beat_bits=bits, page_beats=256)
    return compile_streamed([synthetic_manifest(channels=(3, 9, 10), seed=3).g_a], config)


@pytest.mark.parametrize(
    ("bits", "latencies", "rate", "size", "options"),
    [
        regress(32, (1, 1), (1, 1), (21, 3), PACKED),
        regress(64, (70, 25), (1, 1), (21, 3), PACKED),
        regress(64, (23, 140), (5, 8), (21, 3), PACKED),
        # the last command comes while it is to be decided whether more are read
        (64, (10, 41), (1, 2), (37, 2), PACKED),
        regress(64, (23, 140), (5, 8), (21, 3), FAST),
        regress(64, (30, 20), (1, 1), (37, 2), POINTS),
        regress(32, (1, 1), (1, 1), (45, 5), POINTS),
        regress(64, (140, 23), (5, 8), (21, 3), POINTS),
    ],
)
def test_every_event_comes_in_the_cycle_that_is_predicted(bits, latencies, rate, size, options):
    width, height = size
    timing = AxiTiming(
        data_bits=bits, read_latency=latencies[0], write_latency=latencies[1], beats=rate[0], per=rate[1]
    )
    program = make_program(bits, options)
    chain = program.chains[0]
    schedule = make_schedule(program, chain, width, height, origin=1 << 20)
    x = np.random.default_rng(1).integers(0, 256, (3, height, width))
    system = AxiSystem(program)
    bus, events = system.buses[0], system.events[0]
    memory = schedule.memory(x).tolist()
    slave = PacedSlave(bus, timing, dict(enumerate(memory, schedule.origin)))
    seen = {"columns": [], "tiles": [], "writes": []}
    done, start = [], 3

    async def watch(ctx):
        cycle, count = 0, 0
        samples = (events[name] for name in ("columns", "tiles", "writes"))
        async for _clk, _rst, has_column, has_tile, written in ctx.tick().sample(*samples):
            seen["columns"] += [cycle] * has_column
            seen["tiles"] += [cycle] * has_tile
            seen["writes"] += [cycle - 1] * (written != count)
            count, cycle = written, cycle + 1

    async def bench(ctx):
        ctx.set(system.control.settings.address[0], schedule.address)
        ctx.set(system.control.threshold, (1 << 32) - 1)
        await ctx.tick().repeat(start)
        ctx.set(system.control.start, 1)
        await ctx.tick()
        ctx.set(system.control.start, 0)
        cycle = start + 1
        while not ctx.get(system.control.done):
            await ctx.tick()
            cycle += 1
        done.append(cycle)
        assert not ctx.get(system.errors)

    monitors = [monitor(getattr(bus, name), name) for name in ("ar", "r", "aw", "w", "b")]
    run_simulation(system, bench, monitors=monitors, background=[slave.process, watch], limit=120_000)
    found = np.array([slave.contents.get(schedule.origin + k, 0) for k in range(schedule.beats)], dtype=np.uint64)
    assert np.array_equal(schedule.output(found), run_transform(chain.transform, x))
    model = StreamedModel([schedule], timing, start=start)
    (run,) = model.runs
    assert seen == run.times
    assert [run.done] == done
    assert model.memory.late == 0
    assert model.memory.transactions == len(slave.bursts)
    assert model.memory.beats == sum(beats for _, _, beats in slave.bursts)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="cores must be an integer from 1 to 16, not 0"):
        AxiSystem(make_program(64, PACKED), cores=0)
    config = StreamedConfig(rows=8, cols=8, beat_bits=64)
    program = compile_streamed([synthetic_manifest(channels=(3, 9, 10), seed=3).g_a], config)
    with pytest.raises(ValueError, match="the program has pages of 512 beats, a burst of AXI4 has 256 at most"):
        AxiSystem(program)
