"""How many bits each layer has: a default for the model and exceptions for single layers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from licgate.errors import TrainingError

LAYERS = tuple(
    f"{part}.{i}" for part, n in (("g_a", 4), ("h_a", 3), ("h_s", 3), ("g_s", 4)) for i in range(0, 2 * n, 2)
)
"""Names of the convolutions; the GDN behind ``g_a.0`` is ``g_a.1`` and has the widths given for ``g_a.0``."""

_PATTERN = re.compile(r"([gh]_[as]\.\d+)=(\d+)(?:,(\d+)(?:,(\d+))?)?")


@dataclass(frozen=True, kw_only=True)
class LayerBits:
    """Widths of one convolution and of the GDN behind it, in bits.

    Attributes
    ----------
    activation : int
        Output of the layer (behind its GDN, if it has one), 2 to 16.
    weight : int
        Weights of the convolution, 2 to 16.
    gdn : int
        What the convolution hands to its GDN, 2 to 16.
    gamma : int
        Unsigned γ of the GDN, 2 to 16.
    """

    activation: int = 10
    weight: int = 8
    gdn: int = 12
    gamma: int = 8

    def __post_init__(self) -> None:
        for name in ("activation", "weight", "gdn", "gamma"):
            value = getattr(self, name)
            if not isinstance(value, int) or not 2 <= value <= 16:
                raise TrainingError(f"{name} width of {value} bits is outside 2..16")


@dataclass(frozen=True, kw_only=True)
class Widths:
    """Widths of a whole model.

    Attributes
    ----------
    default : LayerBits
        For every layer that is not named in `layers`.
    layers : dict of str to LayerBits
        Exceptions by convolution name.
    latent : int
        Bits of the latents y with their fraction, 4 to 16.
    """

    default: LayerBits = LayerBits()
    layers: dict = field(default_factory=dict)
    latent: int = 12

    def __post_init__(self) -> None:
        if not isinstance(self.latent, int) or not 4 <= self.latent <= 16:
            raise TrainingError(f"latent width of {self.latent} bits is outside 4..16")
        for name in self.layers:
            if name not in LAYERS:
                raise TrainingError(f"layer {name} takes no widths: choose among {', '.join(LAYERS)}")

    def of(self, layer: str) -> LayerBits:
        """Widths of a convolution."""
        return self.layers.get(layer, self.default)


def parse_override(text: str, default: LayerBits) -> tuple[str, LayerBits]:
    """Read ``LAYER=ACTIVATION[,WEIGHT[,GDN]]``, for example ``g_a.2=5,6,8``; what is left out stays as in ``default``.

    Raises
    ------
    TrainingError
        When the text has another form, or a width is out of range.
    """
    match = _PATTERN.fullmatch(text)
    if not match:
        raise TrainingError(
            f"bits {text!r} are not of the form LAYER=ACTIVATION[,WEIGHT[,GDN]], for example g_a.2=5,6,8"
        )
    layer, *numbers = match.groups()
    if layer not in LAYERS:
        raise TrainingError(f"layer {layer} takes no widths: choose among {', '.join(LAYERS)}")
    given = {k: int(v) for k, v in zip(("activation", "weight", "gdn"), numbers, strict=True) if v is not None}
    return layer, LayerBits(**{**default.__dict__, **given})
