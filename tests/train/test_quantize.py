"""From float models to manifests that the reference runs as an independent emulation does."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from licgate.errors import TrainingError
from licgate.manifest import IntType, load_manifest, save_manifest
from licgate.reference import image_to_input, run_transform
from licgate.train.data import read_rgb
from licgate.train.measure.evaluate import code_float, code_integer, measure, pad_image, psnr
from licgate.train.network.checkpoint import load_model, save_checkpoint
from licgate.train.quant.quantize import quantize_model
from licgate.train.quant.widths import LayerBits, Widths, parse_override

_spec = importlib.util.spec_from_file_location("emulate", Path(__file__).with_name("emulate.py"))
emulate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(emulate)


def quantized(model, pictures, **options):
    return quantize_model(
        model, {"rate_lambda": 0.01}, pictures, **{"name": "tiny", "crops": 32, "quiet": True, **options}
    )


ODD = {
    "g_a.0": 3,
    "g_a.2": 6,
    "g_a.4": 5,
    "g_a.6": 9,
    "h_a.0": 2,
    "h_a.2": 7,
    "h_a.4": 3,
    "h_s.0": 4,
    "h_s.2": 6,
    "g_s.0": 8,
    "g_s.2": 5,
    "g_s.4": 1,
}
MIXED = Widths(
    default=LayerBits(),
    latent=14,
    layers={
        "g_a.0": LayerBits(activation=5, weight=6, gdn=8),
        "g_a.2": LayerBits(activation=6, weight=5, gdn=10),
        "g_a.4": LayerBits(activation=8, weight=4, gdn=16, gamma=5),
        "g_s.0": LayerBits(activation=8, weight=8, gdn=8),
    },
)


@pytest.mark.parametrize(
    ("config", "options"),
    [
        ({}, {}),
        ({"gdn": "square_root"}, {"clip": "none"}),
        ({"widths": ODD}, {"clip": "6"}),
        ({"affine": False}, {"widths": MIXED, "clip": "none"}),
        (
            {},
            {
                "widths": Widths(default=LayerBits(activation=16, weight=16, gdn=16, gamma=16), latent=16),
                "clip": "none",
            },
        ),
    ],
    ids=["default", "square_root", "odd", "mixed", "wide"],
)
def test_reference_equals_the_emulation_through_all_four_transforms(make_model, pictures, tmp_path, config, options):
    model = make_model(**config)
    made = quantized(model, pictures, **options)
    save_manifest(made, tmp_path / "tiny")
    manifest = load_manifest(tmp_path / "tiny")
    assert manifest.hash == made.hash
    y = run_transform(manifest.g_a, image_to_input(read_rgb(pictures / "p1.png")))
    assert len(np.unique(y)) > 20
    np.testing.assert_array_equal(y, emulate.transform(manifest.g_a, image_to_input(read_rgb(pictures / "p1.png"))))
    z = run_transform(manifest.h_a, y)
    np.testing.assert_array_equal(z, emulate.transform(manifest.h_a, y))
    level = run_transform(manifest.h_s, z)
    np.testing.assert_array_equal(level, emulate.transform(manifest.h_s, z))
    rng = np.random.default_rng(0)
    kind = manifest.g_s.input
    symbols = rng.integers(kind.min, kind.max + 1, (manifest.g_s.in_channels, 3, 4)) // 4
    np.testing.assert_array_equal(run_transform(manifest.g_s, symbols), emulate.transform(manifest.g_s, symbols))


@pytest.mark.parametrize("form", ["abs", "square_root"])
def test_sixteen_bits_come_close_to_the_float_network(make_model, squares, form):
    model = make_model(gdn=form)
    wide = Widths(default=LayerBits(activation=16, weight=16, gdn=16, gamma=16), latent=16)
    manifest = quantized(model, squares, widths=wide, clip="none")
    image = read_rgb(squares / "p2.png")
    x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        y = model.g_a(x)[0].numpy()
        pixels = model.g_s(torch.floor(torch.from_numpy(y) + 0.5)[None])[0].numpy() * 255
    found = run_transform(manifest.g_a, image_to_input(image)) * manifest.g_a.output_scale
    assert np.abs(found - y).mean() < 0.002 * np.abs(y).max()
    decoded = run_transform(manifest.g_s, np.floor(y + 0.5).astype(np.int64))
    assert np.abs(decoded - np.clip(pixels, 0, 255)).max() < 1.5


def test_layers_get_the_widths_asked_for(make_model, pictures):
    manifest = quantized(make_model(), pictures, widths=MIXED, clip="none")
    g_a = manifest.g_a.layers
    assert [layer.output.bits for layer in g_a] == [8, 5, 10, 6, 16, 8, 14]
    assert [layer.weight_type.bits for layer in g_a[::2]] == [6, 5, 4, 8]
    assert g_a[5].gamma_type == IntType(5, signed=False)
    assert manifest.h_s.output == IntType(6, signed=False)
    assert manifest.g_s.output == IntType(8, signed=False)
    assert manifest.provenance["quantization"]["bits_of_layers"]["g_a.2"]["activation"] == 6


def test_negative_affine_factors_leave_the_network_what_it_is(make_model, pictures):
    model = make_model()
    with torch.no_grad():
        model.g_a[1].a.copy_(-model.g_a[1].a.abs())
    manifest = quantized(model, pictures, clip="none")
    image = read_rgb(pictures / "p0.png")
    with torch.no_grad():
        y = model.g_a(torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255)[0].numpy()
    found = run_transform(manifest.g_a, image_to_input(image)) * manifest.g_a.output_scale
    assert np.corrcoef(found.ravel(), y.ravel())[0, 1] > 0.999


def test_a_channel_without_weights_and_one_without_gain_export(make_model, pictures):
    model = make_model()
    with torch.no_grad():
        model.g_a[0].weight[1] = 0
        model.g_a[1].a[2] = 0
        model.g_a[3].gamma[0] = 0
    manifest = quantized(model, pictures, clip="none")
    x = image_to_input(read_rgb(pictures / "p3.png"))
    trace = []
    run_transform(manifest.g_a, x, trace=trace)
    assert len(np.unique(trace[1][2])) == 1
    np.testing.assert_array_equal(trace[-1], emulate.transform(manifest.g_a, x))


def test_clip_of_k_sigma_is_the_clip_of_the_manifest(make_model, pictures):
    model = make_model()
    free, tight = (quantized(model, pictures, clip=clip).g_a.layers[0] for clip in ("none", "1.5"))
    assert tight.output_scale < free.output_scale
    assert max(map(abs, tight.requantize.clip)) == tight.output.max


def test_search_keeps_only_clips_that_lower_the_loss(make_model, pictures, capsys):
    manifest = quantized(make_model(), pictures, quiet=False)
    losses = [float(line.rsplit(" ", 1)[1]) for line in capsys.readouterr().err.splitlines()]
    assert losses == sorted(losses, reverse=True)
    chosen = manifest.provenance["quantization"]["clip_sigma"]
    assert set(chosen.values()) <= {20.0, 14.0, 8.25}


def test_integer_codec_measures_like_the_float_one(make_model, pictures, squares):
    model = make_model()
    manifest = quantized(model, squares)
    image = read_rgb(squares / "p0.png")
    (rate, decoded), (own_rate, own) = code_float(model, image), code_integer(manifest, image)
    assert own_rate == pytest.approx(rate, rel=0.01)
    assert psnr(own, decoded) > 30
    result = measure(pictures, model=model, manifest=manifest, limit=2)
    assert result["images"] == 2
    assert set(result) == {"images", "float", "integer", "difference"}


def test_padding_repeats_the_last_row_and_column(pictures):
    image = read_rgb(pictures / "p0.png")
    padded = pad_image(image)
    assert padded.shape == (128, 128, 3)
    np.testing.assert_array_equal(padded[:80, :112], image)
    np.testing.assert_array_equal(padded[100, :112], image[79])
    np.testing.assert_array_equal(padded[:80, 127], image[:, 111])


def test_latents_that_do_not_fit_are_one_line(make_model, pictures):
    model = make_model()
    with torch.no_grad():
        model.g_a[6].weight *= 100
    with pytest.raises(TrainingError, match="give a larger --latent-bits"):
        quantized(model, pictures)
    with torch.no_grad():
        model.g_a[6].weight *= 1e6
    with pytest.raises(TrainingError, match="gives numbers that are not finite"):
        quantized(model, pictures)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("g_a.2=1", "activation width of 1 bits is outside 2..16"),
        ("g_a.2=8,17", "weight width of 17 bits"),
        ("g_a.1=8", "layer g_a.1 takes no widths"),
        ("g_a.2", "not of the form LAYER=ACTIVATION"),
        ("x=8,8", "not of the form"),
    ],
)
def test_bad_overrides_are_one_line(text, message):
    with pytest.raises(TrainingError, match=message):
        parse_override(text, LayerBits())


def test_overrides_keep_what_they_leave_out():
    assert parse_override("g_a.2=5,6", LayerBits(gdn=9)) == ("g_a.2", LayerBits(activation=5, weight=6, gdn=9))


def test_bad_clips_are_one_line(make_model, pictures):
    for clip in ("often", "-1", "nan"):
        with pytest.raises(TrainingError, match=f"clip '{clip}' is neither"):
            quantized(make_model(), pictures, clip=clip)


def test_checkpoints_that_lack_a_layer_are_one_line(make_model, tmp_path):
    state = make_model().state_dict()
    del state["g_a.2.weight"]
    save_checkpoint(tmp_path / "a.ckpt", {"config": {}, "model": state, "ema": state})
    with pytest.raises(TrainingError, match=r"lacks the tensor g_a\.2\.weight"):
        load_model(tmp_path / "a.ckpt")


def test_channel_counts_come_from_the_checkpoint(make_model, tmp_path):
    model = make_model(widths=ODD)
    save_checkpoint(tmp_path / "a.ckpt", {"config": {"gdn": "abs"}, "model": model.state_dict(), "iteration": 3})
    loaded, recipe = load_model(tmp_path / "a.ckpt")
    assert recipe["iterations_done"] == 3
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(loaded.state_dict()[name], value)
