"""Removing channels: functions stay where the channels were dead, and come close where they were not."""

import numpy as np
import pytest
import torch

from licgate.errors import TrainingError
from licgate.train.data import ImageFolder
from licgate.train.network.layers import non_negative_init
from licgate.train.shrink.surgery import channel_means, hidden_layers, remove_channels

GONE = {"g_a.0": [1], "g_a.2": [0, 3], "g_s.0": [2], "g_s.4": [0, 4]}


@pytest.fixture
def crops(pictures):
    return ImageFolder(pictures, crop=64).batch(4, np.random.default_rng(0))


def kept(model):
    widths = {hidden.name: hidden.channels for hidden in hidden_layers(model)}
    return {name: torch.tensor([i for i in range(widths[name]) if i not in gone]) for name, gone in GONE.items()}


def deaden(model, *, constant=0.0, share=0.0):
    """Let channels give a constant, and take only a share of their part in the norm of others."""
    with torch.no_grad():
        for hidden in hidden_layers(model):
            gone = GONE.get(hidden.name, [])
            act = hidden.activation
            act.a[gone], act.b[gone] = 0.0, constant
            _, gamma, _, _ = act.effective()
            gamma = gamma.clone()
            gamma[:, gone] *= share
            act.gamma.copy_(non_negative_init(gamma))
    return model


def transforms(model, crops):
    with torch.no_grad():
        y = model.g_a(crops)
        return y, model.g_s(torch.floor(y + 0.5))


@pytest.mark.parametrize("form", ["abs", "square_root"])
def test_the_function_stays_when_dead_channels_go(make_model, crops, form):
    model = deaden(make_model(gdn=form))
    small = remove_channels(model, kept(model))
    for one, other in zip(transforms(model, crops), transforms(small, crops), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    assert [small.g_a[i].out_channels for i in (0, 2, 4, 6)] == [4, 3, 5, 7]
    assert [small.g_s[i].out_channels for i in (0, 2, 4, 6)] == [4, 5, 3, 3]
    assert small.config.widths == {"g_a.0": 4, "g_a.2": 3, "g_s.0": 4, "g_s.4": 3}
    assert model.g_a[0].out_channels == 5


def test_the_constant_of_a_channel_moves_into_the_bias_behind(make_model, crops):
    model = deaden(make_model(), constant=0.7)
    small = remove_channels(model, {"g_a.0": kept(model)["g_a.0"]})
    with torch.no_grad():
        whole, less = (m.g_a[:3](crops) for m in (model, small))
    torch.testing.assert_close(whole[:, :, 1:-1, 1:-1], less[:, :, 1:-1, 1:-1], rtol=1e-4, atol=1e-4)


def test_a_transposed_convolution_takes_the_mean_of_its_phases(make_model):
    model = deaden(make_model(), constant=0.7)
    small = remove_channels(model, {"g_s.0": kept(model)["g_s.0"]})
    y = torch.randn(2, 7, 8, 8)
    with torch.no_grad():
        gap = model.g_s[:3](y) - small.g_s[:3](y)
    gap = gap[:, :, 4:-4, 4:-4]
    assert float(gap.abs().max()) > 1e-3
    np.testing.assert_allclose(torch.nn.functional.avg_pool2d(gap, 2), 0, atol=1e-4)


@pytest.mark.parametrize("form", ["abs", "square_root"])
def test_the_part_in_the_norm_of_others_moves_into_their_beta(make_model, crops, form):
    model = deaden(make_model(gdn=form), share=1.0)
    means = channel_means(model, crops)
    whole = transforms(model, crops)[0]
    gaps = {}
    for name, known in (("with", means), ("without", None)):
        gaps[name] = float((transforms(remove_channels(model, kept(model), known), crops)[0] - whole).square().mean())
    assert gaps["with"] < 0.5 * gaps["without"]


def test_calibrated_constants_bring_live_channels_closer_too(make_model, crops):
    model = make_model(gdn="none")
    keep = {"g_a.0": torch.tensor([0, 2, 3, 4])}
    whole = transforms(model, crops)[0]
    known, plain = (remove_channels(model, keep, m) for m in (channel_means(model, crops), None))
    gaps = [float((transforms(m, crops)[0] - whole).square().mean()) for m in (known, plain)]
    assert gaps[0] < gaps[1]


def test_means_are_those_of_the_feature_maps(make_model, crops):
    for form in ("abs", "square_root"):
        model = make_model(gdn=form)
        with torch.no_grad():
            x = model.g_a[0](crops).double()
            out = model.g_a[1](x.float()).double()
        means = channel_means(model, crops, chunk=3)["g_a.0"]
        size = x.abs() if form == "abs" else x * x
        torch.testing.assert_close(means.size, size.mean(dim=(0, 2, 3)), rtol=1e-5, atol=1e-7)
        torch.testing.assert_close(means.output, out.mean(dim=(0, 2, 3)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("architecture", ["he2021-checkerboard", "mbt2018-mean", "mbt2018"])
def test_other_architectures_and_hyper_transforms(make_model, crops, architecture):
    model = make_model(architecture=architecture)
    parts = ("g_a", "g_s", "h_a", "h_s")
    keep = {h.name: torch.arange(h.channels - 1) for h in hidden_layers(model, parts)}
    small = remove_channels(model, keep, channel_means(model, crops, parts))
    assert small.h_a[0].out_channels == model.h_a[0].out_channels - 1
    with torch.no_grad():
        out = small.train()(crops, torch.Generator())
    assert torch.isfinite(out["x_hat"]).all()
    assert out["y"].shape == model.g_a(crops).shape


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ({"g_a.0": torch.tensor([], dtype=torch.int64)}, "g_a.0 would be left without channels"),
        ({"g_a.6": torch.tensor([0])}, "g_a.6 has no channels to remove"),
    ],
)
def test_what_cannot_be_removed_is_one_line(make_model, keep, message):
    with pytest.raises(TrainingError, match=message):
        remove_channels(make_model(), keep)
