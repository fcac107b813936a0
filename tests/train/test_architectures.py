"""The four architectures: what a context may read, what trains, and what is exported."""

import itertools

import numpy as np
import pytest
import torch

from licgate.errors import TrainingError
from licgate.manifest import load_manifest, save_manifest
from licgate.manifest.architectures import ARCHITECTURES
from licgate.reference import code_latents, image_to_input, run_transform
from licgate.train.data import read_rgb
from licgate.train.network.checkpoint import load_model, save_checkpoint
from licgate.train.network.context import anchors
from licgate.train.network.entropy import SCALE_LEVELS, scale_table
from licgate.train.network.flow import code, scale_level
from licgate.train.network.models import Codec, ModelConfig, bits, build_model
from licgate.train.network.warmstart import warm_start
from licgate.train.quant.quantize import quantize_model
from licgate.train.quant.tables import sigma_thresholds
from licgate.train.quant.widths import LayerBits, Widths

CONTEXTS = ["he2021-checkerboard", "mbt2018"]


def random_model(seed=0, **config) -> Codec:
    """Return a small model with latents of some ten steps, and means and levels that differ from place to place."""
    torch.manual_seed(seed)
    model = build_model(ModelConfig(**{"n": 5, "m": 6, **config})).eval()
    latents = model.config.width("g_a.6", model.config.m)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(".gamma"):
                parameter.copy_(torch.sqrt(0.01 + 0.05 * torch.rand_like(parameter)))
            elif name.endswith((".a", ".b")):
                parameter.copy_(1.0 + 0.3 * torch.randn_like(parameter))
        x = torch.rand(1, 3, 64, 64)
        model.g_a[6].weight *= 8 / model.g_a(x).std()
        for index in (0, 2, 4, 6):
            model.g_s[index].weight *= 0.3
        y = torch.round(model.g_a(x))
        model.g_s[6].weight *= 0.15 / model.g_s(y).std()
        model.g_s[6].bias.fill_(0.5)
        model.h_a[4].weight *= 5 / model.h_a(y).std()
        features = model.h_s[:5](torch.round(5 * torch.randn(1, len(model.h_a[4].bias), 4, 4)))
        model.h_s[4].weight *= 2 / features.std()
        if model.config.kind.context:
            hidden = model.entropy_parameters(torch.randn(1, model.entropy_parameters[0].in_channels, 16, 16))
            model.entropy_parameters[4].weight *= 2 / hidden.std()
        last = model.h_s[4] if not model.config.kind.context else model.entropy_parameters[4]
        last.bias[:latents] = 1.5 if config.get("scale") != "linear" else 4.0
    return model


def run_of(model):
    return lambda part, value: model.part(part)(value)


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 64), (128, 192)])
def test_a_checkerboard_reads_nothing_at_anchors_and_anchors_elsewhere(size):
    model = random_model(architecture="he2021-checkerboard")
    out = code(run_of(model), torch.rand(1, 3, *size), "he2021-checkerboard")
    features = model.h_s(torch.floor(out["z"] + 0.5))
    y, m = out["y"], out["y"].shape[1]
    weight, bias = model.context_prediction.weight, model.context_prediction.bias
    decoded = {}
    for odd in (0, 1):
        for r, c in itertools.product(range(y.shape[2]), range(y.shape[3])):
            if (r + c) % 2 != odd:
                continue
            context = torch.zeros(2 * m)
            if odd:
                context = bias.clone()
                for dy, dx in itertools.product(range(-2, 3), range(-2, 3)):
                    if (dy + dx) % 2 and (r + dy, c + dx) in decoded:
                        context += weight[:, :, dy + 2, dx + 2] @ decoded[r + dy, c + dx]
            own = torch.cat([features[0, :, r, c], context])[None, :, None, None]
            q = model.entropy_parameters(own)[0, :, 0, 0]
            symbol = torch.floor(y[0, :, r, c] - q[m:] + 0.5)
            decoded[r, c] = symbol + q[m:]
            np.testing.assert_allclose(out["mean"][0, :, r, c], q[m:], atol=1e-4)
            np.testing.assert_allclose(out["y_hat"][0, :, r, c], decoded[r, c], atol=1e-4)
            np.testing.assert_allclose(out["symbols"][0, :, r, c], symbol, atol=1e-4)
            np.testing.assert_array_equal(out["level"][0, :, r, c], torch.floor(scale_level(q[:m]) + 0.5))
    assert float(out["mean"].std()) > 0.1


