"""The sequencer of bands: its passes and what it says of them, against a schedule; what it waits for."""

import random
from itertools import pairwise
from types import SimpleNamespace

import pytest

from licgate.gateware.streamed.sequencer import BandSequencer
from licgate.manifest.synthetic import synthetic_manifest
from licgate.program import IN_FLIGHT
from licgate.program.schedule import make_schedule
from licgate.program.streamed import compile_streamed
from licgate.target.streamed import StreamedConfig
from tests.gateware.kit import monitor, run_simulation, stream_put_all
from tests.gateware.streamed.passorder import expected_passes
from tests.manifest.kit import four_transforms
from tests.marks import regress

SHAPES = {
    "gdn": ({"channels": (3, 5, 7)}, {"rows": 4, "cols": 4, "output_words": 8}, (37, 9)),
    "three": (
        {"channels": (3, 6, 5, 9), "kernel": [5, 3, 5], "gdn": ["abs", "none"]},
        {"rows": 3, "cols": 2, "block_rows": 2, "band_groups": 2},
        (14, 11),
    ),
    "resident": ({"channels": (3, 5, 7)}, {"rows": 4, "cols": 4, "band_groups": 1, "weight_words": 700}, (37, 9)),
    "fip": ({"channels": (3, 5, 7)}, {"rows": 4, "cols": 4, "output_words": 8, "arithmetic": "fip"}, (17, 9)),
    "fip-f4": ({"channels": (3, 5, 7)}, {"rows": 4, "cols": 4, "output_words": 16, "arithmetic": "fip-f4"}, (70, 9)),
}
# a transform of a codec, whose parities of rows and columns are made apart: the last groups with and without a second
# record, as few credits as there may be
CODECS = {
    "pairs": ("g_s", {}, {"rows": 4, "cols": 4, "block_rows": 3, "band_groups": 2}, (13, 5)),
    "pairs of two tiles": ("g_s", {}, {"rows": 3, "cols": 3, "output_words": 6, "band_groups": 1}, (7, 6)),
    "pairs without GDN": ("h_s", {"gdn": "relu", "kernel": 3}, {"rows": 5, "cols": 2, "weight_words": 200}, (12, 5)),
    "pairs, fip-f4": ("g_s", {}, {"rows": 3, "cols": 3, "output_words": 12, "arithmetic": "fip-f4"}, (29, 5)),
    "pairs without GDN, fip-f4": (
        "h_s",
        {"gdn": "relu", "kernel": 3},
        {"rows": 5, "cols": 2, "band_groups": 2, "arithmetic": "fip-f4"},
        (29, 4),
    ),
    "pairs, fip": ("g_s", {}, {"rows": 4, "cols": 3, "block_rows": 3, "band_groups": 2, "arithmetic": "fip"}, (7, 5)),
}


def make(name):
    if name in SHAPES:
        model, shape, size = SHAPES[name]
        manifest, wanted = synthetic_manifest(**model, seed=3), "g_a"
    else:
        wanted, model, shape, size = CODECS[name]
        manifest = four_transforms(**model)
    program = compile_streamed(list(manifest.transforms.values()), StreamedConfig(**shape))
    return program, make_schedule(program, program.chain_of(wanted), *size)


class Bench:
    """The sequencer between units that report when they like; passes as they were issued."""

    def __init__(self, program, schedule, seed):
        self.program, self.dut, self.random = program, BandSequencer(program), random.Random(seed)
        self.bands = [values for kind, values in schedule.commands if kind == "band"]
        self.expected, self.passes, self.waits = expected_passes(program, schedule), [], [0, 0, 0]
        self.columns, self.tiles = sum(band["loads"] for band in self.bands), None
        dut = self.dut
        self.monitors = [monitor(dut.i, "i"), monitor(dut.o_pass, "o_pass")]
        self.given = SimpleNamespace(column=0, tile=0, written=0, packed=0, out=0, whole=0, slots=0)
        self.slow, self.consumed = (), 0  # reports that are held back; tiles of no more use

    async def start(self, ctx):
        ctx.set(self.dut.start, 1)
        for flow in (self.dut.o_tile, self.dut.o_record):
            ctx.set(flow.ready, 1)
        await ctx.tick()
        ctx.set(self.dut.start, 0)

    async def units(self, ctx):
        """Report columns, tiles, results and packed words at random; record what is issued."""
        dut, given = self.dut, self.given
        issued = False
        await ctx.tick().until(dut.start)
        while True:
            ready = self.random.random() < 0.7
            # the queue of descriptors
            ctx.set(dut.o_write.ready, len(self.passes) - given.written < IN_FLIGHT)
            ctx.set(dut.o_pass.ready, ready)
            possible = {
                "column": given.column < min(self.columns, self.program.slots + given.slots),
                "tile": given.tile < 4 + self.consumed,
                "written": given.written < len(self.passes),
                "packed": given.packed < given.whole,
            }
            for name, port in (
                ("column", dut.column_loaded),
                ("tile", dut.tile_loaded),
                ("written", dut.written),
                ("packed", dut.packed),
            ):
                report = (
                    possible[name]
                    and name not in self.slow
                    and self.random.random() < (0.03 if name == "column" else 0.1)
                )
                ctx.set(port, report)
                setattr(given, name, getattr(given, name) + report)
            sampled = ctx.tick().sample(
                dut.o_pass.valid,
                dut.o_record.valid,
                dut.o_pass.payload,
                dut.o_tile.payload,
                dut.o_record.payload,
                dut.wait_map,
                dut.wait_weights,
                dut.wait_output,
            )
            _clk, _rst, valid, recorded, one, tile, record, *waits = await sampled
            self.waits = [a + b for a, b in zip(self.waits, waits, strict=True)]
            assert not recorded or issued, "a record comes with its pass"
            if issued:
                self._recorded(recorded, record)
            issued = valid and ready
            if issued:
                self._issued(one, tile)

    def _recorded(self, recorded, record):
        assert self.passes[-1]["address"] == (record.address if recorded else None)
        names = [name for name in ("beyond", "column", "quads") if recorded and name in record.shape().members]
        assert [record[name] for name in names] == [self.passes[-1][name] for name in names]
        self.given.out += self.passes[-1]["records"] if recorded else 0
        # of two passes whose words are put together none is packed before the other one has come
        stage = recorded and self.program.stages[record.stage]
        if recorded and (not stage.upsampling or (record.column and record.last) or self.passes[-1]["quads"]):
            self.given.whole = self.given.out
        elif recorded and record.column:
            self.given.whole += 1
        # never more than there is room for
        assert self.given.out - self.given.packed <= self.program.output_credits

    def _issued(self, one, tile):
        want = self.expected[len(self.passes)]
        got = {
            "op": tile.op,
            "count": tile.count,
            "param": tile.param,
            "weight": one.weight,
            "pixels": tile.pixels,
            "pass_kind": one.pass_kind,
            "words": one.release.words,
            "slots": one.release.slots,
        }
        if want["x"] is not None:
            got["x"] = one.x
        if want["fed"]:
            got |= {"offset": one.offset, "mask": one.mask, "fed": {name: one[name] for name in want["fed"]}}
        assert got == {name: want[name] for name in got}
        # GDN only on what was written
        assert self.given.written >= want["needs"]
        assert self.given.column >= want["columns"]
        self.passes.append(want)
        self.consumed += want["consumes"]
        self.given.slots += one.release.slots

    async def all_issued(self, ctx):
        while len(self.passes) < len(self.expected) or not ctx.get(self.dut.idle):
            await ctx.tick()

    def run(self, *testbenches, limit=60_000):
        async def give(ctx):
            await self.start(ctx)
            await stream_put_all(ctx, self.dut.i, self.bands)

        run_simulation(self.dut, give, *testbenches, monitors=self.monitors, background=[self.units], limit=limit)


