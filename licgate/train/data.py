"""Random crops: from a folder of photographs, some at half their scale, and a few that are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from licgate.errors import ImageError, TrainingError
from licgate.images import SUFFIXES, load_image
from licgate.train.drawn import draw_crop


def list_images(folder: str | Path, split: str | None = "train") -> list[Path]:
    """List the pictures of ``folder/split`` where that exists, else of ``folder``, sorted by name.

    Raises
    ------
    TrainingError
        When the folder is missing or holds no image.
    """
    folder = Path(folder)
    if split and (folder / split).is_dir():
        folder = folder / split
    if not folder.is_dir():
        raise TrainingError(f"image folder {folder} does not exist: name a folder of pictures")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
    if not files:
        raise TrainingError(f"image folder {folder} holds no picture (PNG, JPEG, WebP, TIFF, ...)")
    return files


def read_rgb(path: Path) -> np.ndarray:
    """Read an image as uint8 (H, W, 3), as ``encode`` reads it.

    Raises
    ------
    ImageError
        When it is damaged, or no picture.
    """
    return load_image(path)[0]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a crop lies: in which image, at which row and column, and whether it is mirrored.

    ``scale`` 2 takes twice the side and averages 2 x 2 pixels to one.
    """

    index: int
    top: int
    left: int
    scale: int
    mirror: bool


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
    drawn : float
        Part of the crops that `licgate.train.drawn` draws instead.
    reduced : float
        Part of the crops from images of at least twice their side that show four times the area at half the scale.

    Attributes
    ----------
    unreadable, small : int
        Files left out because they could not be read or are smaller than a crop.

    Raises
    ------
    TrainingError
        When the folder is missing, empty, or has no image that can be used.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        crop: int = 128,
        cache_bytes: int = 4 << 30,
        drawn: float = 0.0,
        reduced: float = 0.0,
    ) -> None:
        if crop < 1:
            raise TrainingError(f"crop size {crop} is not a positive number of pixels")
        self.crop, self.drawn, self.reduced = crop, drawn, reduced
        self.unreadable, self.small = 0, 0
        self._items: list[np.ndarray | Path] = []
        self._sizes: list[tuple[int, int]] = []
        files = list_images(folder)
        used = 0
        for path in files:
            try:
                pixels = read_rgb(path)
            except ImageError:
                self.unreadable += 1
                continue
            if min(pixels.shape[:2]) < crop:
                self.small += 1
                continue
            keep = used + pixels.nbytes <= cache_bytes
            used += pixels.nbytes if keep else 0
            self._items.append(pixels if keep else path)
            self._sizes.append(pixels.shape[:2])
        if not self._items:
            raise TrainingError(
                f"none of the {len(files)} images in {folder} is readable and at least {crop} pixels wide and high"
            )

    def __len__(self) -> int:
        return len(self._items)

    @property
    def skipped(self) -> int:
        """Files left out."""
        return self.unreadable + self.small

    def describe(self) -> str:
        """Say how many images there are and how many were left out."""
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        parts = [f"{self.unreadable} unreadable"] if self.unreadable else []
        parts += [f"{self.small} smaller than {self.crop} pixels"] if self.small else []
        return f"{len(self)} images{skipped}" + (f" ({', '.join(parts)})" if parts else "")

    def _choose(self, rng: np.random.Generator) -> Place | int:
        """Place of a crop in a photograph, or the seed of a drawing."""
        # Nothing is drawn from the generator for an option that is off: older runs then repeat.
        if self.drawn and rng.random() < self.drawn:
            return int(rng.integers(1 << 32))
        index = int(rng.integers(len(self._items)))
        height, width = self._sizes[index]
        large = self.reduced and min(height, width) >= 2 * self.crop
        scale = 2 if large and rng.random() < self.reduced else 1
        side = scale * self.crop
        top, left = (int(rng.integers(length - side + 1)) for length in (height, width))
        return Place(index=index, top=top, left=left, scale=scale, mirror=bool(rng.integers(2)))

    def _make(self, chosen: Place | int) -> np.ndarray:
        if isinstance(chosen, int):
            return draw_crop(np.random.default_rng(chosen), self.crop)
        item = self._items[chosen.index]
        try:
            pixels = read_rgb(item) if isinstance(item, Path) else item
        except ImageError:
            raise TrainingError(f"image {item} was readable at the start and is no longer") from None
        side = chosen.scale * self.crop
        patch = pixels[chosen.top : chosen.top + side, chosen.left : chosen.left + side]
        if chosen.scale == 2:
            rows = patch[::2].astype(np.uint16) + patch[1::2]
            patch = ((rows[:, ::2] + rows[:, 1::2] + 2) >> 2).astype(np.uint8)
        return patch[:, ::-1] if chosen.mirror else patch

    def batch(
        self, size: int, rng: np.random.Generator, *, skip: int = 0, device: torch.device | str = "cpu"
    ) -> torch.Tensor:
        """Draw ``size`` crops, half of them mirrored.

        Parameters
        ----------
        size : int
        rng : numpy.random.Generator
        skip : int
            Crops to pass over first: those of other devices, which draw from the same sequence.
        device : torch.device

        Returns
        -------
        Tensor
            float32 (size, 3, crop, crop) in 0..1, channels-last.
        """
        chosen = [self._choose(rng) for _ in range(skip + size)][skip:]
        stack = torch.from_numpy(np.stack([self._make(place) for place in chosen])).to(device)
        return stack.permute(0, 3, 1, 2).float().div_(255.0)
