"""Slimming and pruning: what is chosen, what is left, and runs that are carried on."""

import os
import signal

import numpy as np
import pytest
import torch

from licgate.cli import main
from licgate.errors import TrainingError
from licgate.manifest import load_manifest
from licgate.train.data import ImageFolder
from licgate.train.loop import Recipe, train
from licgate.train.network.checkpoint import load_checkpoint, load_model
from licgate.train.network.models import ModelConfig, build_model
from licgate.train.objective import RateDistortion
from licgate.train.shrink.prune import PruneSettings, filter_norms, prune, smallest_out
from licgate.train.shrink.slim import (
    Slimming,
    SlimSettings,
    choose,
    choose_for_macs,
    energies,
    factors,
    per_mac,
    shrink,
    slim,
    transform_macs,
    with_affine,
)
from licgate.train.shrink.surgery import channel_means, hidden_layers


def recipe(**changes):
    return Recipe(**{"iterations": 3, "batch": 2, "crop": 64, "bfloat16": False, "device": "cpu", **changes})


@pytest.fixture
def trained(pictures, tmp_path):
    """Return a function that trains for a step and gives the checkpoint."""

    def make(**config):
        torch.manual_seed(0)
        model = build_model(ModelConfig(**{"n": 6, "m": 7, **config}))
        out = tmp_path / "start" / "a.ckpt"
        how = recipe(iterations=1, rate_lambda=0.005)
        train(pictures, out, objective=RateDistortion(model, 0.005), recipe=how, quiet=True)
        return out

    return make


def widths(model):
    return [model.g_a[i].out_channels for i in (0, 2, 4)] + [model.g_s[i].out_channels for i in (0, 2, 4)]


def spread(model, seed=0):
    """Give the affines factors from 0 to 1."""
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(".a"):
                parameter.copy_(torch.from_numpy(rng.permutation(np.linspace(-1, 1, len(parameter)))))
    return model


def test_the_l1_term_is_added_and_pulls_the_factors_down(pictures):
    torch.manual_seed(0)
    model = build_model(ModelConfig(n=3, m=4))
    x = ImageFolder(pictures, crop=64).batch(1, np.random.default_rng(0))
    plain = RateDistortion(model, 0.01).loss(x, torch.Generator().manual_seed(0), 0)
    slimming = Slimming(model, 0.01, 0.5).loss(x, torch.Generator().manual_seed(0), 0)
    assert float(slimming["l1"].detach()) == 18
    assert (slimming["loss"] - plain["loss"]).item() == pytest.approx(9, rel=1e-4)
    gradients = [torch.autograd.grad(v["loss"], model.g_a[1].a, retain_graph=True)[0] for v in (plain, slimming)]
    torch.testing.assert_close(gradients[1] - gradients[0], torch.full((3,), 0.5), rtol=1e-3, atol=1e-4)


def test_models_without_an_affine_get_one_and_stay_the_same():
    torch.manual_seed(0)
    model = build_model(ModelConfig(n=3, m=4, affine=False)).eval()
    affine = with_affine(model)
    assert affine.config.affine
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(affine.g_s(affine.g_a(x)), model.g_s(model.g_a(x)))
    with pytest.raises(TrainingError, match="no GDN to slim: use licgate prune"):
        Slimming(build_model(ModelConfig(n=3, m=4, gdn="none")), 0.01, 0.1)


def test_channels_are_chosen_by_threshold_and_rounded_up():
    scores = {"g_a.0": torch.tensor([0.5, 0.0, 0.3, 0.001, 0.2]), "g_a.2": torch.tensor([1.0, 1.0])}
    assert {k: v.tolist() for k, v in choose(scores, 0.01).items()} == {"g_a.0": [0, 2, 4]}
    assert choose(scores, 0.01, 4)["g_a.0"].tolist() == [0, 2, 3, 4]
    assert choose(scores, 0.01, 8) == {}
    assert choose(scores, 9.0)["g_a.2"].tolist() == [0]


