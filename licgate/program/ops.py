"""Operations: a layer as passes over the array, and its weights in the order in which the passes use them.

A convolution is one kind of pass. A transposed convolution of stride 2 is four, one for each parity of output row and
column ("phase"), each an ordinary convolution of stride 1 on the input with the taps that fall on it: 9 + 6 + 6 + 4 for
a kernel of 5, no more products than the layer has. Where nothing on the chip reads its output, a transposed convolution
is one convolution of stride 1 to four times the channels instead, its output left in that depth form: fewer, fuller
passes for the three channels of a picture.
"""

from dataclasses import dataclass

import numpy as np

from licgate.manifest.checks import Integers
from licgate.manifest.layers import Conv2d, Layer
from licgate.program.shape import Shape
from licgate.target.arithmetic import DIRECT, Arithmetic

__all__ = [
    "IN_FLIGHT",
    "LINE_LATENCY",
    "UPSAMPLING",
    "Op",
    "PassKind",
    "Shape",
    "extents",
    "matrices",
    "steps_of",
    "tap_range",
    "words_of",
]

#: Cycles from an address to the word of a line or weight memory.
LINE_LATENCY = 6

#: Passes issued but not yet written, at most: the depth of the descriptor queues.
IN_FLIGHT = 8

#: Stride of a transposed convolution.
UPSAMPLING = 2

# A tap row is two cycles at least: a single tap is followed by one of weight zero.
_FEWEST_TAPS = 2


@dataclass(frozen=True)
class PassKind:
    """One kind of pass.

    Attributes
    ----------
    index : int
        Position in ``Program.pass_kinds``; the feeder's tables are indexed by it.
    op : int
    row, column : int
        Parity of the output rows and columns that it makes; 0 where there is one phase.
    kernel_rows : int
        Input rows of a full pass.
    shape : Shape or None
        None for a GDN, which reads no window.
    steps : int
        Steps of a full pass.
    weights : int
        Words of a tile's weights: one for each step, fewer by points.
    base : int
        Address of its first weight word.
    params : int
        Where its parameters begin, from the layer's first ones on.
    """

    index: int
    op: int
    row: int
    column: int
    kernel_rows: int
    shape: Shape | None
    steps: int
    weights: int
    base: int
    params: int = 0


