"""What distinguishes the codecs: means beside the scales, a context of latents already coded, the input of h_a."""

from dataclasses import dataclass

from licgate.errors import ManifestError
from licgate.manifest.checks import show

__all__ = ["ARCHITECTURES", "LEVELS", "MODES", "Architecture", "architecture_of"]

LEVELS = 64
"""Number of scale levels, each with a table."""

MODES = {
    "analysis": ("g_a",),
    "encoder": ("g_a", "h_a", "h_s"),
    "decoder": ("h_s", "g_s"),
    "both": ("g_a", "h_a", "h_s", "g_s"),
}
"""Transforms of an accelerator by what it is for. The entropy coder, and a context model where there is one, run beside
it: an encoder needs h_s for the tables with which it codes, a decoder for those with which it reads."""


@dataclass(frozen=True)
class Architecture:
    """A codec by what its entropy model reads.

    Parameters
    ----------
    name : str
        As CompressAI calls it, where it has it.
    means : bool
        The entropy parameters hold a mean beside the scale.
    context : str
        ``""``, ``"checkerboard"`` (two passes) or ``"raster"`` (one latent position after the other).
    absolute : bool
        h_a reads ``|y|``.
    """

    name: str
    means: bool = False
    context: str = ""
    absolute: bool = True

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the transforms, in the order in which an encoder needs them, g_s last."""
        return ("g_a", "h_a", "h_s", *(("context", "parameters") if self.context else ()), "g_s")

    @property
    def source(self) -> str:
        """Transform that ends in the entropy parameters."""
        return "parameters" if self.context else "h_s"


ARCHITECTURES = {
    a.name: a
    for a in (
        # Ballé et al. 2018; He et al. 2021 on that backbone; Minnen et al. 2018 without and with its context model
        Architecture("bmshj2018-hyperprior"),
        Architecture("he2021-checkerboard", means=True, context="checkerboard"),
        Architecture("mbt2018-mean", means=True, absolute=False),
        Architecture("mbt2018", means=True, context="raster", absolute=False),
    )
}


def architecture_of(name: object) -> Architecture:
    """Return the `Architecture` called `name`.

    Raises
    ------
    ManifestError
        If there is none.
    """
    if isinstance(name, str) and name in ARCHITECTURES:
        return ARCHITECTURES[name]
    raise ManifestError(f"{show(name)} is unknown; there are {', '.join(ARCHITECTURES)}", "architecture")
