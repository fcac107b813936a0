"""Muon and Adam in one optimizer."""

import copy

import numpy as np
import pytest
import torch

from licgate.train.network.models import ModelConfig, build_model
from licgate.train.optim import Muon, build_optimizer, muon_update, orthogonalize


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (12, 12)])
def test_singular_values_come_near_one_and_directions_stay(shape):
    torch.manual_seed(1)
    matrix = torch.randn(shape)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonalize(3.7 * matrix)
    inside = left.T @ found @ right.T
    values = torch.diagonal(inside)
    assert float(values.min()) > 0.5
    assert float(values.max()) < 1.4
    np.testing.assert_allclose(inside - torch.diag(values), 0, atol=1e-3)


def test_the_size_of_a_step_is_that_of_adam():
    torch.manual_seed(2)
    for shape in ((32, 24, 5, 5), (24, 32, 3, 3)):
        rms = float(muon_update(torch.randn(shape), transposed=False).square().mean().sqrt())
        assert 0.15 < rms < 0.25


def test_a_transposed_kernel_is_treated_as_the_kernel_it_transposes():
    torch.manual_seed(3)
    kernel = torch.randn(4, 7, 5, 5)
    plain = muon_update(kernel.transpose(0, 1).contiguous(), transposed=False).transpose(0, 1)
    np.testing.assert_allclose(muon_update(kernel, transposed=True), plain, rtol=1e-6)
    assert not torch.allclose(muon_update(kernel, transposed=False), plain)


def test_taps_without_a_gradient_stay():
    torch.manual_seed(4)
    gradient = torch.randn(4, 3, 5, 5)
    gradient[:, :, 2, 3:] = 0
    update = muon_update(gradient, transposed=False)
    assert float(update[:, :, 2, 3:].abs().max()) == 0
    assert float(update[:, :, 2, :3].abs().min()) > 0


def test_everything_but_kernels_follows_adam():
    torch.manual_seed(5)
    mine = torch.nn.Parameter(torch.randn(7))
    theirs = torch.nn.Parameter(mine.detach().clone())
    optimizers = (Muon([mine], lr=3e-3), torch.optim.Adam([theirs], lr=3e-3))
    for i in range(20):
        for parameter, optimizer in zip((mine, theirs), optimizers, strict=True):
            optimizer.zero_grad()
            (parameter.sin() * (i + torch.arange(7.0))).sum().backward()
            optimizer.step()
    np.testing.assert_allclose(mine.detach(), theirs.detach(), rtol=1e-5)


def test_kernels_are_sorted_from_the_rest():
    model = build_model(ModelConfig(n=3, m=4))
    optimizer = build_optimizer("muon", model, lr=1e-3)
    groups = {group["method"]: group["params"] for group in optimizer.param_groups}
    assert {id(p) for p in groups["kernel"]} == {
        id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Conv2d)
    }
    assert {id(p) for p in groups["transposed kernel"]} == {
        id(m.weight) for m in model.modules() if isinstance(m, torch.nn.ConvTranspose2d)
    }
    assert sum(map(len, groups.values())) == len(list(model.parameters()))
    assert isinstance(build_optimizer("adam", model, lr=1e-3), torch.optim.Adam)


def test_a_loaded_state_goes_on_exactly():
    def steps(model, optimizer, start, stop):
        for i in range(start, stop):
            torch.manual_seed(i)
            optimizer.zero_grad()
            model(torch.rand(1, 3, 64, 64))["x_hat"].square().mean().backward()
            optimizer.step()

    torch.manual_seed(0)
    whole = build_model(ModelConfig(n=3, m=4)).train()
    first = copy.deepcopy(whole)
    steps(whole, build_optimizer("muon", whole, lr=1e-2), 0, 6)
    optimizer = build_optimizer("muon", first, lr=1e-2)
    steps(first, optimizer, 0, 3)
    second = build_model(ModelConfig(n=3, m=4)).train()
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    fresh = build_optimizer("muon", second, lr=1e-2)
    fresh.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    steps(second, fresh, 3, 6)
    for (name, one), two in zip(whole.named_parameters(), second.parameters(), strict=True):
        assert torch.equal(one, two), name
