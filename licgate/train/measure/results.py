"""Rate-distortion curves in files: the result JSON of CompressAI, read and written in one place."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from licgate import files
from licgate.errors import ConfigError, TrainingError
from licgate.train.measure.metrics import ms_ssim_db

METRICS = {"psnr-rgb": "PSNR", "ms-ssim-rgb": "MS-SSIM"}
"""Metrics that curves can be compared in, by the key of the file; both in dB."""

# the keys that published files have for a metric, and what turns their numbers into dB
KEYS = {
    "psnr-rgb": {"psnr-rgb": None, "psnr": None},
    "ms-ssim-rgb": {"ms-ssim-rgb": ms_ssim_db, "ms-ssim-db-rgb": None, "ms-ssim": ms_ssim_db},
}


@dataclass(frozen=True)
class Curve:
    """Rate and quality of one codec.

    Attributes
    ----------
    name : str
    rate : tuple of float
        Bits per pixel, ascending.
    quality : tuple of float
        dB of PSNR or of MS-SSIM, one for each rate.
    """

    name: str
    rate: tuple[float, ...]
    quality: tuple[float, ...]


def read_curve(path: str | Path, metric: str = "psnr-rgb") -> Curve:
    """Read a result JSON of `evaluate`, of CompressAI, or of its published curves.

    Parameters
    ----------
    path : path
    metric : {"psnr-rgb", "ms-ssim-rgb"}
        MS-SSIM is given in dB.

    Returns
    -------
    Curve
        Its points sorted by rate.

    Raises
    ------
    TrainingError
        When the file is missing, no JSON, or has no such curve, or a number that cannot be one.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"result {path} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        raise TrainingError(f"result {path} is not JSON: name a file of licgate evaluate --json") from None
    results = content.get("results") if isinstance(content, dict) else None
    if not isinstance(results, dict):
        raise TrainingError(f"result {path} has no 'results': name a file of licgate evaluate --json")
    key = next((key for key in KEYS[metric] if key in results), None)
    if key is None:
        raise TrainingError(f"result {path} has no {metric}, only {', '.join(map(str, results)) or 'nothing'}")
    rate = _numbers(path, results, "bpp")
    quality = _numbers(path, results, key)
    if len(rate) != len(quality):
        raise TrainingError(f"result {path} has {len(rate)} numbers of bpp, but {len(quality)} of {key}")
    if min(rate) <= 0:
        raise TrainingError(f"result {path} has a rate of {min(rate)} bpp, which is not positive")
    convert = KEYS[metric][key] or float
    points = sorted((r, convert(q)) for r, q in zip(rate, quality, strict=True))
    if not all(math.isfinite(q) for _, q in points):
        raise TrainingError(f"result {path} has a {key} without loss: it has no place on a curve")
    name = content.get("name")
    return Curve(name if isinstance(name, str) and name else path.stem, *zip(*points, strict=True))


def _numbers(path: Path, results: dict, key: str) -> list[float]:
    values = results.get(key)
    if not isinstance(values, list) or not values:
        raise TrainingError(f"result {path} has no list of {key}")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise TrainingError(f"result {path} has {value!r} among its {key}, which is not a number")
    return [float(value) for value in values]


def result_document(name: str, description: str, models: Sequence[dict]) -> dict:
    """Make CompressAI's result of measured models: one point a model, sorted by rate.

    Parameters
    ----------
    name, description : str
        As plots shall show them.
    models : sequence of dict
        Each with ``bpp``, ``psnr`` and ``ms_ssim`` (None where it is not defined) and whatever else is to be kept.

    Returns
    -------
    dict
        ``name``, ``description``, ``results`` with a list for each metric that every model has, and ``models``: what
        was given, which CompressAI's tools do not look at.
    """
    models = sorted(models, key=lambda model: model["bpp"])
    results = {"bpp": [model["bpp"] for model in models], "psnr-rgb": [model["psnr"] for model in models]}
    if all(model["ms_ssim"] is not None for model in models):
        results["ms-ssim-rgb"] = [model["ms_ssim"] for model in models]
    return {"name": name, "description": description, "results": results, "models": models}


def check_writable(path: str | Path) -> None:
    """Raise a `TrainingError` now when a file could not be written at the end of the work."""
    try:
        files.check_writable(path)
    except ConfigError as error:
        raise TrainingError(str(error)) from None


def write_file(path: str | Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises
    ------
    TrainingError
        When it cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise TrainingError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: str | Path, document: dict) -> None:
    """Write a JSON document whole or not at all."""
    write_file(path, (json.dumps(document, indent=1) + "\n").encode())
