"""The cycle model of a streamed core against the gateware with its SDRAM: every column, tile and write."""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import Component, Out, connect, flipped

from licgate.errors import ConfigError
from licgate.gateware.memory.phy import SdramPhy, sdram_bus
from licgate.gateware.streamed.accelerator import SdramAccelerator
from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf.streamed.frame import StreamedModel
from licgate.program.schedule import make_schedule
from licgate.program.streamed import compile_streamed
from licgate.reference import run_transform
from licgate.target.streamed import StreamedConfig
from tests.gateware.kit import run_simulation
from tests.gateware.memory.chip import SdramChip, attach
from tests.gateware.memory.kit import CHIP
from tests.manifest.kit import four_transforms
from tests.marks import regress

WIDTH, HEIGHT = 37, 5


class System(Component):
    """An accelerator, with the pins of its chip."""

    def __init__(self, accelerator):
        self.accelerator = accelerator
        super().__init__({"pins": Out(sdram_bus)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.accelerator = self.accelerator
        m.submodules.phy = phy = SdramPhy(self.accelerator.controller.round_trip)
        connect(m, self.accelerator.bus, phy.bus)
        connect(m, phy.pins, flipped(self.pins))
        return m


def make_program(**options):
    shape = {"rows": 4, "cols": 4, "output_words": 8} | options
    return compile_streamed([synthetic_manifest(channels=(3, 5, 7), seed=3).g_a], StreamedConfig(**shape))


def codec_program(**options):
    """All transforms of a codec, for an array of four columns that waits for the way to memory now and then."""
    gdn, shape = options.pop("gdn"), {"cols": 4, "output_words": 8} | options
    return compile_streamed(list(four_transforms(gdn=gdn).transforms.values()), StreamedConfig(**shape))


QUADS = {"arithmetic": "fip-f4", "output_words": 16}
# program, transform, size of its input: pairs of records with and without a second one at the end, GDN and ReLU
RUNS = {
    "g_a": (make_program, {}, "g_a", (WIDTH, HEIGHT)),
    "h_a": (codec_program, {"gdn": "relu", "rows": 4}, "h_a", (7, 5)),
    "h_s": (codec_program, {"gdn": "relu", "rows": 4, "block_rows": 3}, "h_s", (5, 2)),
    "g_s": (codec_program, {"gdn": "abs", "rows": 3, "band_groups": 2}, "g_s", (4, 2)),
    "g_a, fip": (make_program, {"arithmetic": "fip"}, "g_a", (13, 5)),
    "g_a, fip-f4": (make_program, {"arithmetic": "fip-f4", "output_words": 16}, "g_a", (37, 5)),
    "h_a, fip-f4": (codec_program, QUADS | {"gdn": "relu", "rows": 4}, "h_a", (19, 5)),
    "h_s, fip-f4": (codec_program, QUADS | {"gdn": "relu", "rows": 3, "block_rows": 3}, "h_s", (13, 2)),
    "g_s, fip-f4": (codec_program, QUADS | {"gdn": "abs", "rows": 3, "band_groups": 2}, "g_s", (8, 2)),
    "g_s, fip": (codec_program, {"gdn": "abs", "rows": 3, "band_groups": 2, "arithmetic": "fip"}, "g_s", (4, 2)),
}
LONG = "g_s, fip", "g_a, fip-f4", "h_a, fip-f4", "h_s, fip-f4"


@pytest.mark.parametrize("name", [regress(name) if name in LONG else name for name in RUNS])
def test_every_event_comes_in_the_cycle_that_is_predicted(name):
    make, options, wanted, (width, height) = RUNS[name]
    program = make(**options)
    chain = program.chain_of(wanted)
    schedule = make_schedule(program, chain, width, height)
    low, high = chain.transform.input.min, chain.transform.input.max
    x = np.random.default_rng(1).integers(low, high + 1, (chain.transform.in_channels, height, width))
    accelerator = SdramAccelerator(program, CHIP, 100.0)
    chip = SdramChip(CHIP, 100.0, dict(enumerate(schedule.memory(x).tolist())))
    system, events = System(accelerator), accelerator.system.events[0]
    start = accelerator.controller.cycles.start + 1
    seen = {"columns": [], "tiles": [], "writes": []}
    done, steps, waits = [], [0], [0]

    async def watch(ctx):
        cycle, count = 0, 0
        samples = (events[name] for name in ("columns", "tiles", "writes", "steps", "wait_output"))
        async for _clk, _rst, has_column, has_tile, written, step, waiting in ctx.tick().sample(*samples):
            seen["columns"] += [cycle] * has_column
            seen["tiles"] += [cycle] * has_tile
            seen["writes"] += [cycle - 1] * (written != count)
            steps[0], waits[0], count, cycle = steps[0] + step, waits[0] + waiting, written, cycle + 1

    async def bench(ctx):
        ctx.set(accelerator.control.settings.address[0], schedule.address)
        ctx.set(accelerator.control.threshold, (1 << 32) - 1)
        await ctx.tick().repeat(start)
        ctx.set(accelerator.control.start, 1)
        await ctx.tick()
        ctx.set(accelerator.control.start, 0)
        cycle = start + 1
        while not ctx.get(accelerator.control.done):
            await ctx.tick()
            cycle += 1
        done.append(cycle)

    run_simulation(system, bench, background=[attach(chip, system.pins), watch], limit=60_000)
    memory = np.array([chip.contents.get(k, 0) for k in range(schedule.beats)], dtype=np.uint64)
    assert np.array_equal(schedule.output(memory), run_transform(chain.transform, x))
    model = StreamedModel([schedule], accelerator.controller.cycles, start=start)
    (run,) = model.runs
    assert seen == run.times
    assert [run.done] == done
    assert (run.steps, model.done) == (steps[0], done[0])
    assert waits[0] > 0 or name != "g_a", "the case has waits for the way to memory"
    assert run.waits["output"] >= waits[0]
    assert model.memory.late == 0
    counts = chip.counts
    assert (model.memory.misses, model.memory.refreshes) == (counts.misses, counts.refreshes)
    assert run.beats["results"] == counts.write_beats


def test_the_weight_ring_holds_two_tiles_and_those_of_the_gdn():
    assert make_program().weight_words == 2 * 125 + 2 * 5
    assert make_program(cols=5, output_words=10).weight_words == 2 * 125 + 5
    assert make_program(weight_words=125).weight_words == 125
    with pytest.raises(ConfigError, match=r"^weight_words is 124: the largest tile of this model has 125$"):
        make_program(weight_words=124)


def test_too_small_a_memory_is_refused():
    program = make_program()
    chain, needed = program.chains[0], make_schedule(program, program.chains[0], WIDTH, 5).beats
    assert make_schedule(program, chain, WIDTH, 5, beats=needed).beats == needed
    # the maps at both ends are whole, whatever lies in between
    with pytest.raises(
        ConfigError, match=rf"^g_a of {WIDTH} x 20 needs \d+ words .*there are {needed}: cut the image$"
    ):
        make_schedule(program, chain, WIDTH, 20, beats=needed)
    # a taller one fits as soon as rows between the layers are given up for those that follow
    large = make_schedule(program, chain, WIDTH, 200)
    small = make_schedule(program, chain, WIDTH, 200, beats=large.beats - 1)
    assert small.beats < large.beats
    assert small.maps[1].ring < large.maps[1].ring
    with pytest.raises(ConfigError, match=f"there are {needed - 1}: cut the image"):
        make_schedule(program, chain, WIDTH, 200, origin=(1 << 24) - needed + 1)
