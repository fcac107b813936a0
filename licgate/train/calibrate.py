"""What values a float network takes on photographs, and the ranges to quantise them in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from licgate.errors import TrainingError
from licgate.train.data import ImageFolder
from licgate.train.floatnet import FloatConv, FloatGdn

CALIBRATION_CROP = 256


@dataclass(frozen=True, kw_only=True)
class Stats:
    """Extremes, mean and standard deviation of one tensor."""

    low: float
    high: float
    mean: float
    std: float

    def interval(self, k: float | None) -> tuple[float, float]:
        """Give DRAQ's clip μ ± kσ (eqs. 3 and 8) cut to the values seen, or everything seen when ``k`` is None."""
        if k is None:
            return self.low, self.high
        return max(self.low, self.mean - k * self.std), min(self.high, self.mean + k * self.std)


def draq_k(rate_lambda: float) -> float:
    """DRAQ eq. 4: k = 625 λ + 2."""
    return 625.0 * rate_lambda + 2.0


def calibration_crops(data: str, *, count: int, seed: int = 1) -> Tensor:
    """Draw crops of 256² (or, where no image is so large, of the largest multiple of 64 that fits).

    Returns
    -------
    Tensor
        float32 (count, 3, side, side) in 0..1.
    """
    if count < 1:
        raise TrainingError(f"calibration needs at least 1 crop, not {count}")
    for side in (CALIBRATION_CROP, 128, 64):
        try:
            folder = ImageFolder(data, crop=side)
        except TrainingError:
            if side == 64:
                raise
            continue
        return folder.batch(count, np.random.default_rng((seed, count)))
    raise AssertionError


def tensor(array: np.ndarray) -> Tensor:
    """Turn a float array into a float32 tensor."""
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def apply_layer(layer: FloatConv | FloatGdn, x: Tensor) -> Tensor:
    """Run one float layer (B, C, H, W)."""
    if isinstance(layer, FloatGdn):
        norm = x * x if layer.root else x.abs()
        norm = F.conv2d(norm, tensor(layer.gamma)[:, :, None, None], tensor(layer.beta))
        norm = torch.sqrt(norm) if layer.root else norm
        z = x * norm if layer.inverse else x / norm
        return z * tensor(layer.a)[:, None, None] + tensor(layer.b)[:, None, None]
    weight, bias = tensor(layer.weight), tensor(layer.bias)
    if layer.transposed:
        y = F.conv_transpose2d(x, weight, bias, layer.stride, layer.padding, layer.output_padding)
    else:
        y = F.conv2d(x, weight, bias, layer.stride, layer.padding)
    return F.relu(y) if layer.relu else y


class _Accumulated:
    def __init__(self) -> None:
        self.low, self.high, self.n, self.sum, self.square = np.inf, -np.inf, 0, 0.0, 0.0

    def add(self, x: Tensor) -> None:
        self.low, self.high = min(self.low, float(x.min())), max(self.high, float(x.max()))
        self.n += x.numel()
        self.sum += float(x.double().sum())
        self.square += float((x.double() ** 2).sum())

    def stats(self) -> Stats:
        mean = self.sum / self.n
        return Stats(low=self.low, high=self.high, mean=mean, std=max(self.square / self.n - mean**2, 0.0) ** 0.5)


@torch.no_grad()
def collect_stats(net: dict[str, list], crops: Tensor, *, chunk: int = 4) -> dict[str, Stats]:
    """Run the float network on crops and describe the output of every layer, by layer name."""
    seen: dict[str, _Accumulated] = {}

    def run(part: str, x: Tensor) -> Tensor:
        for layer in net[part]:
            x = apply_layer(layer, x)
            seen.setdefault(layer.name, _Accumulated()).add(x)
        return x

    for batch in crops.split(chunk):
        y = run("g_a", batch)
        z = run("h_a", y.abs())
        run("h_s", torch.floor(z + 0.5))
        run("g_s", torch.floor(y + 0.5))
    return {name: a.stats() for name, a in seen.items()}
