"""Training: it learns, it resumes to the same state, it stops on nonsense."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from licgate.errors import TrainingError
from licgate.train.loop import Recipe, train
from licgate.train.network.checkpoint import load_checkpoint, load_model, save_checkpoint
from licgate.train.network.models import ModelConfig, build_model
from licgate.train.objective import RateDistortion

SMALL = ModelConfig(n=3, m=4)


def recipe(**changes):
    return Recipe(**{"iterations": 6, "batch": 2, "crop": 64, "bfloat16": False, "device": "cpu", **changes})


def run(data, out, how=None, config=SMALL, objective=RateDistortion, **more):
    how = how or recipe()
    torch.manual_seed(how.seed)
    chosen = objective(build_model(config), how.rate_lambda)
    return train(data, out, objective=chosen, recipe=how, **{"quiet": True, **more})


def assert_same_weights(one, other):
    for key in ("model", "ema"):
        for name, value in one[key].items():
            np.testing.assert_array_equal(other[key][name], value, err_msg=f"{key} {name}")


@pytest.mark.parametrize("optimizer", ["muon", "adam"])
def test_training_lowers_the_loss(pictures, tmp_path, optimizer):
    out = tmp_path / "a.ckpt"
    how = recipe(iterations=40, lr=5e-3, warm_up=5, optimizer=optimizer, bfloat16=True, drawn=0.0)
    run(pictures, out, how, log_every=10)
    losses = [json.loads(line)["loss"] for line in (tmp_path / "a.ckpt.jsonl").read_text().splitlines()]
    assert losses[-1] < 0.7 * losses[0]


class Interrupted(RateDistortion):
    """Sends itself a signal in the third step."""

    number = signal.SIGTERM

    def before_step(self, iteration, folder):
        if iteration == 2:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_interrupted_training_ends_where_uninterrupted_training_does(pictures, tmp_path, number, capsys):
    how = recipe(iterations=8, bfloat16=True)
    whole = run(pictures, tmp_path / "whole.ckpt", how)
    Interrupted.number = number
    part = run(pictures, tmp_path / "part.ckpt", how, objective=Interrupted, quiet=False)
    assert (part["iteration"], part["signal"]) == (3, number)
    assert "carries on" in capsys.readouterr().err
    resumed = run(pictures, tmp_path / "part.ckpt", how)
    assert (resumed["iteration"], resumed["signal"]) == (8, 0)
    assert_same_weights(whole, resumed)
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["part.ckpt", "part.ckpt.jsonl", "whole.ckpt", "whole.ckpt.jsonl"]


def test_killed_training_ends_where_uninterrupted_training_does(pictures, tmp_path):
    out = tmp_path / "killed.ckpt"
    options = {"data": pictures, "out": out, "n": 3, "m": 4, "batch": 2, "crop": 64, "device": "cpu"}
    options |= {"checkpoint-minutes": 0, "iterations": 100_000}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "licgate", "train", "--float32", *words]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while not out.exists() and time.monotonic() < end:
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    done = load_checkpoint(out)["iteration"]
    assert done >= 1
    (tmp_path / ".killed.ckpt.123.tmp").write_bytes(b"half a checkpoint")
    how = recipe(iterations=100_000)
    shorter = recipe(iterations=done + 3)

    class Cut(RateDistortion):
        def before_step(self, iteration, folder):
            if iteration == shorter.iterations - 1:
                os.kill(os.getpid(), signal.SIGTERM)

    whole = run(pictures, tmp_path / "whole.ckpt", how, objective=Cut)
    resumed = run(pictures, out, how, objective=Cut)
    assert whole["iteration"] == resumed["iteration"] == done + 3
    assert_same_weights(whole, resumed)
    assert {p.name for p in tmp_path.iterdir()} >= {"killed.ckpt", "whole.ckpt"}
    assert not list(tmp_path.glob(".*.tmp"))


def test_progress_is_logged_as_json_lines_and_repeated_steps_are_logged_once(pictures, tmp_path, capsys):
    out = tmp_path / "a.ckpt"
    run(pictures, out, log_every=3, quiet=False)
    log = tmp_path / "a.ckpt.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["iteration"] for line in lines] == [3, 6]
    assert {"loss", "bpp", "psnr", "it_s", "lr"} <= set(lines[0])
    told = capsys.readouterr().err
    assert "4 images; cpu; starting at iteration 0" in told
    assert "it/s" in told
    assert "min left" in told
    log.write_text(log.read_text() + '{"iteration": 9, "loss": 1}\n{"iterat')
    run(pictures, out, recipe(iterations=9), log_every=3)
    assert [json.loads(line)["iteration"] for line in log.read_text().splitlines()] == [3, 6, 9]


class Poisoned(RateDistortion):
    """A loss that is not finite from the fifth step on."""

    def loss(self, x, noise, iteration):
        losses = super().loss(x, noise, iteration)
        return losses if iteration < 4 else losses | {"loss": losses["loss"] * float("nan")}


class Overflowing(RateDistortion):
    """A finite loss with an infinite gradient in the fifth step."""

    def loss(self, x, noise, iteration):
        losses = super().loss(x, noise, iteration)
        if iteration == 4:
            losses["loss"] = losses["loss"] + torch.sqrt(losses["mse"] - losses["mse"].detach())
        return losses


@pytest.mark.parametrize(
    ("objective", "message"),
    [(Poisoned, "loss became nan at iteration 4"), (Overflowing, "a gradient overflowed at iteration 4")],
)
def test_a_loss_that_is_not_finite_stops_and_keeps_the_checkpoint(pictures, tmp_path, objective, message):
    out = tmp_path / "a.ckpt"
    good = run(pictures, out, recipe(iterations=3))
    before = out.read_bytes()
    with pytest.raises(TrainingError, match=rf"{message}: lower --lr; .*a\.ckpt is kept as last saved") as caught:
        run(pictures, out, objective=objective)
    assert "\n" not in str(caught.value)
    assert out.read_bytes() == before
    assert_same_weights(good, load_checkpoint(out))
    with pytest.raises(TrainingError, match="nothing was saved yet"):
        run(pictures, tmp_path / "b.ckpt", objective=objective)
    assert not (tmp_path / "b.ckpt").exists()


def test_weights_that_are_not_numbers_stop_at_once(pictures, tmp_path):
    out = tmp_path / "a.ckpt"
    content = run(pictures, out, recipe(iterations=2))
    del content["signal"]
    content["model"]["g_a.0.bias"].fill_(float("nan"))
    save_checkpoint(out, content)
    with pytest.raises(TrainingError, match=r"loss became nan at iteration 2"):
        run(pictures, out)


class Other(RateDistortion):
    kind = "other"


class Tuned(RateDistortion):
    def config(self):
        return {"strength": 2}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": ModelConfig(n=4, m=4)}, "a model of another shape"),
        ({"config": ModelConfig(n=3, m=4, architecture="he2021-checkerboard")}, "a model of another shape"),
        ({"config": ModelConfig(n=3, m=4, gdn="square_root")}, "a model of another shape"),
        ({"how": recipe(rate_lambda=0.02)}, "trained with rate_lambda 0.013, not 0.02"),
        ({"how": recipe(seed=3)}, "trained with seed 0, not 3"),
        ({"how": recipe(optimizer="adam")}, "trained with optimizer muon, not adam"),
        ({"how": recipe(drawn=0.5)}, "trained with drawn 0.05, not 0.5"),
        ({"how": recipe(reduced=0.5)}, "trained with reduced 0.0, not 0.5"),
        ({"objective": Other}, "is of a float run, not of a other one"),
        ({"objective": Tuned}, "other settings of its float run"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(pictures, tmp_path, changes, message):
    run(pictures, tmp_path / "a.ckpt", recipe(iterations=1))
    before = (tmp_path / "a.ckpt").read_bytes()
    with pytest.raises(TrainingError, match=message) as caught:
        run(pictures, tmp_path / "a.ckpt", **changes)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "a.ckpt").read_bytes() == before


def test_a_checkpoint_that_says_nothing_of_drawn_crops_has_seen_none(pictures, tmp_path):
    content = run(pictures, tmp_path / "a.ckpt", recipe(iterations=1, drawn=0.0))
    for name in ("signal", "recipe"):
        old = content.pop(name)
    save_checkpoint(tmp_path / "a.ckpt", {**content, "recipe": {k: v for k, v in old.items() if k != "drawn"}})
    with pytest.raises(TrainingError, match=r"trained with drawn 0.0, not 0.05"):
        run(pictures, tmp_path / "a.ckpt")
    assert run(pictures, tmp_path / "a.ckpt", recipe(iterations=2, drawn=0.0))["iteration"] == 2


class Counting(RateDistortion):
    """Counts steps, sums losses, and trains a number beside the model."""

    def __init__(self, model, rate_lambda):
        super().__init__(model, rate_lambda)
        self.extra = torch.nn.Linear(1, 1)
        self.seen = {"steps": 0, "sum": 0.0}

    def loss(self, x, noise, iteration):
        losses = super().loss(x, noise, iteration)
        extra = (self.extra.weight - self.seen["sum"]).square().sum() + self.extra.bias.square().sum()
        return losses | {"loss": losses["loss"] + extra, "extra": extra}

    def after_step(self, values, iteration):
        self.seen = {"steps": self.seen["steps"] + 1, "sum": self.seen["sum"] + values["bpp"]}

    def state(self):
        return dict(self.seen)

    def load_state(self, state):
        self.seen = dict(state)


def test_state_and_extra_parameters_of_an_objective_survive(pictures, tmp_path):
    part = tmp_path / "part.ckpt"
    half = recipe(iterations=2, lr_floor=1.0)
    full = recipe(iterations=5, lr_floor=1.0)
    whole = run(pictures, tmp_path / "flat.ckpt", full, objective=Counting)
    run(pictures, part, half, objective=Counting)
    resumed = run(pictures, part, full, objective=Counting)
    assert_same_weights(whole, resumed)
    assert resumed["objective"] == whole["objective"]
    assert whole["objective"]["steps"] == 5
    assert torch.equal(whole["extra"]["weight"], resumed["extra"]["weight"])
    model, how = load_model(part)
    assert how["iterations_done"] == 5
    assert not hasattr(model, "extra")


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
        ({"lr_floor": 0.0}, "last learning rate 0.0"),
        ({"warm_up": -1}, "warm-up -1"),
        ({"seed": -1}, "seed -1 must be from 0"),
        ({"optimizer": "sgd"}, "optimizer 'sgd' is unknown: choose muon or adam"),
        ({"drawn": 1.5}, "part of drawn crops 1.5 must be from 0 to 1"),
        ({"reduced": -0.1}, "part of reduced crops -0.1"),
        ({"device": "tpu"}, "device 'tpu' is unknown: choose auto or cpu or cuda"),
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
