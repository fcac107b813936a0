"""The compiler: how layers lie over the array, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest

from licgate.errors import ConfigError
from licgate.gateware.config import AcceleratorConfig
from licgate.manifest import IntType, Transform
from licgate.manifest.synthetic import synthetic_conv2d, synthetic_gdn, synthetic_manifest
from licgate.program import compile_program


def compiled(*, rows=3, cols=4, lanes=None, max_width=48, line_slack=0, input_slack=3, **manifest):
    g_a = synthetic_manifest(**manifest).g_a
    config = AcceleratorConfig(
        rows=rows, cols=cols, lanes=lanes, max_width=max_width, line_slack=line_slack, input_slack=input_slack
    )
    return compile_program(g_a, config)


def unpacked(op, cols):
    """Weights by output channel and step, sign-extended, from the memory's words."""
    sign = 0 if op.is_gdn else 1 << (op.weight_bits - 1)
    out = np.zeros((op.tiles * cols, op.steps), dtype=np.int64)
    for address, word in enumerate(op.words):
        tile, step = divmod(address, op.steps)
        for c in range(cols):
            value = word >> (op.weight_bits * c) & ((1 << op.weight_bits) - 1)
            # column c holds the channel that leaves the array cols - 1 - c shifts later
            out[tile * cols + cols - 1 - c, step] = (value ^ sign) - sign
        assert word < 1 << (op.weight_bits * cols)
    return out


@pytest.mark.parametrize("cols", [1, 2, 4, 5, 9])
@pytest.mark.parametrize("weight_bits", [8, (4, 11)])
def test_weight_words_hold_the_matrices(cols, weight_bits):
    program = compiled(cols=cols, channels=(3, 5, 9), weight_bits=weight_bits)
    for op in program.ops:
        assert op.tiles == -(-op.channels_out // cols)
        assert len(op.words) == op.tiles * op.steps
        got = unpacked(op, cols)
        np.testing.assert_array_equal(got[op.channels_out :], 0)
        for o in range(op.channels_out):
            if op.is_gdn:
                expected = list(op.layer.gamma[o])
            else:
                # kernel row, then channel, then kernel column: a row can be left out at a border
                weight, kernel = op.layer.weight, op.layer.kernel
                taps = [(i, ky, kx) for ky in range(kernel) for i in range(op.channels_in) for kx in range(kernel)]
                expected = [weight[o, i, ky, kx] for i, ky, kx in taps]
            np.testing.assert_array_equal(got[o], expected)


def test_operations_and_stages_follow_the_layers():
    program = compiled(channels=(3, 5, 7, 2), gdn=("abs", "none"), gdn_bits=(9, 10), activation_bits=(6, 7, 12))
    g_a = program.transform
    assert [op.layer for op in program.ops] == list(g_a.layers)
    assert [op.index for op in program.ops] == [0, 1, 2, 3]
    assert [op.is_gdn for op in program.ops] == [False, True, False, False]
    assert [op.steps for op in program.ops] == [75, 5, 125, 175]
    assert [op.tiles for op in program.ops] == [2, 2, 2, 1]
    assert [(s.conv.index, s.gdn and s.gdn.index, s.last_op.index) for s in program.stages] == [
        (0, 1, 1), (2, None, 2), (3, None, 3)
    ]  # fmt: skip
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
        (3, 4, None, 2, 2, 10),
        (8, 2, None, 4, 2, 6),
        (8, 1, None, 2, 4, 6),
        (8, 2, 4, 4, 2, 6),
        (8, 2, 8, 4, 2, 6),  # a beat takes two cycles at least: eight lanes would idle half of the time
        (8, 2, 3, 3, 3, 7),
        (8, 2, 1, 1, 8, 16),
        (7, 3, 3, 3, 3, 9),
        (1, 5, 1, 1, 2, 12),
        (5, 1, 2, 2, 3, 5),
    ],
)
def test_lanes(rows, cols, lanes, built, lane_rows, gap):
    program = compiled(channels=(3, 5, 7), rows=rows, cols=cols, lanes=lanes)
    assert (program.lanes, program.lane_rows, program.drain_gap) == (built, lane_rows, gap)
    assert program.lanes * program.lane_rows >= rows
    assert (program.lanes - 1) * program.lane_rows < rows


