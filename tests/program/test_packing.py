"""Packing: exact for every pair of numbers that its layers can hold, and chosen only where it pays."""

from itertools import product

import numpy as np
import pytest

from licgate.errors import ConfigError
from licgate.manifest import IntType
from licgate.manifest.synthetic import synthetic_conv2d, synthetic_gdn, synthetic_manifest
from licgate.program import compile_program
from licgate.program.packing import SHORTEST_DRAIN, drain_gap, shift_range
from licgate.target.config import AcceleratorConfig
from tests.gateware.waves import small_program
from tests.manifest.kit import chain


def conv(a_bits, w_bits, *, signed=True):
    return synthetic_conv2d(
        "c",
        in_channels=1,
        out_channels=1,
        kernel=1,
        stride=1,
        weight_bits=w_bits,
        input_type=IntType(a_bits, signed=signed),
        output_type=IntType(8),
    )


def parted(p, shift):
    """The two products as the array and the drain find them."""
    high = (p >> shift) + ((p >> (shift - 1)) & 1)
    return p - (high << shift), high


@pytest.mark.parametrize(
    ("a_bits", "signed", "w_bits", "packed_bits", "shifts"),
    [
        (8, True, 4, 18, (11, 14)),
        (8, True, 5, 18, (12, 13)),
        (8, False, 5, 18, (13, 13)),
        (6, True, 6, 18, (11, 12)),
        (4, True, 7, 18, (10, 11)),
        (7, True, 6, 18, (12, 12)),
        (8, True, 8, 27, (15, 19)),
        (9, True, 9, 27, (17, 18)),
    ],
)
def test_exact_for_all_pairs(a_bits, signed, w_bits, packed_bits, shifts):
    layer = conv(a_bits, w_bits, signed=signed)
    found = shift_range(layer, packed_bits)
    assert (found[0], found[-1]) == shifts
    a, most = layer.input, layer.weight_type.max
    activations = np.arange(a.min, a.max + 1)[:, None]
    weights = np.arange(-most, most + 1)
    low = weights[None, :]
    # every upper weight where they are few, else the corners; the lower ones are all there
    for high in weights if len(weights) < 64 else (-most, -1, 0, 1, most):
        for shift in shifts:
            operand = low + (int(high) << shift)
            assert operand.min() >= -(1 << packed_bits - 1)
            assert operand.max() < 1 << packed_bits - 1
            first, second = parted(activations * operand, shift)
            np.testing.assert_array_equal(first, activations * low)
            np.testing.assert_array_equal(second, np.broadcast_to(activations * high, second.shape))


def test_a_shift_less_is_not_exact():
    """So the least one is the least."""
    for a_bits, signed, w_bits in ((8, True, 5), (8, False, 5), (6, True, 6), (9, True, 9)):
        layer = conv(a_bits, w_bits, signed=signed)
        shift = shift_range(layer, 27)[0] - 1
        a = layer.input.max if not signed else layer.input.min
        w = layer.weight_type.max
        assert any(
            parted(a * (low + (high << shift)), shift) != (a * low, a * high)
            for low, high in product((-w, w), (-w, 0, w))
        )


@pytest.mark.parametrize(("a_bits", "w_bits", "packed_bits"), [(8, 6, 18), (8, 8, 18), (10, 5, 18), (10, 10, 27)])
def test_too_wide(a_bits, w_bits, packed_bits):
    assert not shift_range(conv(a_bits, w_bits), packed_bits)


def test_gdn_is_measured_by_its_unsigned_factors():
    gdn = synthetic_gdn("g", channels=2, input_type=IntType(9), output_type=IntType(8), gamma_bits=7)
    assert (gdn.norm_bits, gdn.gamma_type.bits) == (8, 7)
    # 255 * 127 has 15 bits, and a sign; two weights of 7 bits and a sign
    assert shift_range(gdn, 27) == range(16, 20)
    assert not shift_range(gdn, 18)


def fields(word, op, cols):
    bits = op.weight_bits
    values = [word >> (bits * k) & ((1 << bits) - 1) for k in range(2 * cols)]
    return [(v ^ (1 << bits - 1)) - (1 << bits - 1) for v in values]


