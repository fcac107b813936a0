"""Training on several devices: torchrun on two processes of this machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from licgate.errors import TrainingError
from licgate.train.loop import Recipe, train
from licgate.train.network.checkpoint import load_checkpoint
from licgate.train.network.models import ModelConfig, build_model
from licgate.train.objective import BaseObjective
from licgate.train.ranks import choose_device

ROOT = Path(__file__).resolve().parents[2]


class NoiseFree(BaseObjective):
    """Squares only, whose mean over a batch is the mean of the means over its halves."""

    def loss(self, x, noise, iteration):
        y = self.model.g_a(x)
        mse = (self.model.g_s(y) - x).square().mean()
        return {"loss": mse + 0.01 * y.abs().mean(), "bpp": y.abs().mean(), "mse": mse}


def train_small(data, out, batch):
    torch.manual_seed(0)
    model = build_model(ModelConfig(n=3, m=4))
    how = Recipe(iterations=4, batch=batch, crop=64, bfloat16=False, device="cpu", warm_up=0)
    content = train(data, out, objective=NoiseFree(model), recipe=how, log_every=2, quiet=True)
    return content["model"]


@pytest.fixture(scope="module")
def two_ranks(pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launcher, __file__, str(pictures), str(folder)]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
    return folder


def test_two_processes_do_what_one_does_with_a_double_batch(two_ranks, pictures, tmp_path):
    saved = load_checkpoint(two_ranks / "both.ckpt")
    whole = train_small(pictures, tmp_path / "one.ckpt", 4)
    first = build_model(ModelConfig(n=3, m=4)).state_dict()
    for name, value in whole.items():
        torch.testing.assert_close(saved["model"][name], value, rtol=1e-3, atol=2e-5, msg=lambda m, n=name: f"{n}: {m}")
    assert not torch.allclose(first["g_a.0.weight"], whole["g_a.0.weight"], atol=1e-4)


def test_all_ranks_end_with_the_same_weights_and_one_log(two_ranks):
    ranks = [torch.load(two_ranks / f"rank{i}.pt") for i in range(2)]
    for name, value in ranks[0].items():
        assert torch.equal(value, ranks[1][name]), name
    assert sorted(p.name for p in two_ranks.iterdir()) == ["both.ckpt", "both.ckpt.jsonl", "rank0.pt", "rank1.pt"]
    assert len((two_ranks / "both.ckpt.jsonl").read_text().splitlines()) == 2


def test_a_missing_gpu_is_one_line(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto").type == "cpu"
    with pytest.raises(TrainingError, match="device cuda is not there"):
        choose_device("cuda")


if __name__ == "__main__":
    pictures_, folder_ = map(Path, sys.argv[1:])
    torch.save(train_small(pictures_, folder_ / "both.ckpt", 2), folder_ / f"rank{os.environ['RANK']}.pt")
