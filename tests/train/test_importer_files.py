"""Import of CompressAI's state dicts: what is found in a file, and what is refused."""

import argparse
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from licgate.errors import TrainingError
from licgate.train.network.importer import import_compressai, renamed
from licgate.train.network.models import ModelConfig, build_model
from tests.train.zoo import M, N, zoo_state


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("code of the checkpoint ran",))


@pytest.mark.parametrize("new", [False, True])
def test_code_in_a_checkpoint_is_not_run(tmp_path, new):
    path, state = tmp_path / "trap.pth", zoo_state("bmshj2018-hyperprior")
    torch.save({"state_dict": Trap()}, path, _use_new_zipfile_serialization=new)
    with pytest.raises(
        TrainingError, match=r"holds no tensors by name: where it was made, write them with torch\.save"
    ):
        import_compressai(path)
    torch.save({"args": Trap(), "state_dict": state}, path, _use_new_zipfile_serialization=new)
    assert import_compressai(path).config.n == N
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(TrainingError, match="is not a readable file of tensors"):
        import_compressai(path)


class Wrapper(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model


WRAPPED = {
    "a level down": lambda state: {"model": state, "itr": 7},
    "two levels down": lambda state: {"checkpoint": {"net": state}, "epoch": 1},
    "numpy's numbers": lambda state: {"epoch": np.int64(3), "loss": np.float64(1.2), "state_dict": state},
    "arrays beside it": lambda state: {"losses": np.arange(3.0), "state_dict": state},
    "options beside it": lambda state: {"args": argparse.Namespace(lr=1, path=Path("a")), "state_dict": state},
    "torch.compile": lambda state: {f"_orig_mod.{key}": value for key, value in state.items()},
    "compiled inside": lambda state: {key.replace("g_a.", "g_a._orig_mod."): value for key, value in state.items()},
    "module twice": lambda state: {f"module.module.{key}": value for key, value in state.items()},
    "Lightning": lambda state: {
        "state_dict": {f"model.{key}": value for key, value in state.items()} | {"criterion.w": torch.ones(2)},
        "pytorch-lightning_version": "2.4.0",
        "hyper_parameters": {"lr": 1e-4},
    },
    "the optimiser first": lambda state: {"optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}}, "model": state},
}


@pytest.mark.parametrize("wrapped", WRAPPED)
def test_a_model_is_found_in_what_is_around_it(tmp_path, wrapped):
    state, path = zoo_state("bmshj2018-hyperprior"), tmp_path / "a.pth"
    torch.save(WRAPPED[wrapped](state), path)
    found, wanted = import_compressai(path).state_dict(), renamed(state)
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


def test_tensors_of_a_whole_module_are_read_and_its_code_is_not(tmp_path):
    model = build_model(ModelConfig(n=N, m=M, gdn="square_root", scale="linear"))
    torch.save(Wrapper(model), tmp_path / "a.pth")
    found = import_compressai(tmp_path / "a.pth").state_dict()
    assert all(torch.equal(found[key], value) for key, value in model.state_dict().items())


def test_two_models_in_one_file_are_refused(tmp_path):
    state = zoo_state("bmshj2018-hyperprior")
    torch.save(
        {f"{who}.{key}": value for who in ("student", "teacher") for key, value in state.items()}, tmp_path / "a"
    )
    with pytest.raises(TrainingError, match=r"holds several models, student\., teacher\.: give a state dict of one"):
        import_compressai(tmp_path / "a")


def test_a_program_is_refused_with_what_to_do(tmp_path):
    torch.jit.save(torch.jit.trace(torch.nn.ReLU(), torch.ones(2)), tmp_path / "a.pt")
    with pytest.raises(TrainingError, match=r"is a TorchScript program: where you trust it, write its tensors with"):
        import_compressai(tmp_path / "a.pt")