@pytest.mark.parametrize(("cols", "channels"), [(1, 5), (2, 7), (3, 6), (2, 3)])
def test_words_hold_two_weights_a_column(cols, channels):
    g_a = chain("g_a", 2, (5, 1, channels), weight_bits=5)
    (op,) = small_program(g_a, rows=2, cols=cols, packing=True).ops
    assert (op.packed, op.products, op.tiles) == (True, 2, -(-channels // (2 * cols)))
    matrix = op.layer.weight.transpose(0, 2, 1, 3).reshape(channels, -1)
    for tile in range(op.tiles):
        for step in range(op.steps):
            values = fields(op.words[tile * op.steps + step], op, cols)
            for c in range(cols):
                channel = 2 * cols * tile + 2 * c
                low, high = (int(matrix[k, step]) if k < channels else 0 for k in (channel, channel + 1))
                # the upper field lacks what the lower one's sign takes from it
                assert (values[2 * c], values[2 * c + 1] + (values[2 * c] < 0)) == (low, high)


def packed(*transforms, **options):
    program = small_program(*transforms, packing=True, **options)
    return program, [op.packed for op in program.ops]


def test_layers_are_chosen_one_by_one():
    program, chosen = packed(channels=(3, 5, 6, 7, 4), weight_bits=(5, 8, 4, 6), gdn="none")
    assert (chosen, program.pack_shift) == ([True, False, True, False], 13)
    assert [(m.bits, m.packed, m.field) for m in program.weight_memories] == [
        (5, True, 10),
        (8, False, 8),
        (4, True, 8),
        (6, False, 6),
    ]
    assert program.weight_width == 18
    assert program.packed_accumulator_width == max(op.layer.accumulator.bits for op in program.ops if op.packed)


def test_one_shift_serves_most_of_the_work():
    """Activations of 6 bits and weights of 6 ask for 11 or 12 bits between them, 4 bits and 7 for 10 or 11."""

    def chosen(first, channels):
        layers = [(5, 1, outputs) for outputs in channels]
        h_a = chain("h_a", 4, *layers, bits=(8, 6, 4, 8), weight_bits=(first, 6, 7), unsigned=True)
        program, packed_ones = packed(h_a)
        return packed_ones, program.pack_shift

    assert chosen(8, (4, 8, 4)) == ([False, True, True], 11)
    # a weight of 5 bits and unsigned numbers of 8 take 13: then either the first layer is packed or the others are
    assert chosen(5, (4, 8, 4)) == ([False, True, True], 11)
    assert chosen(5, (32, 3, 3)) == ([True, False, False], 13)


def test_the_multipliers_of_a_device_decide():
    for bits, expected in ((18, [False, False, True]), (27, [True, True, True]), (16, [False, False, False])):
        program, chosen = packed(channels=(3, 5, 6, 7), weight_bits=(8, 9, 5), gdn="none", packed_bits=bits)
        assert chosen == expected
        assert program.packing == any(expected)
        assert program.weight_width <= max(bits, 9)


def test_no_layer_is_packed_that_it_does_not_speed_up():
    # as many passes either way
    assert packed(channels=(3, 2, 3), weight_bits=4, gdn="none")[1] == [False, True]
    # results of twice as many channels would take longer to leave the array than the sums take to be made
    assert packed(chain("h_a", 3, (1, 1, 6), weight_bits=4))[1] == [False]
    slow = chain("h_a", 5, (1, 1, 5), weight_bits=4)
    assert packed(slow, rows=1)[1] == [True]
    assert packed(slow, rows=6, lanes=1)[1] == [False]


def test_without_packing_nothing_is_packed():
    program = small_program(channels=(3, 5, 6), weight_bits=4)
    assert (program.packing, program.pack_shift, program.merge_latency) == (False, None, 0)
    assert (program.most_channels, program.packed_accumulator_width) == (program.cols, 0)


def test_lanes_drain_packed_passes_in_time():
    for rows, cols in ((8, 12), (12, 12), (16, 9), (3, 5)):
        config = AcceleratorConfig(rows=rows, cols=cols, packing=True)
        program = compile_program(
            synthetic_manifest(channels=(3, 2 * cols, 2 * cols), weight_bits=5, gdn="none").g_a, config, weights=False
        )
        assert all(op.packed for op in program.ops)
        assert all(program.gap_behind(op) <= op.shortest for op in program.ops)
        assert program.gap_behind(program.ops[0]) == drain_gap(cols, program.lane_rows, 2)
        assert program.lane_rows >= SHORTEST_DRAIN


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"packing": 1}, "packing is 1: give True or False"),
        ({"packed_bits": 28}, "packed_bits is 28: give an integer from 2 to 27"),
        ({"packing": True, "cols": 12, "output_words": 23}, "output_words is 23: give an integer from 24 to 4096"),
    ],
)
def test_parameters_are_checked(options, message):
    with pytest.raises(ConfigError, match=message):
        AcceleratorConfig(**options)


def test_words_of_the_output_have_room_for_two_passes():
    assert AcceleratorConfig(packing=True).output_words == 48
    assert AcceleratorConfig(packing=True, cols=6).output_words == 32
    assert AcceleratorConfig(packing=True, cols=20).output_words == 80
    assert AcceleratorConfig().output_words == 32
