"""Which width hurts most: the loss that each one alone adds when it is lowered, measured once over all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from licgate.train.quant.widths import LAYERS, Widths
from licgate.train.search.modelshape import ModelShape

KINDS = ("activation", "weight", "gdn", "gamma", "latent")
WIDEST = 16
PER_BIT = 4.0
"""The power of rounding noise grows by this much with each bit taken away; so does, about, the loss it causes."""


class Point(NamedTuple):
    """What was measured: R + λ·255²·MSE, R in bits a pixel, and the mean squared error of pixels in 0..1."""

    loss: float
    bpp: float
    mse: float

    @property
    def psnr(self) -> float:
        """Of the mean squared error, in dB."""
        return -10 * math.log10(max(self.mse, 1e-12))


class Evaluator(Protocol):
    """Tells the loss of a configuration; the search asks and knows nothing else of the model.

    Attributes
    ----------
    reference : Point
        Of the float model on the same crops.
    rate_lambda : float
        λ of the loss.
    settings : dict
        Plain data that says what is measured: trials of other settings are not taken over.
    """

    reference: Point
    rate_lambda: float
    settings: dict

    def loss(self, widths: Widths) -> float:
        """Loss R + λ·255²·MSE with these widths; infinite where they cannot be had."""

    def finetune(self, widths: Widths, iterations: int) -> float:
        """Loss after so many iterations of training with these widths, from the weights kept last."""

    def keep(self, widths: Widths) -> None:
        """Go on from these widths.

        An evaluator that trains stores the weights that `finetune` gave for them as its new start. When it has not just
        trained them, because the search was resumed, it takes back those that it stored.
        """


class Coordinate(NamedTuple):
    """One width: a convolution and the kind, or the latents."""

    layer: str
    kind: str

    def __str__(self) -> str:
        return self.kind if self.kind == "latent" else f"{self.layer}.{self.kind}"


LATENT = Coordinate("latent", "latent")


def coordinates(shape: ModelShape, kinds: Sequence[str] = KINDS) -> list[Coordinate]:
    """List the widths of those kinds that a model has; levels, pixels and hyper latents have a fixed type and none."""
    found = []
    for part in shape.transforms:
        for conv, gdn in shape.stages(part):
            if conv.name in LAYERS:
                own = ["activation", "weight"] if shape.is_free(conv) else ["weight"]
                found += [Coordinate(conv.name, kind) for kind in own + (["gdn", "gamma"] if gdn is not None else [])]
    return [c for c in [*found, LATENT] if c.kind in kinds]


def width_of(widths: Widths, coordinate: Coordinate) -> int:
    """Give the bits at a coordinate."""
    if coordinate.kind == "latent":
        return widths.latent
    return getattr(widths.of(coordinate.layer), coordinate.kind)


def with_width(widths: Widths, coordinate: Coordinate, bits: int) -> Widths:
    """Give the widths with other bits at one coordinate."""
    if coordinate.kind == "latent":
        return replace(widths, latent=bits)
    own = replace(widths.of(coordinate.layer), **{coordinate.kind: bits})
    return replace(widths, layers={**widths.layers, coordinate.layer: own})


def narrowest(coordinate: Coordinate) -> int:
    """Fewest bits that a coordinate takes."""
    return 4 if coordinate.kind == "latent" else 2


def moved(widths: Widths, coordinate: Coordinate, by: int) -> Widths | None:
    """Give the widths with one of them changed by so many bits, None where it would leave its range."""
    bits = width_of(widths, coordinate) + by
    return with_width(widths, coordinate, bits) if narrowest(coordinate) <= bits <= WIDEST else None


def measure_sensitivity(
    ask: Callable[[Widths], float],
    widths: Widths,
    wanted: Sequence[Coordinate],
    drops: Sequence[int] = (1, 2),
) -> dict[Coordinate, dict[int, float]]:
    """Lower each width alone and see what it costs.

    Returns
    -------
    dict of Coordinate to dict of int to float
        Loss added by each drop in bits, infinite where the width cannot be so small.
    """
    base = ask(widths)
    table: dict[Coordinate, dict[int, float]] = {}
    for coordinate in wanted:
        table[coordinate] = {}
        for drop in drops:
            trial = moved(widths, coordinate, -drop)
            table[coordinate][drop] = math.inf if trial is None else ask(trial) - base
    return table


def per_bit(added: dict[int, float]) -> float:
    """Reduce the losses by drops to that of the first bit: a drop of n bits adds about 1 + 4 + … + 4^(n-1) times it.

    The larger drops stand out better from the noise of the measurement, so all are put together.
    """
    finite = {drop: loss for drop, loss in added.items() if math.isfinite(loss)}
    if not finite:
        return math.inf
    weight = {drop: (PER_BIT**drop - 1) / (PER_BIT - 1) for drop in finite}
    return max(sum(finite.values()) / sum(weight.values()), 0.0)


def most_sensitive_first(table: dict[Coordinate, dict[int, float]]) -> list[Coordinate]:
    """Order coordinates by the loss that a bit less of them adds; ties stay in the order of the table."""
    return sorted(table, key=lambda c: -per_bit(table[c]))
