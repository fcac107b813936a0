"""The result writer against a list of what each word must do."""

import itertools

import numpy as np
import pytest

from licgate.gateware.engine.writer import ResultWriter
from licgate.gateware.passes import Destination, write_layout
from licgate.manifest import IntType, Transform
from licgate.manifest.synthetic import synthetic_conv2d, synthetic_gdn
from licgate.program import compile_program
from licgate.target.config import AcceleratorConfig
from tests.gateware.waves import small_program, trace

WATCH = [
    *("i.ready", "norm_enable", "norm_address", "norm_data", "x_data", "line_enable", "line_address", "line_word"),
    *("output_enable", "output_word", "written", "output_written", "row_done", "row_line"),
]
SHAPES = [
    {"rows": 1, "cols": 1},
    {"rows": 3, "cols": 4},
    {"rows": 2, "cols": 3, "gdn": "none"},
    {"rows": 3, "cols": 2, "arithmetic": "fip"},
    {"rows": 3, "cols": 4, "arithmetic": "fip-f4"},
    {"rows": 1, "cols": 3, "gdn": "none", "arithmetic": "fip-f4"},
]
RESULT, NORM = 12, 9


def build(shape):
    return small_program(**{"gdn": "abs", "gdn_bits": 10, "channels": (1, 3, 5), **shape})


def job(program, seed, count=12, gaps=0.4):
    """Inputs a cycle, and what the outputs must be one cycle later."""
    rng = np.random.default_rng(seed)
    layout = write_layout(program)
    x_bits = max([op.layer.input.bits for op in program.ops if op.is_gdn], default=1)
    steps, expected = [], []
    targets = [Destination.LINE, Destination.OUTPUT]
    if any(op.is_gdn for op in program.ops):
        targets.append(Destination.NORM)
    for k in range(count):
        to = targets[k % len(targets)]
        tile = {
            "to": to,
            "line": int(rng.integers(1, len(program.stages))) if to == Destination.LINE else 0,
            "address": int(rng.integers(5 if to == Destination.NORM else 1 << (layout["address"].width - 1))),
            "count": int(rng.integers(1, program.cols + 1)),
            "row_done": int(rng.integers(2)),
        }
        places = range(tile["count"])
        if program.arithmetic.points:
            # of a quad four words a channel, else one of them
            channels, pitch = tile["count"], program.arithmetic.padded(program.stages[tile["line"]].conv.channels_in)
            quads, quarter = (int(v) for v in (rng.integers(2), rng.integers(4)))
            tile |= {"quads": quads, "quarter": quarter, "count": channels * (4 if quads else 1)}
            places = [c + pitch * k for c in range(channels) for k in (range(4) if quads else [quarter])]
        for channel, place in enumerate(places):
            # words are two cycles apart, and so is a tile from what was there before it
            while rng.random() < gaps or (program.arithmetic.points and (not steps or steps[-1]["valid"])):
                steps.append({"valid": 0, "i.valid": int(rng.integers(2)), "i.payload": tile})
                expected.append(None)
            word = rng.integers(-(1 << RESULT - 1), 1 << RESULT - 1, program.rows)
            norms = rng.integers(0, 1 << NORM, program.rows)
            steps.append({"valid": 1, "word": word, "norms": norms, "i.valid": 1, "i.payload": tile})
            expected.append(
                {
                    **tile,
                    "at": tile["address"] + place,
                    "end": channel + 1 == tile["count"],
                    "word": [int(v) for v in word],
                    "norm": sum(int(v) << (NORM * r) for r, v in enumerate(norms)),
                    "x": sum((int(v) & ((1 << x_bits) - 1)) << (x_bits * r) for r, v in enumerate(word)),
                }
            )
    return [*steps, {"valid": 0, "i.valid": 0}], expected


