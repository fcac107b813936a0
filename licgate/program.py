"""The compiler: a transform of the manifest and an array shape become the list of operations that everybody reads.

The sequencer executes this program, the cycle model walks it and the report tabulates it; no other place decides how a
layer is laid over the array.
"""

from dataclasses import dataclass

import numpy as np

from licgate.errors import ConfigError
from licgate.manifest import Conv2d, Gdn, Transform

__all__ = ["IN_FLIGHT", "LINE_LATENCY", "Memory", "Op", "Program", "Stage", "compile_program"]

# The array passes its shift signal from column to column, so results move at every second cycle at most.
_SHORTEST_BEAT = 2

#: Cycles from an address to the word of a line or weight memory.
LINE_LATENCY = 4

#: Passes issued but not yet written, at most: the depth of the descriptor queues.
IN_FLIGHT = 8


@dataclass(frozen=True)
class Op:
    """One layer as the array runs it: ``tiles`` passes of at most ``steps`` multiply steps a group of pixels.

    Attributes
    ----------
    index : int
        Position in the program; gateware tables are indexed by it.
    layer : Conv2d or Gdn
        The layer of the manifest.
    channels_in, channels_out : int
        Reduction channels and output channels.
    steps : int
        Steps of a full pass: ``channels_in * kernel**2`` for a convolution, ``channels_in`` for GDN.
    tiles : int
        Passes a group of pixels: ``ceil(channels_out / cols)``.
    weight_bits : int
        Stored bits of one weight (γ of GDN is stored unsigned).
    memory, base : int
        Weight memory, and the address of the layer's first word in it.
    words : tuple of int
        ``tiles * steps`` words of ``cols * weight_bits`` bits. Column ``c`` holds output channel
        ``tile * cols + cols - 1 - c``, so that the first channel of a tile leaves the array first.
    param_base : int
        Where the per-channel parameters of the layer begin in the parameter memories.
    """

    index: int
    layer: Conv2d | Gdn
    channels_in: int
    channels_out: int
    steps: int
    tiles: int
    weight_bits: int
    memory: int
    base: int
    words: tuple
    param_base: int

    @property
    def is_gdn(self) -> bool:
        """The layer is a GDN."""
        return self.layer.kind == "gdn"


@dataclass(frozen=True)
class Stage:
    """A convolution with the GDN that may follow it, and the ring of input rows in front of it.

    Attributes
    ----------
    conv, gdn : Op
        ``gdn`` is None when the convolution's own requantisation ends the stage.
    ring : int
        Input rows that the line buffer keeps.
    words : int
        Words (of ``rows`` pixels of one channel) in the widest input row.
    memory, base : int
        Line memory, and the address of the stage's line buffer in it.
    """

    conv: Op
    gdn: Op | None
    ring: int
    words: int
    memory: int
    base: int

    @property
    def row_stride(self) -> int:
        """Line buffer words between two rows."""
        return self.words * self.conv.channels_in

    @property
    def depth(self) -> int:
        """Line buffer words in all."""
        return self.ring * self.row_stride

    @property
    def last_row(self) -> int:
        """Address of the last row of the ring; the row behind it is the one at ``base``."""
        return self.base + (self.ring - 1) * self.row_stride

    @property
    def last_op(self) -> Op:
        """The operation whose results leave the stage."""
        return self.gdn if self.gdn is not None else self.conv


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
    """

    bits: int
    signed: bool
    depth: int
    init: tuple = ()


@dataclass(frozen=True)
class Program:
    """What the accelerator runs; see :func:`compile_program`."""

    transform: Transform
    rows: int
    cols: int
    lanes: int
    max_width: int
    kernel: int
    ops: tuple
    stages: tuple
    line_memories: tuple
    weight_memories: tuple
    biases: tuple
    multipliers: tuple
    shifts: tuple
    offsets: tuple

    @property
    def padding(self) -> int:
        """Zeros on each side of a feature map."""
        return (self.kernel - 1) // 2

    @property
    def lane_rows(self) -> int:
        """Array rows that one post-processing lane serves, which is also the cycles of one drain beat."""
        return max(_SHORTEST_BEAT, -(-self.rows // self.lanes))

    @property
    def multiplier_cells(self) -> int:
        """Multipliers of the whole accelerator: the array's, and those of the lanes."""
        gdns = [op.layer for op in self.ops if op.is_gdn]
        lane = 1 + 2 * bool(gdns) + any(gdn.square for gdn in gdns)
        return self.rows * self.cols + self.lanes * lane

    @property
    def drain_gap(self) -> int:
        """Least cycles between the last steps of two passes, so that results have left before new ones arrive."""
        return max(self.lane_rows * self.cols, 2 * self.cols + self.lane_rows)

    @property
    def first_word(self) -> int:
        """Offset of the first input word of a window, relative to word ``2 * group``."""
        return -self.padding // self.rows

    @property
    def window_words(self) -> int:
        """Input words that one window of taps touches."""
        last = (2 * (self.rows - 1) + self.kernel - 1 - self.padding) // self.rows
        return last - self.first_word + 1

    @property
    def slot(self) -> int:
        """Cycles in which one kernel row of one channel is fed."""
        return max(self.kernel, self.window_words)

    @property
    def feed_latency(self) -> int:
        """Cycles from the issue of a step to its arrival at the array: memory, choice, the window's words, choice."""
        return LINE_LATENCY + self.window_words + 2

    @property
    def activation_width(self) -> int:
        """Signed width of the array's activation operand."""
        widths = [memory.bits + (not memory.signed) for memory in self.line_memories]
        return max(widths + [op.layer.norm_bits + 1 for op in self.ops if op.is_gdn])

    @property
    def weight_width(self) -> int:
        """Signed width of the array's weight operand."""
        return max(op.weight_bits + op.is_gdn for op in self.ops)

    @property
    def accumulator_width(self) -> int:
        """Signed width of the accumulators: the largest that the manifest proves is needed."""
        return max(op.layer.accumulator.bits + op.is_gdn for op in self.ops)


