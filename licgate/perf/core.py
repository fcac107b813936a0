"""Cycle model of a resident core: rows that are cut into bands, with the time of every pass, equal to the gateware's.

It follows the choice of rows state by state, with the pixel writer and the latent reader reduced to the times at which
they take and give, :mod:`licgate.perf.sequence` for the passes of a band, and :mod:`licgate.perf.engine` for what
carries them out. The host is taken to be always ready and to have every pixel; where the latents of a tile take longer
to send than to compute, passes wait for room in the latent FIFO.
"""

import itertools

from licgate.perf.latents import LatentFifo
from licgate.perf.sequence import SequencerModel, band_passes

__all__ = ["CoreModel"]

_SETTLE = 6  # cycles in SETTLE after a row
_CHOSEN = 3  # from SELECT to COMPARE: CHOSEN, ROW
_LINE_READY = 2  # from row_done to `ready`


class CoreModel:
    """Times of one patch of one transform.

    Parameters
    ----------
    program : Program
    chain : Chain
        The transform, one of the program's.
    width, height : int
        Size of its input: the patch in pixels, or the feature map.
    start : int
        Cycle of the core's start.
    kept : tuple of int or None
        skip_x, skip_y, keep_width, keep_height, in positions of the output; None keeps all.

    Attributes
    ----------
    done : int
        First cycle in which the core is done.
    op_cycles : list of int
        Cycles that each operation's steps took.
    """

    def __init__(self, program, chain, width, height, *, start, kept):
        self.program, self.chain, self._passes = program, chain, SequencerModel(program, start)
        self.stages = stages = program.stages_of(chain)
        self.heights, self.widths = [height], [width]
        for stage in stages:
            self.heights.append(stage.output_length(self.heights[-1]))
            self.widths.append(stage.output_length(self.widths[-1]))
        self.op_cycles = self._passes.engine.op_steps
        self._line_rows = [[] for _ in stages]  # cycles at which `ready` can see the rows of each line buffer
        self._released = []
        kept = (0, 0, self.widths[-1], self.heights[-1]) if kept is None else kept
        self._latents = LatentFifo(program, stages[-1], self.widths[-1], kept)
        self._pixel_time = start + 4  # first cycle that asks for room
        self._run(start + 1)  # the blocks see the start a cycle later

    def _run(self, start):
        row, now = [0] * len(self.stages), start + 1 + _SETTLE + len(self.program.stages)
        while (chosen := self._select(now, row)) is not None:
            k, now = chosen
            taken = self._row(k, row[k], now)
            advance = self._first(k, row[k] + 1) - self._first(k, row[k])
            row[k] += 1
            now = taken + 2 + advance + _SETTLE  # END_ROW, SETTLE
        # all that was issued is written, `finished`, IDLE
        idle = max(now, max(self._passes.free, self._passes.written[-1] + 1) + 1) + 1
        self.done = max(idle, self._latents.done) + 1

    def _select(self, now, row):
        """Choose the deepest stage that is ready, or the first that will be, and when; None at the end."""
        times = [(k, self._ready_time(k, row)) for k in reversed(range(len(row)))]
        times = [(k, when) for k, when in times if when is not None]
        if not times:
            return None
        now = max(now, min(when for _, when in times))
        return next(k for k, when in times if when <= now), now

    def _first(self, k, row):
        return max(0, self.stages[k].span(row)[0])

    def _need(self, k, row):
        return min(self.stages[k].span(row)[1], self.heights[k])

    def _ready_time(self, k, row):
        """Earliest cycle in which SELECT sees stage k ready, None when that hangs on work not yet issued."""
        if row[k] == self.heights[k + 1]:
            return None
        if k + 1 < len(row) and row[k] - self._first(k + 1, row[k + 1]) >= self.stages[k + 1].ring:
            return None
        need = self._need(k, row[k])
        if k == 0:
            self._write_pixels(need)
        rows = self._line_rows[k]
        return rows[need - 1] if len(rows) >= need else None

    def _write_pixels(self, rows):
        """Let the pixel writer get on until it has written that many rows, or waits for a release."""
        stage = self.stages[0]
        written = self._line_rows[0]
        while len(written) < rows:
            index = len(written)
            wanted = index - stage.ring + 1
            now = self._pixel_time
            if wanted > 0:
                releases = next(r for r in itertools.count(1) if self._first(0, r) >= wanted)
                if len(self._released) < releases:
                    return
                now = max(now, self._released[releases - 1] + 4)
            end = self._write_row(now + 1)
            written.append(end + _LINE_READY)
            self._pixel_time = end + 3

    def _write_row(self, accept):
        """Take a row from the host from cycle `accept` on; return the cycle of its last write."""
        rows, channels, width = self.program.group_columns, self.stages[0].conv.channels_in, self.widths[0]
        outputs = self.program.arithmetic.outputs
        if not self.chain.pixels and outputs > 1:
            # A value a cycle, those that are not there too, and a cycle for each channel of a group; the last one's
            # four words are written one to four cycles after the next one could come.
            return accept + -(-width // rows) * channels * (rows + 1) + outputs
        if not self.chain.pixels:
            # A value a cycle; the last word is written two cycles after its last value.
            return accept + width * channels + 1
        end = -1
        for first in range(0, width, rows):
            # A pixel a cycle; a word of every channel is written while the next pixels come. Words of every fourth
            # column have zeros for pixels that are not there, which take as long.
            count = min(rows, width - first) if outputs == 1 else rows
            handed = max(accept + count, end)
            end, accept = handed + 1 + channels * outputs, handed + 1
        return end + 1  # the write has a register of its own

    def _row(self, k, row, now):
        """Cut a row of stage k, chosen in cycle `now`, into bands; return when the last one is taken."""
        stage, rows = self.stages[k], self.program.group_columns
        left = -(-stage.group_columns(self.widths[k], self.widths[k + 1]) // rows)
        # An upsampling stage makes bands of even and of odd columns.
        kinds = stage.conv.pass_kinds[2 * (row & 1) : 2 * (row & 1) + 2] if stage.upsampling else stage.conv.pass_kinds
        now += _CHOSEN
        while left:
            groups = stage.band_groups if left >= 2 * stage.band_groups else left
            left -= groups
            offered = now + 2 * groups  # COMPARE, CUT
            for kind in kinds:
                now = self._passes.begin(offered)
                offered = now + 1
                self._band(k, row, kind, groups, not left and kind is kinds[-1])
        return now

    def _band(self, k, row, kind, groups, ends):
        """Issue the passes of a band; the last one of a row ``ends`` it."""
        stage = self.stages[k]
        kernel_rows = self._need(k, row) - self._first(k, row)
        for one in band_passes(stage, groups):
            fed = self._issue(one, kind, kernel_rows, groups, stage.last and one.op is stage.last_op)
            if stage.last and one.op is stage.last_op:
                self._latents.words(fed.word, fed.written)
            if ends and k == 0 and one.op is stage.conv and one.last_tile and one.last_pixel:
                self._released.append(fed.finish)
        if ends and not stage.last:
            self._line_rows[k + 1].append(fed.written + _LINE_READY)

    def _issue(self, one, kind, kernel_rows, groups, to_output):
        """Offer a pass as soon as what it waits for is seen; return its cycles."""
        kind = one.op.pass_kinds[0] if one.op.is_gdn else kind
        seen = {"results": self._passes.results(one, groups), "drain": self._passes.place()}
        if to_output:
            # room comes and goes, so it counts only in the cycle in front of the one that takes the pass
            others = max(self._passes.cycle - 1, *seen.values(), self._passes.engine.taken)
            seen["output"] = self._latents.room(others)
        return self._feed(one, kind, kernel_rows, seen)

    def _feed(self, one, kind, kernel_rows, seen):
        return self._passes.feed(one, kind, kernel_rows, max(seen.values()))