@pytest.mark.parametrize(("fraction", "multiple"), [(0.8, 1), (0.5, 1), (0.8, 4)])
def test_a_target_is_met_by_the_lowest_threshold(fraction, multiple):
    model = spread(build_model(ModelConfig(n=16, m=8)))
    keep = choose_for_macs(model, factors(model), fraction, multiple)
    before = transform_macs(model.config, {})
    after = transform_macs(model.config, {name: len(channels) for name, channels in keep.items()})
    assert after["h_a"] == before["h_a"]
    for part in ("g_a", "g_s"):
        assert fraction - 0.25 < after[part] / before[part] <= fraction
        own = {name: len(channels) for name, channels in keep.items() if name.startswith(part)}
        assert all(count % multiple == 0 for count in own.values())
        if multiple == 1:  # the weakest channel that stays could not be spared from the list
            lost = {n: set(range(16)) - set(keep[n].tolist()) for n in own}
            removed = max(float(factors(model)[n][i]) for n in own for i in lost[n])
            weakest = min(float(factors(model)[n][i]) for n in own for i in keep[n].tolist())
            assert removed < weakest


def test_a_target_out_of_reach_is_one_line():
    model = build_model(ModelConfig(n=8, m=8))
    with pytest.raises(TrainingError, match=r"g_a cannot shrink to 0.3 of its multiply-accumulates"):
        choose_for_macs(model, factors(model), 0.3, 8)


def test_shrinking_keeps_what_matters(pictures):
    torch.manual_seed(0)
    model = build_model(ModelConfig(n=6, m=7)).eval()
    with torch.no_grad():
        model.g_a[1].a[2] = 0.001
        model.g_s[3].a[:2] = -0.001
    crops = ImageFolder(pictures, crop=64).batch(2, np.random.default_rng(0))
    small = shrink(model, SlimSettings(), crops)
    assert widths(small) == [5, 6, 6, 6, 4, 6]
    whole, less = (m.g_a(crops).detach() for m in (model, small))
    assert float((whole - less).square().mean()) < 0.01 * float(whole.square().mean())


def test_energies_are_the_parts_of_channels_in_the_next_layer(pictures):
    torch.manual_seed(0)
    model = spread(build_model(ModelConfig(n=6, m=7)).eval())
    crops = ImageFolder(pictures, crop=64).batch(4, np.random.default_rng(0))
    found = energies(model, channel_means(model, crops))
    for reader, layer, maker in ((model.g_a[4], model.g_a[:4], "g_a.2"), (model.g_s[4], model.g_s[:4], "g_s.2")):
        with torch.no_grad():
            x = layer(crops if maker == "g_a.2" else torch.floor(model.g_a(crops) + 0.5))
            spreads = x.std(dim=(0, 2, 3), correction=0)
        weight = reader.weight.detach() if reader.transposed else reader.weight.detach().transpose(0, 1)
        expected = spreads * weight.flatten(1).norm(dim=1)
        expected = expected / expected.norm()
        torch.testing.assert_close(found[maker].float(), expected, rtol=1e-3, atol=1e-5)


def test_channels_at_high_resolution_cost_more_and_go_first():
    model = build_model(ModelConfig(n=8, m=8))
    scores = per_mac(model, {name: torch.ones(8) for name in ("g_a.0", "g_a.2", "g_a.4", "g_s.4")})
    level = {name: float(score[0]) for name, score in scores.items()}
    assert level["g_a.0"] < level["g_a.2"] < level["g_a.4"]
    assert level["g_s.4"] == pytest.approx(level["g_a.0"], rel=0.05)


def stop_at(monkeypatch, kind, iteration):
    """Send a signal in one step of one stage."""
    real = kind.before_step

    def before_step(self, at, folder):
        if at == iteration and type(self) is kind:
            os.kill(os.getpid(), signal.SIGINT)
        real(self, at, folder)

    monkeypatch.setattr(kind, "before_step", before_step)


def run_slim(pictures, source, out, **settings):
    chosen = SlimSettings(**{"eta": 0.1, "target_macs": 0.8, **settings})
    return slim(pictures, source, out, settings=chosen, slimming=recipe(), finetuning=recipe(), quiet=True)


@pytest.mark.parametrize("kind", [Slimming, RateDistortion])
def test_slimming_is_carried_on_to_the_same_model(pictures, trained, tmp_path, kind):
    source = trained()
    whole = run_slim(pictures, source, tmp_path / "whole.ckpt")
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, kind, 1)
        part = run_slim(pictures, source, tmp_path / "part.ckpt")
    assert part["signal"] == signal.SIGINT
    assert part["kind"] == kind.kind
    resumed = run_slim(pictures, source, tmp_path / "part.ckpt")
    for name, value in whole["ema"].items():
        assert torch.equal(value, resumed["ema"][name]), name
    assert sum(widths(load_model(tmp_path / "whole.ckpt")[0])) < 36
    assert not list(tmp_path.glob("*.slimming*"))
    with pytest.raises(TrainingError, match="other settings"):
        run_slim(pictures, source, tmp_path / "part.ckpt", target_macs=0.7)


