"""Training: it learns, it resumes to the same state, it stops on nonsense."""

import json
import os
import signal
import threading

import numpy as np
import pytest
import torch

from licgate.errors import TrainingError
from licgate.train import loop
from licgate.train.checkpoint import load_checkpoint, load_model, save_checkpoint
from licgate.train.data import ImageFolder
from licgate.train.loop import Recipe, train
from licgate.train.models import ModelConfig, ScaleHyperprior

SMALL = ModelConfig(n=3, m=4)


def recipe(**changes):
    return Recipe(**{"iterations": 6, "batch": 2, "crop": 64, "bfloat16": False, **changes})


def test_steps_on_one_batch_lower_its_loss(pictures):
    torch.manual_seed(0)
    model = ScaleHyperprior(SMALL).train()
    how = recipe(iterations=30, lr=5e-3)
    optimizer = torch.optim.Adam(model.parameters(), lr=how.lr)
    x = ImageFolder(pictures, crop=64).batch(2, np.random.default_rng(0))
    losses = [loop.step(model, optimizer, x, how, torch.Generator())["loss"] for _ in range(30)]
    assert losses[-1] < 0.7 * losses[0]


def test_interrupted_training_ends_where_uninterrupted_training_does(pictures, tmp_path):
    how = recipe(iterations=8)
    whole = train(pictures, tmp_path / "whole.ckpt", config=SMALL, recipe=how, quiet=True)
    stopper = [0]
    real = loop.step

    def stop_at_third(*args):
        stopper[0] += 1
        if stopper[0] == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(*args)

    assert threading.current_thread() is threading.main_thread()
    loop.step = stop_at_third
    try:
        part = train(pictures, tmp_path / "part.ckpt", config=SMALL, recipe=how, quiet=True)
    finally:
        loop.step = real
    assert part["iteration"] == 3
    resumed = train(pictures, tmp_path / "part.ckpt", config=SMALL, recipe=how, quiet=True)
    assert resumed["iteration"] == 8
    for key in ("model", "ema"):
        for name, value in whole[key].items():
            np.testing.assert_array_equal(resumed[key][name], value, err_msg=name)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "part.ckpt",
        "part.ckpt.jsonl",
        "whole.ckpt",
        "whole.ckpt.jsonl",
    ]


def test_progress_is_logged_as_json_lines(pictures, tmp_path, capsys):
    train(pictures, tmp_path / "a.ckpt", config=SMALL, recipe=recipe(), log_every=3)
    lines = [json.loads(line) for line in (tmp_path / "a.ckpt.jsonl").read_text().splitlines()]
    assert [line["iteration"] for line in lines] == [3, 6]
    assert {"loss", "bpp", "psnr", "it_s", "lr"} <= set(lines[0])
    assert "it/s" in capsys.readouterr().err


def test_a_loss_that_is_not_finite_stops_and_keeps_the_checkpoint(pictures, tmp_path):
    out = tmp_path / "a.ckpt"
    content = train(pictures, out, config=SMALL, recipe=recipe(iterations=2), quiet=True)
    content["model"]["g_a.0.bias"].fill_(float("nan"))
    save_checkpoint(out, content)
    before = out.read_bytes()
    with pytest.raises(TrainingError, match=r"loss became nan at iteration 2"):
        train(pictures, out, config=SMALL, recipe=recipe(), quiet=True)
    assert out.read_bytes() == before


def test_a_checkpoint_of_another_shape_is_refused(pictures, tmp_path):
    train(pictures, tmp_path / "a.ckpt", config=SMALL, recipe=recipe(iterations=1), quiet=True)
    with pytest.raises(TrainingError, match="model of another shape"):
        train(pictures, tmp_path / "a.ckpt", config=ModelConfig(n=4, m=4), recipe=recipe(), quiet=True)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut off"])
def test_a_damaged_checkpoint_is_one_line(tmp_path, content):
    path = tmp_path / "bad.ckpt"
    path.write_bytes(content)
    with pytest.raises(TrainingError, match=r"bad\.ckpt is not readable") as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_a_foreign_file_of_tensors_is_refused(tmp_path):
    torch.save({"weight": torch.ones(2)}, tmp_path / "other.pt")
    with pytest.raises(TrainingError, match="was not written by licgate train"):
        load_model(tmp_path / "other.pt")
    with pytest.raises(TrainingError, match="does not exist"):
        load_model(tmp_path / "none.pt")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crop": 100}, "crop size 100 must be a multiple of 64"),
        ({"batch": 0}, "batch 0 must be larger than 0"),
        ({"lr": float("nan")}, "learning rate nan must be larger than 0"),
        ({"rate_lambda": -1.0}, "lambda -1.0 must be larger than 0"),
        ({"iterations": None}, "give iterations or minutes"),
        ({"ema": 1.0}, "weight average decay 1.0"),
    ],
)
def test_bad_recipes_are_one_line(changes, message):
    with pytest.raises(TrainingError, match=message):
        recipe(**changes)


def test_learning_rate_warms_up_and_decays_to_a_hundredth():
    how = recipe(iterations=10_000, lr=1.0)
    assert how.learning_rate(0, 0.0) == pytest.approx(1 / 200)
    assert how.learning_rate(5000, 0.0) == pytest.approx(0.505)
    assert how.learning_rate(10_000, 0.0) == pytest.approx(0.01)
    timed = recipe(iterations=None, minutes=10, lr=1.0)
    assert timed.learning_rate(10_000, 300.0) == pytest.approx(0.505)
