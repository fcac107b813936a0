"""Types, layers, transforms and requantisation as objects made in code."""

import numpy as np
import pytest

from licgate.errors import ConfigError, LicgateError, ManifestError, TimingError
from licgate.manifest import Accumulator, IntType, Manifest, Requantize, Table, Transform
from licgate.manifest.numeric import requantize, rsr, saturate, saturate18
from licgate.manifest.scaling import make_requantize
from licgate.manifest.synthetic import GDN_FORMS, synthetic_conv2d, synthetic_gdn, synthetic_manifest
from licgate.manifest.types import prove_convolution, prove_gdn


@pytest.mark.parametrize(
    ("value", "shift", "expected"),
    [(5, 0, 5), (5, 1, 3), (-5, 1, -2), (6, 2, 2), (-6, 2, -1), (-7, 2, -2), (1 << 40, 63, 0), (-1, 63, 0)],
)
def test_rsr_rounds_halves_up(value, shift, expected):
    assert rsr(value, shift) == expected
    np.testing.assert_array_equal(rsr(np.array([value]), shift), [expected])
    np.testing.assert_array_equal(rsr(np.array([value, value]), np.array([shift, 0])), [expected, value])


def test_saturate():
    assert [saturate(v, -2, 3) for v in (-9, -2, 0, 3, 4)] == [-2, -2, 0, 3, 3]
    np.testing.assert_array_equal(saturate18(np.array([1 << 40, -(1 << 40), 5])), [131071, -131072, 5])


def test_requantize_by_hand():
    parameters = Requantize(pre_shift=2, multiplier=[3, 100000], shift=[1, 20], offset=[0, 7], clip=(-8, 10))
    # 10 >> 2 rounds to 3 (half up), times 3, halved: 4.5 to 5; the second saturates its port, then the clip
    assert requantize(np.array([[10], [1 << 30]]), parameters).tolist() == [[5], [10]]
    assert requantize(np.array([[-10], [0]]), parameters).tolist() == [[-3], [7]]
    assert requantize(np.array([[10], [0]]), parameters, exponent=np.array([[-1], [0]])).tolist() == [[2], [7]]


@pytest.mark.parametrize(
    ("bits", "signed", "low", "high"), [(2, True, -2, 1), (8, False, 0, 255), (16, True, -32768, 32767)]
)
def test_int_type(bits, signed, low, high):
    kind = IntType(bits, signed)
    assert (kind.min, kind.max, kind.magnitude) == (low, high, max(-low, high))


@pytest.mark.parametrize("bits", [1, 17, 8.0, "8", None, True])
def test_int_type_refuses(bits):
    with pytest.raises(ManifestError, match=r"^bits: "):
        IntType(bits)


def test_accumulator_takes_what_the_weights_prove():
    weight = np.zeros((2, 1, 3, 3), dtype=np.int64)
    weight[0, 0, 0, :2] = 3, -4
    # unsigned 8 bits: 7 * 255 + 5 = 1790 needs 11 bits and a sign; signed 8 bits: 7 * 128 + 5
    assert prove_convolution(weight, np.array([-5, 900]), IntType(8, signed=False)) == Accumulator(12, 1790)
    assert prove_convolution(weight, np.array([-5, 900]), IntType(8)) == Accumulator(11, 901)
    swapped = weight.transpose(1, 0, 2, 3)
    assert prove_convolution(swapped, np.array([-5, 900]), IntType(8), transposed=True) == Accumulator(11, 901)
    assert prove_gdn(np.array([[1, 2], [0, 4]]), np.array([10, 1]), 5) == Accumulator(7, 125)
    assert prove_gdn(np.array([[0]]), np.array([1]), 5) == Accumulator(1, 1)
    assert prove_gdn(np.array([[0]]), np.array([256]), 5) == Accumulator(9, 256)


@pytest.mark.parametrize("factor", [1e-5, 0.003, 0.49999999, 0.5, 1.0, 3.7, 900.0])
def test_make_requantize_is_close_and_loses_nothing_before_the_clip(factor):
    made = make_requantize([factor], bound=1 << 40, clip=(-512, 511))
    reach = int(520 / factor)
    wide = np.unique(np.concatenate([np.linspace(-reach, reach, 4001).astype(np.int64), [-(1 << 40), 1 << 40]]))
    found = requantize(wide[None], made)[0]
    ideal = np.clip(wide * factor, -512, 511)
    # half a step of rounding, 2**-5 of the port's own, and the multiplier's 2**-17
    assert np.abs(found - ideal).max() <= 0.5 + 2**-5 + 512 * 2**-17
    assert (found.min(), found.max()) == (-512, 511)


