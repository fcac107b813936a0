"""Random crops from a folder of photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from licgate.errors import TrainingError

SUFFIXES = (".png", ".jpg", ".jpeg")


def list_images(folder: str | Path, split: str | None = "train") -> list[Path]:
    """List PNG and JPEG files of ``folder/split`` where that exists, else of ``folder``, sorted by name.

    Raises
    ------
    TrainingError
        When the folder is missing or holds no image.
    """
    folder = Path(folder)
    if split and (folder / split).is_dir():
        folder = folder / split
    if not folder.is_dir():
        raise TrainingError(f"image folder {folder} does not exist: name a folder of PNG or JPEG files")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
    if not files:
        raise TrainingError(f"image folder {folder} holds no PNG or JPEG file")
    return files


def read_rgb(path: Path) -> np.ndarray:
    """Read an image as uint8 (H, W, 3)."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


class ImageFolder:
    """Images of a folder, decoded once and kept as uint8 while they fit into a memory budget.

    Parameters
    ----------
    folder : path
        Has the images itself, or in a subfolder ``train``.
    crop : int
        Side of the square crops in pixels; smaller images are left out.
    cache_bytes : int
        Images beyond this many bytes of pixels are decoded anew each time.

    Attributes
    ----------
    skipped : int
        Files that could not be read or are smaller than a crop.
    """

    def __init__(self, folder: str | Path, *, crop: int = 128, cache_bytes: int = 4 << 30) -> None:
        if crop < 1:
            raise TrainingError(f"crop size {crop} is not a positive number of pixels")
        self.crop, self.skipped, self._items = crop, 0, []
        files = list_images(folder)
        used = 0
        for path in files:
            try:
                pixels = read_rgb(path)
            except (OSError, ValueError, SyntaxError):
                self.skipped += 1
                continue
            if min(pixels.shape[:2]) < crop:
                self.skipped += 1
                continue
            keep = used + pixels.nbytes <= cache_bytes
            used += pixels.nbytes if keep else 0
            self._items.append(pixels if keep else path)
        if not self._items:
            raise TrainingError(
                f"none of the {len(files)} images in {folder} is readable and at least {crop} pixels wide and high"
            )

    def __len__(self) -> int:
        return len(self._items)

    def _one(self, rng: np.random.Generator) -> np.ndarray:
        item = self._items[rng.integers(len(self._items))]
        pixels = read_rgb(item) if isinstance(item, Path) else item
        top = rng.integers(pixels.shape[0] - self.crop + 1)
        left = rng.integers(pixels.shape[1] - self.crop + 1)
        patch = pixels[top : top + self.crop, left : left + self.crop]
        return patch[:, ::-1] if rng.integers(2) else patch

    def batch(self, size: int, rng: np.random.Generator) -> torch.Tensor:
        """Draw ``size`` crops, half of them mirrored, as float32 (size, 3, crop, crop) in 0..1, channels-last."""
        stack = np.stack([self._one(rng) for _ in range(size)])
        return torch.from_numpy(stack).permute(0, 3, 1, 2).float().div_(255.0)
