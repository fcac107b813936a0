"""Whole transforms of the reference: layers one after the other, in tiles and by threads, and what they refuse."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from licgate.errors import ConfigError, ImageError
from licgate.manifest.synthetic import synthetic_conv2d, synthetic_gdn, synthetic_manifest
from licgate.manifest.transform import Transform
from licgate.manifest.types import IntType
from licgate.reference import image_to_input, run, run_layer, run_transform
from tests.reference import slow
from tests.reference.maps import feature_map


def chain(seed=0):
    """Return g_a and a g_s on its output, with both kinds of GDN and a layer without."""
    g_a = synthetic_manifest(channels=(3, 4, 6, 5), gdn=("square_root", "abs"), seed=seed).g_a
    wide, kind = IntType(10), g_a.output
    layers = [
        synthetic_conv2d(
            "g_s.0",
            in_channels=5,
            out_channels=4,
            transposed=True,
            output_padding=1,
            input_type=kind,
            output_type=wide,
            seed=seed,
        ),
        synthetic_gdn("g_s.1", channels=4, inverse=True, input_type=wide, output_type=IntType(8), seed=seed),
        synthetic_conv2d(
            "g_s.2",
            in_channels=4,
            out_channels=4,
            kernel=3,
            stride=1,
            input_type=IntType(8),
            output_type=IntType(9, signed=False),
            relu=True,
            seed=seed,
        ),
        synthetic_conv2d(
            "g_s.4",
            in_channels=4,
            out_channels=3,
            transposed=True,
            output_padding=1,
            input_type=IntType(9, signed=False),
            output_type=IntType(8, signed=False),
            relu=True,
            seed=seed,
        ),
    ]
    return g_a, Transform(name="g_s", in_channels=5, input=kind, input_scale=1.0, layers=layers)


@pytest.mark.parametrize(("tile", "columns"), [(1, 1), (1, 4), (200, 3), (1000, 7)])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_tiles_and_threads_do_not_matter(monkeypatch, tile, columns, threads):
    g_a, g_s = chain()
    x = feature_map(g_a.input, 3, 45, 30)
    y = run_transform(g_a, x)
    pixels = run_transform(g_s, y)
    trace = []
    np.testing.assert_array_equal(run_transform(g_s, y, trace=trace), pixels)
    assert trace[-1].shape == (3, 24, 16)
    monkeypatch.setattr(run, "TILE", tile)
    monkeypatch.setattr(run, "COLUMNS", columns)
    np.testing.assert_array_equal(run_transform(g_a, x, threads=threads), y)
    np.testing.assert_array_equal(run_transform(g_s, y, threads=threads), pixels)
    for layer, source, found in zip(g_s.layers, [y, *trace], trace, strict=False):
        np.testing.assert_array_equal(run_layer(layer, source), found)


def test_one_transform_serves_many_callers_at_once():
    g_a, _ = chain(seed=5)
    images = [feature_map(g_a.input, 3, 40 + seed, 33, seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda x: run_transform(g_a, x, threads=2), images))
    for x, y in zip(images, found, strict=True):
        np.testing.assert_array_equal(y, run_transform(g_a, x))


def test_the_type_of_the_output_can_be_chosen():
    g_a, g_s = chain()
    y = run_transform(g_a, feature_map(g_a.input, 3, 21, 13), dtype=np.int8)
    assert y.dtype == np.int8
    pixels = run_transform(g_s, y)
    assert pixels.dtype == np.int64
    for kind in (None, np.uint8, np.int16, np.uint64):
        found = run_transform(g_s, y, dtype=kind)
        assert found.dtype == (kind or np.uint8)
        np.testing.assert_array_equal(found, pixels)
    for kind in (np.int8, np.float32, bool):
        with pytest.raises(ConfigError, match="does not hold its output, uint8"):
            run_transform(g_s, y, dtype=kind)
    with pytest.raises(ConfigError, match="g_s: 0 threads"):
        run_transform(g_s, y, threads=0)


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
    conv = synthetic_conv2d(
        "h_a.0", in_channels=2, out_channels=2, input_type=IntType(8, signed=False), output_type=IntType(8)
    )
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
    assert x.dtype == np.uint8
    assert x.shape == (3, 300, 451)
    np.testing.assert_array_equal(x[1], photograph[:, :, 1])


@pytest.mark.parametrize(("shape", "kind"), [((4, 4), np.uint8), ((4, 4, 3), np.int32), ((4, 4, 4), np.uint8)])
def test_image_to_input_refuses(shape, kind):
    with pytest.raises(ImageError, match="expected uint8"):
        image_to_input(np.zeros(shape, kind))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((3, 4, 4)), "input is float64"),
        (np.zeros((2, 4, 4), int), r"shape \(2, 4, 4\), expected \(3, height, width\)"),
        (np.zeros((3, 0, 4), int), "shape"),
        (np.full((3, 4, 4), 256), r"holds 256\.\.256, outside of uint8 \(0\.\.255\)"),
        (np.full((3, 4, 4), -1), "holds -1"),
    ],
)
def test_inputs_are_checked(x, message):
    transform = synthetic_manifest().g_a
    with pytest.raises(ConfigError, match=message):
        run_transform(transform, x)
    with pytest.raises(ConfigError, match=message):
        run_layer(transform.layers[0], x)
