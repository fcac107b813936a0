"""Cycle model of what carries out passes: feeder, array, lanes and writer, whoever made the passes.

It follows the gateware to the cycle, see :mod:`licgate.gateware.passes` for a pass's life. What a pass reads is there
when it is offered; what keeps it from being offered is the business of who makes passes.
"""

from dataclasses import dataclass
from typing import NamedTuple

from licgate.program.timing import lane_latency, program_latency

__all__ = ["EngineModel", "Fed", "Timing"]


@dataclass(frozen=True)
class Timing:
    """Fixed delays of the gateware that runs a program."""

    arrival: int  # feeder: issue of a step to the array
    post: int  # array's `last` to the tile's first word
    drain_interval: int  # word to word

    @classmethod
    def of(cls, program):
        """Delays of a program's gateware."""
        lane = lane_latency(program)
        drained = program_latency(program) + program.merge_latency
        post = drained + lane + program.lanes * program.lane_rows
        return cls(program.feed_latency, post, program.lane_rows)


class Fed(NamedTuple):
    """Cycles of a pass.

    Attributes
    ----------
    accepted : int
        The feeder takes it from the sequencer.
    first : int
        Its first tap row begins.
    tap_rows, tap_row_cycles, columns : int
        How many tap rows, the cycles of one, and the steps in it.
    final : int
        Its last tap row begins, which may have had to wait.
    finish : int
        Its last cycle in the feeder, in which the next pass is taken.
    word : int
        The writer gives the tile's first word.
    written : int
        It gives the last one, and says so.
    """

    accepted: int
    first: int
    tap_rows: int
    tap_row_cycles: int
    columns: int
    final: int
    finish: int
    word: int
    written: int

    @property
    def steps(self):
        """Steps of the array."""
        return self.tap_rows * self.columns

    @property
    def last_step(self):
        """Cycle in which the last step is issued."""
        return self.final + self.columns - 1


class EngineModel:
    """Times of passes, one after the other.

    Parameters
    ----------
    program : Program
    start : int
        Cycle from which on passes are taken.

    Attributes
    ----------
    taken : int
        Cycle in which the last pass went from its waiting place to work; the place is free in the next one.
    op_steps : list of int
        Steps of the array, by operation.
    """

    def __init__(self, program, start):
        self._program, self.timing = program, Timing.of(program)
        # Of the pass at work: its last cycle; from when on its results leave room for others; the end of its reads.
        self.taken = self._finish = self._drained = self._reads_end = start
        self.op_steps = [0] * len(program.ops)
        self._window_words = program.window_words

    def earliest(self, pass_kind):
        """Cycle in which a pass of that kind goes to work if it waits already."""
        words = 0 if pass_kind.shape is None else pass_kind.shape.words(self._program.rows)
        return max(self._finish, self._reads_end - (self._window_words - words))

    def feed(self, op, pass_kind, tile, kernel_rows, now):
        """Offer a pass, of tile number ``tile``, from cycle ``now`` on, with ``kernel_rows`` inside the image."""
        program, timing, shape = self._program, self.timing, pass_kind.shape
        accepted = max(now, self.taken + 1)
        self.taken = max(accepted + 1, self.earliest(pass_kind))
        first = self.taken + 1
        if op.is_gdn:
            tap_rows, tap_row_cycles, columns = op.words_in, 1, 1
            # that of a single word has an idle cycle first
            final = max(first + max(tap_rows, 2) - 1, self._drained)
        else:
            tap_rows, tap_row_cycles, columns = (
                program.fed_rows(pass_kind, kernel_rows) * op.words_in,
                shape.tap_row_cycles(program.rows),
                shape.steps,
            )
            final = max(first + (tap_rows - 1) * tap_row_cycles, self._drained - columns + 1)
        self._finish = final + tap_row_cycles - 1
        if not op.is_gdn and tap_row_cycles < self._window_words:
            self._reads_end = self._finish + self._window_words - tap_row_cycles
        last_step = final + columns - 1
        self._drained = last_step + program.gap_behind(op)
        self.op_steps[op.index] += tap_rows * columns
        full = program.tile_channels(op)
        word = last_step + timing.arrival + timing.post + 1
        words = op.outputs * min(full, op.channels_out - tile * full)
        written = word + timing.drain_interval * (words - 1)
        return Fed(accepted, first, tap_rows, tap_row_cycles, columns, final, self._finish, word, written)
