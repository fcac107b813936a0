"""Pictures for demos and tests."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from licgate.images.load import Pixels

__all__ = ["demo_image", "synthetic_image"]


def demo_image() -> Pixels:
    """Return a photograph for demos and tests, uint8 of shape (H, W, 3).

    scikit-image's packaged cat (300 x 451), or a made-up picture of that size where the package is absent.
    """
    try:
        import skimage.data

        return np.ascontiguousarray(skimage.data.chelsea()[:, :, :3]).astype(np.uint8)
    except (ImportError, OSError, AttributeError):
        return synthetic_image(300, 451)


def synthetic_image(height: int, width: int, seed: int = 0) -> Pixels:
    """Return a made-up picture with edges, gradients and grain, uint8 of shape (height, width, 3)."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    picture: npt.NDArray[np.float64] = np.stack([x, y, 1 - (x + y) / 2], axis=2)
    for _ in range(24):
        centre, radius, colour = random.random(2), random.uniform(0.02, 0.2), random.random(3)
        inside = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2
        picture[inside] = 0.5 * picture[inside] + 0.5 * colour
    picture += random.normal(0, 0.02, picture.shape)
    return np.floor(np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
