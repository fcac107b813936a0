
import numpy as np
import pytest

from licgate.errors import ConfigError, ImageError
from licgate.manifest.synthetic import GDN_FORMS, synthetic_conv2d, synthetic_gdn, synthetic_manifest
from licgate.manifest.transform import Transform
from licgate.manifest.types import IntType
from licgate.reference import conv2d, convolution, gdn, image_to_input, normalization, run_layer, run_transform
from licgate.reference.normalization import factor
from tests.reference import slow


def feature_map(kind, channels, height, width, seed=0):
    """Return noise over the whole type, its two ends among it."""
    x = np.random.default_rng(seed).integers(kind.min, kind.max + 1, (channels, height, width))
    x.flat[0], x.flat[-1] = kind.min, kind.max
    return x


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (7, 10), (17, 33)])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(5, 2, 2), (3, 1, 1), (1, 1, 0), (4, 2, 2), (3, 4, 1)])
def test_convolution(size, kernel, stride, padding):
    layer = synthetic_conv2d("g_a.0", in_channels=3, out_channels=2, kernel=kernel, stride=stride, padding=padding,
                             input_type=IntType(10), weight_bits=6, output_type=IntType(9), seed=kernel)
    x = feature_map(layer.input, 3, *size)
    np.testing.assert_array_equal(run_layer(layer, x), slow.conv2d(layer, x.tolist()))


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (5, 8), (9, 17)])
@pytest.mark.parametrize(("kernel", "stride", "padding", "more"), [
    (5, 2, 2, 1), (5, 2, 2, 0), (3, 1, 1, 0), (4, 2, 1, 0), (2, 3, 0, 2), (3, 4, 1, 3)])
def test_transposed_convolution(size, kernel, stride, padding, more):
    layer = synthetic_conv2d("g_s.0", in_channels=2, out_channels=3, kernel=kernel, stride=stride, padding=padding,
                             transposed=True, output_padding=more, input_type=IntType(8), output_type=IntType(12))
    x = feature_map(layer.input, 2, *size)
    np.testing.assert_array_equal(run_layer(layer, x), slow.conv2d(layer, x.tolist()))


@pytest.mark.parametrize(("input_bits", "weight_bits", "output_bits", "signed"), [
    (2, 2, 2, True), (8, 8, 8, False), (16, 16, 16, True), (5, 10, 16, False)])
@pytest.mark.parametrize("relu", [False, True])
def test_widths(input_bits, weight_bits, output_bits, signed, relu):
    layer = synthetic_conv2d("g_a.0", in_channels=4, out_channels=5, input_type=IntType(input_bits, signed),
                             weight_bits=weight_bits, output_type=IntType(output_bits, not relu), relu=relu)
    x = feature_map(layer.input, 4, 9, 9)
    found = run_layer(layer, x)
    np.testing.assert_array_equal(found, slow.conv2d(layer, x.tolist()))
    assert len(np.unique(found)) > 2
    if relu:
        assert found.min() == 0


@pytest.mark.parametrize("form", sorted(GDN_FORMS))
@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize(("bits", "output_bits", "index_bits", "fraction_bits"), [
    (10, 8, 5, 10), (16, 10, 6, 17), (2, 5, 1, 0), (12, 16, 3, 4)])
def test_gdn(form, inverse, bits, output_bits, index_bits, fraction_bits):
    layer = synthetic_gdn("g_a.1", channels=7, form=form, inverse=inverse, input_type=IntType(bits),
                          output_type=IntType(output_bits), index_bits=index_bits, fraction_bits=fraction_bits)
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
    layer = synthetic_gdn("g_a.1", channels=2, form=form, inverse=inverse, input_type=IntType(10),
                          output_type=IntType(8), index_bits=6, fraction_bits=10)
    v = np.unique(np.concatenate([np.arange(1, 70000), 2 ** np.arange(47), 2 ** np.arange(1, 48) - 1]))
    r, exponent = factor(layer, v)
    real = v.astype(float) ** ((0.5 if root else 1.0) * (1 if inverse else -1))
    relative = np.abs(r * 2.0 ** (exponent - 16) / real - 1)
    # a step of r weighs more where r is small: half of it 2**-16 for the root, 2**-16 for 1/v near 2
    assert relative.max() < 2**-13.2
    assert [slow.gdn_factor(layer, int(n)) for n in v[::97]] == list(zip(r[::97].tolist(), exponent[::97].tolist()))


def test_blocks_do_not_matter(monkeypatch):
    transform = synthetic_manifest(channels=(3, 4, 6), gdn="square_root").g_a
    x = feature_map(transform.input, 3, 37, 22)
    up = synthetic_conv2d("g_s.0", in_channels=6, out_channels=3, transposed=True, output_padding=1,
                          input_type=transform.output, output_type=IntType(8))
    whole = run_transform(transform, x)
    above = conv2d(up, whole)
    monkeypatch.setattr(convolution, "BLOCK", 3 * 25 * 11 * 2)
    monkeypatch.setattr(normalization, "BLOCK", 50)
    np.testing.assert_array_equal(run_transform(transform, x), whole)
    np.testing.assert_array_equal(conv2d(up, whole), above)


