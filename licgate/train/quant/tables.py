"""Integer entropy tables, made once from the float entropy models."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from licgate.manifest import CdfTables, IntType, Transform
from licgate.train.network.entropy import SCALE_STEP, EntropyBottleneck, scale_table

PRECISION = 20
"""Every symbol a transform can emit gets a share of at least 2**-20 in every table, so no escape code is needed."""


def integer_cdf(probability: NDArray[np.float64], precision: int = PRECISION) -> NDArray[np.int64]:
    """Turn probabilities (n,) into a strictly increasing cumulative (n + 1,) that ends at ``1 << precision``."""
    total = (1 << precision) - len(probability)
    share = probability / probability.sum() * total
    frequency = np.floor(share).astype(np.int64)
    # What the floors left over goes to the largest remainders; ties go to the first.
    order = np.argsort(frequency - share, kind="stable")
    frequency[order[: total - int(frequency.sum())]] += 1
    return np.concatenate([[0], np.cumsum(frequency + 1)])


def sigma_thresholds(step: float) -> NDArray[np.int64]:
    """Least integer σ, in steps of ``step``, that each table but the first codes: levels are nearest in log σ."""
    borders = scale_table().numpy()[:-1] * np.exp(SCALE_STEP / 2)
    return np.minimum(np.ceil(borders / step), 1 << 16).astype(np.int64)


def symbol_reach(transforms: Mapping[str, Transform]) -> int:
    """Largest magnitude of a symbol that the clips of latents and means let through, after rounding."""
    analysis, source = transforms["g_a"], transforms.get("parameters", transforms["h_s"])
    half = round(1 / analysis.output_scale)
    low, high = analysis.layers[-1].requantize.clip
    if source.out_channels > analysis.out_channels:
        mean_low, mean_high = source.layers[-1].requantize.clip
        low, high = low - mean_high, high - mean_low
    fraction = half.bit_length() - 1
    half >>= 1
    return max((high + half) >> fraction, -((low + half) >> fraction))


def gaussian_tables(reach: int, sigma_step: float | None = None) -> CdfTables:
    """Make the 64 tables of latents for symbols ``-reach`` ... ``reach``.

    ``sigma_step`` is the real value of one step of σ, where a network gives that instead of levels.
    """
    edges = torch.arange(-reach, reach + 2, dtype=torch.float64) - 0.5
    cdf, scales = [], scale_table()
    for scale in scales:
        x = edges / scale
        # The left half has the precise tail; the right half is its mirror image.
        lower = torch.special.ndtr(torch.minimum(x, -x))
        p = torch.where(x[1:] <= 0, lower[1:] - lower[:-1], lower[:-1] - lower[1:])
        middle = (x[:-1] < 0) & (x[1:] > 0)
        p[middle] = 1 - lower[:-1][middle] - lower[1:][middle]
        cdf.append(integer_cdf(np.maximum(p.numpy(), 0.0)))
    offset = np.full(len(cdf), -reach, dtype=np.int64)
    return CdfTables(
        precision=PRECISION,
        offset=offset,
        cdf=tuple(cdf),
        scales=tuple(float(s) for s in scales),
        thresholds=None if sigma_step is None else sigma_thresholds(sigma_step),
    )


@torch.no_grad()
def factorized_tables(prior: EntropyBottleneck, kind: IntType) -> CdfTables:
    """Make one table a channel for hyper latents of the integer type ``kind``."""
    low, high = -kind.max, kind.max
    values = torch.arange(low, high + 1, dtype=torch.float32).expand(prior.channels, 1, -1)
    p = prior.interval(values)[:, 0].double().numpy()
    offset = np.full(prior.channels, low, dtype=np.int64)
    return CdfTables(precision=PRECISION, offset=offset, cdf=tuple(integer_cdf(row) for row in p))
