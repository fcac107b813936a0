"""Context of latents already coded: masked convolutions, and which positions a checkerboard codes first."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from licgate.manifest.latents import masked_taps

KERNEL = 5


def tap_mask(order: str, kernel: int = KERNEL) -> Tensor:
    """Give the taps (kernel, kernel) that may be read: 1 or 0.

    Parameters
    ----------
    order : {"raster", "checkerboard"}
        Raster: the taps before the centre, row by row (mask "A" of van den Oord et al. 2016). Checkerboard: those at an
        odd distance from the centre, which are anchors where the centre is none (He et al. 2021).
    """
    return torch.from_numpy(~masked_taps(order, kernel)).float()


def anchors(like: Tensor) -> Tensor:
    """Give 1 at the positions of ``like`` (..., H, W) that a checkerboard codes first, row + column even, else 0."""
    height, width = like.shape[-2:]
    rows = torch.arange(height, device=like.device)[:, None]
    return ((rows + torch.arange(width, device=like.device)) % 2 == 0).to(like.dtype)


class MaskedConv2d(nn.Conv2d):
    """A convolution whose masked taps count as zero, whatever their weights hold."""

    def __init__(self, inputs: int, outputs: int, order: str, kernel: int = KERNEL) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        self.register_buffer("mask", tap_mask(order, kernel), persistent=False)

    @property
    def effective(self) -> Tensor:
        """Weight (O, I, K, K) with zeros at the masked taps."""
        return self.weight * self.mask

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (B, I, H, W) at stride 1."""
        return F.conv2d(x, self.effective, self.bias, padding=self.padding)
