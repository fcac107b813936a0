"""The memories of an accelerator by what they hold, and the block RAMs of a device that they take."""

from dataclasses import dataclass

from licgate.program.commands import COMMANDS_READ, command_beats
from licgate.program.streamed import WRITES

__all__ = [
    "GdnMemories",
    "MemoryUse",
    "block_rams",
    "memory_uses",
    "program_memories",
    "streamed_memories",
]


@dataclass(frozen=True)
class MemoryUse:
    """Memories that are alike.

    Attributes
    ----------
    holds : str
        What: line buffers, weights, parameters, GDN inputs, GDN tables.
    depth, width : int
        Words, and bits a word.
    copies : int
    parts : bool
        Words are cut into parts, each in a cell as deep as the memory.
    """

    holds: str
    depth: int
    width: int
    copies: int = 1
    parts: bool = False

    @property
    def bits(self) -> int:
        """Bits held."""
        return self.copies * self.depth * self.width

    def cells(self, shapes) -> int:
        """Memory cells of the (depth, width) in ``shapes``."""
        if self.parts:
            shapes = [shape for shape in shapes if shape[0] >= self.depth] or shapes[:1]
        return self.copies * block_rams(self.depth, self.width, shapes)


@dataclass(frozen=True)
class GdnMemories:
    """What the GDN layers ask of memories.

    Attributes
    ----------
    layers : int
        GDN layers.
    words : int
        Channels of their inputs, each of a group of pixels.
    norm_bits, input_bits : int
        Widest size and widest input.
    index_bits, slope_bits : int
        Of their tables.
    """

    layers: int
    words: int
    norm_bits: int
    input_bits: int
    index_bits: int
    slope_bits: int


def block_rams(depth, width, shapes) -> int:
    """Fewest block RAMs of the (depth, width) in ``shapes`` that hold ``depth`` words of ``width`` bits.

    Banks of one shape, and a last one of any that holds the rest.
    """
    counts = []
    for deep, wide in shapes:
        whole, rest = divmod(depth, deep)
        last = min(-(-width // other) for size, other in shapes if rest <= size <= deep) if rest else 0
        counts.append(whole * -(-width // wide) + last)
    return min(counts)


def memory_uses(program, *, lines, weights, bias_bits, offset_bits, gdn=None):
    """List the on-chip memories, of a program or of what one would be.

    Parameters
    ----------
    program : Program
        For its rows, columns and lanes, and its output channels, one for each of ``biases``.
    lines : iterable of (int, int, bool)
        Bits of a value, words, and whether even and odd pixels lie apart, of each line memory; of every part of its
        words.
    weights : iterable of (int, int)
        Bits of a column (a value, or two where they are packed) and words of each weight memory.
    bias_bits, offset_bits : int
    gdn : GdnMemories or None

    Returns
    -------
    list of MemoryUse
    """
    rows, indices, found = program.rows, program.arithmetic.indices, []
    for bits, depth, split in lines:
        parts = (rows - rows // 2, rows // 2) if split else (rows,)
        found += [MemoryUse("line buffers", depth, part * bits, indices) for part in parts if part]
    found += [MemoryUse("weights", depth, program.cols * bits) for bits, depth in weights]
    found += [MemoryUse("parameters", len(program.biases), width) for width in (bias_bits, 6, 17, offset_bits)]
    if gdn is not None:
        found.append(MemoryUse("GDN inputs", gdn.words // indices, rows * gdn.norm_bits, indices))
        found.append(MemoryUse("GDN inputs", gdn.words, rows * gdn.input_bits))
        found.append(MemoryUse("GDN tables", gdn.layers * (2 << gdn.index_bits), 18 + gdn.slope_bits, program.lanes))
    return found


def program_memories(program):
    """List the on-chip memories of a compiled program; see :func:`memory_uses`."""
    return _program_uses(
        program,
        lines=[(memory.bits, memory.depth, memory.split) for memory in program.line_memories],
        weights=[(memory.field, memory.depth) for memory in program.weight_memories],
    )


def streamed_memories(program):
    """List the on-chip memories of a streamed program's core; see :func:`memory_uses`.

    Words of all widths share one memory each for feature maps and for weights.
    """
    return [
        MemoryUse("line buffers", program.ring_words, max(program.map_kinds), program.arithmetic.indices),
        MemoryUse("weights", program.weight_ring, max(program.weight_kinds)),
        *_program_uses(program, lines=[], weights=[]),
        *_queues(program),
    ]


def _program_uses(program, **memories):
    layers = [op.layer for op in program.ops if op.is_gdn]
    gdn = None
    if layers:
        tables = [layer.table for layer in layers]
        gdn = GdnMemories(
            layers=len(layers),
            words=program.gdn_depth,
            norm_bits=max(layer.norm_bits for layer in layers),
            input_bits=max(layer.input.bits + (not layer.input.signed) for layer in layers),
            index_bits=max(table.index_bits for table in tables),
            slope_bits=1 + max(max(abs(int(s)) for s in table.slope).bit_length() for table in tables),
        )
    return memory_uses(
        program,
        bias_bits=program.sum_width,
        offset_bits=1 + max(abs(v) for v in program.offsets).bit_length(),
        gdn=gdn,
        **memories,
    )


def _queues(program):
    """Queues of a streamed core that are large enough for block RAMs; Yosys makes the others of LUT RAM."""
    longest = 0
    for stage, kind in zip(program.stages, program.output_kinds, strict=True):
        channels = stage.last_op.channels_out
        if stage.gdn is None:
            channels = min(program.tile_channels(stage.conv), channels)
        parts = [min(program.cols, channels - first) for first in range(0, channels, program.cols)]
        longest = max(longest, sum(program.beats(part * kind) for part in parts))
    sizes = (
        (2 * COMMANDS_READ * command_beats(program), program.beat_bits),
        *((program.output_depth, bits) for bits in _result_parts(program)),
        (WRITES * longest, program.beat_bits),
    )
    # cells of 16 words of 4 bits, of which it takes 16 for a block
    large = [(depth, bits) for depth, bits in sizes if -(-depth // 16) * -(-bits // 4) > 16]
    return [MemoryUse("queues", depth, bits, parts=True) for depth, bits in large]


def _result_parts(program):
    """Bits of the memories for words of results: even and odd pixels apart where they come apart."""
    rows, bits = program.rows, max(program.output_kinds) // program.rows
    return [part * bits for part in (rows - rows // 2, rows // 2) if part] if program.upsampling else [rows * bits]
