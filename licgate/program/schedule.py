"""From a streaming program and the size of an input to its commands and a map of the external memory.

The order of blocks depends on sizes alone, never on time. A stage goes on while its input rows are made by blocks
before the latest one and its output has room; then the deepest such stage; where there is none, the deepest whose rows
are made at all. So a block's input has usually been written by the time that it is fetched, stages change seldom, and
late memory never changes the order.
"""

from dataclasses import dataclass, replace

import numpy as np

from licgate.errors import ConfigError
from licgate.program.bands import block_span, stage_bands
from licgate.program.commands import COMMANDS_READ, command_beats, encode
from licgate.program.records import MapLayout, pack_weights

__all__ = ["AHEAD", "Schedule", "block_order", "make_schedule", "map_layouts"]

# Blocks that a map between two stages holds for its reader beside the one at work: as many as there is room for.
AHEAD = (16, 8, 4, 2, 1)


@dataclass(frozen=True)
class Schedule:
    """One run.

    Attributes
    ----------
    program : StreamedProgram
    chain : Chain
    width, height : int
        Of the input.
    maps : tuple of MapLayout
        Input of each stage of the chain, then the output; the first and the last are whole.
    weights : tuple of int
        Address of each stage's weight tiles.
    commands : tuple
        (kind, fields) each, see :func:`licgate.program.commands.command_fields`.
    blocks : tuple of (int, int)
        Stage of the program, and first output row, in their order.
    address : int
        Of the first command.
    origin, beats : int
        First beat of external memory in use, and how many are.
    """

    program: object
    chain: object
    width: int
    height: int
    maps: tuple
    weights: tuple
    commands: tuple
    blocks: tuple
    address: int
    origin: int
    beats: int

    def memory(self, x):
        """Contents of the memory in use before the run, uint64 (beats,); ``x`` (C, H, W) is the input."""
        found = np.zeros(self.beats, dtype=np.uint64)
        program, origin = self.program, self.origin
        for stage, first in zip(program.stages_of(self.chain), self.weights, strict=True):
            first -= origin
            for op in _ops(stage):
                beats = pack_weights(op.words, program.word_bits(op), op.phases[0].steps, program.beat_bits)
                found[first : first + len(beats)] = beats
                first += len(beats)
        whole = self.maps[0]
        if self.chain.transform.absolute_input:
            x = np.abs(x)  # who writes the input takes its magnitudes
        found[whole.base - origin : whole.base - origin + whole.beats] = whole.packed(x)
        beats = encode(program, self.commands)
        found[self.address - origin : self.address - origin + len(beats)] = beats
        return found

    def output(self, memory):
        """The output (C', H', W') in the contents of the memory in use, after the run."""
        whole = self.maps[-1]
        first = whole.base - self.origin
        return whole.unpacked(memory[first : first + whole.beats])

    def macs(self):
        """Products that the input needs: multiplications of a weight by a value, zeros beyond the border counted."""
        return self.chain.transform.macs(self.height, self.width)


