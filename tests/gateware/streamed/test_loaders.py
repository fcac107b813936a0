"""Weight and map loaders alone: what they write is what was packed, where there is room, once it may be read."""

import random

import numpy as np
import pytest

from licgate.gateware.streamed.maploader import MapLoader
from licgate.gateware.streamed.weightloader import WeightLoader
from licgate.manifest.synthetic import synthetic_manifest
from licgate.program.records import MapLayout
from licgate.program.schedule import make_schedule
from licgate.program.streamed import compile_streamed
from licgate.target.streamed import StreamedConfig
from tests.gateware.kit import monitor, run_simulation, stream_put_all
from tests.gateware.streamed.memory import PortMemory

SHAPES = {
    "one part": ({"channels": (3, 5, 7)}, {"rows": 4, "cols": 8, "weight_words": 210}),
    "segments": (
        {"channels": (3, 6, 5), "weight_bits": (5, 7), "activation_bits": (7, 6)},
        {"rows": 3, "cols": 4, "beat_bits": 8, "page_beats": 32, "block_rows": 2, "weight_words": 170},
    ),
    "fip": (
        {"channels": (3, 5, 7), "weight_bits": (5, 7), "activation_bits": (7, 6)},
        {"rows": 3, "cols": 4, "weight_words": 100, "arithmetic": "fip"},
    ),
}


def make_program(name):
    model, shape = SHAPES[name]
    return compile_streamed([synthetic_manifest(**model, seed=3).g_a], StreamedConfig(**shape))


class Bench:
    """A loader, the words that it wrote, and its tiles or columns as they became complete."""

    def __init__(self, dut, contents, page_beats, seed):
        self.dut, self.cycle, self.waited, self.written, self.loaded = dut, 0, 0, [], []
        self.memory = PortMemory([dut.port], contents, page_beats=page_beats, seed=seed)
        self.monitors = [monitor(dut.port.request, "request"), monitor(dut.i, "i")]

    async def watch(self, ctx):
        dut = self.dut
        names = (dut.write_enable, dut.write_address, dut.write_data, dut.loaded, dut.waits)
        async for _clk, _rst, enable, address, word, loaded, waits in ctx.tick().sample(*names):
            if enable:
                self.written.append((address, word))
            if loaded:
                self.loaded.append(len(self.written))
            self.waited += waits

    def run(self, commands, *testbenches, limit=60_000):
        async def give(ctx):
            ctx.set(self.dut.start, 1)
            await ctx.tick()
            ctx.set(self.dut.start, 0)
            await stream_put_all(ctx, self.dut.i, commands)

        run_simulation(
            self.dut,
            give,
            *testbenches,
            monitors=self.monitors,
            background=[self.memory.process, self.watch],
            limit=limit,
        )


@pytest.mark.parametrize("seed", [None, 1])
@pytest.mark.parametrize("name", SHAPES)
def test_weight_tiles_fill_the_ring_as_it_has_room(name, seed):
    program = make_program(name)
    schedule = make_schedule(program, program.chains[0], 9, 9)
    dut, stages = WeightLoader(program), [0, 1, 0]
    bench = Bench(dut, schedule.memory(np.zeros((3, 9, 9), dtype=int)), program.weight_burst, seed)
    ops = [op for k in stages for op in (program.stages[k].conv, program.stages[k].gdn) if op is not None]
    words = [word for op in ops for word in op.words]
    bits = [program.word_bits(op) for op in ops for _ in op.words]
    ends = np.cumsum([steps for op in ops for steps in program.tile_words(op)]).tolist()
    released, coin = [0], random.Random(seed)

    async def release(ctx):
        """Give back words in pieces, some time after they came, and not before the ring is full."""
        while released[0] < len(words):
            there = len(bench.written) - released[0]
            assert there <= program.weight_ring
            piece = coin.randint(0, there) if bench.waited > 50 and coin.random() < 0.05 else 0
            ctx.set(dut.released, piece)
            await ctx.tick()
            released[0] += piece
        ctx.set(dut.released, 0)

    bench.run([{"stage": k, "address": schedule.weights[k]} for k in stages], release)
    assert [address for address, _ in bench.written] == [n % program.weight_ring for n in range(len(words))]
    assert [word & ((1 << size) - 1) for (_, word), size in zip(bench.written, bits, strict=True)] == words
    assert bench.loaded == ends
    assert bench.waited > 0, "the ring is smaller than what went through it"
    assert bench.memory.beats == [
        sum(program.beats(steps * program.word_bits(op)) for op in ops for steps in program.tile_words(op))
    ]


def test_a_full_ring_is_not_written():
    program = make_program("segments")
    schedule = make_schedule(program, program.chains[0], 9, 9)
    bench = Bench(WeightLoader(program), schedule.memory(np.zeros((3, 9, 9), dtype=int)), program.weight_burst, None)

    async def wait(ctx):
        await ctx.tick().repeat(4000)

    bench.run([{"stage": k, "address": schedule.weights[k]} for k in (0, 1)], wait)
    assert sum(program.stage_words(stage) for stage in program.stages) > program.weight_ring
    assert len(bench.written) <= program.weight_ring
    assert bench.waited > 1000


