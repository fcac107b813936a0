"""How latents are coded: levels, means and symbols, position by position where a context asks for it.

`docs/numerics.md`, "Latents and their entropy parameters", in numpy. Encoder and decoder walk the same way and differ
in where a symbol comes from.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from licgate.errors import ConfigError
from licgate.manifest.architectures import LEVELS
from licgate.manifest.checks import AnyIntegers, Integers
from licgate.manifest.layers import Conv2d
from licgate.manifest.model import Manifest
from licgate.manifest.numeric import rsr, saturate
from licgate.manifest.transform import Transform
from licgate.reference.run import run_layer, run_transform

__all__ = ["Run", "code_latents", "decode_latents"]

Run: TypeAlias = Callable[[Transform, AnyIntegers], AnyIntegers]
"""``run(transform, x)``: the output of a transform, (C', H', W'), for x of shape (C, H, W)."""

# symbols, levels, means, y_hat
Coded: TypeAlias = tuple[Integers, Integers, Integers, Integers]
# rows and columns of positions that are coded together
Groups: TypeAlias = Iterator[tuple[Integers, Integers]]
# the symbols that go with levels and means, (M, n), at rows and columns, (n,)
Obtain: TypeAlias = Callable[[Integers, Integers, Integers, Integers], Integers]


def code_latents(manifest: Manifest, y: AnyIntegers, z: AnyIntegers | None = None, run: Run = run_transform) -> Coded:
    """Turn latents into what an entropy coder codes.

    Parameters
    ----------
    manifest : Manifest
        With g_a, h_a and h_s, and the context transforms of its architecture.
    y : ndarray of int, shape (M, H, W)
        Output of g_a.
    z : ndarray of int, optional
        Output of h_a for this y, where it is known already.
    run : callable
        ``run(transform, x) -> ndarray``: the engine for h_a, h_s, context and parameters. A raster context, one
        position at a time, stays with the reference; its parameters do not.

    Returns
    -------
    symbols, levels, means, y_hat : ndarray of int64, shape (M, H, W)
        Symbols and the tables (0..63) that code them; means in steps of 2**-latent_fraction_bits, 0 where the
        architecture has none; what g_s reads: the symbols where there are no means, else decoded latents in y's type.

    Raises
    ------
    ConfigError
        If a transform is missing, or h_s does not give as many positions as y has.
    """
    fraction = manifest.latent_fraction_bits
    _needed(manifest)
    y = np.asarray(y, dtype=np.int64)
    z = run(manifest.transforms["h_a"], y) if z is None else z

    def obtain(levels: Integers, means: Integers, rows: Integers, columns: Integers) -> Integers:
        return rsr(y[:, rows, columns] - means, fraction)

    return _walk(manifest, z, obtain, y.shape, _slants, run)


def decode_latents(
    manifest: Manifest, z: AnyIntegers, take: Callable[[Integers, Integers], AnyIntegers], run: Run = run_transform
) -> Coded:
    """Decode latents.

    Parameters
    ----------
    manifest : Manifest
    z : ndarray of int, shape (C, H, W)
        Decoded hyper latents.
    take : callable
        ``take(levels, means) -> symbols``, all int arrays of shape (M, n): the next ``M * n`` symbols, channel by
        channel, in raster order within a channel. One call with every position; for a checkerboard one with the anchors
        and one with the others (if there are any); for a raster context one call a position.
    run : callable
        As for `code_latents`.

    Returns
    -------
    symbols, levels, means, y_hat : ndarray of int64
        As from `code_latents`.
    """
    _needed(manifest)

    def obtain(levels: Integers, means: Integers, rows: Integers, columns: Integers) -> Integers:
        symbols = np.asarray(take(levels, means), dtype=np.int64)
        if symbols.shape != levels.shape:
            raise ConfigError(f"decoder gave symbols of shape {symbols.shape}, expected {levels.shape}")
        return symbols

    return _walk(manifest, z, obtain, None, _singles, run)


def _needed(manifest: Manifest) -> None:
    for name in ("h_a", *manifest.kind.parts[2:-1]):
        if name not in manifest.transforms:
            raise ConfigError(f"model {manifest.name} has no {name}: its latents cannot be coded")


def _masked(manifest: Manifest) -> Conv2d:
    """Return the convolution of decoded latents, which is all that a context holds."""
    layer = manifest.transforms["context"].layers[0]
    assert isinstance(layer, Conv2d)  # or there were no such manifest, see `check_latents`
    return layer


def _walk(
    manifest: Manifest,
    z: AnyIntegers,
    obtain: Obtain,
    shape: tuple[int, ...] | None,
    order: Callable[[int, int, int], Groups],
    run: Run,
) -> Coded:
    # an engine may hand out narrower numbers than the sums below need
    features = np.asarray(run(manifest.transforms["h_s"], z), dtype=np.int64)
    height, width = features.shape[1:]
    channels = manifest.g_a.out_channels
    if shape is not None and shape != (channels, height, width):
        raise ConfigError(
            f"latents have shape {shape}, but h_s gives parameters for {(channels, height, width)}; pad "
            "the image to multiples of 64 pixels"
        )
    found = _Found(manifest, (channels, height, width), obtain)
    if manifest.kind.context == "checkerboard":
        _checkerboard(manifest, features, found, run)
    elif manifest.kind.context == "raster":
        _raster(manifest, features, found, order(height, width, _masked(manifest).kernel // 2), run)
    else:
        found.put(features.reshape(len(features), -1), *np.divmod(np.arange(height * width), width))
    return found.symbols, found.levels, found.means, found.y_hat


class _Found:
    """Symbols, levels, means and decoded latents so far."""

    def __init__(self, manifest: Manifest, shape: tuple[int, int, int], obtain: Obtain) -> None:
        self.manifest, self.obtain = manifest, obtain
        gaussian = (manifest.entropy or {}).get("gaussian")
        self.thresholds = None if gaussian is None else gaussian.thresholds
        self.symbols, self.levels, self.means, self.y_hat = (np.zeros(shape, dtype=np.int64) for _ in range(4))

    def put(self, q: Integers, rows: Integers, columns: Integers) -> None:
        """Take entropy parameters (M or 2M, n) at n positions, and the symbols that come with them."""
        count, fraction, kind = len(self.symbols), self.manifest.latent_fraction_bits, self.manifest.g_a.output
        spread = q[:count]
        if self.thresholds is None:
            levels = saturate(spread, 0, LEVELS - 1)
        else:
            levels = np.searchsorted(self.thresholds, spread, side="right")
        means = q[count:] if self.manifest.kind.means else np.zeros_like(levels)
        symbols = self.obtain(levels, means, rows, columns)
        decoded = saturate((symbols << fraction) + means, kind.min, kind.max) if self.manifest.kind.means else symbols
        for array, value in zip((self.symbols, self.levels, self.means, self.y_hat), (symbols, levels, means, decoded)):
            array[:, rows, columns] = value


def _checkerboard(manifest: Manifest, features: Integers, found: _Found, run: Run) -> None:
    rows, columns = np.indices(features.shape[1:])
    anchor = (rows + columns) % 2 == 0
    nothing = np.zeros((manifest.transforms["context"].out_channels, int(anchor.sum())), dtype=np.int64)
    found.put(_parameters(manifest, features[:, anchor], nothing, run), *np.nonzero(anchor))
    if anchor.all():
        return
    context = np.asarray(run(manifest.transforms["context"], found.y_hat), dtype=np.int64)
    found.put(_parameters(manifest, features[:, ~anchor], context[:, ~anchor], run), *np.nonzero(~anchor))


def _parameters(manifest: Manifest, features: Integers, context: Integers, run: Run) -> Integers:
    """Run the 1x1 convolutions on (C, n) positions."""
    both = np.concatenate([features, context])
    return np.asarray(run(manifest.transforms["parameters"], both[:, None])[:, 0], dtype=np.int64)


def _raster(manifest: Manifest, features: Integers, found: _Found, groups: Groups, run: Run) -> None:
    layer = _masked(manifest)
    reach = layer.kernel // 2
    # patches side by side, one output each
    apart = replace(layer, stride=layer.kernel, padding=0)
    for rows, columns in groups:
        patches = np.concatenate([_patch(found.y_hat, r, c, reach) for r, c in zip(rows, columns)], axis=2)
        context = run_layer(apart, patches)[:, 0]
        found.put(_parameters(manifest, features[:, rows, columns], context, run), rows, columns)


def _patch(y_hat: Integers, row: int, column: int, reach: int) -> Integers:
    patch = np.zeros((len(y_hat), 2 * reach + 1, 2 * reach + 1), dtype=np.int64)
    top, left = max(row - reach, 0), max(column - reach, 0)
    own = y_hat[:, top : row + reach + 1, left : column + reach + 1]
    y, x = top - (row - reach), left - (column - reach)
    patch[:, y : y + own.shape[1], x : x + own.shape[2]] = own
    return patch


def _singles(height: int, width: int, reach: int) -> Groups:
    """Positions one by one in raster order."""
    for row in range(height):
        for column in range(width):
            yield np.array([row]), np.array([column])


def _slants(height: int, width: int, reach: int) -> Groups:
    """Positions in groups that do not read each other, each group behind all that it reads."""
    for step in range(width + (reach + 1) * (height - 1)):
        rows = np.arange(height)
        columns = step - (reach + 1) * rows
        inside = (columns >= 0) & (columns < width)
        if inside.any():
            yield rows[inside], columns[inside]
