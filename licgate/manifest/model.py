"""The manifest object: transforms, entropy tables, provenance and measured results under one hash."""

from dataclasses import dataclass, field
from typing import Any

from licgate.errors import ManifestError
from licgate.manifest.architectures import ARCHITECTURES, Architecture, architecture_of
from licgate.manifest.checks import check_int, check_text, check_type, located
from licgate.manifest.entropy import ENTROPY_NAMES, CdfTables
from licgate.manifest.latents import check_latents
from licgate.manifest.transform import TRANSFORM_NAMES, Transform

__all__ = ["Manifest"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Manifest:
    """All that a codec, a simulator or a build needs to know of a model.

    Parameters
    ----------
    name : str
        A name fit for a folder.
    architecture : str
        E.g. ``bmshj2018-hyperprior``; one of `ARCHITECTURES` where latents are to be coded.
    transforms : dict of str to Transform
        Holds ``g_a`` at least.
    entropy : dict or None
        ``factorized`` and ``gaussian`` to `CdfTables`.
    latent_fraction_bits : int
        The symbol coded is ``rsr(y, latent_fraction_bits)``; the last scale of g_a is 2 to its negative.
    provenance, measured : dict
        JSON values.
    hash : str
        Hex SHA-256 of the canonical JSON; empty until `save_manifest` or `sealed` computes it.
    """

    name: str
    architecture: str
    transforms: dict[str, Transform]
    entropy: dict[str, CdfTables] | None = None
    latent_fraction_bits: int
    provenance: dict[str, Any] = field(default_factory=dict)
    measured: dict[str, Any] = field(default_factory=dict)
    hash: str = ""

    def __post_init__(self) -> None:
        put = object.__setattr__
        check_text(self.name, "name")
        if any(character in self.name for character in "/\\") or self.name.startswith("."):
            raise ManifestError(f"{self.name!r} is not fit for a folder", "name")
        check_text(self.architecture, "architecture")
        check_type(self.transforms, dict, "transforms")
        check_type(self.provenance, dict, "provenance")
        check_type(self.measured, dict, "measured")
        with located("transforms"):
            self._check_transforms()
        with located("entropy"):
            self._check_entropy()
        put(self, "latent_fraction_bits", check_int(self.latent_fraction_bits, 0, 12, "latent_fraction_bits"))
        scale = 2.0**-self.latent_fraction_bits
        if self.g_a.output_scale != scale:
            raise ManifestError(
                f"the last scale of g_a is {self.g_a.output_scale}, but {self.latent_fraction_bits} "
                f"fraction bits make {scale}",
                "latent_fraction_bits",
            )
        if self.architecture in ARCHITECTURES or "context" in self.transforms or "parameters" in self.transforms:
            with located("transforms"):
                check_latents(self.kind, self.transforms, scale)

    def _check_transforms(self) -> None:
        for name, transform in self.transforms.items():
            if name not in TRANSFORM_NAMES:
                raise ManifestError(f"unknown transform; there are {', '.join(TRANSFORM_NAMES)}", str(name))
            check_type(transform, Transform, name)
            if transform.name != name:
                raise ManifestError(f"{transform.name!r} stands under {name!r}", f"{name}.name")
        if "g_a" not in self.transforms:
            raise ManifestError("missing", "g_a")
        if "h_a" in self.transforms:
            self._check_joint("g_a", "h_a")

    def _check_entropy(self) -> None:
        if self.entropy is None:
            return
        check_type(self.entropy, dict, "")
        for name, tables in self.entropy.items():
            if name not in ENTROPY_NAMES:
                raise ManifestError(f"unknown; there are {', '.join(ENTROPY_NAMES)}", str(name))
            check_type(tables, CdfTables, name)
            if (tables.scales is None) == (name == "gaussian"):
                raise ManifestError("scales belong to gaussian, and only there", f"{name}.scales")
            if tables.thresholds is not None and name != "gaussian":
                raise ManifestError("thresholds belong to gaussian only", f"{name}.thresholds")
        if "factorized" in self.entropy and self.h_a is not None:
            have, want = self.entropy["factorized"].count, self.h_a.out_channels
            if have != want:
                raise ManifestError(f"{have} tables for the {want} channels of z", "factorized.count")

    def _check_joint(self, first: str, second: str) -> None:
        before, after = self.transforms[first], self.transforms[second]
        if after.in_channels != before.out_channels:
            raise ManifestError(
                f"{after.in_channels} channels follow {before.out_channels} of {first}", f"{second}.in_channels"
            )
        if after.input != before.output:
            raise ManifestError(f"{after.input} follows {before.output} of {first}", f"{second}.input")

    @property
    def kind(self) -> Architecture:
        """What distinguishes the architecture; a `ManifestError` if there is no such architecture."""
        return architecture_of(self.architecture)

    @property
    def g_a(self) -> Transform:
        """Analysis transform: image to latents y."""
        return self.transforms["g_a"]

    @property
    def h_a(self) -> Transform | None:
        """Hyper-analysis transform: absolute latents to z, or None."""
        return self.transforms.get("h_a")

    @property
    def h_s(self) -> Transform | None:
        """Hyper-synthesis transform: z to scales (and means, or what `parameters` makes them of), or None."""
        return self.transforms.get("h_s")

    @property
    def context(self) -> Transform | None:
        """Masked convolution of decoded latents, or None."""
        return self.transforms.get("context")

    @property
    def parameters(self) -> Transform | None:
        """What makes scales and means of the outputs of h_s and context, or None."""
        return self.transforms.get("parameters")

    @property
    def g_s(self) -> Transform | None:
        """Synthesis transform: latents to image, or None."""
        return self.transforms.get("g_s")
