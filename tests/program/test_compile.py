"""The compiler: how layers lie over the array, and what it refuses."""

from itertools import product

import numpy as np
import pytest

from licgate.program.depthform import depth_form
from licgate.target.arithmetic import ARITHMETICS
from tests.gateware.golden import FEWEST_TAPS, reads, rows_read
from tests.gateware.waves import small_program
from tests.manifest import kit


def compiled(*transforms, rows=3, cols=4, max_width=48, **options):
    return small_program(*transforms, rows=rows, cols=cols, max_width=max_width, **options)


def unpacked(op, pass_kind, cols):
    """Weights of a phase by output channel, step and reduction index, sign-extended, from the memory's words."""
    sign = 0 if op.is_gdn else 1 << (op.weight_bits - 1)
    indices = op.arithmetic.indices
    out = np.zeros((op.tiles * cols, pass_kind.steps, indices), dtype=np.int64)
    first = pass_kind.base - op.base
    for address, word in enumerate(op.words[first : first + op.tiles * pass_kind.steps]):
        tile, step = divmod(address, pass_kind.steps)
        for part, c in np.ndindex(indices, cols):
            value = word >> (op.weight_bits * (part * cols + c)) & ((1 << op.weight_bits) - 1)
            out[tile * cols + c, step, part] = (value ^ sign) - sign
        assert word < 1 << (op.weight_bits * cols * indices)
    np.testing.assert_array_equal(out[op.channels_out :], 0)
    return out[: op.channels_out]


def swept(program, stage, x):
    """Accumulators of a convolution on x (C, H, W), from its passes: rows, then channels, then columns."""
    op, out_length = stage.conv, stage.output_length
    out = np.zeros((op.channels_out, out_length(x.shape[1]), out_length(x.shape[2])), dtype=np.int64)
    border = 9
    padded = np.pad(x, ((0, 0), (border, border), (border, border)))
    times = 2 if stage.upsampling else 1
    for pass_kind in op.pass_kinds:
        shape = pass_kind.shape
        matrix = by_channel(op, pass_kind, program.cols)
        for y, z in np.ndindex(-(-out.shape[1] // times), -(-out.shape[2] // times)):
            row = times * y + pass_kind.row
            top, left = stage.span(row)[0] + border, shape.stride * z + shape.first_column + border
            window = padded[:, top : top + pass_kind.kernel_rows, left : left + shape.columns].transpose(1, 0, 2)
            out[:, row, times * z + pass_kind.column] = (matrix * window).sum(axis=(1, 2, 3))
    return out


def by_channel(op, pass_kind, cols):
    """Weights of a phase as (O, kernel rows, channels, columns); what fills words is zero."""
    weights = unpacked(op, pass_kind, cols)
    out, *_, indices = weights.shape
    columns = 1 if pass_kind.shape is None else pass_kind.shape.columns
    weights = weights.reshape(out, -1, op.words_in, columns, indices).swapaxes(3, 4)
    weights = weights.reshape(out, -1, op.words_in * indices, columns)
    np.testing.assert_array_equal(weights[:, :, op.channels_in :], 0)
    return weights[:, :, : op.channels_in]


def scattered(layer, x):
    """Accumulators of a transposed convolution, as its definition says."""
    height, width = layer.output_size(*x.shape[1:])
    out = np.zeros((layer.out_channels, height, width), dtype=np.int64)
    for i, y, z, ky, kx in np.ndindex(*x.shape, layer.kernel, layer.kernel):
        row, column = layer.stride * y + ky - layer.padding, layer.stride * z + kx - layer.padding
        if 0 <= row < height and 0 <= column < width:
            out[:, row, column] += layer.weight[i, :, ky, kx] * x[i, y, z]
    return out


def gathered(layer, x):
    """Accumulators of a convolution, as its definition says."""
    height, width = layer.output_size(*x.shape[1:])
    out = np.zeros((layer.out_channels, height, width), dtype=np.int64)
    for y, z, i, ky, kx in np.ndindex(height, width, layer.in_channels, layer.kernel, layer.kernel):
        row, column = layer.stride * y + ky - layer.padding, layer.stride * z + kx - layer.padding
        if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
            out[:, y, z] += layer.weight[:, i, ky, kx] * x[i, row, column]
    return out


CONVOLUTIONS = [*product((1, 3, 5, 7), (1, 2)), *product((2, 3, 4, 5, 6, 7), (-2,))]


@pytest.mark.parametrize(("channels", "arithmetic"), [(2, "direct"), (2, "fip"), (3, "fip")])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(("kernel", "stride"), CONVOLUTIONS)
def test_passes_make_the_convolution(kernel, stride, last, channels, arithmetic):
    """Weight words against scatter and gather: phase by phase, or in depth form where nothing follows."""
    follows = () if last else ((1, 1, 2),)
    g_s = kit.chain("g_s", channels, (kernel, stride, 3, "relu"), *follows, weight_bits=[6, 8][: 2 - last])
    program = compiled(g_s, cols=2, arithmetic=arithmetic)
    stage, layer = program.stages[0], program.stages[0].conv.layer
    assert stage.conv.depth_form == (last and stride < 0)
    assert stage.upsampling == (not last and stride < 0)
    for size in ((1, 1), (2, 3), (4, 2)):
        x = np.random.default_rng(kernel).integers(-128, 128, (channels, *size))
        expected = scattered(layer, x) if layer.transposed else gathered(layer, x)
        expected = depth_form(expected) if stage.conv.depth_form else expected
        np.testing.assert_array_equal(swept(program, stage, x), expected)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 12])
