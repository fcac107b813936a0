"""The two entropy models of the scale hyperprior (Ballé et al. 2018), written for float training.

At run time neither exists: the exporter turns both into integer tables.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from licgate.train.network.layers import lower_bound

SCALE_MIN = 0.11
SCALE_MAX = 256.0
SCALE_LEVELS = 64
SCALE_STEP = math.log(SCALE_MAX / SCALE_MIN) / (SCALE_LEVELS - 1)
"""Distance of two neighbouring levels in log σ: level i stands for σ = 0.11 · exp(i · step), 64 levels up to 256."""

LIKELIHOOD_MIN = 1e-9


def scale_table() -> Tensor:
    """Give the 64 standard deviations, uniform in log σ, as float64."""
    return SCALE_MIN * torch.exp(SCALE_STEP * torch.arange(SCALE_LEVELS, dtype=torch.float64))


def gaussian_likelihood(y: Tensor, scale: Tensor) -> Tensor:
    """Probability of the unit interval about ``y`` under a zero-mean Gaussian of standard deviation ``scale``."""
    v = y.abs()
    inverse = 1.0 / (scale * math.sqrt(2.0))
    p = 0.5 * (torch.erfc((v - 0.5) * inverse) - torch.erfc((v + 0.5) * inverse))
    return lower_bound(p, LIKELIHOOD_MIN)


class EntropyBottleneck(nn.Module):
    """Fully factorised prior of Ballé et al. 2018 (appendix 6.1): one monotone cumulative per channel.

    Parameters
    ----------
    channels : int
        Channels of the hyper latent.
    filters : tuple of int
        Widths of the hidden layers.
    init_scale : float
        Half the width of the initial distribution.
    """

    def __init__(self, channels: int, *, filters: tuple[int, ...] = (3, 3, 3, 3), init_scale: float = 10.0) -> None:
        super().__init__()
        self.channels, self.filters = channels, tuple(filters)
        widths = (1, *self.filters, 1)
        scale = init_scale ** (1 / (len(self.filters) + 1))
        self.matrices, self.biases, self.factors = nn.ParameterList(), nn.ParameterList(), nn.ParameterList()
        for i in range(len(self.filters) + 1):
            init = math.log(math.expm1(1 / scale / widths[i + 1]))
            self.matrices.append(nn.Parameter(torch.full((channels, widths[i + 1], widths[i]), init)))
            self.biases.append(nn.Parameter(torch.empty(channels, widths[i + 1], 1).uniform_(-0.5, 0.5)))
            if i < len(self.filters):
                self.factors.append(nn.Parameter(torch.zeros(channels, widths[i + 1], 1)))

    def logits(self, x: Tensor) -> Tensor:
        """Logit of the cumulative at ``x`` (C, 1, n)."""
        for i, (matrix, bias) in enumerate(zip(self.matrices, self.biases, strict=True)):
            x = torch.matmul(F.softplus(matrix), x) + bias
            if i < len(self.factors):
                x = x + torch.tanh(self.factors[i]) * torch.tanh(x)
        return x

    def interval(self, x: Tensor) -> Tensor:
        """Probability of the unit interval about each value of ``x`` (C, 1, n)."""
        low, high = self.logits(x - 0.5), self.logits(x + 0.5)
        # Both sigmoids are taken in the tail where they are small, or their difference would cancel.
        sign = -torch.sign(low + high).detach()
        return torch.abs(torch.sigmoid(sign * high) - torch.sigmoid(sign * low))

    def forward(self, z: Tensor) -> Tensor:
        """Likelihood of each value of ``z`` (B, C, H, W)."""
        flat = z.permute(1, 0, 2, 3).reshape(self.channels, 1, -1)
        p = self.interval(flat)
        batch, _, height, width = z.shape
        return lower_bound(p.reshape(self.channels, batch, height, width).permute(1, 0, 2, 3), LIKELIHOOD_MIN)
