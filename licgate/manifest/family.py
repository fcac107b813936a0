"""Families: models that differ in nothing but how much they keep, in the order of their rates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from licgate.errors import ManifestError
from licgate.manifest.catalogue import find_model, list_models
from licgate.manifest.model import Manifest

__all__ = ["Measured", "family", "measured", "model_of_quality"]


@dataclass(frozen=True)
class Measured:
    """What a model was measured to do.

    Attributes
    ----------
    bpp : float
        Bits a pixel.
    psnr : float
        In dB.
    images : str
        On what.
    """

    bpp: float
    psnr: float
    images: str

    def __str__(self) -> str:
        return f"{self.bpp:.3f} bpp, {self.psnr:.2f} dB"


def measured(results: object) -> Measured | None:
    """Return what the measured results of a manifest say of its integers; None where they say nothing."""
    own = results.get("integer") if isinstance(results, dict) else None
    try:
        return Measured(float(own["bpp"]), float(own["psnr"]), str(results.get("set", "")))  # type: ignore[index,attr-defined]
    except (TypeError, KeyError, ValueError):
        return None


def family(model: str | Path | None = None, *, folder: Path | str | None = None) -> list[tuple[str, Measured]]:
    """Return the models of one architecture, one shape and the same widths, by name, smallest files first.

    Parameters
    ----------
    model : str or Path, optional
        One of them; the default model if left out.
    folder : Path, optional
        Where models are looked for instead of the search path.

    Returns
    -------
    list of (str, Measured)
        Only of those that were measured; empty where the model itself was not.
    """
    own = _shape(find_model(model, folder=folder))
    found = []
    for row in list_models(folder):
        result = measured(row.get("measured"))
        if result is not None and _shape(find_model(row["folder"])) == own:
            found.append((row["name"], result))
    return sorted(found, key=lambda pair: pair[1].bpp)


def model_of_quality(quality: int, model: str | Path | None = None) -> Manifest:
    """Return a member of a family: 1 makes the smallest files.

    Raises
    ------
    ManifestError
        If there are not so many; the line lists those there are.
    """
    members = family(model)
    if not 1 <= quality <= len(members):
        there = "; ".join(f"{number}: {name}, {result}" for number, (name, result) in enumerate(members, 1))
        raise ManifestError(f"quality {quality} is none of this family: {there or 'no model of it was measured'}")
    return find_model(members[quality - 1][0])


def _shape(manifest: Manifest) -> tuple[object, ...]:
    # what a transform ends in has as many bits as its symbols need, which a higher rate needs more of
    layers = [
        (transform.name, layer.name, layer.kind, getattr(layer, "out_channels", 0), "" if last else str(layer.output))
        for transform in manifest.transforms.values()
        for last, layer in ((layer is transform.layers[-1], layer) for layer in transform.layers)
    ]
    return manifest.architecture, tuple(layers)