@pytest.mark.parametrize(
    ("rows", "kernel", "first", "words", "slot"),
    [(1, 5, -2, 5, 5), (2, 5, -1, 4, 5), (3, 5, -1, 4, 5), (4, 5, -1, 4, 5), (12, 5, -1, 4, 5), (1, 3, -1, 3, 3),
     (2, 3, -1, 3, 3), (3, 3, -1, 3, 3), (2, 7, -2, 5, 7), (1, 7, -3, 7, 7)],
)  # fmt: skip
def test_windows(rows, kernel, first, words, slot):
    program = compiled(channels=(2, 3), rows=rows, kernel=kernel)
    assert (program.padding, program.kernel) == (kernel // 2, kernel)
    assert (program.first_word, program.window_words, program.slot) == (first, words, slot)
    # every tap of every row lies in one of the words, and none of the words is without one
    touched = {(2 * r + k - program.padding) // rows for r in range(rows) for k in range(kernel)}
    assert (min(touched), max(touched)) == (first, first + words - 1)


def test_widths_hold_every_layer():
    program = compiled(channels=(3, 5, 7), weight_bits=(6, 9), activation_bits=(7, 12), gdn_bits=11)
    gdn = program.ops[1].layer
    assert program.activation_width == max(9, 7, gdn.norm_bits + 1)
    assert program.weight_width == max(6, gdn.gamma_type.bits + 1, 9)
    assert program.accumulator_width == max(
        program.ops[0].layer.accumulator.bits, gdn.accumulator.bits + 1, program.ops[2].layer.accumulator.bits
    )


def chain(*layers):
    return Transform(name="g_a", in_channels=2, input=IntType(8, signed=False), input_scale=1 / 255, layers=layers)


def conv(name="g_a.0", inputs=2, outputs=2, signed=False, **options):
    return synthetic_conv2d(name, in_channels=inputs, out_channels=outputs, input_type=IntType(8, signed=signed),
                            output_type=IntType(8), **options)  # fmt: skip


def gdn(name="g_a.1", inverse=False):
    return synthetic_gdn(name, channels=2, inverse=inverse, input_type=IntType(8), output_type=IntType(8))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([conv(stride=1)], "g_a.0: .* not kernel 5, stride 1, padding 2$"),
        ([conv(stride=3)], "g_a.0: .* not kernel 5, stride 3, padding 2$"),
        ([conv(kernel=4, padding=1)], "g_a.0: .* not kernel 4, stride 2, padding 1$"),
        ([conv(padding=1)], "g_a.0: .* not kernel 5, stride 2, padding 1$"),
        ([conv(transposed=True, output_padding=1)], "g_a.0: .* not kernel 5, stride 2, padding 2 transposed$"),
        ([conv(), conv("g_a.2", signed=True, kernel=3)], "g_a.2: .* not kernel 3, stride 2, padding 1$"),
        ([conv(), gdn(), gdn("g_a.2")], "^g_a.2: the array runs a GDN only behind a convolution$"),
    ],
)
def test_layers_that_the_array_does_not_run(layers, message):
    with pytest.raises(ConfigError, match=message):
        compile_program(chain(*layers), AcceleratorConfig(rows=2, cols=2))


def test_a_chain_begins_with_a_convolution():
    begins_with_gdn = Transform(name="g_a", in_channels=2, input=IntType(8), input_scale=1.0, layers=[gdn("g_a.0")])
    with pytest.raises(ConfigError, match=r"^g_a: the array needs a transform that begins with a convolution$"):
        compile_program(begins_with_gdn, AcceleratorConfig())


@pytest.mark.parametrize(
    ("name", "value", "low", "high"),
    [("rows", 0, 1, 64), ("rows", 65, 1, 64), ("rows", 2.0, 1, 64), ("rows", True, 1, 64), ("cols", 0, 1, 64),
     ("cols", "4", 1, 64), ("cols", None, 1, 64), ("max_width", 0, 1, 16384), ("max_width", 16385, 1, 16384),
     ("line_slack", -1, 0, 16), ("input_slack", 65, 0, 64), ("output_words", 11, 12, 4096), ("lanes", 0, 1, 8),
     ("lanes", 9, 1, 8), ("lanes", "2", 1, 8)],
)  # fmt: skip
def test_config_names_the_parameter_its_value_and_its_range(name, value, low, high):
    with pytest.raises(ConfigError, match=f"^{name} is {value!r}: give an integer from {low} to {high}$"):
        AcceleratorConfig(**{name: value})


def test_config_takes_the_ends_of_its_ranges():
    low = {"rows": 1, "cols": 1, "lanes": 1, "max_width": 1, "line_slack": 0, "input_slack": 0, "output_words": 1}
    high = {"rows": 64, "cols": 64, "lanes": 64, "max_width": 16384, "line_slack": 16, "input_slack": 64}
    for options in (low, {**high, "output_words": 4096}):
        config = AcceleratorConfig(**options)
        assert config.multipliers == options["rows"] * options["cols"]


@pytest.mark.parametrize(
    ("image", "options", "expected"),
    [((768, 512), {}, (768, 512)), ((37, 21), {}, (48, 32)), ((800, 33), {}, (720, 48)),
     ((800, 33), {"patch": 64}, (64, 64)), ((500, 20), {"independent": True}, (512, 32))],
)  # fmt: skip
def test_patch_size(image, options, expected):
    g_a = synthetic_manifest(channels=(1,) * 5, gdn="none").g_a
    # four 5x5 convolutions: a halo of 2 + 1 latents of 16 pixels
    assert AcceleratorConfig(max_width=768).patch_size(g_a, *image, **options) == expected


def test_patch_size_that_does_not_exist():
    g_a = synthetic_manifest(channels=(1,) * 5, gdn="none").g_a
    with pytest.raises(ConfigError, match="800 pixels wide, the line buffers 768: give independent patches a size"):
        AcceleratorConfig().patch_size(g_a, 800, 40, independent=True)
    with pytest.raises(ConfigError, match="max_width 63 leaves no pixel beside the halo: it must be 64 or more"):
        AcceleratorConfig(max_width=63).patch_size(g_a, 80, 40)
    assert AcceleratorConfig(max_width=64).patch_size(g_a, 80, 40) == (16, 48)


def test_a_leak_is_refused():
    g_a = synthetic_manifest(channels=(3, 4, 5), gdn="none").g_a
    first = replace(g_a.layers[0], requantize=replace(g_a.layers[0].requantize, leak=655))
    with pytest.raises(ConfigError, match=r"^g_a\.0: the array has no leak of 655; train with ReLU$"):
        compile_program(replace(g_a, layers=(first, *g_a.layers[1:])), AcceleratorConfig(max_width=16))