@torch.no_grad()
@pytest.mark.parametrize("architecture", CONTEXTS)
def test_what_is_not_coded_yet_changes_nothing(architecture):
    model = random_model(architecture=architecture)
    x = torch.rand(1, 3, 128, 128)
    base = {}

    def run(part, value):
        # hyper latents of the first pass, so that only the context can carry a change
        if part == "g_a":
            return model.g_a(value) + base.get("change", 0.0)
        if part == "h_a":
            return base.setdefault("z", model.h_a(value))
        return model.part(part)(value)

    before = code(run, x, architecture)
    row, column = 2, 3
    base["change"] = torch.zeros_like(before["y"])
    base["change"][:, :, row, column] = 40.0
    after = code(run, x, architecture)
    moved = (before["mean"] != after["mean"]).any(dim=1)[0]
    rows, columns = np.indices(moved.shape)
    later = (rows > row) | ((rows == row) & (columns > column))
    if architecture == "he2021-checkerboard":
        # (2, 3) is no anchor: nobody reads it
        assert not moved.any()
        base["change"] = torch.roll(base["change"], 1, dims=3)
        moved = (before["mean"] != code(run, x, architecture)["mean"]).any(dim=1)[0]
        assert all(moved[place] for place in ((2, 3), (1, 4), (4, 5)))
        assert not moved[(rows + columns) % 2 == 0].any()
    else:
        assert all(moved[place] for place in ((2, 4), (2, 5), (4, 1)))
        assert not moved[~later].any()


@pytest.mark.parametrize("gdn", ["abs", "none"])
@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_every_parameter_is_trained(architecture, gdn):
    model = random_model(architecture=architecture, gdn=gdn).train()
    x = torch.rand(2, 3, 64, 64)
    out = model(x, torch.Generator().manual_seed(0))
    loss = bits(out["y_likelihood"]) + bits(out["z_likelihood"]) + 1000 * ((out["x_hat"] - x) ** 2).sum()
    loss.backward()
    for name, parameter in model.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
        assert (parameter.grad != 0).any(), name


@torch.no_grad()
def test_in_training_the_raster_context_is_taken_in_one_go_but_sees_only_what_is_before():
    model = random_model(architecture="mbt2018")
    x = torch.rand(1, 3, 64, 128)
    whole = code(run_of(model), x, "mbt2018", sequential=False)
    exact = code(run_of(model), x, "mbt2018")
    assert (whole["mean"] != exact["mean"]).any()
    np.testing.assert_allclose(whole["mean"][:, :, 0, 0], exact["mean"][:, :, 0, 0], rtol=1e-5)


def test_a_warm_start_takes_what_fits(make_model):
    old = make_model()
    new = build_model(ModelConfig(architecture="he2021-checkerboard", n=5, m=7))
    taken = warm_start(new, old.state_dict())
    assert {name.split(".")[0] for name in taken} == {"g_a", "g_s", "h_a", "h_s", "entropy_bottleneck"}
    assert not any(name.startswith(("context", "entropy_parameters")) for name in taken)
    for name in taken:
        value = old.state_dict()[name]
        assert torch.equal(new.state_dict()[name][: len(value)], value)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_checkpoints_of_any_architecture_and_width_load(architecture, tmp_path):
    widths = {"g_a.2": 3, "g_a.6": 4, "h_a.4": 2, "h_s.0": 7, "g_s.4": 6}
    if ARCHITECTURES[architecture].context:
        widths |= {"h_s.4": 5, "parameters.0": 9, "parameters.2": 3}
    model = random_model(architecture=architecture, widths=widths, gdn="none")
    content = {"config": model.config.as_dict(), "model": model.state_dict()}
    save_checkpoint(tmp_path / "a.ckpt", content)
    loaded, _ = load_model(tmp_path / "a.ckpt")
    assert loaded.config.architecture == architecture
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(model(x)["x_hat"], loaded(x)["x_hat"])


def test_checkpoints_from_before_there_were_architectures_load(make_model, tmp_path):
    model = make_model(gdn="square_root")
    config = {key: model.config.as_dict()[key] for key in ("n", "m", "gdn", "affine", "widths")}
    save_checkpoint(tmp_path / "a.ckpt", {"config": config, "model": model.state_dict()})
    loaded, _ = load_model(tmp_path / "a.ckpt")
    assert (loaded.config.architecture, loaded.config.scale) == ("bmshj2018-hyperprior", "log")


