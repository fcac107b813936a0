"""The pixel writer: words, addresses, back-pressure from the line buffer, pace."""

from itertools import pairwise

import numpy as np
import pytest

from licgate.gateware.resident.blocks import BlockWriter
from licgate.gateware.resident.pixels import PixelWriter
from licgate.target.arithmetic import ARITHMETICS
from tests.gateware.kit import monitor, random_stalls, run_simulation, stream_put
from tests.gateware.waves import small_program, trace
from tests.manifest.kit import chain

# array rows, image channels, (width, height) of images one after the other, arithmetic
CASES = [
    (1, 1, [(5, 4)], "direct"),
    (2, 3, [(7, 9), (1, 1), (2, 3)], "direct"),
    (3, 1, [(11, 12)], "direct"),
    (4, 5, [(6, 3), (4, 10)], "direct"),
    (3, 6, [(7, 2)], "direct"),
    (1, 1, [(5, 4)], "fip"),
    (2, 3, [(7, 9), (1, 1), (2, 3)], "fip"),
    (3, 6, [(7, 2)], "fip"),
    (1, 1, [(5, 4)], "fip-f4"),
    (2, 3, [(7, 9), (1, 1), (2, 3), (16, 2)], "fip-f4"),
    (1, 6, [(8, 3)], "fip-f4"),
]


def build(rows, channels, input_skew=1, **options):
    return small_program(rows=rows, cols=2, channels=(channels, 2), max_width=16, input_slack=input_skew, **options)


def writer(program):
    return BlockWriter(program) if program.arithmetic.points else PixelWriter(program)


def pixels_of(image):
    """Payload of every pixel in raster order: channel 0 in the low bits."""
    return [sum(int(v) << (8 * c) for c, v in enumerate(image[:, y, x])) for y, x in np.ndindex(image.shape[1:])]


