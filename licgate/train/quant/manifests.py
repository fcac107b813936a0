"""From a quantised network to its manifest, whichever way its integers were found."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from licgate.manifest import Manifest, sealed
from licgate.manifest.architectures import architecture_of
from licgate.train.quant.assemble import export_transform, sigma_step
from licgate.train.quant.export import Grid
from licgate.train.quant.tables import factorized_tables, gaussian_tables, symbol_reach
from licgate.train.quant.widths import Widths


def make_manifest(
    net: Mapping[str, list],
    grids: Mapping[str, Grid],
    widths: Widths,
    prior: nn.Module,
    *,
    name: str,
    architecture: str,
    provenance: dict,
) -> Manifest:
    """Export every transform and the entropy tables.

    Parameters
    ----------
    net, grids
        Float layers whose offsets are settled, and the grid of every output.
    widths : Widths
    prior : nn.Module
        Entropy bottleneck.
    name, architecture : str
    provenance : dict
        JSON values.

    Returns
    -------
    Manifest
        With its hash, without measurements.
    """
    parts = architecture_of(architecture).parts
    transforms = {part: export_transform(part, net, grids, widths) for part in parts}
    return sealed(
        Manifest(
            name=name,
            architecture=architecture,
            transforms=transforms,
            entropy={
                "factorized": factorized_tables(prior, transforms["h_a"].output),
                "gaussian": gaussian_tables(symbol_reach(transforms), sigma_step(net, grids)),
            },
            provenance=provenance,
            latent_fraction_bits=fraction_bits(transforms["g_a"].output_scale),
        )
    )


def fraction_bits(scale: float) -> int:
    """Fraction bits of latents in steps of ``scale``, a power of two."""
    return round(1 / scale).bit_length() - 1
