"""The map writer: words, magnitudes, addresses, back-pressure from the line buffer, pace."""

from itertools import pairwise

import numpy as np
import pytest

from licgate.gateware.resident.mapblocks import MapBlockWriter
from licgate.gateware.resident.maps import MapWriter
from licgate.manifest import IntType, Transform
from licgate.manifest.synthetic import synthetic_conv2d
from licgate.program import compile_program
from licgate.target.config import AcceleratorConfig
from tests.gateware.kit import monitor, random_stalls, run_simulation, stream_put
from tests.gateware.waves import small_program, trace

# array rows, channels, (width, height) of maps one after the other, arithmetic
CASES = [
    (1, 1, [(5, 4), (1, 1)], "direct"),
    (1, 3, [(4, 5)], "direct"),
    (2, 3, [(7, 9), (1, 1), (2, 3)], "direct"),
    (3, 1, [(11, 8)], "direct"),
    (4, 5, [(6, 3), (4, 10), (9, 2)], "direct"),
    (1, 1, [(5, 4), (1, 1)], "fip"),
    (2, 3, [(7, 9), (1, 1), (2, 3)], "fip"),
    (1, 1, [(5, 4), (1, 1)], "fip-f4"),
    (2, 3, [(7, 9), (1, 1), (10, 3), (8, 2)], "fip-f4"),
]
WATCH = ["i.ready", "write_enable", "write_address", "write_word", "row_done", "busy"]


def chain(name, channels, bits, *, absolute=False):
    kind = IntType(bits)
    layer = synthetic_conv2d(
        f"{name}.0",
        in_channels=channels,
        out_channels=2,
        stride=1,
        kernel=3,
        output_type=kind,
        input_type=IntType(bits, signed=not absolute),
    )
    return Transform(
        name=name, in_channels=channels, input=kind, input_scale=1.0, layers=[layer], absolute_input=absolute
    )


def build(rows, channels, slack=1, arithmetic="direct"):
    """Two chains of maps behind one of pixels; each has a memory of its own."""
    config = AcceleratorConfig(rows=rows, cols=2, max_width=16, map_slack=slack, arithmetic=arithmetic)
    pixels = small_program(channels=(3, 2)).chains[0].transform
    return compile_program([pixels, chain("h_a", channels, 7, absolute=True), chain("g_s", channels + 1, 9)], config)


def writer(program):
    return MapBlockWriter(program) if program.arithmetic.points else MapWriter(program)


def values_of(feature_map, rows):
    """Values in the order of the stream, as 16 bits whose upper ones hold the sign."""
    _, height, width = feature_map.shape
    parts = [feature_map[:, y, x : x + rows].ravel() for y in range(height) for x in range(0, width, rows)]
    return (np.concatenate(parts) & 0xFFFF).tolist()