def test_sums_up_to_the_bound_stay_exact():
    """The largest sum that 48 bits admit: 16-bit numbers at their ends, beyond what float32 holds."""
    layer = synthetic_conv2d("g_a.0", in_channels=512, out_channels=1, kernel=5, padding=0, stride=1, weight_bits=16,
                             input_type=IntType(16), output_type=IntType(16))
    assert layer.accumulator.bits > 40
    x = np.where(layer.weight[0] >= 0, layer.input.max, layer.input.min)
    exact = sum(int(a) * int(b) for a, b in zip(layer.weight.ravel(), x.ravel())) + int(layer.bias[0])
    expected = slow.requantize(exact, layer, 0, int(layer.requantize.shift[0]))
    assert conv2d(layer, x).tolist() == [[[expected]]]
    accumulate = convolution._gather(layer, x)
    assert int(accumulate(0, 1)[0, 0, 0]) == exact - int(layer.bias[0])


def test_whole_transform_and_trace():
    transform = synthetic_manifest(channels=(3, 5, 4, 3), gdn=("abs", "none"), activation_bits=(5, 10, 6)).g_a
    x = feature_map(transform.input, 3, 17, 33)
    trace = []
    y = run_transform(transform, x, trace=trace)
    assert y is trace[-1]
    step = x.tolist()
    for layer, got in zip(transform.layers, trace, strict=True):
        step = (slow.conv2d if layer.kind == "conv2d" else slow.gdn)(layer, step)
        np.testing.assert_array_equal(got, step)
    assert y.shape == (3, 3, 5) == (transform.out_channels, *transform.output_size(17, 33))


def test_absolute_input():
    conv = synthetic_conv2d("h_a.0", in_channels=2, out_channels=2, input_type=IntType(8, signed=False),
                            output_type=IntType(8))
    h_a = Transform(name="h_a", in_channels=2, input=IntType(8), input_scale=1.0, layers=[conv], absolute_input=True)
    y = feature_map(IntType(8), 2, 5, 6).astype(np.int8)
    expected = slow.conv2d(conv, np.abs(y.astype(int)).tolist())
    np.testing.assert_array_equal(run_transform(h_a, y), expected)


def test_a_photograph_uses_the_range_and_seldom_clips(photograph):
    transform = synthetic_manifest(channels=(3, 8, 12, 16, 9), gdn=("abs", "square_root", "none")).g_a
    trace = []
    run_transform(transform, image_to_input(photograph), trace=trace)
    for layer, x in zip(transform.layers, trace, strict=True):
        low, high = layer.requantize.clip
        assert high / 8 < x.std() < high / 1.5
        assert (x == high).mean() + (x == low if low else x < 0).mean() < 0.1


def test_image_to_input(photograph):
    x = image_to_input(photograph)
    assert x.dtype == np.int64
    assert x.shape == (3, 300, 451)
    np.testing.assert_array_equal(x[1], photograph[:, :, 1])


@pytest.mark.parametrize(("shape", "kind"), [((4, 4), np.uint8), ((4, 4, 3), np.int32), ((4, 4, 4), np.uint8)])
def test_image_to_input_refuses(shape, kind):
    with pytest.raises(ImageError, match="expected uint8"):
        image_to_input(np.zeros(shape, kind))


@pytest.mark.parametrize(("transposed", "size"), [(False, (2, 9)), (True, (1, 9))])
def test_an_empty_output_is_an_error(transposed, size):
    layer = synthetic_conv2d("g_a.0", in_channels=1, out_channels=1, kernel=3 if not transposed else 2, padding=0 if
                             not transposed else 1, transposed=transposed, input_type=IntType(8),
                             output_type=IntType(8))
    with pytest.raises(ConfigError, match=rf"g_a\.0: nothing comes out of an input of {size[1]} x {size[0]}"):
        run_layer(layer, np.ones((1, *size), int))


@pytest.mark.parametrize(("x", "message"), [
    (np.zeros((3, 4, 4)), "input is float64"),
    (np.zeros((2, 4, 4), int), r"shape \(2, 4, 4\), expected \(3, height, width\)"),
    (np.zeros((3, 0, 4), int), "shape"),
    (np.full((3, 4, 4), 256), r"holds 256\.\.256, outside of uint8 \(0\.\.255\)"),
    (np.full((3, 4, 4), -1), "holds -1"),
])
def test_inputs_are_checked(x, message):
    transform = synthetic_manifest().g_a
    with pytest.raises(ConfigError, match=message):
        run_transform(transform, x)
    with pytest.raises(ConfigError, match=message):
        run_layer(transform.layers[0], x)


def test_gdn_accepts_narrow_arrays():
    layer = synthetic_gdn("g_a.1", channels=3, form="square", input_type=IntType(8), output_type=IntType(8))
    x = feature_map(layer.input, 3, 4, 4)
    np.testing.assert_array_equal(gdn(layer, x.astype(np.int8)), gdn(layer, x))
