"""Layers of the reference against the numerics page in plain Python."""

from dataclasses import replace

import numpy as np
import pytest

from licgate.errors import ConfigError
from licgate.manifest.numeric import requantize
from licgate.manifest.synthetic import GDN_FORMS, synthetic_conv2d, synthetic_gdn
from licgate.manifest.types import IntType, Requantize
from licgate.reference import run_layer
from licgate.reference.exact import Narrow, carrier
from licgate.reference.normalization import Normalization
from tests.reference import slow
from tests.reference.maps import feature_map


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (7, 10), (17, 33)])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(5, 2, 2), (3, 1, 1), (1, 1, 0), (4, 2, 2), (3, 4, 1)])
def test_convolution(size, kernel, stride, padding):
    layer = synthetic_conv2d(
        "g_a.0",
        in_channels=3,
        out_channels=2,
        kernel=kernel,
        stride=stride,
        padding=padding,
        input_type=IntType(10),
        weight_bits=6,
        output_type=IntType(9),
        seed=kernel,
    )
    x = feature_map(layer.input, 3, *size)
    np.testing.assert_array_equal(run_layer(layer, x), slow.conv2d(layer, x.tolist()))


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (5, 8), (9, 17)])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "more"),
    [(5, 2, 2, 1), (5, 2, 2, 0), (3, 1, 1, 0), (4, 2, 1, 0), (2, 3, 0, 2), (3, 4, 1, 3)],
)
def test_transposed_convolution(size, kernel, stride, padding, more):
    layer = synthetic_conv2d(
        "g_s.0",
        in_channels=2,
        out_channels=3,
        kernel=kernel,
        stride=stride,
        padding=padding,
        transposed=True,
        output_padding=more,
        input_type=IntType(8),
        output_type=IntType(12),
    )
    x = feature_map(layer.input, 2, *size)
    np.testing.assert_array_equal(run_layer(layer, x), slow.conv2d(layer, x.tolist()))


@pytest.mark.parametrize(
    ("input_bits", "weight_bits", "output_bits", "signed"),
    [(2, 2, 2, True), (8, 8, 8, False), (16, 16, 16, True), (5, 10, 16, False)],
)
@pytest.mark.parametrize("relu", [False, True])
def test_widths(input_bits, weight_bits, output_bits, signed, relu):
    layer = synthetic_conv2d(
        "g_a.0",
        in_channels=4,
        out_channels=5,
        input_type=IntType(input_bits, signed),
        weight_bits=weight_bits,
        output_type=IntType(output_bits, not relu),
        relu=relu,
    )
    x = feature_map(layer.input, 4, 9, 9)
    found = run_layer(layer, x)
    np.testing.assert_array_equal(found, slow.conv2d(layer, x.tolist()))
    assert len(np.unique(found)) > 2
    if relu:
        assert found.min() == 0


@pytest.mark.parametrize("form", sorted(GDN_FORMS))
@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize(
    ("bits", "output_bits", "index_bits", "fraction_bits"),
    [(10, 8, 5, 10), (16, 10, 6, 17), (2, 5, 1, 0), (12, 16, 3, 4)],
)
def test_gdn(form, inverse, bits, output_bits, index_bits, fraction_bits):
    layer = synthetic_gdn(
        "g_a.1",
        channels=7,
        form=form,
        inverse=inverse,
        input_type=IntType(bits),
        output_type=IntType(output_bits),
        index_bits=index_bits,
        fraction_bits=fraction_bits,
    )
    assert (layer.gamma != layer.gamma.T).any()
    x = feature_map(layer.input, 7, 5, 9)
    x[:, 0, 1] = 0
    found = run_layer(layer, x)
    np.testing.assert_array_equal(found, slow.gdn(layer, x.tolist()))
    assert len(np.unique(found)) > 3


