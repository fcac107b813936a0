"""The record writer: what lies in memory afterwards is what the layouts say, however late the memory is."""

import random

import numpy as np
import pytest

from licgate.gateware.streamed.recordwriter import RecordWriter
from licgate.manifest.synthetic import synthetic_manifest
from licgate.program.records import pack_bits
from licgate.program.streamed import compile_streamed
from licgate.target.streamed import StreamedConfig
from tests.gateware.kit import monitor, run_simulation
from tests.gateware.streamed.memory import PortMemory
from tests.manifest.kit import four_transforms

RESULT = 14
SHAPES = {
    # stages with and without GDN, of different widths, that end in the middle of a beat
    "gdn": ({"channels": (3, 5, 7)}, {"rows": 4, "cols": 4, "page_beats": 16}),
    "odd": (
        {"channels": (3, 7, 5, 9), "activation_bits": (6, 9, 11), "gdn": ["abs", "none"]},
        {"rows": 3, "cols": 2, "output_words": 5},
    ),
    "packed": (
        {"channels": (3, 9, 7), "weight_bits": (5, 4), "gdn": "none"},
        {"rows": 4, "cols": 2, "packing": True, "beat_bits": 8, "page_beats": 64},
    ),
}


# all transforms of a codec, with stages that make parities of columns apart: with GDN and without, in few credits
CODECS = {
    "pairs": ({}, {"rows": 4, "cols": 3, "output_words": 6, "page_beats": 32}),
    "odd pairs": ({"gdn": "relu"}, {"rows": 3, "cols": 2, "beat_bits": 8}),
    "quads": ({}, {"rows": 4, "cols": 3, "page_beats": 32, "arithmetic": "fip-f4", "output_words": 12}),
    "odd quads": ({"gdn": "relu"}, {"rows": 3, "cols": 2, "beat_bits": 8, "arithmetic": "fip-f4"}),
}
MEMORY = 8000


def make_program(name):
    model, shape = (SHAPES | CODECS)[name]
    if name in CODECS:
        transforms = list(four_transforms(**model).transforms.values())
    else:
        transforms = [synthetic_manifest(**model, seed=3).g_a]
    return compile_streamed(transforms, StreamedConfig(**shape))


def passes(program, seed, count=10):
    """Writes of random stages: their passes with their words, and where which beats lie afterwards."""
    rng, made, expected, place = np.random.default_rng(seed), [], [], 5
    for _ in range(count):
        number = int(rng.integers(len(program.stages)))
        stage = program.stages[number]
        op, rows = stage.last_op, program.rows
        size, whole = program.tile_channels(op), stage.gdn is not None
        counts = [min(size, op.channels_out - first) for first in range(0, op.channels_out, size)]
        if program.arithmetic.points and not whole:
            for channels in counts:
                one, found, place = _quads(program, number, channels, place, rng)
                made.append(one)
                expected += found
            continue
        # a convolution's tiles are writes of their own
        for tiles in [counts] if whole else [[one] for one in counts]:
            beyond = stage.upsampling and rng.random() < 0.3
            shape = (sum(tiles), rows, stage.parities)
            columns = rng.integers(-(1 << RESULT - 1), 1 << RESULT - 1, shape)
            records, addresses = columns.reshape(sum(tiles), stage.parities, rows), []
            for record in range(stage.parities - beyond):
                beats = _beats(program, records[:, record], tiles, op.layer.output.bits)
                addresses.append(place)
                expected.append((place, [beat for part in beats for beat in part]))
                place += sum(map(len, beats)) + int(rng.integers(3))
            for column in range(stage.parities):
                first, address = 0, addresses[column] if column < len(addresses) else 0
                for index, channels in enumerate(tiles):
                    about = {"address": address, "count": channels, "stage": number}
                    about |= {"first": index == 0, "last": index == len(tiles) - 1}
                    if program.upsampling:
                        about |= {"column": column, "beyond": int(beyond and column)}
                    if program.arithmetic.points:
                        about |= {"quads": 0}
                    made.append((about, columns[first : first + channels, :, column]))
                    first, address = first + channels, address + len(beats[index])
    return made, expected


def _quads(program, number, channels, place, rng):
    """A pass of quads: what is said of it, its words, the records that it makes, and where others may be."""
    stage, rows = program.stages[number], program.rows
    op, pair = stage.last_op, stage.upsampling
    record, beyond = program.record_beats(op.channels_out, op.layer.output.bits), pair and rng.random() < 0.3
    fourths = rng.integers(-(1 << RESULT - 1), 1 << RESULT - 1, (4, channels, rows))
    words = fourths.transpose(1, 0, 2).reshape(4 * channels, rows)
    records = dict(enumerate(fourths))
    if pair:
        # every second column of two groups of four records, of one parity
        both = [np.stack(fourths[k::2], axis=2).reshape(channels, 2, rows) for k in range(2)]
        records = {4 * half + 2 * k: both[k][:, half] for k in range(2) for half in range(2 - beyond)}
    about = {"address": place, "count": 4 * channels, "stage": number, "first": 1, "last": 1, "quads": 1}
    about |= {"column": 0, "beyond": int(beyond)} if program.upsampling else {}
    found = [
        (
            place + k * record,
            [beat for part in _beats(program, values, [channels], op.layer.output.bits) for beat in part],
        )
        for k, values in records.items()
    ]
    return (about, words), found, place + 8 * record + int(rng.integers(3))


