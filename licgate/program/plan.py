"""A run before it has addresses: its maps, and its blocks in their order with what each waits for and writes.

The order of blocks depends on sizes alone, never on time. A stage goes on while its input rows are made by blocks
before the latest one and its output has room; then the deepest such stage; where there is none, the deepest whose rows
are made at all. So a block's input has usually been written by the time that it is fetched, stages change seldom, and
late memory never changes the order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from licgate.errors import ConfigError
from licgate.manifest.types import IntType
from licgate.program.bands import Band, block_span, stage_bands
from licgate.program.commands import COMMANDS_READ, command_beats
from licgate.program.ops import Op
from licgate.program.program import Chain
from licgate.program.records import MapLayout
from licgate.program.stages import Stage
from licgate.program.streamed import StreamedProgram

__all__ = ["AHEAD", "Block", "Plan", "make_plan", "map_layouts", "stage_ops"]

# Blocks that a map between two stages holds for its reader beside the one at work: as many as there is room for.
AHEAD = (16, 8, 4, 2, 1)


class Block(NamedTuple):
    """A block of a run.

    Attributes
    ----------
    stage : int
        Of the chain.
    row, rows : int
        First output row, and how many.
    nominal, top, height : int
        As of :func:`~licgate.program.bands.block_span`.
    after : int
        Writes of this run that make the rows which the block reads.
    """

    stage: int
    row: int
    rows: int
    nominal: int
    top: int
    height: int
    after: int


@dataclass(frozen=True)
class Plan:
    """A run of a chain on an input of one size.

    Attributes
    ----------
    maps : tuple of MapLayout
        Input of each stage of the chain, then the output, without a place; the first and the last are whole.
    bands : tuple of list of Band
        By stage of the chain.
    blocks : tuple of Block
        In their order.
    weight_beats : tuple of int
        By stage of the chain.
    beats : int
        External memory that the run takes: weights, maps, and commands with what is read ahead of them.
    """

    maps: tuple[MapLayout, ...]
    bands: tuple[list[Band], ...]
    blocks: tuple[Block, ...]
    weight_beats: tuple[int, ...]
    beats: int


def make_plan(
    program: StreamedProgram, chain: Chain, width: int, height: int, *, origin: int = 0, beats: int | None = None
) -> Plan:
    """Plan a run of a chain on an input of ``width`` x ``height``, with rings as long as the memory allows.

    Parameters
    ----------
    program : StreamedProgram
    chain : Chain
    width, height : int
    origin : int
        First beat of external memory to be used.
    beats : int or None
        Beats that may be used; None: all that addresses reach.

    Returns
    -------
    Plan

    Raises
    ------
    ConfigError
        The run needs more memory than there is, or the input has no pixel.
    """
    if width < 1 or height < 1:
        raise ConfigError(f"the input is {width} x {height}: both must be at least 1")
    room = (1 << program.address_bits) - origin
    if beats is not None:
        room = min(room, beats)
    stages = program.stages_of(chain)
    weights = tuple(sum(_tile_beats(program, op) * op.tiles for op in stage_ops(stage)) for stage in stages)
    for ahead in AHEAD:
        maps = map_layouts(program, chain, width, height, ahead)
        needed = sum(layout.beats for layout in maps) + sum(weights)
        if needed > room:
            continue
        bands = tuple(stage_bands(program, *each) for each in zip(stages, maps, maps[1:], strict=False))
        blocks = tuple(_blocks(program, chain, maps, bands))
        each = [sum(1 + band.weights + band.loads for band in found) for found in bands]
        commands = 1 + sum(each[block.stage] for block in blocks)
        # whole reads of commands, and what is read ahead
        needed += (-(-commands // COMMANDS_READ) + 2) * COMMANDS_READ * command_beats(program)
        if needed <= room:
            return Plan(tuple(maps), bands, blocks, weights, needed)
    raise ConfigError(
        f"{chain.transform.name} of {width} x {height} needs {needed} words of {program.beat_bits} bits of external "
        f"memory; there are {room}: cut the image"
    )


def stage_ops(stage: Stage) -> list[Op]:
    """The operations of a stage: its convolution, and the GDN that may follow it."""
    return [op for op in (stage.conv, stage.gdn) if op is not None]


def _tile_beats(program: StreamedProgram, op: Op) -> int:
    return program.beats(op.weights * program.word_bits(op))


def _parts(channels: int, cols: int) -> tuple[int, ...]:
    return tuple(min(cols, channels - first) for first in range(0, channels, cols))


def map_layouts(program: StreamedProgram, chain: Chain, width: int, height: int, ahead: int) -> list[MapLayout]:
    """Layouts of all maps, without a place: rings between stages."""
    stages, outputs = program.stages_of(chain), program.arithmetic.outputs

    def layout(channels: int, kind: IntType, ring: int) -> MapLayout:
        parts = _parts(channels, program.cols)
        return MapLayout(
            parts, kind.bits, kind.signed, program.rows, width, height, 0, ring, program.beat_bits, outputs
        )

    found = [layout(stages[0].conv.channels_in, stages[0].conv.layer.input, height)]
    for index, stage in enumerate(stages):
        width, height = stage.output_length(width), stage.output_length(height)
        ring = height
        if not stage.last:
            # The consumer's block and those ahead, while two blocks are made.
            reader, block = stages[index + 1], program.stage_rows(stage)
            advance = reader.stride * program.stage_rows(reader) // reader.parities
            ring = program.in_rows(reader) + advance * ahead + 2 * block
            ring = min(-(-ring // block) * block, -(-height // block) * block)
        found.append(layout(stage.last_op.channels_out, stage.last_op.layer.output, ring))
    return found


def _blocks(
    program: StreamedProgram, chain: Chain, maps: Sequence[MapLayout], bands: Sequence[Sequence[Band]]
) -> Iterator[Block]:
    """Every block, in order."""
    stages, writes = program.stages_of(chain), 0
    sizes = [program.stage_rows(stage) for stage in stages]
    complete: list[list[int]] = [[] for _ in stages]  # writes after which a block of a stage is there
    for k, row in _block_order(stages, sizes, maps):
        span = block_span(program, stages[k], maps[k].height, maps[k + 1].height, row)
        rows, nominal, _, height = span
        # the last row of the input that the block reads
        after = 0 if k == 0 else complete[k - 1][(nominal + height - 1) // sizes[k - 1]]
        yield Block(k, row, *span, after)
        writes += sum(band.written for band in bands[k]) * rows * program.writes(stages[k])
        complete[k].append(writes)


def _block_order(stages: Sequence[Stage], sizes: Sequence[int], maps: Sequence[MapLayout]) -> Iterator[tuple[int, int]]:
    """(stage, first output row) of every block, in order."""
    done = [maps[0].height] + [0] * len(stages)  # rows of each map that are made
    before = list(done)  # by all blocks but the latest
    chosen = -1

    def made(k: int) -> int:
        return min(done[k + 1] + sizes[k], maps[k + 1].height)

    def need(k: int) -> int:
        return min(stages[k].span(made(k) - 1)[1], maps[k].height)

    def room(k: int) -> bool:
        if k + 1 == len(stages):
            return True
        first = max(0, stages[k + 1].span(done[k + 2])[0]) if done[k + 2] < maps[k + 2].height else maps[k + 1].height
        return made(k) - first <= maps[k + 1].ring

    while any(rows < layout.height for rows, layout in zip(done[1:], maps[1:], strict=True)):
        possible = [k for k in range(len(stages)) if done[k + 1] < maps[k + 1].height and room(k)]
        early = [k for k in possible if need(k) <= before[k]]
        if chosen not in early:
            chosen = max(early or [k for k in possible if need(k) <= done[k]])
        yield chosen, done[chosen + 1]
        before = list(done)
        done[chosen + 1] = made(chosen)
