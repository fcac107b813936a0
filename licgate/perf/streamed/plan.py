"""A streamed frame as its bands in order, without the commands: what each asks of the array, the memory and the chip.

Bands that are alike are one `Kind`, so a frame is a list of their numbers; it is made in milliseconds.
"""

from __future__ import annotations

from collections import Counter

from licgate.perf.engine import Timing
from licgate.perf.streamed.kinds import FramePlan, Kind, Operation
from licgate.program import IN_FLIGHT
from licgate.program.bands import block_span, stage_bands
from licgate.program.commands import COMMANDS_READ, command_beats
from licgate.program.plan import AHEAD, make_plan, map_layouts

__all__ = ["frame_plan", "least_frame"]

_LEAST_PASS = 4  # cycles in which the sequencer offers a pass, at least


def frame_plan(program, chain, width, height, *, origin=0) -> FramePlan:
    """Plan a frame of ``width`` x ``height`` as :func:`licgate.program.schedule.make_schedule` does.

    Parameters
    ----------
    program : StreamedProgram
    chain : Chain
    width, height : int
    origin : int
        First beat of external memory to be used.

    Raises
    ------
    ConfigError
        The run needs more memory than there is, or the input has no pixel.
    """
    plan = make_plan(program, chain, width, height, origin=origin)
    return _Planner(program, chain, plan.maps, plan.bands).plan(plan.blocks, origin + plan.beats)


def least_frame(program, chain, width, height) -> tuple[int, int]:
    """Cycles that the passes of a frame take if none waits for anything, and the beats that it moves, commands apart.

    In closed form, without a list of bands: a few hundred microseconds.
    """
    maps = map_layouts(program, chain, width, height, AHEAD[-1])
    stages = program.stages_of(chain)
    bands = [stage_bands(program, *each) for each in zip(stages, maps, maps[1:], strict=False)]
    planner = _Planner(program, chain, maps, bands)
    found = [planner.least(k) for k in range(len(planner.stages))]
    return sum(cycles for cycles, _ in found), sum(beats for _, beats in found)


