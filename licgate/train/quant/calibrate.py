"""What values a float network takes on photographs, and the ranges to quantise them in."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from licgate.errors import TrainingError
from licgate.manifest.architectures import architecture_of
from licgate.train.data import ImageFolder
from licgate.train.drawn import draw_corners
from licgate.train.network.entropy import SCALE_MIN, SCALE_STEP
from licgate.train.network.flow import code
from licgate.train.network.layers import lower_bound
from licgate.train.quant.floatnet import FloatConv, FloatGdn

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


def calibration_crops(data: str, *, count: int, seed: int = 1, corners: bool = False) -> Tensor:
    """Draw crops of 256² (or, where no image is so large, of the largest multiple of 64 that fits).

    Parameters
    ----------
    data : path
        Folder of photographs.
    count, seed : int
    corners : bool
        Put the eight corners of the RGB cube behind them.

    Returns
    -------
    Tensor
        float32 (count, 3, side, side) in 0..1, eight more with ``corners``.
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
        crops = folder.batch(count, np.random.default_rng((seed, count)))
        if corners:
            plain = torch.from_numpy(draw_corners(side)).permute(0, 3, 1, 2).float().div_(255.0)
            crops = torch.cat([crops, plain]).contiguous(memory_format=torch.channels_last)
        return crops
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
    return F.relu(y) if layer.relu else F.leaky_relu(y, layer.leak) if layer.leak else y


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


def real_output(part: str, x: Tensor, architecture: str, *, linear: bool = False) -> Tensor:
    """Turn what a transform in quantisable form gives (levels or σ, 8-bit pixels) into log σ and pixels of 0..1."""
    kind = architecture_of(architecture)
    if part == "g_s":
        return x / 255.0
    if part != kind.source:
        return x
    level, *mean = x.chunk(2, dim=1) if kind.means else (x,)
    log_sigma = torch.log(lower_bound(level, SCALE_MIN)) if linear else level * SCALE_STEP + math.log(SCALE_MIN)
    return torch.cat([log_sigma, *mean], dim=1)


def run_float(
    net: Mapping[str, list], x: Tensor, architecture: str, visit: Callable | None = None
) -> dict[str, Tensor]:
    """Send pictures through the float layers of a whole codec.

    Parameters
    ----------
    net : dict of str to list
        From `floatnet.float_layers`.
    x : Tensor
        (B, 3, H, W) in 0..1.
    architecture : str
    visit : callable, optional
        ``visit(layer, input, output)`` sees every layer; what it returns, if anything, goes on in place of the output.

    Returns
    -------
    dict of str to Tensor
        As `flow.code`.
    """

    def run(part: str, x: Tensor) -> Tensor:
        for layer in net[part]:
            out = apply_layer(layer, x)
            changed = visit(layer, x, out) if visit else None
            x = out if changed is None else changed
        return real_output(part, x, architecture, linear=getattr(net[part][-1], "linear", False))

    return code(run, x, architecture, sequential=False)


@torch.no_grad()
def collect_stats(net: Mapping[str, list], crops: Tensor, architecture: str, *, chunk: int = 4) -> dict[str, Stats]:
    """Run the float network on crops and describe the output of every layer, by layer name."""
    seen: dict[str, _Accumulated] = {}

    def visit(layer, _, out: Tensor) -> None:
        seen.setdefault(layer.name, _Accumulated()).add(out)

    for batch in crops.split(chunk):
        run_float(net, batch, architecture, visit)
    return {name: a.stats() for name, a in seen.items()}
