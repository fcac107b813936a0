"""Rate and distortion of a float model and of its integer manifest on a folder of images."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from licgate.errors import TrainingError
from licgate.manifest import CdfTables, Manifest
from licgate.manifest.numeric import rsr
from licgate.reference import image_to_input, run_transform
from licgate.train.data import list_images, read_rgb
from licgate.train.models import ScaleHyperprior, bits

UNIT = 64


def pad_image(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat the last row and column until both sides (H, W, 3) are multiples of 64."""
    height, width = image.shape[:2]
    return np.pad(image, ((0, -height % UNIT), (0, -width % UNIT), (0, 0)), mode="edge")


def psnr(image: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio in dB of 8-bit images; infinite when they are equal."""
    mse = np.mean((image.astype(np.float64) - decoded.astype(np.float64)) ** 2)
    return 10 * math.log10(255.0**2 / mse) if mse else math.inf


def table_bits(tables: CdfTables, index: NDArray[np.int64], symbols: NDArray[np.int64]) -> float:
    """Ideal code length of symbols under integer tables.

    Parameters
    ----------
    tables : CdfTables
    index : ndarray of int
        Which table codes each symbol.
    symbols : ndarray of int, same shape

    Raises
    ------
    TrainingError
        When a symbol lies outside its table.
    """
    total = 0.0
    for table in np.unique(index):
        cdf, own = tables.cdf[table], symbols[index == table] - tables.offset[table]
        if own.min() < 0 or own.max() >= len(cdf) - 1:
            raise TrainingError(
                f"a symbol lies outside entropy table {table}: quantise the model again with more calibration images"
            )
        total += float((tables.precision - np.log2(np.diff(cdf)[own])).sum())
    return total


@torch.no_grad()
def code_float(model: ScaleHyperprior, image: NDArray[np.uint8]) -> tuple[float, NDArray[np.uint8]]:
    """Code one padded image with a float model; gives bits and the 8-bit reconstruction."""
    x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
    out = model(x.to(memory_format=torch.channels_last))
    rate = float(bits(out["y_likelihood"].double()) + bits(out["z_likelihood"].double()))
    decoded = torch.floor(out["x_hat"][0].permute(1, 2, 0) * 255 + 0.5).clamp(0, 255)
    return rate, decoded.numpy().astype(np.uint8)


def code_integer(manifest: Manifest, image: NDArray[np.uint8]) -> tuple[float, NDArray[np.uint8]]:
    """Code one padded image with the integer network and its tables; gives bits and the 8-bit reconstruction."""
    for part in ("h_a", "h_s", "g_s"):
        if part not in manifest.transforms:
            raise TrainingError(f"model {manifest.name} has no {part}: it cannot be evaluated as a codec")
    if manifest.entropy is None:
        raise TrainingError(f"model {manifest.name} has no entropy tables: it cannot be evaluated as a codec")
    y = run_transform(manifest.g_a, image_to_input(image))
    z = run_transform(manifest.h_a, y)
    level = run_transform(manifest.h_s, z)
    symbols = rsr(y, manifest.latent_fraction_bits)
    channel = np.broadcast_to(np.arange(len(z))[:, None, None], z.shape)
    rate = table_bits(manifest.entropy["gaussian"], level, symbols) + table_bits(
        manifest.entropy["factorized"], channel, z
    )
    return rate, run_transform(manifest.g_s, symbols).transpose(1, 2, 0).astype(np.uint8)


def evaluate_folder(
    coder: Callable[[NDArray[np.uint8]], tuple[float, NDArray[np.uint8]]],
    folder: str | Path,
    *,
    limit: int | None = None,
    report: Callable[[str], None] | None = None,
) -> dict:
    """Code every image of a folder.

    Parameters
    ----------
    coder : callable
        Takes a padded uint8 image (H, W, 3), gives bits and the decoded image.
    folder : path
    limit : int, optional
        Only the first so many images.
    report : callable, optional
        Takes a line for each image.

    Returns
    -------
    dict
        ``bpp``, ``psnr`` and ``mse`` of 8-bit pixels (means), and ``images``: the same of each with its name.
    """
    images = []
    for path in list_images(folder, None)[:limit]:
        try:
            image = read_rgb(path)
        except (OSError, ValueError, SyntaxError):
            raise TrainingError(f"image {path} is not readable") from None
        rate, decoded = coder(pad_image(image))
        height, width = image.shape[:2]
        own = decoded[:height, :width]
        mse = float(np.mean((image.astype(np.float64) - own) ** 2))
        entry = {"name": path.name, "bpp": rate / (height * width), "psnr": psnr(image, own), "mse": mse}
        images.append(entry)
        if report:
            report(f"{entry['name']}: {entry['bpp']:.4f} bpp, {entry['psnr']:.3f} dB")
    mean = {key: float(np.mean([entry[key] for entry in images])) for key in ("bpp", "psnr", "mse")}
    return {**mean, "images": images}


def compare(reference: Mapping, other: Mapping, rate_lambda: float) -> dict[str, float]:
    """Put ``other`` beside ``reference``: differences of rate in per cent and of PSNR in dB.

    ``loss_percent`` turns the distortion into rate at the slope λ the model was trained for:
    (ΔR + λ·ΔMSE) / R with the MSE of 8-bit pixels.
    """
    rate = other["bpp"] - reference["bpp"]
    return {
        "rate_percent": 100 * rate / reference["bpp"],
        "psnr_db": other["psnr"] - reference["psnr"],
        "loss_percent": 100 * (rate + rate_lambda * (other["mse"] - reference["mse"])) / reference["bpp"],
    }


def measure(
    folder: str | Path,
    *,
    model: ScaleHyperprior | None = None,
    manifest: Manifest | None = None,
    limit: int | None = None,
    details: bool = False,
    rate_lambda: float = 0.013,
) -> dict:
    """Measure a float model, an integer one, or both and their difference.

    Returns
    -------
    dict
        ``images`` (their number), and ``float``, ``integer`` and ``difference`` where they apply; rates are ideal code
        lengths in bits per pixel. Plain numbers, fit for a manifest; ``details`` adds the single images.
    """
    coders = {}
    if model is not None:
        coders["float"] = lambda image: code_float(model.eval(), image)
    if manifest is not None:
        coders["integer"] = lambda image: code_integer(manifest, image)
    if limit is not None and limit < 1:
        raise TrainingError(f"limit {limit} leaves no image to evaluate")
    results = {key: evaluate_folder(coder, folder, limit=limit) for key, coder in coders.items()}
    measured: dict = {"images": len(next(iter(results.values()))["images"])} if results else {}
    for key, result in results.items():
        measured[key] = {"bpp": round(result["bpp"], 5), "psnr": round(result["psnr"], 4)}
        if details:
            measured[key]["images"] = result["images"]
    if len(results) == 2:
        difference = compare(results["float"], results["integer"], rate_lambda)
        measured["difference"] = {key: round(value, 4) for key, value in difference.items()}
    return measured