def check(program, seen, expected):
    for cycle, want in enumerate(expected):
        now, got = seen[cycle], seen[cycle + ResultWriter.latency]
        to = want["to"] if want else None
        assert got.norm_enable == (to == Destination.NORM)
        assert got.line_enable == (3 << 2 * program.stages[want["line"]].memory if to == Destination.LINE else 0)
        assert got.output_enable == (to == Destination.OUTPUT)
        end = bool(want and want["end"])
        assert now.i_ready == end
        assert got.written == end
        assert got.output_written == (end and to == Destination.OUTPUT)
        assert got.row_done == (end and want["row_done"])
        if to == Destination.NORM:
            assert (got.norm_address, got.norm_data, got.x_data) == (want["at"], want["norm"], want["x"])
        elif to == Destination.LINE:
            assert (got.line_address, got.line_word) == (want["at"], want["word"])
            assert got.row_line == want["line"]
        elif to == Destination.OUTPUT:
            assert got.output_word == want["word"]


@pytest.mark.parametrize("gaps", [0.0, 0.4])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_destination(shape, gaps):
    program = build(shape)
    steps, expected = job(program, seed=1, gaps=gaps)
    check(program, trace(ResultWriter(program, RESULT, NORM), steps, WATCH), expected)
    assert (ResultWriter.latency, ResultWriter.interval) == (1, 1)


def test_reset_in_the_middle_of_a_tile():
    program = build(SHAPES[1])
    before = [{"valid": 1, "i.valid": 1, "i.payload": {"to": 2, "count": 4}}] * 2 + [{"valid": 0}] * 2
    steps, expected = job(program, seed=3)
    seen = trace(ResultWriter(program, RESULT, NORM), before + steps, WATCH, resets={2})
    assert [s.output_enable for s in seen[:4]] == [0, 1, 1, 0]
    check(program, seen[4:], expected)