@pytest.mark.parametrize("root", [False, True])
@pytest.mark.parametrize("inverse", [False, True])
def test_gdn_factor_is_close_to_the_real_one(root, inverse):
    form = "square_root" if root else "abs"
    layer = synthetic_gdn(
        "g_a.1",
        channels=2,
        form=form,
        inverse=inverse,
        input_type=IntType(10),
        output_type=IntType(8),
        index_bits=6,
        fraction_bits=10,
    )
    ready = Normalization(layer)
    for kind, most in ((np.float32, 24), (np.float64, 48)):
        ready.kind = kind
        v = np.unique(np.concatenate([np.arange(1, 70000), 2 ** np.arange(most), 2 ** np.arange(1, most + 1) - 1]))
        r, power = ready.factor(v.astype(kind))
        real = v.astype(float) ** ((0.5 if root else 1.0) * (1 if inverse else -1))
        relative = np.abs(r * power * 2.0**-16 / real - 1)
        # a step of r weighs more where r is small: half of it 2**-16 for the root, 2**-16 for 1/v near 2
        assert relative.max() < 2**-13.2
        exponent = np.log2(power).astype(int)
        assert [slow.gdn_factor(layer, int(n)) for n in v[::97]] == list(zip(r[::97], exponent[::97], strict=True))


@pytest.mark.parametrize("seed", range(32))
def test_random_gdn(seed):
    """Any form, width and table: index and fraction together beyond what float32's mantissa holds, too."""
    random = np.random.default_rng(seed)
    output = IntType(int(random.integers(2, 17)), signed=bool(random.integers(2)))
    layer = synthetic_gdn(
        "g_a.1",
        channels=int(random.integers(1, 6)),
        form=sorted(GDN_FORMS)[seed % 4],
        inverse=seed % 8 > 3,
        input_type=IntType(int(random.integers(2, 17)), signed=bool(random.integers(2))),
        output_type=output,
        gamma_bits=int(random.integers(2, 17)),
        index_bits=int(random.integers(1, 11)),
        fraction_bits=int(random.choice([0, 5, 16, 17])),
        seed=seed,
    )
    x = feature_map(layer.input, layer.channels, 6, 5, seed)
    np.testing.assert_array_equal(run_layer(layer, x), slow.gdn(layer, x.tolist()))


@pytest.mark.parametrize("weight_bits", [8, 16])
def test_sums_up_to_the_bound_stay_exact(monkeypatch, weight_bits):
    """The largest sum that a layer admits: in float64 one of 45 bits, in float32 one close to 24."""
    bits, inputs = (16, 512) if weight_bits == 16 else (12, 4)
    layer = synthetic_conv2d(
        "g_a.0",
        in_channels=inputs,
        out_channels=1,
        kernel=5,
        padding=0,
        stride=1,
        weight_bits=weight_bits,
        input_type=IntType(bits),
        output_type=IntType(16),
    )
    x = np.where(layer.weight[0] >= 0, layer.input.max, layer.input.min)
    exact = sum(int(a) * int(b) for a, b in zip(layer.weight.ravel(), x.ravel())) + int(layer.bias[0])
    assert exact.bit_length() > (40 if weight_bits == 16 else 22)
    seen, narrow = [], Narrow.__call__

    def spy(self, wide):
        assert wide.dtype == (np.float64 if weight_bits == 16 else np.float32)
        seen.append(int(wide[0, 0, 0, 0]))
        return narrow(self, wide)

    monkeypatch.setattr(Narrow, "__call__", spy)
    expected = slow.requantize(exact, layer, 0, int(layer.requantize.shift[0]))
    assert run_layer(layer, x).tolist() == [[[expected]]]
    assert seen == [exact - int(layer.bias[0])]


def test_carriers():
    assert carrier(2**24) is np.float32
    assert carrier(2**24 + 1) is np.float64


