"""A photograph for demo and tests: one that ships in scikit-image, or a synthetic one where that is not installed."""

from __future__ import annotations

import numpy as np

__all__ = ["photograph"]


def photograph() -> np.ndarray:
    """RGB picture, uint8, (height, width, 3): scikit-image's astronaut (512 x 512), else `synthetic`."""
    try:
        from skimage import data
    except ImportError:
        return synthetic(512, 512)
    return np.ascontiguousarray(data.astronaut())


def synthetic(height: int, width: int) -> np.ndarray:
    """Picture with what photographs have: slow shading, sharp edges, texture and noise; the same every time."""
    rng = np.random.default_rng(2018)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    shading = np.stack([0.6 * x + 0.3 * y, 0.5 * y + 0.25, 0.7 - 0.4 * x * y], axis=-1)
    disc = ((x - 0.55) ** 2 + (y - 0.4) ** 2 < 0.05)[..., None] * np.array([0.35, -0.2, -0.3])
    texture = 0.08 * np.sin(90 * x + 14 * np.sin(9 * y))[..., None]
    noise = rng.normal(0, 0.015, (height, width, 3))
    return np.clip(255 * (shading + disc + texture + noise), 0, 255).round().astype(np.uint8)