def _records(about):
    """Records of a pass that are packed."""
    return 4 >> about.get("beyond", 0) if about.get("quads") else int(not about.get("beyond"))


def _beats(program, record, tiles, bits):
    """Beats of a record (channels, rows), for each pass that makes it."""
    found, first = [], 0
    for channels in tiles:
        parts = range(first, first + channels, program.cols)
        found.append([])
        for c in parts:
            part = record[c : min(c + program.cols, first + channels)].reshape(1, -1)
            found[-1] += pack_bits(part, bits, program.beat_bits)[0].tolist()
        first += channels
    return found


class Bench:
    """The writer, its memory, and who sends it passes and words as soon as there are credits, or later."""

    def __init__(self, program, made, seed, late):
        self.program, self.made, self.late, self.random = program, made, late, random.Random(seed)
        self.dut = RecordWriter(program, RESULT)
        self.memory = PortMemory(
            [self.dut.port], np.zeros(MEMORY), page_beats=program.page_beats, seed=seed if late else None
        )
        self.packed, self.most = 0, 0
        self.monitors = [monitor(self.dut.port.request, "request"), monitor(self.dut.port.w, "w")]

    async def watch(self, ctx):
        async for _clk, _rst, packed in ctx.tick().sample(self.dut.packed):
            self.packed += packed

    async def send(self, ctx):
        dut = self.dut
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        number = 0
        for descriptor, words in self.made:
            most = 4 if descriptor.get("quads") else 1
            while number + most - self.packed > self.program.output_credits or (
                self.late and self.random.random() < 0.5
            ):
                await ctx.tick()
            ctx.set(dut.i.payload, descriptor)
            ctx.set(dut.i.valid, 1)
            assert ctx.get(dut.i.ready), "there is a place for every credit"
            number += _records(descriptor)
            await ctx.tick()
            ctx.set(dut.i.valid, 0)
            if self.program.interleaves:
                # an interleaver knows a pass two cycles before its words
                await ctx.tick()
            for word in words:
                while self.late and self.random.random() < 0.3:
                    await ctx.tick()
                ctx.set(dut.enable, 1)
                for target, value in zip(dut.word, word, strict=True):
                    ctx.set(target, int(value))
                await ctx.tick()
                ctx.set(dut.enable, 0)
                if self.program.interleaves:
                    await ctx.tick()
            assert not ctx.get(dut.idle)
        await ctx.tick().until(dut.idle)

    def run(self, *more):
        async def both(ctx):
            await self.send(ctx)
            for one in more:
                await one(ctx)

        run_simulation(
            self.dut, both, monitors=self.monitors, background=[self.memory.process, self.watch], limit=40_000
        )


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("name", [*SHAPES, *CODECS])
def test_results_lie_where_they_should(name, late):
    program = make_program(name)
    made, expected = passes(program, seed=4)
    bench, counted = Bench(program, made, 5, late), []

    async def count(ctx):
        counted.append(ctx.get(bench.dut.writes))
        ctx.set(bench.dut.start, 1)
        await ctx.tick()
        ctx.set(bench.dut.start, 0)
        counted.append(ctx.get(bench.dut.writes))

    bench.run(count)
    contents = np.zeros(MEMORY, dtype=np.uint64)
    for address, beats in expected:
        contents[address : address + len(beats)] = beats
    assert np.array_equal(bench.memory.contents, contents)
    assert counted == [len(expected), 0]
    assert bench.packed == sum(map(_records, (about for about, _ in made)))
    assert bench.memory.beats == [sum(len(beats) for _, beats in expected)]


def test_a_write_is_counted_when_it_is_in_memory():
    program = make_program("gdn")
    made, expected = passes(program, seed=4, count=6)
    bench = Bench(program, made, 5, True)
    seen = []

    async def watch(ctx):
        async for _clk, _rst, writes in ctx.tick().sample(bench.dut.writes):
            address, beats = expected[max(0, writes - 1)]
            there = bench.memory.contents[address : address + len(beats)].tolist()
            assert writes == 0 or there == beats
            seen.append(writes)

    run_simulation(
        bench.dut, bench.send, background=[bench.memory.process, bench.watch, watch], monitors=bench.monitors
    )
    assert sorted(set(seen)) == list(range(len(expected) + 1))


@pytest.mark.parametrize("width", [0, 19, 8.0])
def test_a_width_that_makes_no_sense_is_refused(width):
    with pytest.raises(ValueError, match=f"result_width must be an integer from 1 to 18, not {width}"):
        RecordWriter(make_program("gdn"), width)