class _Planner:
    """Makes the bands of one frame."""

    def __init__(self, program, chain, maps, bands):
        self.program, self.maps, self.bands = program, maps, bands
        self.stages, self.timing = program.stages_of(chain), Timing.of(program)
        self.operations = [
            (self._operation(stage.conv, stage), stage.gdn and self._operation(stage.gdn, stage))
            for stage in self.stages
        ]
        self.kinds, self.blocks = {}, {}

    def plan(self, blocks, end):
        """The frame of these blocks."""
        found, steps, commands = [], 0, 1
        beats = dict.fromkeys(("commands", "weights", "maps", "results"), 0)
        for block in blocks:
            key = (block.stage, block.rows, block.top, block.height)
            if key not in self.blocks:
                self.blocks[key] = self._block(*key)
            numbers, totals = self.blocks[key]
            found += [(number, block.after) for number in numbers]
            steps, commands = steps + totals[0], commands + totals[1]
            for name, moved in zip(("weights", "maps", "results"), totals[2:], strict=True):
                beats[name] += moved
        beats["commands"] = -(-commands // COMMANDS_READ) * COMMANDS_READ * command_beats(self.program)
        return FramePlan(list(self.kinds), found, steps, beats, end)

    def least(self, k):
        """Cycles of all passes of a stage, and beats of its weights, maps and results."""
        program, stage = self.program, self.stages[k]
        source, target, (conv, gdn) = self.maps[k], self.maps[k + 1], self.operations[k]
        groups = -(-stage.group_columns(source.width, target.width) // program.group_columns)
        kinds = Counter()
        for row in range(target.height):
            first, last = stage.span(row)
            rows = min(last, source.height) - max(0, first)
            kinds.update((program.fed_rows(pass_kind, rows), pass_kind.index) for pass_kind in _phases(stage, row))
        lengths = [rows * stage.conv.words_in * self._tap_row_cycles(pass_kind) for rows, pass_kind in kinds]
        cycles = sum(
            groups * cycles * count
            for passes in self._passes(stage.conv, lengths, conv.flight)
            for cycles, count in zip(passes, kinds.values(), strict=True)
        )
        if gdn is not None:
            norm = self._passes(stage.gdn, (stage.gdn.words_in,), gdn.flight)
            passes = groups * stage.parities * target.height * stage.conv.outputs
            cycles += passes * sum(each for (each,) in norm)
        blocks = [
            block_span(program, stage, source.height, target.height, row)
            for row in range(0, target.height, program.stage_rows(stage))
        ]
        weights = len(blocks) * sum(band.weights for band in self.bands[k])
        tiles = conv.tiles + (gdn.tiles if gdn is not None else ())
        read = sum(height - top for _, _, top, height in blocks) * sum(band.loads for band in self.bands[k])
        written = target.words * target.height * sum(self._written(stage, target))
        return cycles, weights * sum(beats for _, beats in tiles) + read * source.record + written

    def _block(self, k, rows, top, height):
        """Numbers of a block's kinds; its steps, commands, and beats of weights, maps, results."""
        numbers, totals = [], [0] * 5
        for band in self.bands[k]:
            kind = self._kind(k, band, rows, top, height)
            numbers.append(self.kinds.setdefault(kind, len(self.kinds)))
            moved = (
                kind.steps,
                1 + kind.weights + sum(kind.loads),
                kind.weights * sum(beats for _, beats in kind.tiles),
                sum(kind.loads) * kind.column,
                kind.records * sum(kind.written),
            )
            totals = [a + b for a, b in zip(totals, moved, strict=True)]
        return numbers, totals

    def _kind(self, k, band, rows, top, height):
        program, stage = self.program, self.stages[k]
        source, target, (conv, gdn) = self.maps[k], self.maps[k + 1], self.operations[k]
        begin, tap_rows = stage.span(0)[0], []
        for row in range(rows):
            first, last = stage.span(row)
            kernel_rows = min(last - begin, height) - max(first - begin, top)
            tap_rows += [
                (program.fed_rows(pass_kind, kernel_rows) * stage.conv.words_in, pass_kind)
                for pass_kind in _phases(stage, row)
            ]
        lengths = tuple(count * self._tap_row_cycles(pass_kind.index) for count, pass_kind in tap_rows)
        passes = self._passes(stage.conv, lengths, conv.flight)
        norm, channels = (), 0
        steps = band.groups * stage.conv.tiles * sum(count * pass_kind.shape.steps for count, pass_kind in tap_rows)
        if gdn is not None:
            channels = stage.gdn.words_in
            norm = tuple(each for (each,) in self._passes(stage.gdn, (channels,), gdn.flight))
            steps += band.groups * len(tap_rows) * stage.conv.outputs * stage.gdn.tiles * channels
        middle = [program.group_step(stage)] * max(0, band.groups - 2)
        release = (band.release_first, *middle, band.release) if band.groups > 1 else (band.release,)
        loads, later = [band.loads_first], band.loads - band.loads_first
        for _ in range(band.groups - 1):
            loads.append(min(program.group_step(stage), later))
            later -= loads[-1]
        written = self._written(stage, target)
        mean = [_mean(beats, program.page_beats) for beats in written]
        return Kind(
            k,
            band.groups,
            rows,
            stage.upsampling,
            band.written < program.group_records(stage) * band.groups,
            stage.conv.outputs,
            lengths,
            passes,
            channels,
            norm,
            steps,
            conv,
            gdn,
            tuple(loads),
            source.record * (height - top),
            band.weights,
            band.keep,
            release,
            written,
            _mean(source.record, program.burst_beats),
            sum(mean) / len(mean),
        )

    def _tap_row_cycles(self, pass_kind):
        """Cycles in which a kernel row of one channel is fed."""
        return self.program.pass_kinds[pass_kind].shape.tap_row_cycles(self.program.rows)

    def _passes(self, op, lengths, flight):
        """Cycles from pass to pass, by tile and length: its own, until results have left, and so many on the way."""
        gap = max(self.program.gap_behind(op), _LEAST_PASS)
        known = {
            later: tuple(max(length, gap, -(-(length + later + 2) // IN_FLIGHT)) for length in lengths)
            for later in set(flight)
        }
        return tuple(known[later] for later in flight)

    def _operation(self, op, stage):
        program = self.program
        per_tile = program.tile_channels(op)
        counts = tuple(min(per_tile, op.channels_out - first) for first in range(0, op.channels_out, per_tile))
        bits, size = program.rows * stage.last_op.layer.output.bits, program.beat_bits
        slices = -(-bits // size)
        tail = bits - (slices - 1) * size

        def packing(count):
            parts = [min(program.cols, count - first) for first in range(0, count, program.cols)]
            return sum(part * slices + 2 * ((part * bits - tail) % size + tail > size) for part in parts)

        tiles = tuple((words, program.beats(words * program.word_bits(op))) for words in program.tile_words(op))
        later = self.timing.arrival + self.timing.post + 1
        return Operation(
            tiles,
            counts,
            tuple(packing(count) for count in counts),
            tuple(later + self.timing.drain_interval * (op.outputs * count - 1) for count in counts),
        )

    def _written(self, stage, target):
        """Beats of each write of a record."""
        if stage.gdn is not None:
            return (target.record,)
        each = stage.conv.products
        return tuple(
            sum(target.part_beats(count) for count in target.parts[first : first + each])
            for first in range(0, len(target.parts), each)
        )


def _phases(stage, row):
    """Kinds of passes that make an output row of a stage."""
    return [pass_kind for pass_kind in stage.conv.pass_kinds if not stage.upsampling or pass_kind.row == row & 1]


def _mean(beats, burst):
    """Mean length of the transactions that fetch ``beats`` from anywhere and do not cross multiples of ``burst``."""
    return beats / (1 + (beats - 1) / burst)
