"""Integer entropy tables, made once from the float entropy models."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from licgate.manifest import CdfTables, IntType
from licgate.train.entropy import EntropyBottleneck, scale_table

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


def gaussian_tables(reach: int) -> CdfTables:
    """Make the 64 tables of latents for symbols ``-reach`` ... ``reach``."""
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
    return CdfTables(precision=PRECISION, offset=offset, cdf=tuple(cdf), scales=tuple(float(s) for s in scales))


@torch.no_grad()
def factorized_tables(prior: EntropyBottleneck, kind: IntType) -> CdfTables:
    """Make one table a channel for hyper latents of the integer type ``kind``."""
    low, high = -kind.max, kind.max
    values = torch.arange(low, high + 1, dtype=torch.float32).expand(prior.channels, 1, -1)
    p = prior.interval(values)[:, 0].double().numpy()
    offset = np.full(prior.channels, low, dtype=np.int64)
    return CdfTables(precision=PRECISION, offset=offset, cdf=tuple(integer_cdf(row) for row in p))