@pytest.mark.parametrize(
    ("widths", "message"),
    [
        ((0, 8), "result_width must be an integer from 1 to 18, not 0"),
        ((None, 8), "result_width must be an integer from 1 to 18, not None"),
        ((8, 0), "norm_width must be an integer from 1 to 32, not 0"),
        ((8, 2.0), "norm_width must be an integer from 1 to 32, not 2.0"),
    ],
)
def test_widths_are_checked(widths, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        ResultWriter(build(SHAPES[0]), *widths)


def synthesis(rows, cols, arithmetic="direct"):
    """A chain that upsamples twice, with and without a GDN behind it, and has an ordinary convolution between."""
    kind, wide = IntType(6), IntType(8)
    options = {"transposed": True, "output_padding": 1}
    layers = [
        synthetic_conv2d("g_s.0", in_channels=2, out_channels=5, input_type=kind, output_type=wide, **options),
        synthetic_gdn("g_s.1", channels=5, form="abs", inverse=True, input_type=wide, output_type=kind),
        synthetic_conv2d("g_s.2", in_channels=5, out_channels=3, stride=1, input_type=kind, output_type=wide),
        synthetic_conv2d("g_s.3", in_channels=3, out_channels=4, input_type=wide, output_type=kind, **options),
        synthetic_conv2d("g_s.4", in_channels=4, out_channels=3, input_type=kind, output_type=kind, **options),
    ]
    g_s = Transform(name="g_s", in_channels=2, input=kind, input_scale=1.0, layers=layers)
    return compile_program(g_s, AcceleratorConfig(rows=rows, cols=cols, max_width=4 * rows, arithmetic=arithmetic))


def words_of_tiles(program, seed, gap):
    """Tiles for line buffers; inputs a cycle, and for each line buffer's memory the pixels that it must hold."""
    rng = np.random.default_rng(seed)
    steps, held, rows, padded = [], {}, program.rows, program.arithmetic.padded
    for k in range(16):
        line = int(rng.integers(1, len(program.stages)))
        made, stage = program.stages[line - 1], program.stages[line]
        channels = stage.conv.channels_in
        group, first = int(rng.integers(2)), int(rng.integers(channels))
        count, column = int(rng.integers(1, 1 + min(program.cols, channels - first))), k % 2
        base = stage.base << program.arithmetic.part_bits
        points, outputs = program.arithmetic.points, program.arithmetic.outputs
        base += outputs * (2 if made.upsampling else 1) * group * padded(channels) + first
        tile = {
            "to": Destination.LINE,
            "line": line,
            "address": base,
            "count": count,
            "column": column,
            "row_done": k % 3 == 0,
        }
        parts = [0]
        if points:
            # four words of every fourth column, or one of them; what is known of a tile is known before its words
            tile |= {"quads": int(rng.integers(2)), "quarter": int(rng.integers(4))}
            parts = range(4) if tile["quads"] else [tile["quarter"]]
            tile["count"] = count * len(parts)
            steps += [{"valid": 0, "i.valid": 1, "i.payload": tile}] * 2
        for channel, part in itertools.product(range(count), parts):
            word = rng.integers(-(1 << RESULT - 1), 1 << RESULT - 1, rows).tolist()
            steps.append({"valid": 1, "word": word, "i.valid": 1, "i.payload": tile})
            idle = {"valid": 0, "word": [0] * rows, "i.payload": tile if points else {}}
            steps += [idle] * int(rng.integers(1, 2 + gap))
            for r, value in enumerate(word):
                column_in = outputs * r + part
                place = 2 * column_in + column if made.upsampling else column_in
                half, rest = divmod(place, outputs * rows)
                at = base + channel + (outputs * half + rest % outputs) * padded(channels)
                held[stage.memory, at, rest // outputs] = value
    return steps, held


@pytest.mark.parametrize("gap", [0, 2])
@pytest.mark.parametrize(
    ("rows", "cols", "arithmetic"),
    [
        (1, 2, "direct"),
        (2, 3, "direct"),
        (3, 2, "direct"),
        (4, 4, "direct"),
        (5, 1, "direct"),
        (1, 2, "fip"),
        (3, 4, "fip"),
        (1, 2, "fip-f4"),
        (2, 3, "fip-f4"),
        (3, 2, "fip-f4"),
    ],
)
def test_words_of_upsampling_stages_are_spread_over_two(rows, cols, arithmetic, gap):
    program = synthesis(rows, cols, arithmetic)
    assert [stage.upsampling for stage in program.stages] == [True, False, True, False]
    steps, expected = words_of_tiles(program, rows, gap)
    seen = trace(ResultWriter(program, RESULT, NORM), steps, WATCH, cycles=len(steps) + 1)
    held = {}
    for record in seen:
        for memory, lane in np.ndindex(len(program.line_memories), rows):
            if record.line_enable >> (2 * memory + lane % 2) & 1:
                held[memory, record.line_address, lane] = record.line_word[lane]
    assert held == expected
    # the second write is the last one's only company
    ends = [t for t, step in enumerate(steps) if step["valid"] and seen[t].i_ready]
    assert [t for t, s in enumerate(seen) if s.written] == [t + 1 for t in ends]
    assert [t for t, s in enumerate(seen) if s.row_done] == [t + 1 for t in ends if steps[t]["i.payload"]["row_done"]]
    writes = [t for t, s in enumerate(seen) if s.line_enable]
    assert {t - 1 for t in writes} | {t - 2 for t in writes} >= {t for t, step in enumerate(steps) if step["valid"]}
    assert not any(s.norm_enable or s.output_enable for s in seen)


def test_no_second_write_after_a_reset():
    program = synthesis(2, 2)
    steps = [{"valid": 1, "word": [3, 4], "i.valid": 1, "i.payload": {"to": Destination.LINE, "line": 1, "count": 1}}]
    steps += [{"valid": 0}] * 3
    assert [bool(s.line_enable) for s in trace(ResultWriter(program, RESULT, NORM), steps, WATCH)] == [0, 1, 1, 0]
    seen = trace(ResultWriter(program, RESULT, NORM), steps, WATCH, resets={0, 1})
    assert not any(s.line_enable for s in seen)
