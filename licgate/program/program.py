"""The program: what transforms and the shape of an array are compiled to, for images of any size."""

from dataclasses import dataclass

from licgate.errors import ConfigError
from licgate.manifest.transform import Transform
from licgate.program.collecting import point_gap
from licgate.program.ops import LINE_LATENCY, Op, PassKind, Shape
from licgate.program.packing import PackedPasses, drain_gap
from licgate.program.stages import Stage
from licgate.target.arithmetic import DIRECT, Arithmetic

__all__ = ["Chain", "Memory", "Program"]


@dataclass(frozen=True)
class Chain:
    """One transform: its stages follow each other in ``Program.stages``, from ``first`` to ``last``.

    Attributes
    ----------
    index : int
    transform : Transform
    first, last : int
        Stages.
    max_width : int
        Widest input that the line buffers hold.
    pixels : bool
        The host sends whole pixels in raster order; else single values in the order in which the array gives them.
    """

    index: int
    transform: Transform
    first: int
    last: int
    max_width: int
    pixels: bool


@dataclass(frozen=True)
class Memory:
    """A memory that layers whose values have the same type share; each word holds exactly their bits.

    Attributes
    ----------
    bits, signed : int, bool
        Type of a value.
    depth : int
        Words.
    init : tuple of int
        Contents, for weights.
    split : bool
        Even and odd pixels of a word are written apart, since an upsampling stage makes them apart.
    packed : bool
        A word holds two weights for each column.
    indices : int
        Values of a word for each row or column that are of channels: first those of one channel, then of the next.
    """

    bits: int
    signed: bool
    depth: int
    init: tuple[int, ...] = ()
    split: bool = False
    packed: bool = False
    indices: int = 1

    @property
    def field(self) -> int:
        """Bits of a word for each row or column."""
        return (self.bits << self.packed) * self.indices