def test_a_checkpoint_of_another_architecture_is_one_line(make_model, tmp_path):
    model = make_model()
    config = {**model.config.as_dict(), "architecture": "mbt2018"}
    save_checkpoint(tmp_path / "a.ckpt", {"config": config, "model": model.state_dict()})
    with pytest.raises(TrainingError, match=r"lacks the tensor entropy_parameters\.0\.weight: .* model of mbt2018"):
        load_model(tmp_path / "a.ckpt")
    with pytest.raises(TrainingError, match="architecture 'mbt2019' is unknown: choose bmshj2018-hyperprior or he2021"):
        ModelConfig(architecture="mbt2019")


WIDE = Widths(default=LayerBits(activation=16, weight=16, gdn=16, gamma=16), latent=16)
FORMS = [("log", "relu"), ("linear", "leaky")]


@pytest.mark.parametrize("form", FORMS, ids=["log", "linear"])
@pytest.mark.parametrize("gdn", ["abs", "square_root", "none"])
@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_sixteen_bits_come_close_to_the_float_model(architecture, gdn, form, squares, tmp_path):
    model = random_model(architecture=architecture, gdn=gdn, scale=form[0], activation=form[1])
    options = {"widths": WIDE, "clip": "none", "crops": 8, "quiet": True}
    made = quantize_model(model, {"rate_lambda": 0.01}, squares, name="tiny", **options)
    save_manifest(made, tmp_path / "tiny")
    manifest = load_manifest(tmp_path / "tiny")
    assert manifest.hash == made.hash
    assert (manifest.entropy["gaussian"].thresholds is not None) == (form[0] == "linear")
    image = read_rgb(squares / "p2.png")
    x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
    y = run_transform(manifest.g_a, image_to_input(image))
    z = run_transform(manifest.h_a, y)
    symbols, levels, means, y_hat = code_latents(manifest, y, z)
    pixels = run_transform(manifest.g_s, y_hat)
    step = 2.0**-manifest.latent_fraction_bits
    means_of = manifest.kind.means

    def run(part, value):
        # each transform reads what the integer one before it gave, so that a tie rounded otherwise stays where it is
        if part == "context" and architecture == "he2021-checkerboard":
            value = anchors(value) * torch.from_numpy(y_hat * step).float()[None]
        out = model.part(part)(value)
        if part == "g_a":
            assert np.abs(out[0].numpy() - y * step).max() < 0.01 * float(out.abs().max())
            return torch.from_numpy(y * step).float()[None]
        if part == "h_a":
            assert np.abs(out[0].numpy() - z).max() < 0.55
            return torch.from_numpy(z).float()[None]
        return out

    with torch.no_grad():
        out = code(run, x, architecture, scale=form[0])
        x_hat = model.g_s(torch.from_numpy(y_hat * (step if means_of else 1)).float()[None])
    # a symbol that rounds otherwise moves what a raster context reads behind it: not the largest error, the usual one
    assert np.mean(symbols != out["symbols"][0].numpy()) < 0.05
    assert np.abs(levels - out["level"][0].numpy()).mean() < 0.08
    assert len(np.unique(levels)) > 2
    if means_of:
        assert np.median(np.abs(means * step - out["mean"][0].numpy())) < 0.02
        assert len(np.unique(means)) > 20
    assert np.abs(pixels - (x_hat[0] * 255).clamp(0, 255).numpy()).max() < 2
    assert pixels.std() > 5


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_the_usual_widths_export_and_search_their_clips(architecture, squares):
    model = random_model(architecture=architecture)
    manifest = quantize_model(model, {"rate_lambda": 0.01}, squares, name="tiny", crops=8, quiet=True)
    assert manifest.architecture == architecture
    y = run_transform(manifest.g_a, image_to_input(read_rgb(squares / "p1.png")))
    symbols, levels, *_ = code_latents(manifest, y)
    tables = manifest.entropy["gaussian"]
    assert symbols.min() >= tables.offset[0]
    assert symbols.max() < tables.offset[0] + len(tables.cdf[0]) - 1
    assert len(np.unique(levels)) > 3


def test_thresholds_choose_the_nearest_scale():
    step = 0.003
    thresholds = sigma_thresholds(step)
    assert len(thresholds) == SCALE_LEVELS - 1
    sigma = np.arange(0, 20000) * step
    level = np.searchsorted(thresholds, np.arange(0, 20000), side="right")
    distance = np.abs(np.log(np.maximum(sigma, 1e-9))[:, None] - np.log(scale_table().numpy()))
    assert np.array_equal(level, distance.argmin(axis=1))
