"""Packing: two products a multiplier, where the widths of a layer allow it.

Two weights share an activation: ``a * (low + (high << k))`` is ``a * low + (a * high << k)``. The array sums this as it
is, and beside it its upper part alone, ``(p >> k) + p[k - 1]``, which is exactly ``a * high`` as long as every ``a *
low`` fits k signed bits: what the lower product borrows from the upper one is its sign, bit k - 1. Where sums leave
the array, the lower one is the difference ``L - (H << k)``, exact in as many bits as the sum itself has. So no element
of the array knows whether a pass is packed; whoever drains it does.

Weights are symmetric (docs/numerics.md), so that ``a * low`` takes a bit less than both widths together: activations of
a bits pack with weights of w bits into operands of ``a + 2 * w - 1`` bits.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from licgate.manifest.geometry import layer_macs
from licgate.manifest.layers import Layer
from licgate.manifest.transform import Transform
from licgate.program.collecting import DIVISION
from licgate.program.ops import Op, extents
from licgate.program.stages import Stage, check_convolution
from licgate.target.arithmetic import Arithmetic
from licgate.target.config import AcceleratorConfig

__all__ = ["SHORTEST_DRAIN", "PackedPasses", "Packing", "choose_packing", "drain_gap", "lane_count", "shift_range"]

#: Results leave the array at every second cycle at most: behind an upsampling stage each takes two writes.
SHORTEST_DRAIN = 2

# what the work of layers is compared at
_SIDE = 64


@dataclass(frozen=True)
class Packing:
    """Which operations are packed, and how.

    Attributes
    ----------
    shift : int
        k: bits between the two weights, the same for all.
    ops : frozenset of int
        Positions in ``Program.ops``.
    """

    shift: int
    ops: frozenset[int]


class PackedPasses:
    """What a program says of packing, beside its operations: the part of `Program` that follows from ``pack_shift``."""

    rows: int
    cols: int
    lanes: int
    ops: tuple[Op, ...]
    stages: tuple[Stage, ...]
    pack_shift: int | None
    arithmetic: Arithmetic

    @property
    def packing(self) -> bool:
        """Some operation is packed, so every element of the array has two sums."""
        return self.pack_shift is not None

    @property
    def lane_rows(self) -> int:
        """Array rows that one post-processing lane serves, which is also the cycles of one drain interval."""
        return max(SHORTEST_DRAIN, -(-self.rows // self.lanes))

    @property
    def merge_latency(self) -> int:
        """Cycles that sums take to become results: of the two of an element, or by a division."""
        return DIVISION if self.arithmetic.points else int(self.packing)

    @property
    def most_channels(self) -> int:
        """Output channels of a pass, at most."""
        return self.cols << self.packing

    @property
    def most_words(self) -> int:
        """Words of results of a pass, at most."""
        return self.most_channels * self.arithmetic.outputs

    @property
    def leaving_words(self) -> int:
        """Words of a pass whose results leave the chip, at most."""
        return max(self.tile_words_out(stage.last_op) for stage in self.stages if stage.last)

    def tile_channels(self, op: Op) -> int:
        """Output channels of a full pass of an operation."""
        return self.cols * op.products

    def tile_words_out(self, op: Op) -> int:
        """Words of results of a full pass of an operation: one for each output of a channel."""
        return self.tile_channels(op) * op.outputs

    def word_bits(self, op: Op) -> int:
        """Bits of a weight word of an operation."""
        return self.tile_channels(op) * op.weight_bits * self.arithmetic.indices

    def gap_behind(self, op: Op) -> int:
        """Least cycles from the last step of a pass of an operation to that of the next pass, whatever that is."""
        return drain_gap(self.cols, self.lane_rows, op.products)

    @property
    def packed_accumulator_width(self) -> int:
        """Signed width of the accumulators that packed operations need; 0 without any."""
        return max((op.layer.accumulator.bits + op.is_gdn for op in self.ops if op.packed), default=0)


@dataclass(frozen=True)
class _Layer:
    """What decides about a layer: steps of its passes, output channels, shifts it can have, share of the work."""

    steps: tuple[int, ...]
    channels: int
    shifts: range
    work: float

    @property
    def shortest(self) -> int:
        return min(self.steps)

    def tiles(self, cols: int, packed: bool) -> int:
        return -(-self.channels // (cols << packed))


def shift_range(layer: Layer, packed_bits: int) -> range:
    """Shifts with which two weights of a layer share a multiplier whose operand has ``packed_bits`` bits.

    Returns
    -------
    range
        Empty where they do not.
    """
    if layer.kind == "gdn":
        product = ((1 << layer.norm_bits) - 1) * layer.gamma_type.max
        field = layer.gamma_type.bits + 1
    else:
        product = layer.input.magnitude * layer.weight_type.max
        field = layer.weight_type.bits
    return range(product.bit_length() + 1, packed_bits - field + 1)


def drain_gap(cols: int, drain_interval: int, products: int = 1) -> int:
    """Least cycles from the last step of a pass to that of the next, so that its results have left by then.

    Parameters
    ----------
    cols : int
    drain_interval : int
        Cycles of one result.
    products : int
        Results of a column: 2 of a packed pass.
    """
    return products * drain_interval * cols


def lane_count(config: AcceleratorConfig, passes: Collection[tuple[int, int]]) -> int:
    """Lanes to build: those asked for or as drain a tile within the shortest pass, none of them without rows.

    Parameters
    ----------
    config : AcceleratorConfig
    passes : iterable of (int, int)
        Steps of the shortest pass and results of a column, of each operation.
    """
    lanes = config.lanes
    shortest = min(steps // products for steps, products in passes)
    drain_interval = shortest // config.cols if lanes is None else -(-config.rows // lanes)
    return -(-config.rows // max(SHORTEST_DRAIN, drain_interval))


def choose_packing(transforms: Sequence[Transform], config: AcceleratorConfig) -> Packing | None:
    """Decide which layers are packed: those that it makes faster, with the shift that serves most of the work.

    A layer is faster in fewer passes, unless the results of a pass then take longer to leave the array than it lasts.

    Parameters
    ----------
    transforms : sequence of Transform
    config : AcceleratorConfig

    Returns
    -------
    Packing or None
        None where nothing is packed.

    Raises
    ------
    ConfigError
        A transform holds something that the array does not run.
    """
    if not config.packing:
        return None
    layers = [layer for transform in transforms for layer in _layers(transform, config.packed_bits)]
    fitting = [
        index
        for index, layer in enumerate(layers)
        if layer.shifts
        and layer.tiles(config.cols, True) < layer.tiles(config.cols, False)
        and layer.shortest >= 2 * SHORTEST_DRAIN * config.cols
    ]
    if not fitting:
        return None

    def served(shift: int) -> list[int]:
        return [index for index in fitting if shift in layers[index].shifts]

    shifts = sorted({layers[index].shifts.start for index in fitting})
    shift = max(shifts, key=lambda k: sum(layers[index].work for index in served(k)))
    chosen = set(served(shift))
    lanes = lane_count(config, [(layer.shortest, 1 + (index in chosen)) for index, layer in enumerate(layers)])
    drain_interval = max(SHORTEST_DRAIN, -(-config.rows // lanes))
    faster = frozenset(
        index
        for index in chosen
        if _cycles(layers[index], config.cols, drain_interval, True)
        < _cycles(layers[index], config.cols, drain_interval, False)
    )
    return Packing(shift, faster) if faster else None


def _layers(transform: Transform, packed_bits: int) -> Iterator[_Layer]:
    """What decides about each layer of a transform."""
    sizes = transform.layer_sizes(_SIDE, _SIDE)
    total = transform.macs(_SIDE, _SIDE)
    steps: tuple[int, ...]
    for layer, size in zip(transform.layers, sizes, strict=False):
        if layer.kind == "gdn":
            steps, channels = (layer.channels,), layer.channels
        else:
            check_convolution(layer)
            depth_form = layer is transform.layers[-1] and layer.transposed
            found = extents(layer, depth_form=depth_form)
            steps = tuple(rows * layer.in_channels * columns for *_, rows, columns in found)
            channels = (4 if depth_form else 1) * layer.out_channels
        yield _Layer(steps, channels, shift_range(layer, packed_bits), layer_macs(layer, *size) / total)


def _cycles(layer: _Layer, cols: int, drain_interval: int, packed: bool) -> int:
    """Cycles of the passes over one group of pixels."""
    gap = drain_gap(cols, drain_interval, 1 + packed)
    return layer.tiles(cols, packed) * sum(max(steps, gap) for steps in layer.steps)
