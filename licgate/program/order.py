"""The order in which feature maps go into the accelerator and come out of it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from licgate.manifest.checks import AnyIntegers

__all__ = ["from_stream", "stream_order"]


def stream_order(latents: AnyIntegers, skip: int, rows: int) -> AnyIntegers:
    """Values (C, H, W) in the order of the stream: row, group of ``rows`` columns, channel, column.

    Parameters
    ----------
    latents : ndarray, shape (C, H, W)
    skip : int
        Columns that were dropped in front of these; groups count from there.
    rows : int
        Array rows.
    """
    width = latents.shape[2]
    parts = np.split(latents, _cuts(skip, width, rows), axis=2)
    return np.concatenate([part[:, y].ravel() for y in range(latents.shape[1]) for part in parts])


def from_stream(values: AnyIntegers, shape: tuple[int, int, int], skip: int, rows: int) -> AnyIntegers:
    """The inverse of `stream_order`: an array of ``shape`` (C, H, W)."""
    channels, height, width = shape
    edges = [0, *_cuts(skip, width, rows), width]
    by_row = np.asarray(values).reshape(height, channels * width)
    out = np.empty(shape, dtype=by_row.dtype)
    for start, stop in pairwise(edges):
        part = by_row[:, channels * start : channels * stop].reshape(height, channels, stop - start)
        out[:, :, start:stop] = part.transpose(1, 0, 2)
    return out


def _cuts(skip: int, width: int, rows: int) -> list[int]:
    return [c - skip for c in range(0, skip + width, rows) if c > skip]
