import numpy as np
import pytest

from licgate.errors import ConfigError
from licgate.manifest.geometry import layer_macs, receptive_field
from licgate.manifest.patches import margins, patches, recompute_factor
from licgate.manifest.synthetic import synthetic_conv2d, synthetic_manifest
from licgate.manifest.transform import Transform
from licgate.manifest.types import IntType
from licgate.reference import run_transform

CHAINS = [
    {"channels": (3, 2, 2, 2, 2)},
    {"channels": (3, 2, 2), "kernel": 3},
    {"channels": (3, 2, 2, 2), "kernel": (5, 3, 7), "stride": (2, 1, 2)},
    {"channels": (3, 2, 2), "kernel": (9, 5), "stride": (4, 2)},
    {"channels": (3, 2, 2), "kernel": (1, 3), "stride": (1, 2)},
]


def analysis(chain, **more):
    return synthetic_manifest(**chain, gdn="none", activation_bits=12, **more).g_a


def noise(transform, height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (transform.in_channels, height, width))


def test_margins_of_the_standard_analysis():
    assert margins(analysis(CHAINS[0])) == (2, 1)


def reach(transform, x, low, high):
    """Return the output columns that change when input columns low..high-1 do, by trying many changes."""
    base = run_transform(transform, x)
    changed = np.zeros(base.shape[2], dtype=bool)
    random = np.random.default_rng(1)
    for _ in range(20):
        other = x.copy()
        other[:, :, low:high] = random.integers(0, 256, other[:, :, low:high].shape)
        changed |= (run_transform(transform, other) != base).any(axis=(0, 1))
    return changed


@pytest.mark.parametrize("chain", CHAINS)
def test_margins_by_brute_force(chain):
    transform = analysis(chain)
    stride = transform.stride
    before, after = margins(transform)
    width = 14 * stride
    cut = 6 * stride
    worst_before = worst_after = 0
    for seed in range(12):
        x = noise(transform, 3 * stride, width, seed)
        whole = run_transform(transform, x)
        right = run_transform(transform, x[:, :, cut:])
        wrong = np.flatnonzero((right != whole[:, :, 6:]).any(axis=(0, 1)))
        worst_before = max(worst_before, wrong.max(initial=-1) + 1)
        left = run_transform(transform, x[:, :, :cut])
        wrong = np.flatnonzero((left != whole[:, :, :6]).any(axis=(0, 1)))
        worst_after = max(worst_after, 6 - wrong.min(initial=6))
    assert (worst_before, worst_after) == (before, after)


def test_margins_refuse_what_cannot_be_cut():
    conv = synthetic_conv2d(
        "g_a.0",
        in_channels=1,
        out_channels=1,
        kernel=5,
        padding=0,
        input_type=IntType(8, signed=False),
        output_type=IntType(8),
    )
    transform = Transform(name="g_a", in_channels=1, input=conv.input, input_scale=1.0, layers=[conv])
    with pytest.raises(ConfigError, match=r"g_a\.0: patches need .* padding 0"):
        margins(transform)


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("size", [(1, 1), (17, 33), (40, 70)])
def test_patches_equal_the_whole_image(chain, size):
    transform = analysis(chain)
    height, width = size
    stride = transform.stride
    x = noise(transform, height, width)
    whole = run_transform(transform, x)
    built = np.full_like(whole, 1 << 20)
    for patch in patches(width, height, patch_width=stride, patch_height=2 * stride, transform=transform):
        own = run_transform(transform, x[:, patch.y : patch.y + patch.height, patch.x : patch.x + patch.width])
        kept = own[:, patch.skip_y :, patch.skip_x :][:, : patch.out_height, : patch.out_width]
        target = built[:, patch.out_y : patch.out_y + patch.out_height, patch.out_x : patch.out_x + patch.out_width]
        assert (target == 1 << 20).all()
        target[...] = kept
    np.testing.assert_array_equal(built, whole)


def test_window_of_an_inner_patch():
    transform = analysis(CHAINS[0])
    patch = patches(768, 512, patch_width=64, patch_height=32, transform=transform)[12 * 3 + 2]
    assert (patch.x, patch.y, patch.width, patch.height) == (128 - 32, 96 - 32, 64 + 48, 32 + 48)
    assert (patch.out_x, patch.out_y, patch.out_width, patch.out_height) == (8, 6, 4, 2)
    assert (patch.skip_x, patch.skip_y) == (2, 2)