def load_commands(program, layout, base_slot=0):
    """Two stages' worth of columns: whole ones, some that begin within a slot, some whose rows wrap in a ring."""
    most, found, rows_of = program.in_rows(program.stages[1]), [], []
    for number in range(program.slots + 9):
        top = number % 3
        first = (number * 5) % (layout.ring + 3)  # row of the map
        rows = 1 + (number * 3) % (most - top)
        before = min(rows, layout.ring - first % layout.ring)
        word = number % layout.words
        found.append(
            {
                "stage": 1,
                "slot": (base_slot + number) % program.slots,
                "row": top,
                "rows": rows,
                "before": before,
                "address": layout.address(first, word),
                "wrapped": layout.address(0, word),
                "pitch": layout.pitch,
                "after": 0,
            }
        )
        rows_of.append([(first + k) % layout.ring for k in range(rows)])
    return found, rows_of


@pytest.mark.parametrize("seed", [None, 1])
@pytest.mark.parametrize("name", SHAPES)
def test_columns_lie_in_their_slots(name, seed):
    program = make_program(name)
    op = program.stages[1].conv
    kind, channels = op.layer.input, op.channels_in
    parts = tuple(min(program.cols, channels - c) for c in range(0, channels, program.cols))
    ring = program.in_rows(program.stages[1]) + 2
    layout = MapLayout(parts, kind.bits, kind.signed, program.rows, 3 * program.rows, ring, 21, ring, program.beat_bits)
    low, high = (-(1 << kind.bits - 1), (1 << kind.bits - 1)) if kind.signed else (0, 1 << kind.bits)
    x = np.random.default_rng(5).integers(low, high, (channels, ring, 3 * program.rows))
    contents = np.concatenate([np.zeros(layout.base, dtype=np.uint64), layout.packed(x)])
    dut = MapLoader(program)
    bench, coin = Bench(dut, contents, program.burst_beats, seed), random.Random(seed)
    commands, rows_of = load_commands(program, layout)

    async def release(ctx):
        released = 0
        while released < len(commands):
            there = len(bench.loaded) - released
            assert there <= program.slots
            # not before all slots are in use
            piece = int(there > 0 and bench.waited > 50 and coin.random() < 0.02)
            ctx.set(dut.released, piece)
            await ctx.tick()
            released += piece

    bench.run(commands, release)
    expected = []
    for command, rows in zip(commands, rows_of, strict=True):
        first = command["address"] - layout.base
        column = first % layout.pitch // layout.record
        for k, row in enumerate(rows):
            for c in range(channels):
                pixels = x[c, row, column * program.rows : (column + 1) * program.rows] & ((1 << kind.bits) - 1)
                place = command["slot"] * program.slot_words * program.arithmetic.indices
                place += (command["row"] + k) * program.arithmetic.padded(channels) + c
                expected.append((place, sum(int(v) << (kind.bits * r) for r, v in enumerate(pixels))))
    mask = (1 << program.rows * kind.bits) - 1
    assert [(address, word & mask) for address, word in bench.written] == expected
    assert bench.loaded == np.cumsum([len(rows) * channels for rows in rows_of]).tolist()
    assert bench.waited > 0


def test_a_column_waits_for_the_writes_that_make_it():
    program = make_program("one part")
    layout = make_schedule(program, program.chains[0], 16, 40).maps[1]
    dut = MapLoader(program)
    bench = Bench(dut, np.zeros(layout.base + layout.beats, dtype=np.uint64), program.burst_beats, None)
    (first, second), _ = (part[:2] for part in load_commands(program, layout))
    asked = bench.monitors[0]

    async def writes(ctx):
        ctx.set(dut.writes, 6)
        await ctx.tick().repeat(400)
        assert asked.transfers == 0
        assert bench.waited > 390
        for _ in range(3):
            ctx.set(dut.writes, 7)
            await ctx.tick()
        await ctx.tick().repeat(600)
        assert len(bench.loaded) == 1
        ctx.set(dut.writes, (1 << 23) + 6)
        await ctx.tick().until(dut.loaded)

    bench.run([{**first, "after": 7}, {**second, "after": (1 << 23) + 6}], writes)


def test_the_first_request_comes_as_soon_as_it_is_said():
    program = make_program("segments")
    layout = make_schedule(program, program.chains[0], 16, 40).maps[1]
    for dut, command in (
        (MapLoader(program), load_commands(program, layout)[0][0]),
        (WeightLoader(program), {"stage": 0, "address": 0}),
    ):
        bench, seen = Bench(dut, np.zeros(1 << 14, dtype=np.uint64), program.page_beats, None), []

        async def look(ctx, dut=dut, seen=seen):
            async for _clk, _rst, valid in ctx.tick().sample(dut.port.request.valid):
                seen.append(valid)
                if valid:
                    return

        bench.run([command], look)
        assert len(seen) - 1 - bench.monitors[1].transfer_cycles[0] == dut.latency