def make_schedule(program, chain, width, height, *, origin=0, beats=None):
    """Plan a run of a chain on an input of ``width`` x ``height``.

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
    Schedule

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
    for ahead in AHEAD:
        # all but the commands, which take their time
        beats = sum(layout.beats for layout in map_layouts(program, chain, width, height, ahead))
        if beats > room:
            continue
        found = _placed(program, chain, width, height, origin, ahead)
        beats = found.beats
        if beats <= room:
            return found
    raise ConfigError(
        f"{chain.transform.name} of {width} x {height} needs {beats} words of {program.beat_bits} bits of external "
        f"memory; there are {room}: cut the image"
    )


def _placed(program, chain, width, height, origin, ahead):
    """The schedule whose rings hold so many blocks beside those in use."""
    maps = map_layouts(program, chain, width, height, ahead)
    place, weights, placed = origin, [], []
    for stage in program.stages_of(chain):
        weights.append(place)
        place += sum(op.tiles * program.beats(op.phases[0].steps * program.word_bits(op)) for op in _ops(stage))
    for layout in maps:
        placed.append(replace(layout, base=place))
        place += layout.beats
    blocks = block_order(program, chain, placed)
    commands = (*_commands(program, chain, placed, weights, blocks), ("end", {}))
    # whole reads of commands, and what is read ahead
    total = place - origin + (-(-len(commands) // COMMANDS_READ) + 2) * COMMANDS_READ * command_beats(program)
    return Schedule(
        program, chain, width, height, tuple(placed), tuple(weights), commands, tuple(blocks), place, origin, total
    )


def _ops(stage):
    return [op for op in (stage.conv, stage.gdn) if op is not None]


def _parts(channels, cols):
    return tuple(min(cols, channels - first) for first in range(0, channels, cols))


def map_layouts(program, chain, width, height, ahead):
    """Layouts of all maps, without a place: rings between stages."""
    stages = program.stages_of(chain)
    layer = stages[0].conv.layer
    found = [
        MapLayout(
            _parts(layer.in_channels, program.cols),
            layer.input.bits,
            layer.input.signed,
            program.rows,
            width,
            height,
            0,
            height,
            program.beat_bits,
        )
    ]
    for index, stage in enumerate(stages):
        width, height = stage.output_length(width), stage.output_length(height)
        ring = height
        if not stage.last:
            # The consumer's block and those ahead, while two blocks are made.
            reader = stages[index + 1]
            block = program.block_rows
            ring = program.in_rows(reader) + reader.stride * block * ahead + 2 * block
            ring = min(-(-ring // block) * block, -(-height // block) * block)
        kind = stage.last_op.layer.output
        found.append(
            MapLayout(
                _parts(stage.last_op.channels_out, program.cols),
                kind.bits,
                kind.signed,
                program.rows,
                width,
                height,
                0,
                ring,
                program.beat_bits,
            )
        )
    return found


def block_order(program, chain, maps):
    """(stage, first output row) of every block, in order."""
    stages, block = program.stages_of(chain), program.block_rows
    done = [maps[0].height] + [0] * len(stages)  # rows of each map that are made
    before = list(done)  # by all blocks but the latest
    found, chosen = [], None

    def need(k):
        last = min(done[k + 1] + block, maps[k + 1].height) - 1
        return min(stages[k].span(last)[1], maps[k].height)

    def room(k):
        if k + 1 == len(stages):
            return True
        first = max(0, stages[k + 1].span(done[k + 2])[0]) if done[k + 2] < maps[k + 2].height else maps[k + 1].height
        return min(done[k + 1] + block, maps[k + 1].height) - first <= maps[k + 1].ring

    while any(made < layout.height for made, layout in zip(done[1:], maps[1:], strict=True)):
        possible = [k for k in range(len(stages)) if done[k + 1] < maps[k + 1].height and room(k)]
        early = [k for k in possible if need(k) <= before[k]]
        if chosen not in early:
            chosen = max(early or [k for k in possible if need(k) <= done[k]])
        found.append((chain.first + chosen, done[chosen + 1]))
        before = list(done)
        done[chosen + 1] = min(done[chosen + 1] + block, maps[chosen + 1].height)
    return found


def _commands(program, chain, maps, weights, blocks):
    """Commands of the blocks."""
    slot, writes = 0, 0
    bands = [
        stage_bands(program, stage, source.words, target.words)
        for stage, source, target in zip(program.stages_of(chain), maps, maps[1:], strict=False)
    ]
    complete = {}  # writes after which rows of a map are there, by map and block
    for stage_index, row in blocks:
        k = stage_index - chain.first
        stage, source, target = program.stages[stage_index], maps[k], maps[k + 1]
        rows, nominal, top, height = block_span(program, stage, source.height, target.height, row)
        # the last row of the input that the block reads
        after = 0 if k == 0 else complete[k, (nominal + height - 1) // program.block_rows]
        for band in bands[k]:
            if band.weights:
                yield "weights", {"stage": stage_index, "address": weights[k]}
            band_slot = (slot - band.back) % program.slots
            for word in range(band.first, band.end):
                yield "load", _load(program, stage_index, source, word, slot, nominal, top, height, after)
                slot = (slot + 1) % program.slots
            last = band.group + band.groups - 1
            yield (
                "band",
                {
                    "stage": stage_index,
                    "groups": band.groups,
                    "rows": rows,
                    "slot": band_slot,
                    "word": band.word,
                    "words": source.words,
                    "top": top,
                    "height": height,
                    "target": target.address(row, band.group),
                    "pitch": target.pitch,
                    "loads": band.loads,
                    "loads_first": band.loads_first,
                    "release_first": band.release_first,
                    "release": band.release,
                    "keep": band.keep,
                    "pixels": min(program.rows, target.width - last * program.rows),
                },
            )
            writes += band.groups * rows * program.writes(stage)
        complete[k + 1, row // program.block_rows] = writes


def _load(program, stage, source, word, slot, nominal, top, height, after):
    """Fetch a word column: rows ``top`` to ``height`` of a slot whose row 0 is row ``nominal`` of the input."""
    first, rows = nominal + top, height - top
    before = min(rows, source.ring - first % source.ring)
    return {
        "stage": stage,
        "slot": slot,
        "row": top,
        "rows": rows,
        "before": before,
        "address": source.address(first, word),
        "wrapped": source.address(0, word),
        "pitch": source.pitch,
        "after": after,
    }
