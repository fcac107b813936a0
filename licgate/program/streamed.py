"""The program of a streamed accelerator: weights and feature maps in external memory, one band at a time on the chip.

A *block* is ``block_rows`` output rows of a stage, a *band* at most ``band_groups`` groups of a block: as many columns
as the array makes at once, of the output, or of the input where a transposed convolution makes two columns of each. The
line memory is a ring of *slots*; a slot holds one word column of a stage's input: ``rows`` pixels, neighbours or every
fourth one, all channels, of as many rows as a block reads. Neighbouring bands of a block share the columns at their
border, so each is fetched once a block. The weight memory is a ring of words, tile after tile in the order of use; a
tile has the weights of all parities of rows and columns.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import cast

from licgate.errors import ConfigError
from licgate.manifest.transform import Transform
from licgate.program.compile import compile_program
from licgate.program.ops import Op
from licgate.program.program import Program
from licgate.program.stages import Stage
from licgate.target.streamed import StreamedConfig

__all__ = ["StreamedProgram", "compile_streamed"]

#: Words of a segment of a weight tile, in multiples of the bits of a beat.
SEGMENT = 8

#: Writes to external memory that are packed or under way, at most.
WRITES = 4


@dataclass(frozen=True, kw_only=True)
class StreamedProgram(Program):
    """What a streamed accelerator runs; see :func:`compile_streamed`.

    Attributes
    ----------
    block_rows, band_groups : int
        Most output rows of a block, and groups of a band.
    slots, slot_words : int
        Slots of the line memory, and words of each.
    weight_words : int
        Words of the weight ring.
    beat_bits, page_beats, burst_beats, weight_burst, address_bits : int
        Of the external memory: bits of a beat, beats that writes, reads, and reads of weights do not cross a multiple
        of, address bits.
    output_words : int
        Words of results that wait on their way to memory, at most.
    """

    block_rows: int
    band_groups: int
    slots: int
    slot_words: int
    weight_words: int
    beat_bits: int
    page_beats: int
    burst_beats: int
    weight_burst: int
    address_bits: int
    output_words: int

    @property
    def word_stride(self) -> int:
        """Line memory words between neighbouring words of a row."""
        return self.slot_words

    @property
    def ring_words(self) -> int:
        """Line memory words after which a row's words begin again at the start."""
        return self.slots * self.slot_words

    @property
    def weight_ring(self) -> int:
        """Weight memory words after which a tile's words begin again at the start."""
        return self.weight_words

    @property
    def map_kinds(self) -> list[int]:
        """Bits of a line memory word of each line memory."""
        return [self.rows * memory.bits for memory in self.line_memories]

    @property
    def weight_kinds(self) -> list[int]:
        """Bits of a weight word of each weight memory."""
        return [self.cols * memory.field for memory in self.weight_memories]

    @property
    def output_kinds(self) -> list[int]:
        """Bits of a word of results, by stage."""
        return [self.rows * stage.last_op.layer.output.bits for stage in self.stages]

    @property
    def gdn_depth(self) -> int:
        """Channels of the GDN inputs, in whole words: those of a whole band."""
        padded = self.arithmetic.padded
        counts = [padded(s.gdn.channels_in) * self.stage_rows(s) * s.parities for s in self.stages if s.gdn is not None]
        return self.band_groups * self.arithmetic.outputs * max(counts, default=padded(self.block_rows))

    def stage_rows(self, stage: Stage) -> int:
        """Most output rows of a block of the stage: whole pairs where the parities of rows are made apart."""
        return max(1, self.block_rows // stage.parities) * stage.parities

    def in_rows(self, stage: Stage) -> int:
        """Input rows that a whole block of the stage reads."""
        return stage.span(self.stage_rows(stage) - 1)[1] - stage.span(0)[0]

    def window(self, stage: Stage) -> tuple[int, int]:
        """First input word that a group's passes read, relative to that of its first column, and how many they read."""
        shapes = [pass_kind.shape for pass_kind in stage.conv.pass_kinds if pass_kind.shape is not None]
        first = min(shape.first_word(self.rows) for shape in shapes)
        return first, max(shape.first_word(self.rows) + shape.words(self.rows) for shape in shapes) - first

    def group_step(self, stage: Stage) -> int:
        """Input words from a group to the next one."""
        return stage.stride * self.arithmetic.outputs

    def group_records(self, stage: Stage) -> int:
        """Records of a row of the output that a group makes."""
        return stage.parities * self.arithmetic.outputs

    def band_words(self, stage: Stage, groups: int) -> int:
        """Input words in a row of a band of ``groups``, those beyond the image counted."""
        return self.group_step(stage) * (groups - 1) + self.window(stage)[1]

    def tile_words(self, op: Op) -> list[int]:
        """Words of each weight tile of an operation."""
        return [op.weights] * op.tiles

    def segments(self, op: Op) -> list[int]:
        """Words of the segments in which a tile is fetched, as the ring has room; each begins with a beat."""
        words, size = op.weights, SEGMENT * self.beat_bits
        return [min(size, words - first) for first in range(0, words, size)]

    def stage_words(self, stage: Stage) -> int:
        """Weight words of all tiles of a stage."""
        return sum(sum(self.tile_words(op)) for op in (stage.conv, stage.gdn) if op is not None)

    def resident(self, stage: Stage) -> bool:
        """The stage's weights stay in the ring for a whole block, and leave room for any other tile."""
        largest = max(op.weights for op in self.ops)
        return self.stage_words(stage) + largest <= self.weight_words

    def writes(self, stage: Stage) -> int:
        """Writes to external memory for a record: GDN's tiles follow each other, a convolution's do not."""
        return 1 if stage.gdn is not None else stage.conv.tiles

    @property
    def output_credits(self) -> int:
        """Passes to external memory whose words are not packed yet, at most; one that makes quads counts as four."""
        return max(2, self.output_words // self.most_channels, 1 + self.paired_tiles)

    @property
    def output_depth(self) -> int:
        """Words of the queue of results: a power of two where it puts words in order."""
        if not self.interleaves:
            return self.output_credits * self.most_channels
        return 1 << ((self.output_credits + self.paired_tiles) * self.most_channels - 1).bit_length()

    @property
    def interleaves(self) -> bool:
        """Words of results come in another order than that of records: by parities of columns, or quad by quad."""
        return self.upsampling or self.arithmetic.points

    @property
    def paired_tiles(self) -> int:
        """Passes to memory of one parity of columns before those of the other, at most; 0 where none are apart."""
        return max([stage.gdn.tiles if stage.gdn is not None else 1 for stage in self.stages if stage.upsampling] + [0])

    def beats(self, bits: int) -> int:
        """Beats that hold so many bits."""
        return -(-bits // self.beat_bits)

    def record_beats(self, channels: int, bits: int) -> int:
        """Beats of a record of ``channels`` values of ``bits`` for each pixel."""
        parts = [min(self.cols, channels - first) for first in range(0, channels, self.cols)]
        return sum(self.beats(count * self.rows * bits) for count in parts)


def compile_streamed(
    transforms: Transform | Iterable[Transform], config: StreamedConfig, *, weights: bool = True
) -> StreamedProgram:
    """Compile transforms for a streamed accelerator.

    Parameters
    ----------
    transforms : Transform or sequence of Transform
        As for :func:`~licgate.program.compile.compile_program`; they run one at a time.
    config : StreamedConfig
    weights : bool
        False counts the weight words without making them.

    Returns
    -------
    StreamedProgram

    Raises
    ------
    ConfigError
        A transform holds something that the accelerator does not run, or a word is narrower than a beat.
    """
    program = compile_program(transforms, config, weights=weights)
    known = {f.name: getattr(program, f.name) for f in fields(Program)}
    made = StreamedProgram(
        **known,
        block_rows=config.block_rows,
        band_groups=config.band_groups,
        slots=0,
        slot_words=0,
        weight_words=0,
        beat_bits=config.beat_bits,
        page_beats=config.page_beats,
        # numbers, since the configuration was made
        burst_beats=cast(int, config.burst_beats),
        weight_burst=cast(int, config.weight_burst),
        address_bits=config.address_bits,
    )
    stages = [
        # the feeder's row addresses never leave a slot
        replace(stage, base=0, words=1, ring=made.in_rows(stage) + 1)
        for stage in program.stages
    ]
    widest = max(made.band_words(stage, config.band_groups) for stage in stages)
    ahead = max(made.group_step(stage) for stage in stages) * config.band_groups
    slots = widest + (ahead if config.prefetch_words is None else config.prefetch_words)
    slot_words = max(made.in_rows(stage) * stage.conv.words_in for stage in stages)
    weight_words = _weight_words(made, config)
    made = replace(
        made,
        stages=tuple(stages),
        slots=slots,
        slot_words=slot_words,
        weight_words=weight_words,
        line_memories=tuple(replace(memory, depth=slots * slot_words) for memory in made.line_memories),
        weight_memories=tuple(replace(memory, depth=weight_words, init=()) for memory in made.weight_memories),
    )
    _check_beats(made)
    return made


def _weight_words(program: StreamedProgram, config: StreamedConfig) -> int:
    """Words of the weight ring: two tiles, and those of the GDN behind a convolution, in use until the next band."""
    largest = max(op.weights for op in program.ops)
    gdns = [sum(program.tile_words(stage.gdn)) for stage in program.stages if stage.gdn is not None]
    words = 2 * largest + max(gdns, default=0) if config.weight_words is None else config.weight_words
    if words < largest:
        raise ConfigError(f"weight_words is {words}: the largest tile of this model has {largest}")
    if words < max(gdns, default=0):
        raise ConfigError(f"weight_words is {words}: the tiles of the largest GDN have {max(gdns)}")
    return words


def _check_beats(program: StreamedProgram) -> None:
    """A beat never completes two words."""
    for stage in program.stages:
        for name, bits in (
            (f"the input of {stage.conv.layer.name}", program.rows * program.line_memories[stage.memory].bits),
            (f"the output of {stage.last_op.layer.name}", program.rows * stage.last_op.layer.output.bits),
            (f"the weights of {stage.conv.layer.name}", program.word_bits(stage.conv)),
            (f"the weights of {stage.last_op.layer.name}", program.word_bits(stage.last_op)),
        ):
            if bits < program.beat_bits:
                raise ConfigError(
                    f"a word of {name} has {bits} bits, a beat of the memory {program.beat_bits}: take more rows or "
                    "columns, or a narrower memory"
                )
