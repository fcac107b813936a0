"""Distortion of 8-bit images: PSNR and MS-SSIM."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

MS_SSIM_SIDE = 161
"""Smallest side in pixels that MS-SSIM is defined for: 11 taps at the fourth halving."""


def mse(image: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> float:
    """Mean squared error of 8-bit images, from an exact integer sum."""
    error = image.astype(np.int32) - decoded
    return int(np.sum(error * error, dtype=np.int64)) / error.size


def psnr(image: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio in dB of 8-bit images; infinite when they are equal."""
    error = mse(image, decoded)
    return 10 * math.log10(255.0**2 / error) if error else math.inf


def ms_ssim(image: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> float | None:
    """Multi-scale structural similarity (Wang et al. 2003) of 8-bit images (H, W, 3), mean over the channels.

    None where a side is below `MS_SSIM_SIDE` pixels: there is no fifth scale.
    """
    if min(image.shape[:2]) < MS_SSIM_SIDE:
        return None
    import torch
    from pytorch_msssim import ms_ssim as measure

    # copies: torch warns of arrays that cannot be written, and crops are not contiguous
    pair = [torch.from_numpy(np.array(a)).permute(2, 0, 1)[None].float() for a in (image, decoded)]
    with torch.no_grad():
        return float(measure(*pair, data_range=255))


def ms_ssim_db(value: float) -> float:
    """Express an MS-SSIM in dB, ``-10 log10(1 - value)``; infinite for 1."""
    return -10 * math.log10(1 - value) if value < 1 else math.inf