def test_make_requantize_at_its_ends():
    assert make_requantize([0.0], bound=9, clip=(0, 1)).multiplier.tolist() == [0]
    assert make_requantize([2.0**-70], bound=9, clip=(0, 1)).multiplier.tolist() == [0]
    with pytest.raises(ManifestError, match="too large for a multiplier"):
        make_requantize([1.0, 2.0**18], bound=1, clip=(0, 1), early=False)
    for bad in (-1.0, np.nan, np.inf):
        with pytest.raises(ManifestError, match="negative or not finite"):
            make_requantize([bad], bound=1, clip=(0, 1))


def test_requantize_and_table_refuse():
    with pytest.raises(ManifestError, match=r"^shift: has shape \(2,\), expected \(1,\)"):
        Requantize(pre_shift=0, multiplier=[1], shift=[1, 2], offset=[0], clip=(0, 1))
    with pytest.raises(ManifestError, match=r"^slope\[1\]: r comes to 131072"):
        Table(index_bits=1, fraction_bits=4, value=[0, 131071], slope=[0, 2])
    with pytest.raises(ManifestError, match=r"^multiplier: holds float64 numbers"):
        Requantize(pre_shift=0, multiplier=[1.0], shift=[1], offset=[0], clip=(0, 1))


def test_a_chain_must_fit():
    first, second = synthetic_manifest(channels=(3, 4, 5), gdn="none").g_a.layers
    common = {"in_channels": 3, "input": IntType(8, signed=False), "input_scale": 1.0}
    with pytest.raises(ManifestError, match=r"^layers\[0\].in_channels: 4 channels follow 3"):
        Transform(name="g_a", layers=[second, first], **common)
    with pytest.raises(ManifestError, match=r"^layers\[1\].name: 'g_a.0' is not a name of its own"):
        Transform(name="g_a", layers=[first, first], **common)
    with pytest.raises(ManifestError, match=r"^layers\[0\].name: 'g_a.0' is not a name of its own of the form g_s"):
        Transform(name="g_s", layers=[first], **common)
    with pytest.raises(ManifestError, match=r"^layers: holds no layer"):
        Transform(name="g_a", layers=[], **common)
    with pytest.raises(ManifestError, match=r"^name: 'g_b' is not one of g_a"):
        Transform(name="g_b", layers=[first], **common)


def test_transforms_must_join():
    g_a = synthetic_manifest(channels=(3, 4, 5)).g_a
    conv = synthetic_conv2d(
        "h_a.0", in_channels=6, out_channels=2, input_type=IntType(8, signed=False), output_type=IntType(8)
    )
    h_a = Transform(name="h_a", in_channels=6, input=IntType(8), input_scale=1.0, layers=[conv], absolute_input=True)
    with pytest.raises(ManifestError, match=r"^transforms.h_a.in_channels: 6 channels follow 5 of g_a"):
        Manifest(name="x", architecture="x", transforms={"g_a": g_a, "h_a": h_a}, latent_fraction_bits=1)
    with pytest.raises(ManifestError, match=r"^transforms.g_s.name: 'g_a' stands under 'g_s'"):
        Manifest(name="x", architecture="x", transforms={"g_a": g_a, "g_s": g_a}, latent_fraction_bits=1)


@pytest.mark.parametrize("form", [*sorted(GDN_FORMS), "none"])
@pytest.mark.parametrize("bits", [2, 5, 16])
@pytest.mark.parametrize("inverse", [False, True])
def test_synthetic_manifests_of_every_width(form, bits, inverse):
    for channels in ((3, 2), (1, 1, 1), (3, 29, 46, 37)):
        manifest = synthetic_manifest(
            channels=channels,
            gdn=form,
            inverse=inverse,
            activation_bits=bits,
            weight_bits=bits,
            gdn_bits=bits,
            kernel=3,
        )
        assert manifest.g_a.output == IntType(bits)
        assert manifest.g_a.out_channels == channels[-1]
        assert len(manifest.g_a.layers) == (len(channels) - 1) * 2 - 1 if form != "none" else len(channels) - 1


def test_synthetic_refuses():
    with pytest.raises(ConfigError, match="weight_bits has 2 entries; give one, or 3"):
        synthetic_manifest(channels=(3, 4, 5, 6), weight_bits=(8, 8))
    with pytest.raises(ConfigError, match="channels has 1 entries"):
        synthetic_manifest(channels=(3,))
    with pytest.raises(ConfigError, match="unknown GDN form 'relu'"):
        synthetic_gdn("g_a.1", channels=1, form="relu", input_type=IntType(8), output_type=IntType(8))


def test_errors_are_one_family():
    assert issubclass(ManifestError, LicgateError)
    assert (LicgateError.exit_code, TimingError.exit_code) == (2, 4)
    inner = ManifestError("17 is outside 2..16", "bits").within("[2]").within("layers")
    assert str(inner.within("manifest.json")) == "manifest.json: layers[2].bits: 17 is outside 2..16"
    assert str(ManifestError("gone").within("a.json")) == "a.json: gone"
