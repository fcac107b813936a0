"""Distillation: the terms of its loss, its phases, and runs that are carried on."""

import os
import signal

import numpy as np
import pytest
import torch

from licgate.cli import main
from licgate.errors import TrainingError
from licgate.train.data import ImageFolder
from licgate.train.loop import Recipe, train
from licgate.train.network.checkpoint import load_checkpoint, load_model
from licgate.train.network.models import ModelConfig, build_model
from licgate.train.objective import RateDistortion
from licgate.train.shrink.distill import Distillation, DistillSettings, Plateau, distill, make_student
from licgate.train.shrink.perceptual import ms_ssim


def recipe(**changes):
    return Recipe(**{"iterations": 6, "batch": 2, "crop": 64, "bfloat16": False, "device": "cpu", **changes})


@pytest.fixture
def teacher(pictures, tmp_path):
    torch.manual_seed(0)
    model = build_model(ModelConfig(n=5, m=6))
    out = tmp_path / "teacher" / "t.ckpt"
    how = recipe(iterations=2, rate_lambda=0.02)
    train(pictures, out, objective=RateDistortion(model, 0.02), recipe=how, quiet=True)
    return out


def settings(**changes):
    return DistillSettings(**{"patience": 2, "improvement": 0.9, "smoothing": 0.5, **changes})


def test_the_loss_is_the_weighted_sum_of_its_terms(pictures):
    torch.manual_seed(0)
    master = build_model(ModelConfig(n=5, m=6)).eval()
    student = build_model(ModelConfig(n=3, m=6)).train()
    objective = Distillation(student, master, recipe(), settings(early=(2.0, 3.0), late=(5.0, 7.0), gamma=0.25))
    x = ImageFolder(pictures, crop=64).batch(2, np.random.default_rng(0))

    def values():
        return {k: v.item() for k, v in objective.loss(x, torch.Generator().manual_seed(1), 0).items()}

    early = values()
    with torch.no_grad():
        y = master.g_a(x)
        latent = float((student.g_a(x) - y).square().mean())
        pictures_ = student.g_s(torch.floor(student.g_a(x) + 0.5)), master.g_s(torch.floor(y + 0.5))
        perceptual = 1 - float(ms_ssim(*pictures_))
    assert early["latent"] == pytest.approx(latent, rel=1e-4)
    assert early["perceptual"] == pytest.approx(perceptual, rel=1e-3)
    distortion = early["bpp"] + 0.013 * 255**2 * early["mse"]
    assert early["loss"] == pytest.approx(2 * latent + 3 * perceptual + 0.25 * distortion, rel=1e-4)
    objective.changed_at = 4
    late = values()
    assert late["loss"] == pytest.approx(5 * latent + 7 * perceptual + 0.25 * distortion, rel=1e-4)
    assert not any(p.requires_grad for p in master.parameters())


def test_a_plateau_is_noticed_once_noise_has_settled():
    rng = np.random.default_rng(0)
    plateau = Plateau(patience=50, improvement=0.01, smoothing=0.95)
    values = [10 * 0.98**i + 1 + 0.1 * rng.normal() for i in range(600)]
    at = next(i for i, value in enumerate(values) if plateau.add(value))
    assert 150 < at < 500
    falling = Plateau(patience=50, improvement=0.01, smoothing=0.95)
    assert not any(falling.add(10 * 0.99**i) for i in range(400))


def test_a_plateau_goes_on_where_it_was():
    whole, first, second = (Plateau(5, 0.1, 0.8) for _ in range(3))
    values = np.random.default_rng(1).uniform(1, 2, 20)
    expected = [whole.add(v) for v in values]
    found = [first.add(v) for v in values[:7]]
    second.load_state(first.state())
    assert found + [second.add(v) for v in values[7:]] == expected
    assert True in expected