@dataclass(frozen=True)
class Op:
    """One layer as the array runs it: ``tiles`` passes for each group of pixels and pass kind.

    Attributes
    ----------
    index : int
        Position in the program; gateware tables are indexed by it.
    layer : Conv2d or Gdn
        The layer of the manifest.
    channels_in, channels_out : int
        Reduction channels, and output channels: four times the layer's in depth form.
    tiles : int
        Passes a group of pixels: ``ceil(channels_out / (products * cols))``.
    weight_bits : int
        Stored bits of one weight (γ of GDN is stored unsigned).
    memory, base : int
        Weight memory, and the address of the layer's first word in it.
    words : tuple of int
        Words of ``products * cols * weight_bits`` bits: pass kind by pass kind, in each tile by tile, a word a step.
        Column ``c`` holds output channel ``tile * cols + c``.
    param_base : int
        Where the per-channel parameters of the layer begin in the parameter memories.
    pass_kinds : tuple of PassKind
        Of even rows before odd ones, then by column; one for all but transposed convolutions.
    depth_form : bool
        Output channel ``(2 * p + q) * C + c`` at (i, j) is channel c of the layer at (2 i + p, 2 j + q).
    packed : bool
        Two products a multiplier, see :mod:`licgate.program.packing`: a tile has ``2 * cols`` channels, and column c
        holds, from its low bits on, channel ``tile * 2 * cols + 2 * c`` and the next one.
    arithmetic : Arithmetic
        Of the array: how many reduction channels a step takes.
    """

    index: int
    layer: Layer
    channels_in: int
    channels_out: int
    tiles: int
    weight_bits: int
    memory: int
    base: int
    words: tuple[int, ...]
    param_base: int
    pass_kinds: tuple[PassKind, ...]
    depth_form: bool = False
    packed: bool = False
    arithmetic: Arithmetic = DIRECT

    @property
    def products(self) -> int:
        """Products that a column makes in a step: output channels of it."""
        return 1 + self.packed

    @property
    def outputs(self) -> int:
        """Neighbouring outputs of a channel that a row of the array makes in a pass."""
        return 1 if self.is_gdn else self.arithmetic.outputs

    @property
    def macs_per_product(self) -> float:
        """Multiply-accumulates for which a multiplier multiplies once."""
        plain = self.products * self.arithmetic.indices
        if self.outputs == 1:
            return plain
        shapes = [(kind.kernel_rows, kind.shape) for kind in self.pass_kinds if kind.shape is not None]
        taps, steps = (
            sum(rows * count for (rows, _), count in zip(shapes, counts, strict=True))
            for counts in ([shape.columns for _, shape in shapes], [shape.steps for _, shape in shapes])
        )
        return plain * self.outputs * taps / steps

    @property
    def words_in(self) -> int:
        """Words of a memory that hold the reduction channels of a group of pixels: so many steps a tap."""
        return self.arithmetic.words(self.channels_in)

    @property
    def is_gdn(self) -> bool:
        """The layer is a GDN."""
        return self.layer.kind == "gdn"

    @property
    def steps(self) -> int:
        """Steps of one output of every pass kind, in full passes: ``words_in * kernel**2``, not so in depth form."""
        return sum(pass_kind.steps for pass_kind in self.pass_kinds)

    @property
    def weights(self) -> int:
        """Words of a tile's weights, of every pass kind: those of ``steps``, or fewer by points."""
        return sum(pass_kind.weights for pass_kind in self.pass_kinds)

    @property
    def shortest(self) -> int:
        """Steps of the shortest full pass."""
        return min(pass_kind.steps for pass_kind in self.pass_kinds)

    @property
    def tiled_words(self) -> tuple[int, ...]:
        """The words tile by tile, and in a tile pass kind by pass kind: ``weights`` words a tile."""
        parts = [
            self.words[first : first + pass_kind.weights]
            for tile in range(self.tiles)
            for pass_kind in self.pass_kinds
            for first in [pass_kind.base - self.base + tile * pass_kind.weights]
        ]
        return tuple(word for part in parts for word in part)


def tap_range(layer: Conv2d, parity: int) -> tuple[int, int]:
    """First input position, relative to output position // 2, and number of positions that outputs of a parity read."""
    first = (parity + layer.padding - layer.kernel + UPSAMPLING) // UPSAMPLING
    return first, (parity + layer.padding) // UPSAMPLING - first + 1


def extents(layer: Conv2d, *, depth_form: bool = False) -> list[tuple[int, int, int, int, int]]:
    """What the passes of a convolution read, without its weights.

    Returns
    -------
    list of (int, int, int, int, int)
        For each phase, in the order of :func:`matrices`: row and column parity, first input column relative to the
        output's place, kernel rows, and kernel columns.
    """
    if not layer.transposed:
        return [(0, 0, -layer.padding, layer.kernel, max(layer.kernel, _FEWEST_TAPS))]
    ranges = [tap_range(layer, parity) for parity in range(UPSAMPLING)]
    if depth_form:
        first = min(start for start, _ in ranges)
        count = max(start + number for start, number in ranges) - first
        return [(0, 0, first, count, max(count, _FEWEST_TAPS))]
    return [(p, q, ranges[q][0], ranges[p][1], max(ranges[q][1], _FEWEST_TAPS)) for p in range(2) for q in range(2)]