def test_independent_patches_overlap_and_end_with_the_image():
    transform = analysis(CHAINS[0])
    found = patches(100, 50, patch_width=48, patch_height=48, transform=transform, independent=True, overlap=16)
    assert [(p.x, p.y, p.width, p.height) for p in found] == [
        (0, 0, 48, 48),
        (32, 0, 48, 48),
        (64, 0, 36, 48),
        (0, 32, 48, 18),
        (32, 32, 48, 18),
        (64, 32, 36, 18),
    ]
    assert {(p.out_x, p.out_y, p.skip_x, p.skip_y) for p in found} == {(0, 0, 0, 0)}
    assert [(p.out_width, p.out_height) for p in found[3:]] == [(3, 2), (3, 2), (3, 2)]
    assert len(patches(8, 8, patch_width=48, patch_height=48, transform=transform, independent=True, overlap=16)) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patch_width": 24}, "patch_width 24 is not a positive multiple of the stride 16"),
        ({"patch_height": 0}, "patch_height 0 is not"),
        ({"overlap": 8}, "overlap 8 goes with independent patches only"),
        ({"independent": True, "overlap": 16}, "overlap 16 is outside 0..15"),
        ({"independent": True, "patch_height": -1}, "patch_height -1 is not positive"),
    ],
)
def test_patches_refuse(arguments, message):
    arguments = {"patch_width": 16, "patch_height": 16, **arguments}
    with pytest.raises(ConfigError, match=message):
        patches(64, 64, transform=analysis(CHAINS[0]), **arguments)


def test_patches_refuse_an_empty_image():
    with pytest.raises(ConfigError, match="0 x 5"):
        patches(0, 5, patch_width=16, patch_height=16, transform=analysis(CHAINS[0]))


def counted_macs(layer, height, width):
    """Count multiply-accumulates tap by tap, without the closed form."""
    out_height, out_width = layer.output_size(height, width)
    inner, outer = (
        ((out_height, out_width), (height, width)) if layer.transposed else ((height, width), (out_height, out_width))
    )
    taps = 0
    for y in range(outer[0]):
        for x in range(outer[1]):
            for ky in range(layer.kernel):
                for kx in range(layer.kernel):
                    row, column = y * layer.stride + ky - layer.padding, x * layer.stride + kx - layer.padding
                    taps += 0 <= row < inner[0] and 0 <= column < inner[1]
    return taps * layer.in_channels * layer.out_channels


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(5, 2, 2), (3, 1, 1), (4, 2, 1), (7, 4, 3), (1, 1, 0), (5, 2, 0)]
)
@pytest.mark.parametrize("size", [(1, 1), (2, 9), (7, 8)])
def test_strict_macs_by_counting(transposed, kernel, stride, padding, size):
    layer = synthetic_conv2d(
        "g_a.0",
        in_channels=2,
        out_channels=3,
        kernel=kernel,
        stride=stride,
        padding=padding,
        transposed=transposed,
        input_type=IntType(8),
        output_type=IntType(8),
    )
    assert layer_macs(layer, *size) == counted_macs(layer, *size)


def test_usual_macs():
    transform = synthetic_manifest(channels=(3, 4, 6)).g_a
    assert transform.macs(32, 48, strict=False) == 16 * 24 * 25 * 12 + 16 * 24 * 16 + 8 * 12 * 25 * 24
    assert transform.macs(32, 48) < transform.macs(32, 48, strict=False)


def test_receptive_field_by_change():
    chain = CHAINS[2]
    transform = analysis(chain)
    x = noise(transform, 8, 60)
    touched = [column for column in range(60) if reach(transform, x, column, column + 1)[7]]
    assert touched[-1] - touched[0] + 1 == receptive_field(transform.layers) == 5 + 2 * 2 + 6 * 2
    assert analysis(CHAINS[0]).receptive_field == 61


def test_recompute_factor():
    transform = analysis(CHAINS[0])
    whole = patches(96, 64, patch_width=96, patch_height=64, transform=transform)
    assert recompute_factor(transform, whole, 96, 64) == 1
    pieces = patches(96, 64, patch_width=32, patch_height=32, transform=transform)
    spent = sum(transform.macs(p.height, p.width) for p in pieces)
    assert recompute_factor(transform, pieces, 96, 64) == spent / transform.macs(64, 96) > 1.5


def test_sizes_and_strides():
    transform = analysis(CHAINS[0])
    assert transform.stride == 16
    assert transform.output_size(1, 769) == (1, 49)
    assert transform.layer_sizes(33, 17)[1] == (17, 9)