@pytest.mark.parametrize(("kernel", "stride"), CONVOLUTIONS)
def test_windows(kernel, stride, rows):
    for follows in ((), ((1, 1, 2),)):
        program = compiled(kit.chain("g_s", 1, (kernel, stride, 2), *follows), rows=rows)
        stage = program.stages[0]
        for pass_kind in stage.conv.pass_kinds:
            shape, columns = (
                pass_kind.shape,
                reads(stage.conv.layer, pass_kind.column, depth_form=stage.conv.depth_form),
            )
            assert shape.stride == max(1, stride)
            assert (shape.first_column, shape.columns) == (columns[0], max(FEWEST_TAPS, len(columns)))
            assert pass_kind.kernel_rows == len(rows_read(stage, pass_kind.row))
            assert pass_kind.steps == pass_kind.kernel_rows * shape.columns
            # every tap of every row lies in one of the words, and none of the words is without one
            taps = [shape.stride * r + columns[0] + k for r in range(rows) for k in range(shape.columns)]
            touched = {tap // rows for tap in taps}
            assert (shape.first_word(rows), shape.words(rows)) == (min(touched), max(touched) - min(touched) + 1)
            assert shape.tap_row_cycles(rows) == max(shape.columns, shape.words(rows))
        assert program.window_words == max(pass_kind.shape.words(rows) for pass_kind in program.pass_kinds)
        assert program.kernel_rows == max(pass_kind.kernel_rows for pass_kind in program.pass_kinds)
        for row in range(9):
            first, end = stage.span(row)
            assert list(range(first, end)) == rows_read(stage, row)
        assert stage.most_above == max(0, *(-rows_read(stage, row)[0] for row in range(4)))


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("cols", [1, 4, 9])
def test_words_of_a_gdn_are_its_gamma(cols, arithmetic):
    program = compiled(cols=cols, channels=(3, 5, 9), weight_bits=(4, 11), arithmetic=arithmetic)
    op = program.ops[1]
    assert (op.is_gdn, op.tiles, len(op.pass_kinds), op.pass_kinds[0].shape) == (True, -(-5 // cols), 1, None)
    np.testing.assert_array_equal(by_channel(op, op.pass_kinds[0], cols)[:, 0, :, 0], op.layer.gamma)


def test_phases_follow_each_other_in_the_weight_memory():
    program = compiled(kit.chain("h_s", 3, (5, -2, 5, "relu"), (3, 1, 2)), cols=2)
    first, second = program.ops
    assert [(p.index, p.op, p.row, p.column) for p in program.pass_kinds] == [
        (0, 0, 0, 0),
        (1, 0, 0, 1),
        (2, 0, 1, 0),
        (3, 0, 1, 1),
        (4, 1, 0, 0),
    ]
    # 9 + 6 + 6 + 4 taps of three channels, three tiles
    assert [p.steps for p in program.pass_kinds] == [27, 18, 18, 12, 45]
    assert [p.base for p in program.pass_kinds] == [0, 81, 135, 189, 225]
    assert (first.steps, first.shortest, len(first.words), second.base) == (75, 12, 225, 225)
    assert program.weight_memories[0].init == first.words + second.words


def test_operations_and_stages_follow_the_layers():
    program = compiled(channels=(3, 5, 7, 2), gdn=("abs", "none"), gdn_bits=(9, 10), activation_bits=(6, 7, 12))
    g_a = program.chains[0].transform
    assert [op.layer for op in program.ops] == list(g_a.layers)
    assert [op.index for op in program.ops] == [0, 1, 2, 3]
    assert [op.is_gdn for op in program.ops] == [False, True, False, False]
    assert [op.steps for op in program.ops] == [75, 5, 125, 175]
    assert [op.tiles for op in program.ops] == [2, 2, 2, 1]
    assert [(c.index, c.first, c.last, c.max_width, c.pixels) for c in program.chains] == [(0, 0, 2, 48, True)]
    assert [(s.chain, s.first, s.last) for s in program.stages] == [(0, 1, 0), (0, 0, 0), (0, 0, 1)]
    assert [(s.conv.index, s.gdn and s.gdn.index, s.last_op.index) for s in program.stages] == [
        (0, 1, 1),
        (2, None, 2),
        (3, None, 3),
    ]
    types = [program.line_memories[s.memory] for s in program.stages]
    assert [(memory.bits, memory.signed) for memory in types] == [(8, False), (6, True), (7, False)]


def test_layers_of_one_type_share_a_weight_memory():
    program = compiled(channels=(3, 5, 7, 2, 4), weight_bits=(8, 6, 8, 6), gdn=("abs", "none", "abs_root"))
    # the γ of a GDN are 8 bits too, but without a sign
    assert [(m.bits, m.signed) for m in program.weight_memories] == [(8, True), (8, False), (6, True)]
    assert [op.memory for op in program.ops] == [0, 1, 2, 0, 1, 2]
    for memory, index in zip(program.weight_memories, range(3)):
        ops = [op for op in program.ops if op.memory == index]
        assert [op.base for op in ops] == [0, len(ops[0].words)]
        assert memory.init == ops[0].words + ops[1].words
        assert memory.depth == len(memory.init)


def test_stages_of_one_type_share_a_line_memory_but_not_with_the_pixels():
    program = compiled(channels=(1, 2, 3, 2), gdn="none", activation_bits=8, rows=4, max_width=16, line_slack=1)
    assert [(m.bits, m.signed) for m in program.line_memories] == [(8, False), (8, False)]
    assert [s.memory for s in program.stages] == [0, 1, 1]
    # rings of 8, 6 and 6 rows of 4, 2 and 1 words of 1, 2 and 3 channels
    assert [s.base for s in program.stages] == [0, 0, 24]
    assert [s.last_row for s in program.stages] == [28, 20, 39]
    assert [m.depth for m in program.line_memories] == [32, 42]


def test_parameters_lie_in_one_row():
    program = compiled(channels=(3, 5, 7, 2), gdn=("abs", "none"))
    for op in program.ops:
        layer, where = op.layer, slice(op.param_base, op.param_base + op.channels_out)
        np.testing.assert_array_equal(program.biases[where], layer.beta if op.is_gdn else layer.bias)
        np.testing.assert_array_equal(program.multipliers[where], layer.requantize.multiplier)
        np.testing.assert_array_equal(program.shifts[where], layer.requantize.shift)
        np.testing.assert_array_equal(program.offsets[where], layer.requantize.offset)
    assert [op.param_base for op in program.ops] == [0, 5, 10, 17]
    assert {len(v) for v in (program.biases, program.multipliers, program.shifts, program.offsets)} == {19}
    assert {type(v) for v in program.biases + program.offsets} == {int}


@pytest.mark.parametrize(("slack", "rings"), [((0, 3), (8, 5, 5)), ((2, 0), (5, 7, 7))])
def test_line_buffers(slack, rings):
    program = compiled(channels=(3, 5, 7, 2), rows=4, max_width=37, line_slack=slack[0], input_slack=slack[1])
    assert [s.ring for s in program.stages] == list(rings)
    # widths 37, 19, 10 in words of 4 pixels
    assert [s.words for s in program.stages] == [10, 5, 3]
    assert [s.row_stride for s in program.stages] == [30, 25, 21]
    assert [s.depth for s in program.stages] == [r * n for r, n in zip(rings, (30, 25, 21))]


@pytest.mark.parametrize(
    ("rows", "cols", "lanes", "built", "lane_rows", "gap"),
    [
        # the shortest pass has 5 steps: time for beats of 5 // cols cycles
        (3, 4, None, 2, 2, 8),
        (8, 2, None, 4, 2, 4),
        (8, 1, None, 2, 4, 4),
        (8, 2, 4, 4, 2, 4),
        (8, 2, 8, 4, 2, 4),  # a drain interval is two cycles at least: eight lanes would idle half of the time
        (8, 2, 3, 3, 3, 6),
        (8, 2, 1, 1, 8, 16),
        (7, 3, 3, 3, 3, 9),
        (1, 5, 1, 1, 2, 10),
        (5, 1, 2, 2, 3, 3),
    ],
)
def test_lanes(rows, cols, lanes, built, lane_rows, gap):
    program = compiled(channels=(3, 5, 7), rows=rows, cols=cols, lanes=lanes)
    assert (program.lanes, program.lane_rows, program.drain_gap) == (built, lane_rows, gap)
    assert program.lanes * program.lane_rows >= rows
    assert (program.lanes - 1) * program.lane_rows < rows


def test_widths_hold_every_layer():
    program = compiled(channels=(3, 5, 7), weight_bits=(6, 9), activation_bits=(7, 12), gdn_bits=11)
    gdn = program.ops[1].layer
    assert program.activation_width == max(9, 7, gdn.norm_bits + 1)
    assert program.weight_width == max(6, gdn.gamma_type.bits + 1, 9)
    assert program.accumulator_width == max(
        program.ops[0].layer.accumulator.bits, gdn.accumulator.bits + 1, program.ops[2].layer.accumulator.bits
    )
