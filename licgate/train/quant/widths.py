"""How many bits each layer has: a default for the model and exceptions for single layers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from licgate.errors import TrainingError

_CONVOLUTIONS = {"g_a": 4, "h_a": 3, "h_s": 3, "context": 1, "parameters": 3, "g_s": 4}

LAYERS = tuple(f"{part}.{i}" for part, n in _CONVOLUTIONS.items() for i in range(0, 2 * n, 2))
"""Names of the convolutions of all architectures; the GDN behind ``g_a.0`` is ``g_a.1`` and has the widths given for
``g_a.0``. ``context.0`` ends in the grid of ``h_s.4``, behind which it stands."""

_PATTERN = re.compile(r"((?:[gh]_[as]|context|parameters)\.\d+)=(\d+)(?:,(\d+)(?:,(\d+))?)?")


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


def widths_to_json(widths: Widths) -> dict:
    """Give widths as plain data: ``{"default": {…}, "layers": {…}, "latent": n}``."""
    return {
        "default": asdict(widths.default),
        "layers": {name: asdict(bits) for name, bits in widths.layers.items()},
        "latent": widths.latent,
    }


def widths_from_json(source: Mapping | str | Path) -> Widths:
    """Read what `widths_to_json` gave, from plain data or from a file; other keys are ignored.

    What a layer leaves out is as in ``default``.

    Raises
    ------
    TrainingError
        When the file cannot be read or says something else.
    """
    content, where = source, "widths"
    if not isinstance(source, Mapping):
        where = f"widths file {source}"
        try:
            content = json.loads(Path(source).read_text(encoding="utf-8"))
        except OSError as error:
            raise TrainingError(f"{where} cannot be read: {error.strerror or error}") from None
        except ValueError:
            raise TrainingError(f"{where} is not JSON: licgate search writes such files") from None
    try:
        default = LayerBits(**content["default"])
        layers = {name: LayerBits(**{**asdict(default), **bits}) for name, bits in content.get("layers", {}).items()}
        return Widths(default=default, layers=layers, latent=content.get("latent", Widths.latent))
    except TrainingError as error:
        raise TrainingError(f"{where}: {error}") from None
    except (AttributeError, KeyError, TypeError):
        form = '{"default": {"activation": 10, ...}, "layers": {...}, "latent": 12}'
        raise TrainingError(f"{where} does not have the form {form}") from None
