"""Rate and distortion of float models and of integer manifests on a folder of images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from licgate.codec import Codec, Trace
from licgate.codec.codec import pad_image
from licgate.errors import ImageError, StreamError, TrainingError
from licgate.images import load_image
from licgate.manifest import CdfTables, Manifest
from licgate.reference import code_latents, image_to_input, run_transform
from licgate.train.data import list_images
from licgate.train.measure.metrics import MS_SSIM_SIDE, ms_ssim, mse, psnr
from licgate.train.network.models import bits

Coder = Callable[[NDArray[np.uint8]], tuple]
"""Takes a padded uint8 image (H, W, 3), gives bits and the decoded image, and the ideal bits where they are others."""


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
def code_float(model: nn.Module, image: NDArray[np.uint8]) -> tuple[float, NDArray[np.uint8]]:
    """Code one padded image with a float model; gives bits and the 8-bit reconstruction."""
    x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
    out = model(x.to(memory_format=torch.channels_last))
    rate = float(bits(out["y_likelihood"].double()) + bits(out["z_likelihood"].double()))
    decoded = torch.floor(out["x_hat"][0].permute(1, 2, 0) * 255 + 0.5).clamp(0, 255)
    return rate, decoded.numpy().astype(np.uint8)


def code_integer(manifest: Manifest, image: NDArray[np.uint8]) -> tuple[float, NDArray[np.uint8]]:
    """Code one padded image with the integer network and its tables; gives bits and the 8-bit reconstruction."""
    for part in manifest.kind.parts[1:]:
        if part not in manifest.transforms:
            raise TrainingError(f"model {manifest.name} has no {part}: it cannot be evaluated as a codec")
    if manifest.entropy is None:
        raise TrainingError(f"model {manifest.name} has no entropy tables: it cannot be evaluated as a codec")
    y = run_transform(manifest.g_a, image_to_input(image))
    z = run_transform(manifest.h_a, y)
    symbols, level, _, y_hat = code_latents(manifest, y, z)
    channel = np.broadcast_to(np.arange(len(z))[:, None, None], z.shape)
    rate = table_bits(manifest.entropy["gaussian"], level, symbols) + table_bits(
        manifest.entropy["factorized"], channel, z
    )
    return rate, run_transform(manifest.g_s, y_hat).transpose(1, 2, 0).astype(np.uint8)


def code_stream(codec: Codec, image: NDArray[np.uint8]) -> tuple[float, NDArray[np.uint8], float]:
    """Code one image to the bytes of a file and back; gives their bits, the decoded image and the ideal bits."""
    trace = Trace()
    data = codec.encode(image, trace=trace)
    return 8.0 * len(data), codec.decode(data), trace.ideal_bits


def evaluate_folder(
    coder: Coder,
    folder: str | Path,
    *,
    limit: int | None = None,
    threads: int = 1,
    report: Callable[[dict, int], None] | None = None,
) -> dict:
    """Code every image of a folder; images that cannot be read or coded are left out and listed.

    Parameters
    ----------
    coder : callable
        Takes a padded uint8 image (H, W, 3), gives bits, the decoded image, and the ideal bits where they are others.
    folder : path
    limit : int, optional
        Only the first so many images.
    threads : int
        Images that are worked on at a time.
    report : callable, optional
        Takes the entry of each image as it is done, in the order of their names, and how many images there are.

    Returns
    -------
    dict
        ``bpp``, ``psnr`` (dB), ``mse`` of 8-bit pixels and ``ms_ssim``: means over the images; MS-SSIM is None where an
        image is too small for it, with ``ms_ssim_missing`` that says so. ``bpp-estimate``: the ideal code length, where
        the coder gives it beside the bits of a file. ``images``: the same of each with ``name``,
        ``width`` and ``height``. ``skipped``: ``name`` and ``reason`` of each file that could not be used.

    Raises
    ------
    TrainingError
        When the folder is missing or holds no readable image, or `limit` leaves none.
    """
    if limit is not None and limit < 1:
        raise TrainingError(f"limit {limit} leaves no image to evaluate")
    files = list_images(folder, None)[:limit]
    images, skipped = [], []
    for entry in _each(lambda path: _code_file(coder, path), files, threads):
        (skipped if "reason" in entry else images).append(entry)
        if report:
            report(entry, len(files))
    if not images:
        reason = skipped[0]["reason"]
        raise TrainingError(f"none of the {len(files)} images in {folder} is readable; the first: {reason}")
    result: dict = {key: float(np.mean([entry[key] for entry in images])) for key in ("bpp", "psnr", "mse")}
    if all("bpp-estimate" in entry for entry in images):
        result["bpp-estimate"] = float(np.mean([entry["bpp-estimate"] for entry in images]))
    small = [entry["name"] for entry in images if entry["ms_ssim"] is None]
    if small:
        result["ms_ssim"] = None
        more = f" and {len(small) - 1} more" if len(small) > 1 else ""
        result["ms_ssim_missing"] = f"{small[0]}{more}: MS-SSIM needs sides of {MS_SSIM_SIDE} pixels"
    else:
        result["ms_ssim"] = float(np.mean([entry["ms_ssim"] for entry in images]))
    return {**result, "images": images, "skipped": skipped}


def _code_file(coder: Coder, path: Path) -> dict:
    try:
        image, _ = load_image(path)
    except ImageError as error:
        return {"name": path.name, "reason": str(error)}
    try:
        rate, decoded, *ideal = coder(pad_image(image))
    except (ImageError, StreamError) as error:
        return {"name": path.name, "reason": f"{path}: {error}"}
    height, width = image.shape[:2]
    own = decoded[:height, :width]
    return {
        "name": path.name,
        "width": width,
        "height": height,
        "bpp": rate / (height * width),
        **({"bpp-estimate": ideal[0] / (height * width)} if ideal else {}),
        "psnr": psnr(image, own),
        "ms_ssim": ms_ssim(image, own),
        "mse": mse(image, own),
    }


def _each(work: Callable[[Path], dict], files: Sequence[Path], threads: int) -> Iterator[dict]:
    if threads == 1:
        yield from map(work, files)
        return
    with ThreadPoolExecutor(threads) as pool:
        try:
            yield from pool.map(work, files)
        finally:
            # an error or Ctrl-C must not wait for the images that nobody has begun
            pool.shutdown(wait=False, cancel_futures=True)


def difference(reference: Mapping, other: Mapping, rate_lambda: float) -> dict[str, float]:
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
    model: nn.Module | None = None,
    manifest: Manifest | None = None,
    limit: int | None = None,
    threads: int = 1,
    rate_lambda: float = 0.013,
) -> dict:
    """Measure a float model, an integer one, or both and their difference, for a card.

    Returns
    -------
    dict
        ``images`` (their number), and ``float``, ``integer`` and ``difference`` where they apply; rates are ideal code
        lengths in bits per pixel. Plain numbers, fit for a manifest.
    """
    coders: dict[str, Coder] = {}
    if model is not None:
        model.eval()
        coders["float"] = lambda image: code_float(model, image)
    if manifest is not None:
        coders["integer"] = lambda image: code_integer(manifest, image)
    results = {key: evaluate_folder(coder, folder, limit=limit, threads=threads) for key, coder in coders.items()}
    measured: dict = {"images": len(next(iter(results.values()))["images"])} if results else {}
    for key, result in results.items():
        measured[key] = {"bpp": round(result["bpp"], 5), "psnr": round(result["psnr"], 4)}
        if result["ms_ssim"] is not None:
            measured[key]["ms_ssim"] = round(result["ms_ssim"], 5)
    if len(results) == 2:
        gap = difference(results["float"], results["integer"], rate_lambda)
        measured["difference"] = {key: round(value, 4) for key, value in gap.items()}
    return measured
