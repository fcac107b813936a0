"""Programs for the fast inner product: steps of two channels, weight sums in biases, memories in parts, refusals."""

from dataclasses import replace

import numpy as np
import pytest

from licgate.errors import ConfigError
from licgate.manifest.synthetic import synthetic_manifest
from licgate.manifest.types import prove_gdn
from licgate.program import compile_program
from licgate.program.ops import matrices, steps_of, words_of
from licgate.program.streamed import compile_streamed
from licgate.target.arithmetic import DIRECT, FIP
from licgate.target.config import AcceleratorConfig
from licgate.target.streamed import StreamedConfig
from tests.gateware.waves import small_program
from tests.manifest.kit import chain

UP = chain("g_s", 3, (5, -2, 5, "abs"), (4, -2, 3, "relu"), (3, -2, 2), weight_bits=(6, 8, 7))


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_a_step_takes_neighbouring_channels_of_one_tap(channels):
    matrix = np.random.default_rng(channels).integers(-9, 10, (3, 2, channels, 4))
    steps = steps_of(matrix, FIP)
    words = -(-channels // 2)
    assert steps.shape == (3, 2 * words * 4, 2)
    for o, row, c, column in np.ndindex(3, 2, 2 * words, 4):
        expected = matrix[o, row, c, column] if c < channels else 0
        assert steps[o, (row * words + c // 2) * 4 + column, c % 2] == expected
    assert np.array_equal(steps_of(matrix, DIRECT)[:, :, 0], matrix.reshape(3, -1))


@pytest.mark.parametrize("channels", [1, 4, 5])
def test_steps_of_a_gdn(channels):
    gamma = np.random.default_rng(channels).integers(0, 10, (3, channels))
    steps = steps_of(gamma, FIP)
    assert steps.shape == (3, -(-channels // 2), 2)
    assert np.array_equal(steps.reshape(3, -1)[:, :channels], gamma)
    assert not steps.reshape(3, -1)[:, channels:].any()


def test_words_hold_the_weights_of_one_channel_then_those_of_the_next():
    # three output channels on two columns: two tiles, the last column without a channel
    weights = np.array([[[1, -2], [3, 4]], [[5, 6], [-7, 0]], [[2, -1], [1, 3]]])
    fields = ((1, 5, -2, 6), (3, -7, 4, 0), (2, 0, -1, 0), (1, 0, 3, 0))
    expected = [sum((v & 15) << 4 * k for k, v in enumerate(word)) for word in fields]
    assert words_of(weights, 2, 4) == expected


def weights_of(op):
    if op.is_gdn:
        return [np.asarray(op.layer.gamma)]
    return [weight for *_, weight in matrices(op.layer, depth_form=op.depth_form)]


@pytest.mark.parametrize("transforms", [(), (UP,)])
def test_biases_lack_what_sums_have_too_much(transforms):
    """Of each kind of pass apart: eta of its weights. The other parameters are the layer's, again and again."""
    program = small_program(*transforms, cols=3, channels=(3, 5, 4), gdn="abs", arithmetic="fip")
    direct = small_program(*transforms, cols=3, channels=(3, 5, 4), gdn="abs")
    found = 0
    for op, plain in zip(program.ops, direct.ops, strict=True):
        count = op.channels_out
        assert [kind.params for kind in op.pass_kinds] == [k * count for k in range(len(op.pass_kinds))]
        assert {kind.params for kind in plain.pass_kinds} == {0}
        for kind, matrix in zip(op.pass_kinds, weights_of(op), strict=True):
            # channels in pairs, the odd one with nothing: its products are zero
            channels = matrix.reshape(*matrix.shape, 1, 1)[:, None] if op.is_gdn else matrix
            pairs = channels.shape[2] // 2
            eta = (channels[:, :, 0 : 2 * pairs : 2] * channels[:, :, 1::2]).sum(axis=(1, 2, 3))
            here = slice(op.param_base + kind.params, op.param_base + kind.params + count)
            there = slice(plain.param_base, plain.param_base + count)
            assert np.array_equal(program.biases[here], np.array(direct.biases[there]) - eta.ravel())
            for name in ("multipliers", "shifts", "offsets"):
                assert getattr(program, name)[here] == getattr(direct, name)[there]
            found += count
    assert {len(getattr(program, name)) for name in ("biases", "multipliers", "shifts", "offsets")} == {found}


@pytest.mark.parametrize("transforms", [(), (UP,)])
def test_weights_that_are_not_made_are_counted_all_the_same(transforms):
    transforms = transforms or (synthetic_manifest(channels=(3, 5, 4), gdn="abs").g_a,)
    config = AcceleratorConfig(rows=3, cols=2, max_width=12, arithmetic="fip")
    program, counted = (compile_program(transforms, config, weights=weights) for weights in (True, False))
    assert counted.pass_kinds == program.pass_kinds
    assert [m.depth for m in counted.weight_memories] == [m.depth for m in program.weight_memories]
    assert len(counted.biases) == len(program.biases)


def test_memories_hold_words_of_two_channels():
    options = {"channels": (3, 5, 4), "gdn": "abs", "rows": 4, "cols": 3, "max_width": 40}
    program, direct = small_program(**options, arithmetic="fip"), small_program(**options)
    assert [(op.channels_in, op.words_in, op.steps) for op in program.ops] == [(3, 2, 50), (5, 3, 3), (5, 3, 75)]
    for memories, plain in (
        (program.line_memories, direct.line_memories),
        (program.weight_memories, direct.weight_memories),
    ):
        assert [(m.bits, m.signed, m.indices, m.field) for m in memories] == [
            (m.bits, m.signed, 2, 2 * m.bits) for m in plain
        ]
    # rings of 8 and 5 rows of 10 and 5 words of pixels
    assert [stage.row_stride for stage in program.stages] == [10 * 2, 5 * 3]
    assert [m.depth for m in program.line_memories] == [stage.ring * stage.row_stride for stage in program.stages]
    # tiles of three channels
    assert sum(m.depth for m in program.weight_memories) == 2 * 50 + 2 * 3 + 2 * 75
    # channels of GDN inputs: the groups of a band, at most seven
    assert (program.gdn_depth, direct.gdn_depth) == (7 * 6, 7 * 5)
    assert [op.macs_per_product for op in program.ops] == [2, 2, 2]
    assert small_program(channels=(3, 2), arithmetic="fip").gdn_depth == 2


def test_slots_and_weight_ring_of_a_streamed_program():
    g_a = synthetic_manifest(channels=(3, 5, 4), gdn="abs").g_a
    config = StreamedConfig(rows=4, cols=3, block_rows=2, band_groups=2)
    direct, program = (compile_streamed(g_a, replace(config, arithmetic=name)) for name in ("direct", "fip"))
    # two rows of outputs ask for seven rows of inputs
    assert (direct.slot_words, program.slot_words) == (7 * 5, 7 * 3)
    assert program.slots == direct.slots
    assert {memory.depth for memory in program.line_memories} == {program.slots * 21}
    # two tiles of the largest layer, and those of the GDN
    assert (direct.weight_ring, program.weight_ring) == (2 * 125 + 2 * 5, 2 * 75 + 2 * 3)
    assert (direct.gdn_depth, program.gdn_depth) == (2 * 5 * 2, 2 * 6 * 2)
    assert [program.word_bits(op) for op in program.ops] == [2 * direct.word_bits(op) for op in direct.ops]


def test_what_the_arithmetic_does_not_go_with():
    with pytest.raises(ConfigError, match=r"^arithmetic is 'winograd': choose direct, fip, fip-f4$"):
        AcceleratorConfig(arithmetic="winograd")
    with pytest.raises(ConfigError, match=r"^packing needs arithmetic direct, not fip: leave one of them out$"):
        StreamedConfig(packing=True, arithmetic="fip")
    with pytest.raises(ConfigError, match=r"^packing needs arithmetic direct, not fip: leave one of them out$"):
        AcceleratorConfig(packing=True, arithmetic="fip")


@pytest.mark.parametrize(("bits", "refused"), [(16, False), (17, True)])
def test_operands_wider_than_a_multiplier(bits, refused):
    """GDN's unsigned sizes have a bit more as signed numbers, and an operand another one."""
    conv, gdn, last = chain("g_a", 2, (3, 2, 3, "abs"), (3, 2, 2), unsigned=True, gdn_bits=16).layers
    wide = replace(gdn, norm_bits=bits, accumulator=prove_gdn(gdn.gamma, gdn.beta, bits))
    g_a = replace(synthetic_manifest(channels=(2, 3, 2)).g_a, layers=(conv, wide, last))
    config = AcceleratorConfig(rows=2, cols=2, max_width=8, arithmetic="fip")
    assert compile_program(g_a, replace(config, arithmetic="direct")).activation_width == bits + 1
    if not refused:
        assert compile_program(g_a, config).activation_width == bits + 1
        return
    message = (
        r"^arithmetic fip multiplies 19 bits by as many here, a multiplier has 18: choose direct, or narrower values$"
    )
    with pytest.raises(ConfigError, match=message):
        compile_program(g_a, config)
