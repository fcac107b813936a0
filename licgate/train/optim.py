"""Muon for the kernels of convolutions, Adam for everything else, in one resumable optimizer."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

# Jordan et al. 2024: a quintic whose iteration drives all singular values into about 0.7..1.2.
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5
RMS_OF_ADAM = 0.2


def orthogonalize(matrix: Tensor) -> Tensor:
    """Bring all singular values of a matrix near 1 without computing them (Newton-Schulz).

    The steps multiply X from the left by polynomials of X Xᵀ, which commute: they are gathered in the small square
    matrix and meet the long sides of X only twice.
    """
    a, b, c = NEWTON_SCHULZ
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix if wide else matrix.T
    x = x / (x.norm() + 1e-7)
    gram = x @ x.T
    whole = None
    for step in range(NEWTON_SCHULZ_STEPS):
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal().add_(a)
        whole = factor if whole is None else factor @ whole
        if step < NEWTON_SCHULZ_STEPS - 1:
            gram = factor @ gram @ factor
    x = whole @ x
    return x if wide else x.T


def muon_update(update: Tensor, transposed: bool) -> Tensor:
    """Orthogonalise the update of a kernel, scaled so that its RMS is that of a step of Adam.

    Parameters
    ----------
    update : Tensor
        As torch stores kernels: (out, in, kh, kw), or (in, out, kh, kw) of a transposed convolution.
    transposed : bool
    """
    kernel = update.transpose(0, 1) if transposed else update
    flat = kernel.reshape(kernel.shape[0], -1)
    flat = orthogonalize(flat) * (RMS_OF_ADAM * math.sqrt(max(flat.shape)))
    kernel = flat.reshape(kernel.shape)
    return kernel.transpose(0, 1) if transposed else kernel


class Muon(torch.optim.Optimizer):
    """Orthogonalised momentum for kernels (Jordan et al. 2024), Adam for the rest.

    ``torch.optim.Muon`` takes matrices only, hence this one. Thanks to the matched RMS both share one learning rate.

    Parameters
    ----------
    params : iterable
        Parameter groups; a group's ``method`` is "kernel", "transposed kernel" or "adam".
    lr : float
    momentum : float
        Of kernels (Nesterov).
    betas, eps : (float, float), float
        Of Adam.
    """

    def __init__(self, params, lr: float = 1e-3, momentum: float = 0.95, betas=(0.9, 0.999), eps: float = 1e-8) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "betas": betas, "eps": eps, "method": "adam"})

    @torch.no_grad()
    def step(self, closure=None):
        """Update every parameter that has a gradient."""
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            update = self._adam if group["method"] == "adam" else self._kernel
            for parameter in group["params"]:
                if parameter.grad is not None:
                    update(parameter, self.state[parameter], group)
        return loss

    @staticmethod
    def _kernel(parameter: Tensor, state: dict, group: dict) -> None:
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
        nesterov = parameter.grad.lerp(state["momentum"], group["momentum"])
        parameter.sub_(muon_update(nesterov, group["method"] != "kernel"), alpha=group["lr"])

    @staticmethod
    def _adam(parameter: Tensor, state: dict, group: dict) -> None:
        if not state:
            state.update(step=0, mean=torch.zeros_like(parameter), square=torch.zeros_like(parameter))
        state["step"] += 1
        first, second = group["betas"]
        state["mean"].lerp_(parameter.grad, 1 - first)
        state["square"].mul_(second).addcmul_(parameter.grad, parameter.grad, value=1 - second)
        size = (state["square"] / (1 - second ** state["step"])).sqrt_().add_(group["eps"])
        parameter.addcdiv_(state["mean"], size, value=-group["lr"] / (1 - first ** state["step"]))


def build_optimizer(name: str, *modules: nn.Module, lr: float) -> torch.optim.Optimizer:
    """Make the optimizer of a recipe for all parameters of ``modules``.

    Parameters
    ----------
    name : {"muon", "adam"}
    lr : float
    """
    if name == "adam":
        return torch.optim.Adam([p for module in modules for p in module.parameters()], lr=lr)
    groups: dict[str, list[Tensor]] = {"kernel": [], "transposed kernel": [], "adam": []}
    seen = set()
    for module in (part for whole in modules for part in whole.modules()):
        for parameter in module.parameters(recurse=False):
            if id(parameter) in seen:
                continue
            seen.add(id(parameter))
            kernel = "transposed kernel" if getattr(module, "transposed", False) else "kernel"
            groups[kernel if parameter.ndim == 4 else "adam"].append(parameter)
    return Muon([{"params": params, "method": method} for method, params in groups.items() if params], lr=lr)
