"""Bounded parameters, straight-through rounding and the GDN layer."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

GDN_FORMS = ("abs", "square_root")

_PEDESTAL = 2.0**-36


class _LowerBound(torch.autograd.Function):
    """``max(x, bound)`` whose gradient still flows where it would lift ``x`` back over the bound."""

    @staticmethod
    def forward(ctx, x: Tensor, bound: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.bound = bound
        return x.clamp_min(bound)

    @staticmethod
    def backward(ctx, grad: Tensor):
        (x,) = ctx.saved_tensors
        return grad * ((x >= ctx.bound) | (grad < 0)), None


def lower_bound(x: Tensor, bound: float) -> Tensor:
    """Clamp from below, keeping the gradients that point out of the clamped region."""
    return _LowerBound.apply(x, bound)


def round_straight_through(x: Tensor) -> Tensor:
    """Round half up (``floor(x + 0.5)``, as every integer of a manifest does); the gradient is the identity."""
    return x + (torch.floor(x + 0.5) - x).detach()


def non_negative_init(value: Tensor) -> Tensor:
    """Store a non-negative parameter: the inverse of `non_negative`."""
    return torch.sqrt(torch.clamp_min(value + _PEDESTAL, _PEDESTAL))


def non_negative(stored: Tensor, minimum: float = 0.0) -> Tensor:
    """Read a parameter stored as a square root: ``max(p, sqrt(minimum + 2**-36))**2 - 2**-36`` (Ballé et al. 2016)."""
    return lower_bound(stored, math.sqrt(minimum + _PEDESTAL)) ** 2 - _PEDESTAL


class _Normalisation(torch.autograd.Function):
    """``a x / n + b`` (or ``a x n + b``) with ``n`` = β + γ|x|, or the square root of β + γx², of (P, C) values.

    Written out because it is most of what a step costs beside the convolutions: what autograd would keep and copy at
    each of its operations is computed again or not at all.
    """

    @staticmethod
    def forward(ctx, x: Tensor, beta: Tensor, gamma: Tensor, a: Tensor, b: Tensor, root: bool, inverse: bool) -> Tensor:
        norm = torch.addmm(beta, x * x if root else x.abs(), gamma.t())
        norm = norm.sqrt_() if root else norm
        ctx.save_for_backward(x, norm, gamma, a)
        ctx.root, ctx.inverse = root, inverse
        return torch.addcmul(b, x * norm if inverse else x / norm, a)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):
        x, norm, gamma, a = ctx.saved_tensors
        scaled = grad * a
        if ctx.inverse:
            grad_a = (grad * (x * norm)).sum(0)
            grad_norm, grad_x = scaled * x, scaled.mul_(norm)
        else:
            z = x / norm
            grad_a = (grad * z).sum(0)
            grad_x = scaled.div_(norm)
            grad_norm = z.mul_(grad_x).neg_()
        if ctx.root:
            grad_norm = grad_norm.div_(2 * norm)
        size, slope = (x * x, 2 * x) if ctx.root else (x.abs(), x.sign())
        grad_x.addcmul_(slope, grad_norm @ gamma)
        return grad_x, grad_norm.sum(0), grad_norm.t() @ size, grad_a, grad.sum(0), None, None


class GDN(nn.Module):
    """Generalised divisive normalisation with a dense γ, in one of two forms, and the slimmable affine of DRAQ.

    ``"abs"``: ``z_i = x_i / (β_i + Σ_j γ_ij |x_j|)`` (DRAQ eq. 6), ``"square_root"``:
    ``z_i = x_i / sqrt(β_i + Σ_j γ_ij x_j²)`` (Ballé et al. 2016); the inverse multiplies.
    ``a_i z_i + b_i`` follows (DRAQ eq. 10).

    Parameters
    ----------
    channels : int
        Channels of input and output, at least 1.
    form : {"abs", "square_root"}
        What the denominator is made of.
    inverse : bool
        Multiply instead of divide.
    affine : bool
        Have the parameters ``a`` and ``b`` (initially 1 and 0).
    """

    beta_minimum = 1e-6

    def __init__(self, channels: int, *, form: str = "abs", inverse: bool = False, affine: bool = True) -> None:
        super().__init__()
        if form not in GDN_FORMS:
            raise ValueError(f"GDN form {form!r} is not one of {', '.join(GDN_FORMS)}")
        self.channels, self.form, self.inverse = channels, form, inverse
        self.beta = nn.Parameter(non_negative_init(torch.ones(channels)))
        self.gamma = nn.Parameter(non_negative_init(0.1 * torch.eye(channels)))
        if affine:
            self.a = nn.Parameter(torch.ones(channels))
            self.b = nn.Parameter(torch.zeros(channels))
        else:
            self.register_parameter("a", None)
            self.register_parameter("b", None)

    def effective(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Give β (C,), γ (C, C) as [out, in], a (C,) and b (C,) as the formula uses them."""
        beta = non_negative(self.beta, self.beta_minimum)
        gamma = non_negative(self.gamma)
        a = torch.ones_like(beta) if self.a is None else self.a
        b = torch.zeros_like(beta) if self.b is None else self.b
        return beta, gamma, a, b

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W)."""
        values = [v.to(x.dtype) for v in self.effective()]
        flat = x.permute(0, 2, 3, 1)
        with torch.autocast(x.device.type, enabled=False):
            z = _Normalisation.apply(flat.reshape(-1, self.channels), *values, self.form == "square_root", self.inverse)
        return z.reshape(flat.shape).permute(0, 3, 1, 2)
