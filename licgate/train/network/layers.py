"""Bounded parameters, straight-through rounding and the GDN layer."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
        beta, gamma, a, b = self.effective()
        norm = x.abs() if self.form == "abs" else x * x
        norm = F.conv2d(norm, gamma[:, :, None, None], beta)
        if self.form == "square_root":
            norm = torch.sqrt(norm)
        z = x * norm if self.inverse else x / norm
        if self.a is None:
            return z
        return z * a[:, None, None].to(z.dtype) + b[:, None, None].to(z.dtype)
