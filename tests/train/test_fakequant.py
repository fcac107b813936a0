"""Fake quantisation is the integer semantics: equal to the reference layer by layer, with a float net's gradient."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from licgate.manifest import IntType, Requantize  # noqa: E402
from licgate.manifest.synthetic import synthetic_conv2d, synthetic_gdn  # noqa: E402
from licgate.reference import run_layer  # noqa: E402
from licgate.reference.latents import code_latents  # noqa: E402
from licgate.reference.run import run_transform  # noqa: E402
from licgate.train.objective import rate_distortion  # noqa: E402
from licgate.train.quant import fakequant  # noqa: E402
from licgate.train.quant.calibrate import collect_stats  # noqa: E402
from licgate.train.quant.floatnet import float_layers  # noqa: E402
from licgate.train.quant.manifests import make_manifest  # noqa: E402
from licgate.train.quant.quantnet import QuantizedCodec, QuantizedConv  # noqa: E402
from licgate.train.quant.widths import LayerBits, Widths  # noqa: E402

SHAPES = [
    {"gdn": "abs"},
    {"gdn": "square_root"},
    {"gdn": "none"},
    {"architecture": "he2021-checkerboard", "gdn": "abs"},
    {"architecture": "he2021-checkerboard", "gdn": "none"},
    {"architecture": "mbt2018-mean", "gdn": "square_root"},
]


def whole(rng, kind, shape):
    return rng.integers(kind.min, kind.max + 1, shape)


def reals(array):
    return torch.from_numpy(np.array(array, dtype=np.float64))


@pytest.mark.parametrize("bits", [4, 8, 12])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("relu", [False, True])
def test_convolution_equals_the_reference(bits, transposed, relu):
    rng = np.random.default_rng(bits)
    layer = synthetic_conv2d(
        "g_a.0",
        in_channels=3,
        out_channels=4,
        transposed=transposed,
        output_padding=int(transposed),
        input_type=IntType(bits),
        weight_bits=bits,
        output_type=IntType(bits, signed=not relu),
        relu=relu,
        seed=bits,
    )
    x = whole(rng, layer.input, (3, 13, 16))
    found = fakequant.convolution(layer, reals(x)[None], reals(layer.weight), reals(layer.bias))
    np.testing.assert_array_equal(found[0].numpy(), run_layer(layer, x))


@pytest.mark.parametrize("bits", [6, 10, 14])
@pytest.mark.parametrize("form", ["abs", "square_root", "abs_root", "square"])
@pytest.mark.parametrize("inverse", [False, True])
def test_gdn_equals_the_reference(bits, form, inverse):
    rng = np.random.default_rng(bits)
    kind = IntType(bits)
    layer = synthetic_gdn("g_a.1", channels=5, form=form, inverse=inverse, input_type=kind, output_type=kind, seed=bits)
    x = whole(rng, kind, (5, 16, 16))
    x[:, :2] = 0
    found = fakequant.gdn(layer, reals(x)[None], reals(layer.gamma), reals(layer.beta), reals(layer.requantize.offset))
    np.testing.assert_array_equal(found[0].numpy(), run_layer(layer, x))


def codec_of(model, crops, *, bits=8, exact=True, **options):
    net = float_layers(model)
    stats = collect_stats(net, crops, model.config.architecture)
    widths = Widths(default=LayerBits(activation=bits, weight=bits, gdn=bits, gamma=bits), latent=max(bits, 12))
    codec = QuantizedCodec(
        net, model.entropy_bottleneck, config=model.config, widths=widths, stats=stats, clips={}, **options
    )
    if exact:
        codec.carrier, codec.fast = torch.float64, False
    return codec.eval()


def crops(count=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand((count, 3, 8, 8), generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(64, 64), mode="bicubic").clamp(0, 1)
    return torch.floor(smooth * 255 + 0.5) / 255


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "-".join(s.values()))
@pytest.mark.parametrize("learn_scales", [False, True])
def test_codec_equals_its_manifest(make_model, shape, learn_scales):
    codec = codec_of(make_model(**shape), crops(), learn_scales=learn_scales)
    for parameter in codec.log_scales.values():
        parameter.data.fill_(0.02)
    x = crops(1, seed=5)
    layers = {}
    with torch.no_grad():
        out = codec(x)
        manifest = make_manifest(
            codec.net(),
            codec.grids(),
            codec.widths,
            codec.entropy_bottleneck,
            name="m",
            architecture=codec.architecture,
            provenance={},
        )
    trace = []
    y = run_transform(manifest.g_a, torch.floor(x[0] * 255 + 0.5).long().numpy(), trace=trace)
    layers["g_a"] = len(trace)
    steps = 2.0**manifest.latent_fraction_bits
    np.testing.assert_array_equal(out["y"][0].numpy() * steps, y)
    np.testing.assert_array_equal(out["z"][0].numpy(), run_transform(manifest.h_a, y))
    coded = code_latents(manifest, y)
    np.testing.assert_array_equal(out["symbols"][0].numpy(), coded[0])
    np.testing.assert_array_equal(np.round(out["level"][0].numpy(), 6), coded[1])
    decoder_input = coded[3] if len(coded) > 3 and manifest.g_s.input_scale != 1 else coded[0]
    pixels = run_transform(manifest.g_s, decoder_input)
    np.testing.assert_array_equal(np.round(out["x_hat"][0].numpy() * 255, 6), pixels)


@pytest.mark.parametrize("shape", SHAPES[:3] + SHAPES[4:5], ids=lambda s: "-".join(s.values()))
def test_gradient_is_that_of_the_float_network(make_model, shape):
    model = make_model(**shape)
    for name, parameter in model.named_parameters():
        if name.endswith(".a"):
            parameter.data.abs_().add_(0.2)
    x = crops(2, seed=3)
    codec = codec_of(model, x, bits=16).train()
    gradients = []
    for module in (model.train(), codec):
        module.zero_grad()
        noise = torch.Generator().manual_seed(1)
        rate_distortion(module(x, noise), x, 0.01)["loss"].backward()
    for part, modules in codec.parts.items():
        for module in modules:
            if not isinstance(module, QuantizedConv) or module.layer.name in ("h_s.4", "parameters.4"):
                continue
            name = module.layer.name.replace("parameters.", "entropy_parameters.")
            name = "context_prediction" if part == "context" else name
            want = model.get_parameter(f"{name}.weight").grad.double()
            got = module.weight.grad / module.unit.view(module.shape)
            if not want.any():  # h_s.0 where every z is 0
                assert not got.any()
                continue
            gradients.append((name, float((want * got).sum() / (want.norm() * got.norm()))))
    assert len(gradients) >= 11
    for name, cosine in gradients:
        # At random weights one rounding more or less moves a gradient; an error of the formula moves it far.
        assert cosine > 0.75, f"{name}: {cosine}"


def test_clip_stops_the_gradient():
    one = np.ones(1, dtype=np.int64)
    parameters = Requantize(pre_shift=0, multiplier=one << 16, shift=one * 16, offset=one * 0, clip=(-7, 7))
    smooth = torch.tensor([-9.0, -7.0, 0.4, 7.0, 8.0], dtype=torch.float64).reshape(1, 1, 1, 5).requires_grad_()
    wide = torch.tensor([-9.0, -7.0, 0.0, 7.0, 8.0], dtype=torch.float64).reshape(1, 1, 1, 5)
    out = fakequant.requantize(wide, smooth, parameters)
    assert out.flatten().tolist() == [-7, -7, 0, 7, 7]
    out.sum().backward()
    assert smooth.grad.flatten().tolist() == [0, 1, 1, 1, 0]