def expected_writes(program, image):
    """(address, data) in order, and the writes after which a row is complete."""
    channels, height, width = image.shape
    stage, rows = program.stages[next(c for c in program.chains if c.pixels).first], program.rows
    part_bits, beyond = program.arithmetic.part_bits, program.arithmetic.padded(channels)
    outputs, columns = program.arithmetic.outputs, program.group_columns
    padded = np.zeros((channels, height, -(-width // columns) * columns), dtype=np.int64)
    padded[:, :, :width] = image
    writes = []
    for y in range(height):
        for word in range(padded.shape[2] // rows):
            for c in range(channels):
                block, part = divmod(word, outputs)
                lanes = padded[c, y, block * columns : (block + 1) * columns][part::outputs]
                address = stage.base + (y % stage.ring) * stage.row_stride << part_bits
                address += word * beyond + c
                writes.append((address, sum(int(v) << (8 * r) for r, v in enumerate(lanes))))
    return writes, padded.shape[2] // rows * channels


@pytest.mark.parametrize("p", [0.0, 0.4])
@pytest.mark.parametrize(("rows", "channels", "sizes", "arithmetic"), CASES)
def test_images_one_after_the_other(rows, channels, sizes, arithmetic, p):
    program = build(rows, channels, arithmetic=arithmetic)
    rng = np.random.default_rng(rows)
    images = [rng.integers(0, 256, (channels, h, w)) for w, h in sizes]
    dut, writes, done_after, opened = writer(program), [], [], []
    coin = random_stalls(7, p)

    async def host(ctx):
        for image in images:
            ctx.set(dut.width, image.shape[2])
            ctx.set(dut.height, image.shape[1])
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            for pixel in pixels_of(image):
                await stream_put(ctx, dut.i, pixel, stalls=random_stalls(pixel, p))
            await ctx.tick().until(~dut.busy)

    async def watch(ctx):
        while True:
            ctx.set(dut.room, not next(coin))
            _c, _r, enable, address, data, row_done, busy = await ctx.tick().sample(
                dut.write_enable, dut.write_address, dut.write_data, dut.row_done, dut.busy
            )
            if enable:
                assert busy
                writes.append((address, data))
            if row_done:
                done_after.append(len(writes))

    flow = monitor(dut.i, "i")
    run_simulation(dut, host, monitors=[flow], background=[watch], limit=5000)
    expected, ends, opened = [], [], 0
    for image in images:
        part, row = expected_writes(program, image)
        ends += [len(expected) + row * (y + 1) for y in range(image.shape[1])]
        expected += part
        opened += image.shape[1] * image.shape[2]
    assert writes == expected
    assert done_after == ends
    assert flow.transfers == opened


def offer(program, width, height, pixels, cycles, room=lambda cycle: True, resets=(), starts=(0,)):
    """Offer pixels as fast as they are taken; return the records of every cycle and the cycles of transfer."""
    dut, taken = writer(program), []

    def drive(cycle, records):
        if records and records[-1].i_ready and cycle - 1 not in starts and cycle - 1 not in resets:
            taken.append(cycle - 1)
        return {
            "start": cycle in starts,
            "width": width,
            "height": height,
            "room": room(cycle),
            "i.valid": 1,
            "i.payload": pixels[min(len(taken), len(pixels) - 1)],
        }

    watch = ["i.ready", "write_enable", "write_address", "write_data", "row_done", "busy"]
    return trace(dut, drive, watch, cycles=cycles, resets=resets), taken


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize(("rows", "channels", "period"), [(3, 1, 4), (3, 4, 5), (3, 6, 7), (2, 3, 4), (4, 3, 5)])
def test_latency_and_interval(rows, channels, period, arithmetic):
    """A pixel a cycle and one cycle a word, unless the channels of a word, and one cycle, take longer to write.

    By points for four words each.
    """
    program = build(rows, channels, arithmetic=arithmetic)
    outputs, columns, words = program.arithmetic.outputs, program.group_columns, 3
    period = outputs * (period - 1) + 1
    seen, taken = offer(program, words * columns, 1, list(range(words * columns)), 60 * outputs)
    assert [b - a for a, b in pairwise(taken)][: columns - 1] == [1] * (columns - 1)
    firsts = [t for t, s in enumerate(seen) if s.write_enable][:: outputs * channels]
    assert firsts[0] - taken[columns - 1] == PixelWriter.latency == BlockWriter.latency == 4
    assert [b - a for a, b in pairwise(firsts)] == [period] * (words - 1)
    assert len(taken) == words * columns


def test_no_pixel_is_taken_without_room():
    seen, taken = offer(build(2, 3), 4, 3, list(range(12)), 120, room=lambda cycle: cycle >= 40)
    assert not any(s.i_ready or s.write_enable for s in seen[:40])
    assert seen[39].busy
    assert len(taken) == 12
    assert sum(s.row_done for s in seen) == 3
    assert not seen[-1].busy


@pytest.mark.parametrize("arithmetic", ["direct", "fip-f4"])
def test_reset_in_the_middle_of_a_row(arithmetic):
    program = build(3, 2, arithmetic=arithmetic)
    rng = np.random.default_rng(6)
    image = rng.integers(0, 256, (2, 4, 8))
    first, _ = offer(program, 9, 5, list(range(1, 46)), 41)
    assert first[40].busy
    pixels = pixels_of(image)
    dut, taken = writer(program), []

    def drive(cycle, records):
        if cycle > 44 and records[-1].i_ready:
            taken.append(cycle - 1)
        later = cycle >= 44
        return {
            "start": cycle in (0, 44),
            "width": 8 if later else 9,
            "height": 4 if later else 5,
            "room": 1,
            "i.valid": cycle not in (41, 42, 43),
            "i.payload": pixels[min(len(taken), 31)],
        }

    watch = ["i.ready", "write_enable", "write_address", "write_data", "busy"]
    seen = trace(dut, drive, watch, cycles=200, resets={41})
    assert not seen[42].busy
    assert not seen[42].i_ready
    expected, _ = expected_writes(program, image)
    assert [(s.write_address, s.write_data) for s in seen[44:] if s.write_enable] == expected


def test_pixels_go_to_their_chain_among_others():
    """The writer's stage is that of the chain that takes pixels, wherever it is."""
    g_a = chain("g_a", 2, (3, 1, 2), unsigned=True)
    program = small_program(chain("g_s", 1, (5, -2, 1)), g_a, rows=2, max_width=(3, 6))
    image = np.random.default_rng(1).integers(0, 256, (2, 7, 5))
    seen, taken = offer(program, 5, 7, pixels_of(image), 120)
    expected, _ = expected_writes(program, image)
    assert [(s.write_address, s.write_data) for s in seen if s.write_enable] == expected
    assert len(taken) == 35


def test_a_program_of_feature_maps_alone_is_refused():
    with pytest.raises(ValueError, match=r"^the program has no chain that takes pixels$"):
        PixelWriter(small_program(chain("g_s", 1, (5, -2, 1))))