def compile_program(transform, config):
    """Compile a transform for an array.

    Parameters
    ----------
    transform : Transform
        Convolutions of one odd kernel from 3, stride 2 and padding ``kernel // 2``, each followed by at most one GDN.
    config : AcceleratorConfig
        Shape of the array and widest line.

    Returns
    -------
    Program

    Raises
    ------
    ConfigError
        The transform holds something that the array does not run.
    """
    layers = list(transform.layers)
    convs = [layer for layer in layers if layer.kind == "conv2d"]
    for layer in convs:
        if layer.requantize.leak:
            raise ConfigError(f"{layer.name}: the array has no leak of {layer.requantize.leak}; train with ReLU")
    if not convs or layers[0].kind != "conv2d":
        raise ConfigError(f"{transform.name}: the array needs a transform that begins with a convolution")
    kernel = convs[0].kernel
    for layer in convs:
        if (
            layer.transposed
            or layer.stride != 2
            or layer.kernel != kernel
            or kernel % 2 == 0
            or kernel == 1
            or layer.padding != kernel // 2
        ):
            raise ConfigError(
                f"{layer.name}: the array runs convolutions of one odd kernel from 3, stride 2, padding kernel // 2, "
                f"not kernel {layer.kernel}, stride {layer.stride}, padding {layer.padding}"
                + (" transposed" if layer.transposed else "")
            )
    ops, stages, lines, weights = [], [], {}, {}
    biases, multipliers, shifts, offsets = [], [], [], []
    previous_gdn = True
    width = config.max_width
    for layer in layers:
        if layer.kind == "gdn" and previous_gdn:
            raise ConfigError(f"{layer.name}: the array runs a GDN only behind a convolution")
        previous_gdn = layer.kind == "gdn"
        op = _compile_op(len(ops), layer, config.cols, len(biases), weights)
        ops.append(op)
        requantize = layer.requantize
        biases += [int(v) for v in (layer.beta if op.is_gdn else layer.bias)]
        multipliers += [int(v) for v in requantize.multiplier]
        shifts += [int(v) for v in requantize.shift]
        offsets += [int(v) for v in requantize.offset]
        if op.is_gdn:
            stages[-1] = Stage(**{**stages[-1].__dict__, "gdn": op})
        else:
            ring = kernel + (config.input_slack if not stages else config.line_slack)
            words = -(-width // config.rows)
            # Pixels have a line buffer of their own, since they come while results are written.
            key = (layer.input.bits, layer.input.signed, not stages)
            memory, base = _place(lines, key, [0] * (ring * words * layer.in_channels))
            stages.append(Stage(conv=op, gdn=None, ring=ring, words=words, memory=memory, base=base))
            width = (width + 1) // 2
    return Program(
        transform=transform,
        rows=config.rows,
        cols=config.cols,
        lanes=_lanes(config, ops),
        max_width=config.max_width,
        kernel=kernel,
        ops=tuple(ops),
        stages=tuple(stages),
        line_memories=tuple(Memory(key[0], key[1], len(words)) for key, words in lines.items()),
        weight_memories=tuple(Memory(*key, len(words), tuple(words)) for key, words in weights.items()),
        biases=tuple(biases),
        multipliers=tuple(multipliers),
        shifts=tuple(shifts),
        offsets=tuple(offsets),
    )


def _lanes(config, ops):
    """Lanes to build: as many as asked for or as drain a tile within the shortest pass, none of them without rows."""
    beat = -(-config.rows // config.lanes) if config.lanes is not None else min(op.steps for op in ops) // config.cols
    return -(-config.rows // max(_SHORTEST_BEAT, beat))


def _place(memories, key, words):
    """Append words to the memory of that key; return the memory's index and the first word's address."""
    held = memories.setdefault(key, [])
    base = len(held)
    held += words
    return list(memories).index(key), base


def _compile_op(index, layer, cols, param_base, weights):
    if layer.kind == "gdn":
        matrix = np.asarray(layer.gamma, dtype=np.int64)
        bits = layer.gamma_type.bits
    else:
        matrix = np.asarray(layer.weight, dtype=np.int64).transpose(0, 2, 1, 3).reshape(layer.out_channels, -1)
        bits = layer.weight_type.bits
    out, steps = matrix.shape
    tiles = -(-out // cols)
    padded = np.zeros((tiles * cols, steps), dtype=np.int64)
    padded[:out] = matrix & ((1 << bits) - 1)
    columns = padded.reshape(tiles, cols, steps)[:, ::-1].transpose(0, 2, 1).reshape(tiles * steps, cols)
    words = tuple(sum(int(v) << (bits * c) for c, v in enumerate(row)) for row in columns)
    channels_in = layer.channels if layer.kind == "gdn" else layer.in_channels
    memory, base = _place(weights, (bits, layer.kind == "conv2d"), words)
    return Op(index, layer, channels_in, out, steps, tiles, bits, memory, base, words, param_base)
