"""How the transforms of a codec follow one another, written once for every way to run them."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from licgate.manifest.architectures import architecture_of
from licgate.train.network.context import KERNEL, anchors
from licgate.train.network.entropy import SCALE_LEVELS, SCALE_MIN, SCALE_STEP
from licgate.train.network.layers import lower_bound, round_straight_through

SCALES = ("log", "linear")

Run = Callable[[str, Tensor], Tensor]


def scale_level(value: Tensor, scale: str = "log") -> Tensor:
    """Turn log σ, or σ itself for ``scale="linear"``, into the fractional scale level 0..63."""
    if scale == "linear":
        value = torch.log(lower_bound(value, SCALE_MIN))
    level = (value - math.log(SCALE_MIN)) / SCALE_STEP
    return lower_bound(level, 0.0).clamp_max(SCALE_LEVELS - 1)


def code(
    run: Run,
    x: Tensor,
    architecture: str,
    *,
    scale: str = "log",
    generator: torch.Generator | None = None,
    training: bool = False,
    sequential: bool | None = None,
) -> dict[str, Tensor]:
    """Send a batch through a codec.

    Parameters
    ----------
    run : callable
        ``run(part, tensor) -> tensor`` runs one transform, real values in and out: ``g_a`` reads pixels 0..1, ``h_a`` y
        or |y|, ``h_s`` whole z, ``context`` decoded latents, ``parameters`` what ``h_s`` and ``context`` give, one
        behind the other, and ``g_s`` decoded latents. What ``parameters`` gives (``h_s`` where there is no context) is
        log σ (or σ), followed by as many means.
    x : Tensor
        (B, 3, H, W) in 0..1, sides divisible by 64.
    architecture : str
        One of `licgate.manifest.architectures.ARCHITECTURES`.
    scale : {"log", "linear"}
        What the entropy parameters hold.
    generator : torch.Generator, optional
        Of the noise.
    training : bool
        Rates are taken at noisy latents and levels stay fractional; otherwise everything is rounded.
    sequential : bool, optional
        Whether a raster context reads exactly what a decoder has at that point, position by position, which takes long
        and calls ``run`` with small patches whose border results are not used. Otherwise it reads ``round(y)`` in one
        go. By default as in a codec when not training. Checkerboard contexts are exact either way.

    Returns
    -------
    dict of str to Tensor
        ``y`` and ``z``; ``symbols``, the whole numbers coded: rounded y less its mean; ``level`` (0..63); ``mean`` (a
        scalar 0 without means); ``y_rate`` and ``z_rate``, at which likelihoods are taken (y_rate - mean under the
        scale of ``level``); ``y_hat``, ``x_hat``. All float32.
    """
    kind = architecture_of(architecture)
    y = run("g_a", x)
    z = run("h_a", y.abs() if kind.absolute else y).float()
    y = y.float()
    z_hat = round_straight_through(z)
    features = run("h_s", z_hat)
    if kind.context == "checkerboard":
        parameters = _checkerboard(run, features, y)
    elif kind.context == "raster":
        sequential = not training if sequential is None else sequential
        parameters = (_raster if sequential else _one_pass)(run, features, y)
    else:
        parameters = features.float()
    if kind.means:
        spread, mean = parameters.chunk(2, dim=1)
    else:
        spread, mean = parameters, y.new_zeros(())
    level = scale_level(spread, scale)
    symbols = round_straight_through(y - mean)
    y_hat = symbols + mean
    if training:
        y_rate, z_rate = _noisy(y, generator), _noisy(z, generator)
    else:
        y_rate, z_rate, level = y_hat, z_hat, torch.floor(level + 0.5)
    x_hat = run("g_s", y_hat).float()
    return {
        "y": y,
        "z": z,
        "symbols": symbols,
        "level": level,
        "mean": mean,
        "y_rate": y_rate,
        "z_rate": z_rate,
        "y_hat": y_hat,
        "x_hat": x_hat,
    }


def _noisy(x: Tensor, generator: torch.Generator | None) -> Tensor:
    device = x.device if generator is None else generator.device
    return x + torch.rand(x.shape, generator=generator, device=device).to(x.device) - 0.5


def _decoded(y: Tensor, parameters: Tensor) -> Tensor:
    mean = parameters.chunk(2, dim=1)[1]
    return round_straight_through(y - mean) + mean


def _one_pass(run: Run, features: Tensor, y: Tensor) -> Tensor:
    context = run("context", round_straight_through(y))
    return run("parameters", torch.cat([features, context], dim=1)).float()


def _checkerboard(run: Run, features: Tensor, y: Tensor) -> Tensor:
    """Anchors know no context; the others read the decoded anchors."""
    first = anchors(y)
    nothing = features.new_zeros((y.shape[0], 2 * y.shape[1], *y.shape[2:]))
    alone = run("parameters", torch.cat([features, nothing], dim=1)).float()
    context = run("context", _decoded(y, alone) * first)
    context = context * (1 - first).to(context.dtype)
    return run("parameters", torch.cat([features, context], dim=1)).float()


def _raster(run: Run, features: Tensor, y: Tensor) -> Tensor:
    """Positions on a slant of three columns a row do not read each other and go together, as if in raster order."""
    batch, channels, height, width = y.shape
    reach = KERNEL // 2
    decoded = y.new_zeros((batch, channels, height + 2 * reach, width + 2 * reach))
    result = y.new_zeros((batch, 2 * channels, height, width))
    slope = reach + 1
    for step in range(width + slope * (height - 1)):
        rows = torch.tensor([r for r in range(height) if 0 <= step - slope * r < width])
        if not len(rows):
            continue
        columns = step - slope * rows
        places = list(zip(rows.tolist(), columns.tolist(), strict=True))
        patches = torch.cat([decoded[:, :, r : r + KERNEL, c : c + KERNEL] for r, c in places])
        context = run("context", patches)[:, :, reach : reach + 1, reach : reach + 1]
        own = torch.cat([features[:, :, r : r + 1, c : c + 1] for r, c in places])
        found = run("parameters", torch.cat([own, context], dim=1)).float()
        found = found[:, :, 0, 0].reshape(len(places), batch, -1).permute(1, 2, 0)
        result[:, :, rows, columns] = found
        decoded[:, :, rows + reach, columns + reach] = _decoded(y[:, :, rows, columns], found)
    return result