def test_the_hyperprior_starts_from_the_teachers_where_shapes_fit():
    torch.manual_seed(0)
    master = build_model(ModelConfig(n=5, m=6))
    hyper = dict.fromkeys(("h_a.0", "h_a.2", "h_a.4", "h_s.0", "h_s.2"), 5)
    twin = make_student(master, ModelConfig(n=3, m=6, widths=hyper))
    for name, value in master.state_dict().items():
        if name.startswith(("h_", "entropy")):
            assert torch.equal(twin.state_dict()[name], value), name
    small = make_student(master, ModelConfig(n=3, m=6))
    assert torch.equal(small.h_s[4].bias, master.h_s[4].bias)
    assert small.h_a[0].out_channels == 3
    assert twin.g_a[0].out_channels == 3


def run(pictures, teacher, out, n=3, m=6, **changes):
    config = ModelConfig(n=n, m=m)
    return distill(pictures, teacher, out, config=config, recipe=recipe(), settings=settings(**changes), quiet=True)


@pytest.mark.parametrize(("m", "stop"), [(6, 1), (6, 4), (4, 2)])
def test_distillation_is_carried_on_to_the_same_student(pictures, teacher, tmp_path, monkeypatch, m, stop):
    whole = run(pictures, teacher, tmp_path / "whole.ckpt", m=m, latest=1.0)
    assert whole["objective"]["changed_at"] == 3
    assert ("extra" in whole) == (m != 6)
    real = Distillation.before_step

    def before_step(self, iteration, folder):
        if iteration == stop:
            os.kill(os.getpid(), signal.SIGTERM)
        real(self, iteration, folder)

    with monkeypatch.context() as patch:
        patch.setattr(Distillation, "before_step", before_step)
        part = run(pictures, teacher, tmp_path / "part.ckpt", m=m, latest=1.0)
    assert part["iteration"] == stop + 1
    resumed = run(pictures, teacher, tmp_path / "part.ckpt", m=m, latest=1.0)
    assert resumed["objective"] == whole["objective"]
    for key in ("model", "ema", *(["extra"] if m != 6 else [])):
        for name, value in whole[key].items():
            assert torch.equal(value, resumed[key][name]), name
    model, _ = load_model(tmp_path / "part.ckpt")
    assert model.g_a[6].out_channels == m
    with pytest.raises(TrainingError, match="other settings"):
        run(pictures, teacher, tmp_path / "part.ckpt", m=m, latest=0.9)


def test_the_phase_changes_at_the_latest_moment(pictures, teacher, tmp_path):
    content = run(pictures, teacher, tmp_path / "a.ckpt", patience=1000, latest=0.5)
    assert content["objective"]["changed_at"] == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"early": (-1.0, 1.0)}, "alpha -1.0 must be 0 or more"),
        ({"late": (1.0, float("nan"))}, "beta nan must be 0 or more"),
        ({"gamma": -0.5}, "gamma -0.5"),
        ({"patience": 0}, "patience of 0 steps"),
        ({"smoothing": 1.0}, "smoothing 1.0"),
        ({"improvement": 1.0}, "improvement 1.0"),
        ({"latest": 2.0}, "latest change of phase at 2.0"),
    ],
)
def test_settings_without_sense_are_one_line(changes, message):
    with pytest.raises(TrainingError, match=message):
        settings(**changes)


def test_the_verb(pictures, teacher, tmp_path, capsys):
    tail = ["--data", pictures, "--batch", 2, "--crop", 64, "--float32", "--device", "cpu", "--iterations", 1]
    words = ["distill", teacher, "--out", tmp_path / "s.ckpt", "--n", 3, *tail, "--early", 0.5, 0.25]
    assert main([str(w) for w in words]) == 0
    content = load_checkpoint(tmp_path / "s.ckpt")
    assert content["kind"] == "distilled"
    assert content["recipe"]["rate_lambda"] == 0.02
    assert content["objective_config"]["early"] == (0.5, 0.25)
    assert (content["config"]["n"], content["config"]["m"]) == (3, 6)
    capsys.readouterr()
    words = ["distill", teacher, "--out", tmp_path / "x", *tail, "--resnet50", tmp_path / "no"]
    assert main([str(w) for w in words]) == 2
    assert capsys.readouterr().err.count("\n") == 1
