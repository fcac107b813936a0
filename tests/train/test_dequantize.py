"""The float model that a manifest stands for."""

from dataclasses import replace

import pytest
import torch

from licgate.cli import main
from licgate.errors import TrainingError
from licgate.manifest import IntType, save_manifest
from licgate.train.network import dequantize as module
from licgate.train.network.checkpoint import load_checkpoint, load_model, save_checkpoint
from licgate.train.network.dequantize import dequantize
from licgate.train.network.entropy import EntropyBottleneck
from licgate.train.quant.quantize import quantize_model
from licgate.train.quant.tables import factorized_tables
from licgate.train.quant.widths import LayerBits, Widths

WIDE = Widths(default=LayerBits(activation=16, weight=16, gdn=16, gamma=16), latent=16)


@pytest.fixture(autouse=True)
def short_fit(monkeypatch):
    monkeypatch.setattr(module, "PRIOR_STEPS", 300)


def quantized(model, pictures, **options):
    settings = {
        "name": "tiny",
        "crops": 4,
        "clip": "none",
        "rounding": "nearest",
        "quiet": True,
        "widths": WIDE,
        **options,
    }
    return quantize_model(model, {"rate_lambda": 0.01}, pictures, **settings)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"gdn": "square_root", "activation": "leaky"},
        {"widths": {"g_s.4": 6, "h_s.2": 4}},
        {"architecture": "mbt2018-mean"},
        {"architecture": "he2021-checkerboard", "widths": {"h_s.4": 9, "parameters.0": 11, "parameters.2": 8}},
    ],
    ids=["abs", "square_root", "widths", "means", "checkerboard"],
)
@torch.no_grad()
def test_sixteen_bits_come_back_as_the_model_they_were(make_model, pictures, config):
    model = make_model(**config)
    with torch.enable_grad():
        found = dequantize(quantized(model, pictures)).eval()
    assert found.config.kind is model.config.kind
    x = torch.nn.functional.avg_pool2d(torch.rand(1, 3, 68, 132), 5, 1)
    y = model.g_a(x)
    z = torch.round(model.h_a(y.abs() if model.config.kind.absolute else y))
    inputs = {"g_a": x, "h_a": y.abs() if model.config.kind.absolute else y, "h_s": z, "g_s": torch.round(y)}
    if model.config.kind.context:
        features = torch.cat([model.h_s(z), model.part("context")(torch.round(y))], dim=1)
        inputs |= {"context": torch.round(y), "parameters": features}
    for part, value in inputs.items():
        one, other = model.part(part)(value), found.part(part)(value)
        if part == model.config.kind.source:  # levels are whole numbers in the manifest
            one, other = (model.scale_level(v[:, : model.config.m]) for v in (one, other))
        assert one.std() > 0
        assert float((one - other).abs().mean() / one.abs().mean()) < 0.02, part


def test_the_prior_is_fitted_to_its_tables(monkeypatch):
    monkeypatch.setattr(module, "PRIOR_STEPS", 1000)
    torch.manual_seed(5)
    other, prior = EntropyBottleneck(3, init_scale=2.0), EntropyBottleneck(3)
    tables = factorized_tables(other, IntType(5))
    unfitted = (prior.interval(torch.zeros(3, 1, 1)) - other.interval(torch.zeros(3, 1, 1))).detach()
    assert float(unfitted.abs().min()) > 0.05
    assert abs(module.fit_prior(prior, tables)) < 0.01
    values = torch.arange(-3.0, 4.0).expand(3, 1, -1)
    torch.testing.assert_close(prior.interval(values), other.interval(values), atol=0.01, rtol=0)


def test_what_cannot_be_trained_is_one_line(make_model, pictures):
    manifest = quantized(make_model(), pictures)
    parts = {name: manifest.transforms[name] for name in ("g_a", "h_a")}
    with pytest.raises(TrainingError, match="tiny has no h_s"):
        dequantize(replace(manifest, transforms=parts, entropy={}, hash=None))
    with pytest.raises(TrainingError, match="gives sigma"):
        dequantize(quantized(make_model(scale="linear"), pictures))


def test_a_run_starts_from_a_model_folder_and_says_so(make_model, pictures, tmp_path):
    manifest = quantized(make_model(), pictures)
    save_manifest(manifest, tmp_path / "tiny")
    out = tmp_path / "a.ckpt"
    words = ["--batch", 1, "--crop", 64, "--device", "cpu", "--lr", 1e-9, "--lambda", 0.01]
    for start in (["--from", tmp_path / "tiny", "--iterations", 1], ["--iterations", 2]):
        assert main([str(w) for w in ["train", "--data", pictures, "--out", out, *words, *start]]) == 0
    trained, recipe = load_model(out)
    assert (recipe["start"], recipe["iterations_done"]) == ("tiny", 2)
    assert load_checkpoint(out)["recipe"]["bfloat16"] in (True, False)
    torch.testing.assert_close(trained.g_a[0].weight, dequantize(manifest).g_a[0].weight, atol=1e-6, rtol=1e-4)


@torch.no_grad()
def test_a_context_model_starts_as_the_hyperprior_that_it_takes_over(make_model, pictures, tmp_path):
    old = make_model()
    old.h_s[4].bias.fill_(0.5)
    save_checkpoint(tmp_path / "old.ckpt", {"config": old.config.as_dict(), "model": old.state_dict()})
    words = ["--batch", 1, "--crop", 64, "--device", "cpu", "--iterations", 1, "--lr", 1e-9, "--lambda", 0.01]
    words += ["--architecture", "he2021-checkerboard", "--widths", "h_s.4=9"]
    with torch.enable_grad():
        start = ["--data", pictures, "--from", tmp_path / "old.ckpt", "--out", tmp_path / "new.ckpt"]
        assert main([str(w) for w in ["train", *start, *words]]) == 0
    new, _ = load_model(tmp_path / "new.ckpt")
    x = torch.nn.functional.avg_pool2d(torch.rand(1, 3, 68, 132), 5, 1)
    before, after = old(x), new(x)
    assert float(before["y_likelihood"].min()) < 0.9
    for name in ("x_hat", "y", "z", "y_likelihood", "z_likelihood"):
        torch.testing.assert_close(before[name], after[name], atol=1e-4, rtol=1e-3)