def expected_writes(program, index, feature_map):
    """(memory, address, lanes) in order, and the writes of a row."""
    transform, stage, rows = program.chains[index].transform, program.stages[program.chains[index].first], program.rows
    channels, height, width = feature_map.shape
    part_bits, beyond = program.arithmetic.part_bits, program.arithmetic.padded(channels)
    outputs, columns = program.arithmetic.outputs, program.group_columns
    padded = np.zeros((channels, height, -(-width // columns) * columns), dtype=np.int64)
    padded[:, :, :width] = np.abs(feature_map) if transform.absolute_input else feature_map
    writes, mask = [], (1 << transform.input.bits) - 1
    for y, group, c, part in np.ndindex(height, padded.shape[2] // columns, channels, outputs):
        lanes = padded[c, y, group * columns : (group + 1) * columns][part::outputs] & mask
        address = stage.base + y % stage.ring * stage.row_stride << part_bits
        writes.append((stage.memory, address + (outputs * group + part) * beyond + c, lanes.tolist()))
    return writes, padded.shape[2] // rows * channels


def written(program, index, enable, address, lanes):
    """What a record of the outputs says, in the form of `expected_writes`."""
    assert enable & (enable - 1) == 0
    mask = (1 << program.chains[index].transform.input.bits) - 1
    return enable.bit_length() - 1, address, [lane & mask for lane in lanes]


def random_map(program, index, width, height, rng):
    transform = program.chains[index].transform
    low, high = transform.input.min, transform.input.max
    found = rng.integers(low, high + 1, (transform.in_channels, height, width))
    found.flat[0] = low
    return found


@pytest.mark.parametrize("p", [0.0, 0.4])
@pytest.mark.parametrize(("rows", "channels", "sizes", "arithmetic"), CASES)
def test_maps_of_two_chains_one_after_the_other(rows, channels, sizes, arithmetic, p):
    program = build(rows, channels, arithmetic=arithmetic)
    rng = np.random.default_rng(rows)
    maps = [(index, random_map(program, index, w, h, rng)) for w, h in sizes for index in (1, 2, 2)]
    dut, writes, done_after = writer(program), [], []
    coin, pause = random_stalls(7, p), random_stalls(8, p)

    async def host(ctx):
        for index, feature_map in maps:
            ctx.set(dut.chain, index)
            ctx.set(dut.width, feature_map.shape[2])
            ctx.set(dut.height, feature_map.shape[1])
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            for value in values_of(feature_map, program.group_columns):
                await stream_put(ctx, dut.i, value, stalls=pause)
            await ctx.tick().until(~dut.busy)

    async def watch(ctx):
        while True:
            ctx.set(dut.room, not next(coin))
            _c, _r, index, enable, address, row_done, busy, *lanes = await ctx.tick().sample(
                dut.chain, dut.write_enable, dut.write_address, dut.row_done, dut.busy, *dut.write_word
            )
            if enable:
                assert busy
                writes.append(written(program, index, enable, address, lanes))
            if row_done:
                done_after.append(len(writes))

    flow = monitor(dut.i, "i")
    run_simulation(dut, host, monitors=[flow], background=[watch], limit=9000)
    expected, ends = [], []
    for index, feature_map in maps:
        part, row = expected_writes(program, index, feature_map)
        ends += [len(expected) + row * (y + 1) for y in range(feature_map.shape[1])]
        expected += part
    assert writes == expected
    assert done_after == ends
    assert flow.transfers == sum(feature_map.size for _, feature_map in maps)


def offer(program, index, feature_map, cycles, *, room=lambda cycle: True, begin=0, reset=None):
    """Offer a map as fast as it is taken, from cycle `begin` on; before it, where there is a `reset`, another one."""
    dut, taken = writer(program), []
    values = values_of(feature_map, program.group_columns)
    _, height, width = feature_map.shape

    def drive(cycle, records):
        if cycle > begin + 1 and records[-1].i_ready:
            taken.append(cycle - 1)
        sizes = (width, height) if cycle >= begin else (width + 1, height + 2)
        offered = cycle >= begin or (cycle < reset and cycle % 3 > 0)
        return {
            "start": cycle in (0, begin),
            "chain": index,
            "width": sizes[0],
            "height": sizes[1],
            "room": room(cycle),
            "i.valid": offered,
            "i.payload": values[min(len(taken), len(values) - 1)],
        }

    resets = () if reset is None else {reset}
    return trace(dut, drive, WATCH, cycles=cycles, resets=resets), taken


@pytest.mark.parametrize("arithmetic", ["direct", "fip"])
@pytest.mark.parametrize(("rows", "channels", "width"), [(1, 1, 7), (3, 2, 8), (4, 1, 5), (2, 4, 2)])
def test_latency_interval_and_gap_between_rows(rows, channels, width, arithmetic):
    program = build(rows, channels, arithmetic=arithmetic)
    feature_map = random_map(program, 1, width, 3, np.random.default_rng(1))
    row = channels * width
    seen, taken = offer(program, 1, feature_map, 4 + 3 * (row + MapWriter.row_gap))
    gaps = [b - a for a, b in pairwise(taken)]
    assert [gap for k, gap in enumerate(gaps, 1) if k % row] == [1] * 3 * (row - 1)
    assert gaps[row - 1 :: row] == [MapWriter.row_gap] * 2 == [6, 6]
    first = next(t for t, s in enumerate(seen) if s.write_enable)
    assert first - taken[min(rows, width) - 1] == MapWriter.latency == 2
    last = [t for t, s in enumerate(seen) if s.row_done][-1]
    assert last - taken[-1] == MapWriter.latency
    assert len(taken) == feature_map.size
    assert not seen[last + 1].busy


@pytest.mark.parametrize(("rows", "channels", "width"), [(1, 1, 7), (3, 2, 8), (2, 4, 16)])
def test_latency_and_interval_of_groups(rows, channels, width):
    """By points a value a cycle, those that are not there too, and a cycle for each channel of a group."""
    program = build(rows, channels, arithmetic="fip-f4")
    feature_map = random_map(program, 1, width, 3, np.random.default_rng(1))
    blocks = -(-width // (4 * rows)) * channels
    seen, taken = offer(program, 1, feature_map, 20 + 3 * (blocks * (4 * rows + 1) + 9))
    firsts = [t for t, s in enumerate(seen) if s.write_enable][::4]
    assert firsts[0] - (taken[0] + 4 * rows - 1) == MapBlockWriter.latency == 3
    assert [b - a for a, b in pairwise(firsts)][: blocks - 1] == [4 * rows + 1] * (blocks - 1)
    ends = [t for t, s in enumerate(seen) if s.row_done]
    assert ends[0] == taken[0] + blocks * (4 * rows + 1) + 4
    begins = taken[:: channels * width]
    assert [begin - end for begin, end in zip(begins[1:], ends)] == [4, 4]
    assert len(taken) == feature_map.size
    assert not seen[ends[-1] + 1].busy


def test_no_value_is_taken_without_room():
    program = build(2, 3)
    feature_map = random_map(program, 1, 4, 3, np.random.default_rng(2))
    seen, taken = offer(program, 1, feature_map, 120, room=lambda cycle: cycle >= 40)
    assert not any(s.i_ready or s.write_enable for s in seen[:40])
    assert seen[39].busy
    assert len(taken) == feature_map.size
    assert sum(s.row_done for s in seen) == 3
    assert not seen[-1].busy


@pytest.mark.parametrize(
    ("reset", "arithmetic"),
    [(17, "direct"), (18, "direct"), (19, "direct"), (20, "direct"), (18, "fip"), (19, "fip")]
    + [(reset, "fip-f4") for reset in (12, 18, 19, 21)],
)
def test_reset_in_the_middle_of_a_word(reset, arithmetic):
    program = build(3, 2, arithmetic=arithmetic)
    feature_map = random_map(program, 2, 8, 4, np.random.default_rng(6))
    begin = reset + 3
    seen, _ = offer(program, 2, feature_map, 280, begin=begin, reset=reset)
    assert seen[reset].busy
    assert not any(s.busy or s.i_ready or s.write_enable or s.row_done for s in seen[reset + 1 : begin])
    writes = [
        written(program, 2, s.write_enable, s.write_address, s.write_word) for s in seen[begin:] if s.write_enable
    ]
    assert writes == expected_writes(program, 2, feature_map)[0]


def test_a_program_of_pixels_alone_is_refused():
    with pytest.raises(ValueError, match=r"^no chain of the program takes feature maps$"):
        MapWriter(small_program(channels=(3, 2)))