def matrices(layer: Conv2d, *, depth_form: bool = False) -> list[tuple[int, int, int, int, Integers]]:
    """Weights as the array multiplies them.

    Returns
    -------
    list of (int, int, int, int, ndarray)
        For each phase: row and column parity, first input row and column relative to the output's place, and weights of
        shape (O, kernel rows, I, kernel columns).
    """
    weight = np.asarray(layer.weight, dtype=np.int64)
    if not layer.transposed:
        return [(0, 0, -layer.padding, -layer.padding, _padded(weight.transpose(0, 2, 1, 3)))]
    if not depth_form:
        found = []
        for p in range(UPSAMPLING):
            for q in range(UPSAMPLING):
                (top, rows), (left, columns) = tap_range(layer, p), tap_range(layer, q)
                found.append((p, q, top, left, _padded(_gathered(layer, weight, p, q, top, rows, left, columns))))
        return found
    ranges = [tap_range(layer, parity) for parity in range(UPSAMPLING)]
    first = min(start for start, _ in ranges)
    count = max(start + number for start, number in ranges) - first
    parts = [_gathered(layer, weight, p, q, first, count, first, count) for p in range(2) for q in range(2)]
    return [(0, 0, first, first, _padded(np.concatenate(parts)))]


def _gathered(
    layer: Conv2d, weight: Integers, p: int, q: int, top: int, rows: int, left: int, columns: int
) -> Integers:
    """Weights (O, rows, I, columns) that an output of parities p, q has for the inputs around its place."""
    out = np.zeros((layer.out_channels, rows, layer.in_channels, columns), dtype=np.int64)
    for a in range(rows):
        for b in range(columns):
            ky = p + layer.padding - UPSAMPLING * (top + a)
            kx = q + layer.padding - UPSAMPLING * (left + b)
            if 0 <= ky < layer.kernel and 0 <= kx < layer.kernel:
                out[:, a, :, b] = weight[:, :, ky, kx].T
    return out


def _padded(weight: Integers) -> Integers:
    return np.pad(weight, ((0, 0), (0, 0), (0, 0), (0, max(0, _FEWEST_TAPS - weight.shape[3]))))


def steps_of(matrix: Integers, arithmetic: Arithmetic = DIRECT) -> Integers:
    """Weights of a pass kind in the order of its steps.

    Parameters
    ----------
    matrix : ndarray
        (O, kernel rows, I, kernel columns), or (O, I) of a GDN.
    arithmetic : Arithmetic

    Returns
    -------
    ndarray
        (O, steps, reduction indices of a step), with zeros for channels that fill a word.
    """
    matrix = matrix if matrix.ndim == 4 else matrix[:, None, :, None]
    out, rows, channels, columns = matrix.shape
    indices, words = arithmetic.indices, arithmetic.words(channels)
    padded = np.pad(matrix, ((0, 0), (0, 0), (0, words * indices - channels), (0, 0)))
    return padded.reshape(out, rows, words, indices, columns).swapaxes(3, 4).reshape(out, -1, indices)


def words_of(weights: Integers, cols: int, bits: int, *, packed: bool = False) -> list[int]:
    """Weight words of a pass kind: ``weights`` (O, steps, indices) in tiles of ``cols`` channels, or of twice as many.

    A word holds every column's weight of a step's first reduction index, then those of the next one. A packed column
    holds its lower weight and its upper one less the lower one's sign: their sum, shifted against each other, is then
    the two side by side, with the lower one's sign between them.
    """
    out, steps, indices = weights.shape
    fields = cols << packed
    tiles = -(-out // fields)
    padded = np.zeros((tiles * fields, steps, indices), dtype=np.int64)
    padded[:out] = weights
    if packed:
        padded[1::2] -= padded[::2] < 0
    padded &= (1 << bits) - 1
    rows = padded.reshape(tiles, fields, steps, indices).transpose(0, 2, 3, 1).reshape(tiles * steps, indices * fields)
    return [sum(int(v) << (bits * c) for c, v in enumerate(row)) for row in rows]