@pytest.mark.parametrize("leak", [0, 655, 65535])
@pytest.mark.parametrize("pre_shift", [0, 1, 7, 31])
@pytest.mark.parametrize("bits", [10, 23, 24, 30, 48])
def test_narrowing_equals_integers(bits, pre_shift, leak):
    """Against `manifest.numeric`, which computes in int64: ends, halves and their neighbours, for every shift."""
    random = np.random.default_rng(bits)
    shift = np.arange(64)
    parameters = Requantize(
        pre_shift=pre_shift,
        multiplier=random.integers(0, 1 << 17, 64),
        shift=shift,
        leak=leak,
        offset=random.integers(-9, 10, 64),
        clip=(-20000, 20000),
    )
    bound = (1 << bits) - 1
    ends = np.array([0, 1, -1, bound, -bound, bound - 1, 1 - bound])
    half = ((2 * random.integers(-64, 64, 64) + 1) << pre_shift >> 1)[:, None] + [-1, 0, 1]
    powers = np.concatenate([2 ** np.arange(bits), -(2 ** np.arange(bits))])
    common = np.concatenate([ends, half.ravel(), powers, powers - 1, random.integers(-bound, bound, 900)])
    wide = np.broadcast_to(np.clip(common, -bound, bound), (64, len(common)))
    bias = random.integers(-bound // 8, bound // 8, 64)
    narrow = Narrow(parameters, bound + bound // 8, bias)
    assert narrow.kind is (np.float32 if bits < 24 and pre_shift < 20 else np.float64)
    found = narrow(wide.astype(narrow.kind))
    np.testing.assert_array_equal(found, requantize(wide + bias[:, None], parameters))


@pytest.mark.parametrize("seed", range(40))
def test_random_layers(seed):
    """Any kernel, stride, padding, width and size, plain or transposed, with any clip and leak."""
    random = np.random.default_rng(seed)
    transposed, (kernel, stride) = bool(seed % 2), random.integers((1, 1), (8, 5))
    kinds = [IntType(int(random.integers(2, 17)), signed=bool(random.integers(2))) for _ in range(2)]
    layer = synthetic_conv2d(
        "h_s.0",
        in_channels=int(random.integers(1, 5)),
        out_channels=int(random.integers(1, 5)),
        kernel=int(kernel),
        stride=int(stride),
        padding=int(random.integers(kernel)),
        transposed=transposed,
        output_padding=int(random.integers(stride)) if transposed else 0,
        input_type=kinds[0],
        weight_bits=int(random.integers(2, 17)),
        output_type=kinds[1],
        relu=not kinds[1].signed,
        seed=seed,
    )
    clip = sorted(random.integers(kinds[1].min, kinds[1].max + 1, 2).tolist())
    leak = 0 if seed % 3 else int(random.integers(1 << 16))
    layer = replace(layer, requantize=replace(layer.requantize, clip=clip, leak=leak))
    height, width = random.integers(1, 11, 2).tolist()
    if not all(layer.output_size(height, width)):
        height, width = 12, 9
    x = feature_map(kinds[0], layer.in_channels, height, width, seed)
    np.testing.assert_array_equal(run_layer(layer, x), slow.conv2d(layer, x.tolist()))


@pytest.mark.parametrize(("transposed", "size"), [(False, (2, 9)), (True, (1, 9))])
def test_an_empty_output_is_an_error(transposed, size):
    layer = synthetic_conv2d(
        "g_a.0",
        in_channels=1,
        out_channels=1,
        kernel=3 if not transposed else 2,
        padding=0 if not transposed else 1,
        transposed=transposed,
        input_type=IntType(8),
        output_type=IntType(8),
    )
    with pytest.raises(ConfigError, match=rf"g_a\.0: nothing comes out of an input of {size[1]} x {size[0]}"):
        run_layer(layer, np.ones((1, *size), int))


def test_gdn_accepts_narrow_arrays():
    layer = synthetic_gdn("g_a.1", channels=3, form="square", input_type=IntType(8), output_type=IntType(8))
    x = feature_map(layer.input, 3, 4, 4)
    np.testing.assert_array_equal(run_layer(layer, x.astype(np.int8)), run_layer(layer, x))