@pytest.mark.parametrize("seed", [1, regress(2)])
@pytest.mark.parametrize("name", [*SHAPES, *CODECS])
def test_passes_are_those_of_the_schedule_whenever_units_report(name, seed):
    bench = Bench(*make(name), seed)
    bench.run(bench.all_issued)
    assert len(bench.passes) == len(bench.expected)
    assert any(bench.waits)
    assert sum(one["slots"] for one in bench.passes) == bench.columns, "each slot becomes free once"


@pytest.mark.parametrize(("held", "cause"), [("column", 0), ("tile", 1), ("packed", 2), ("written", None)])
def test_no_pass_comes_before_what_it_needs(held, cause):
    program, schedule = make("gdn")
    bench = Bench(program, schedule, 3)
    bench.slow = (held,)

    async def wait(ctx):
        await _give_one(ctx, bench)
        await ctx.tick().repeat(3000)

    run_simulation(bench.dut, wait, background=[bench.units], limit=5000)
    if held in ("column", "tile"):
        assert not bench.passes
    elif held == "packed":
        assert bench.given.out == program.output_credits
    else:
        assert len(bench.passes) == IN_FLIGHT
    if cause is not None:
        assert bench.waits[cause] > 2000


def test_gdn_waits_for_what_it_reads():
    """A band of two pixels whose convolution is issued, and has not come back."""
    program = compile_streamed(
        [synthetic_manifest(channels=(3, 3, 3)).g_a], StreamedConfig(rows=4, cols=4, block_rows=1)
    )
    bench = Bench(program, make_schedule(program, program.chains[0], 9, 2), 3)
    bench.slow = ("written",)

    async def wait(ctx):
        await _give_one(ctx, bench)
        await ctx.tick().repeat(1000)
        assert len(bench.passes) == 2, "no pass of GDN"
        bench.slow = ()
        while len(bench.passes) < 4:
            await ctx.tick()

    run_simulation(bench.dut, wait, background=[bench.units], limit=5000)


async def _give_one(ctx, bench):
    await bench.start(ctx)
    ctx.set(bench.dut.i.payload, bench.bands[0])
    ctx.set(bench.dut.i.valid, 1)
    await ctx.tick().until(bench.dut.i.ready)
    ctx.set(bench.dut.i.valid, 0)


def test_latency_and_interval_are_what_they_are_said_to_be():
    program, schedule = make("gdn")
    bench = Bench(program, schedule, 3)
    dut, asked = bench.dut, bench.monitors

    async def eager(ctx):
        ctx.set(dut.o_pass.ready, 1)
        ctx.set(dut.o_write.ready, 1)
        for name in ("column_loaded", "tile_loaded"):
            ctx.set(getattr(dut, name), 1)
            await ctx.tick().repeat(8)
            ctx.set(getattr(dut, name), 0)
        await _give_one(ctx, bench)
        for name in ("column_loaded", "tile_loaded"):
            ctx.set(getattr(dut, name), 1)
            await ctx.tick().repeat(8)
            ctx.set(getattr(dut, name), 0)
        await ctx.tick().repeat(60)

    run_simulation(dut, eager, monitors=asked)
    cycles = asked[1].transfer_cycles
    assert {later - earlier for earlier, later in pairwise(cycles)} == {BandSequencer.interval}