def run_prune(pictures, source, out, **settings):
    chosen = PruneSettings(**{"part": 0.2, "rounds": 2, **settings})
    return prune(pictures, source, out, settings=chosen, recipe=recipe(), quiet=True)


def test_pruning_rounds_are_carried_on_to_the_same_model(pictures, trained, tmp_path):
    source = trained(gdn="none")
    whole = run_prune(pictures, source, tmp_path / "whole.ckpt")
    assert widths(load_model(tmp_path / "whole.ckpt")[0]) == [4] * 6
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, RateDistortion, 2)
        part = run_prune(pictures, source, tmp_path / "part.ckpt")
        assert part["signal"]
    assert (tmp_path / "part.ckpt.round1").exists()
    resumed = run_prune(pictures, source, tmp_path / "part.ckpt")
    for name, value in whole["ema"].items():
        assert torch.equal(value, resumed["ema"][name]), name
    assert not list(tmp_path.glob("*.round*"))
    assert run_prune(pictures, source, tmp_path / "part.ckpt")["iteration"] == 3


def test_the_filters_of_smallest_norm_go():
    model = build_model(ModelConfig(n=6, m=7))
    with torch.no_grad():
        model.g_a[2].weight[3] *= 1e-3
        model.g_s[2].weight[:, 4] *= 1e-3
    assert int(filter_norms(model)["g_a.2"].argmin()) == 3
    chosen = smallest_out(model, {"g_a.2": 5, "g_s.2": 5, "g_s.4": 6})
    assert sorted(chosen) == ["g_a.2", "g_s.2"]
    assert chosen["g_a.2"].tolist() == [0, 1, 2, 4, 5]
    assert chosen["g_s.2"].tolist() == [0, 1, 2, 3, 5]


@pytest.mark.parametrize(
    ("settings", "changes", "message"),
    [
        (SlimSettings, {"eta": -1.0}, "eta -1.0"),
        (SlimSettings, {"epsilon": float("nan")}, "epsilon nan"),
        (SlimSettings, {"target_macs": 1.5}, "between 0 and 1"),
        (SlimSettings, {"multiple_of": 0}, "multiples of 0"),
        (SlimSettings, {"importance": "b"}, "importance 'b' is unknown"),
        (PruneSettings, {"rounds": 0}, "0 rounds"),
        (PruneSettings, {"part": 0.5, "rounds": 2}, "remove none or all"),
        (PruneSettings, {"part": 0.0}, "remove none or all"),
        (PruneSettings, {"multiple_of": 0}, "multiples of 0"),
    ],
)
def test_settings_without_sense_are_one_line(settings, changes, message):
    with pytest.raises(TrainingError, match=message):
        settings(**changes)


def test_the_verbs_and_what_they_make_is_quantised_like_any_other(pictures, squares, trained, tmp_path, capsys):
    source = trained()
    tail = ["--data", pictures, "--batch", 2, "--crop", 64, "--float32", "--iterations", 1, "--device", "cpu"]
    words = ["slim", source, "--out", tmp_path / "s.ckpt", "--eta", 0.1, "--finetune-iterations", 1, *tail]
    assert main([str(w) for w in [*words, "--target-macs", 0.8, "--slimmed", tmp_path / "between.ckpt"]]) == 0
    told = capsys.readouterr().out
    assert "g_a.0: 6 -> " in told
    assert "of its multiply-accumulates are left" in told
    assert load_checkpoint(tmp_path / "between.ckpt")["kind"] == "slimming"
    assert load_model(tmp_path / "s.ckpt")[1]["rate_lambda"] == 0.005
    widths = [hidden.channels for hidden in hidden_layers(load_model(tmp_path / "s.ckpt")[0])]
    words = ["quantize", tmp_path / "s.ckpt", "--data", squares, "--out", tmp_path / "model", "--crops", 2]
    assert main([str(w) for w in [*words, "--clip", "none"]]) == 0
    manifest = load_manifest(tmp_path / "model")
    assert [layer.out_channels for layer in manifest.g_a.layers[0:6:2]] == widths[:3]
    assert min(widths) < 6
    words = ["prune", source, "--out", tmp_path / "p.ckpt", "--rounds", 1, *tail]
    assert main([str(w) for w in words]) == 0
    assert "g_s.4: 6 -> 5 channels" in capsys.readouterr().out
    assert main(["prune", str(tmp_path / "none"), "--out", "x", "--data", str(pictures)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