@dataclass(frozen=True)
class Program(PackedPasses):
    """What the accelerator runs; see :func:`compile_program`."""

    chains: tuple[Chain, ...]
    rows: int
    cols: int
    lanes: int
    ops: tuple[Op, ...]
    stages: tuple[Stage, ...]
    line_memories: tuple[Memory, ...]
    weight_memories: tuple[Memory, ...]
    biases: tuple[int, ...]
    multipliers: tuple[int, ...]
    shifts: tuple[int, ...]
    offsets: tuple[int, ...]
    lane_multipliers: str = "dsp"
    pack_shift: int | None = None
    output_words: int = 0
    arithmetic: Arithmetic = DIRECT

    @property
    def pass_kinds(self) -> tuple[PassKind, ...]:
        """All kinds of passes, by their index."""
        return tuple(pass_kind for op in self.ops for pass_kind in op.pass_kinds)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The windows that passes read, without repetition."""
        return tuple(dict.fromkeys(pass_kind.shape for pass_kind in self.pass_kinds if pass_kind.shape is not None))

    @property
    def multiplier_cells(self) -> int:
        """Multiplier blocks of the whole accelerator: the array's, and those of the lanes unless they are logic."""
        if self.lane_multipliers == "fabric":
            return self.rows * self.cols
        gdns = [op.layer for op in self.ops if op.layer.kind == "gdn"]
        of_gdn = 1 if self.lane_multipliers == "mixed" else 2
        lane = 1 + of_gdn * bool(gdns) + any(gdn.square for gdn in gdns)
        return self.rows * self.cols + self.lanes * lane

    @property
    def drain_gap(self) -> int:
        """Least cycles between the last steps of two passes, so that results have left before new ones arrive.

        Behind a packed pass, or one that makes quads, it takes longer, see `gap_behind`.
        """
        return drain_gap(self.cols, self.lane_rows)

    def gap_behind(self, op: Op) -> int:
        """Least cycles from the last step of a pass of an operation to that of the next pass, whatever that is."""
        if self.arithmetic.points:
            return point_gap(self.cols, self.lane_rows, self.activation_width, single=op.outputs == 1)
        return super().gap_behind(op)

    @property
    def window_words(self) -> int:
        """Input words that the largest window touches."""
        return max(shape.words(self.rows) for shape in self.shapes)

    @property
    def kernel_rows(self) -> int:
        """Kernel rows of a pass, at most."""
        return max(stage.most_rows for stage in self.stages)

    @property
    def gdn_depth(self) -> int:
        """Channels of the GDN inputs, each of a group of pixels: those of the largest band, in whole words."""
        least = self.arithmetic.indices * self.arithmetic.outputs
        return max(least, *(stage.gdn_words * self.arithmetic.indices for stage in self.stages))

    @property
    def group_columns(self) -> int:
        """Output columns of a group: those of every row of the array."""
        return self.rows * self.arithmetic.outputs

    @property
    def upsampling(self) -> bool:
        """Some stage makes the parities of its output apart."""
        return any(stage.upsampling for stage in self.stages)

    @property
    def word_stride(self) -> int | None:
        """Line memory words between neighbouring words of a row; None where each stage has its own."""
        return None

    @property
    def ring_words(self) -> int | None:
        """Line memory words after which a row's words begin again at the start; None where they never do."""
        return None

    @property
    def weight_ring(self) -> int | None:
        """Weight memory words after which a tile's words begin again at the start; None where they never do."""
        return None

    @property
    def feed_latency(self) -> int:
        """Cycles from the issue of a step to its arrival at the array: memory, choice, the window's words, choice.

        By points pixels are evaluated for two more.
        """
        return LINE_LATENCY + self.window_words + 2 + 2 * self.arithmetic.points

    @property
    def pixel_width(self) -> int:
        """Signed width of the pixels of a window: that of the array's operand, where they are not evaluated first."""
        if not self.arithmetic.points:
            return self.activation_width
        return self._widest_pixel

    @property
    def _widest_pixel(self) -> int:
        return max(memory.bits + (not memory.signed) for memory in self.line_memories)

    @property
    def activation_width(self) -> int:
        """Signed width of the array's activation operand."""
        norms = [op.layer.norm_bits + 1 for op in self.ops if op.layer.kind == "gdn"]
        if self.arithmetic.points:
            return max(norms + [a.bit_length() + 1 for a, _ in self._extents])
        return max([*norms, self._widest_pixel])

    @property
    def tap_width(self) -> int:
        """Signed width of a weight as it is stored; two of them where it is packed."""
        return max(op.weight_bits + op.is_gdn + (self.pack_shift or 0) * op.packed for op in self.ops)

    @property
    def weight_width(self) -> int:
        """Signed width of the array's weight operand."""
        if self.arithmetic.points:
            return max(
                [op.weight_bits + 1 for op in self.ops if op.is_gdn] + [w.bit_length() + 1 for _, w in self._extents]
            )
        return self.tap_width

    @property
    def multiplicand_width(self) -> int:
        """Signed width of what an element's multiplier multiplies."""
        if not self.arithmetic.points:
            return max(self.arithmetic.multiplicand_widths(self.activation_width, self.weight_width))
        gdns = [(1 << op.layer.norm_bits) + (1 << op.weight_bits) for op in self.ops if op.layer.kind == "gdn"]
        return max(v.bit_length() + 1 for v in gdns + [a + w for a, w in self._extents])

    @property
    def _extents(self) -> list[tuple[int, int]]:
        """Largest magnitudes of what elements are fed in convolutions."""
        found = []
        for stage in self.stages:
            memory, op = self.line_memories[stage.memory], stage.conv
            low, high = (
                (-(1 << memory.bits - 1), (1 << memory.bits - 1) - 1) if memory.signed else (0, (1 << memory.bits) - 1)
            )
            found.append(self.arithmetic.operand_extents(low, high, 1 << op.weight_bits - 1))
        return found

    @property
    def accumulator_width(self) -> int:
        """Signed width of the accumulators: the largest that the manifest proves is needed."""
        return max(op.layer.accumulator.bits + op.is_gdn for op in self.ops)

    @property
    def sum_width(self) -> int:
        """Signed width of the sums of an array's elements."""
        return self.accumulator_width + self.arithmetic.sum_bits

    def fed_rows(self, pass_kind: PassKind, inside: int) -> int:
        """Kernel rows that a pass is fed, of which so many lie inside the image."""
        return pass_kind.kernel_rows if self.arithmetic.whole_passes else inside

    def chain_of(self, name: str) -> Chain:
        """The chain of the transform of that name.

        Raises
        ------
        ConfigError
            There is none.
        """
        for chain in self.chains:
            if chain.transform.name == name:
                return chain
        there = ", ".join(chain.transform.name for chain in self.chains)
        raise ConfigError(f"the accelerator has no {name}, only {there}")

    def stages_of(self, chain: Chain) -> tuple[Stage, ...]:
        """The stages of a chain."""
        return self.stages[chain.first : chain.last + 1]
