"""Cycle model of the core: the sequencer's walk with the time of every pass, equal to the gateware's to the cycle.

It follows the resident sequencer state by state, with the pixel writer and the latent reader reduced to the times at
which they take and give, and :mod:`licgate.perf.engine` for what carries out the passes. The host is taken to be always
ready and to have every pixel, and the latent FIFO never to be full: a tile of the last layer takes longer to compute
than its latents, ``rows`` for each of its channels, to send.
"""

import itertools
from collections import deque
from dataclasses import dataclass

from licgate.perf.engine import EngineModel
from licgate.program import IN_FLIGHT

__all__ = ["CoreModel"]

_SETTLE = 6  # cycles in SETTLE after a row
_OFFER = 3  # from a pass to the next one, at least
_LINE_READY = 2  # from row_done to `ready`
_READER = 3  # from a word's arrival to its first latent


@dataclass
class _Pending:
    op: object
    gdn_half: int
    row_ends: bool
    stage: int


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
        self.program, self.chain, self._engine = program, chain, EngineModel(program, start)
        self.stages = stages = program.stages_of(chain)
        self.heights, self.widths = [height], [width]
        for stage in stages:
            self.heights.append(stage.output_length(self.heights[-1]))
            self.widths.append(stage.output_length(self.widths[-1]))
        self.op_cycles = self._engine.op_steps
        self._line_rows = [[] for _ in stages]  # cycles at which `ready` can see the rows of each line buffer
        self._released = []
        self._half_ready = [0, 0]
        self._pops = deque(maxlen=IN_FLIGHT)
        kept = (0, 0, self.widths[-1], self.heights[-1]) if kept is None else kept
        self._latents = _LatentReader(program, stages[-1], self.widths[-1], kept)
        self._written = start
        self._pixel_time = start + 4  # first cycle that asks for room
        self._run(start + 1)  # the blocks see the start a cycle later

    def _run(self, start):
        count = len(self.stages)
        row = [0] * count
        now = start + 1 + _SETTLE + len(self.program.stages)
        gdn_half, pending = 0, None
        while True:
            # SELECT: the deepest stage that is ready in this cycle, or the earliest time at which one is
            chosen = earliest = None
            for k in reversed(range(count)):
                when = self._ready_time(k, row)
                if when is not None and when <= now:
                    chosen = k
                    break
                if when is not None and (earliest is None or when < earliest):
                    earliest = when
            if chosen is None:
                if pending is not None:
                    now = self._gdn_passes(pending, now + 2) + 2  # GDN_TILE, GDN, NEXT, SELECT
                    pending = None
                elif earliest is not None:
                    now = earliest
                else:
                    break
                continue
            now, gdn_half, pending = self._row(chosen, row[chosen], now, gdn_half, pending)
            advance = self._first(chosen, row[chosen] + 1) - self._first(chosen, row[chosen])
            row[chosen] += 1
            now += 2 + advance + _SETTLE  # END_ROW, SETTLE
        idle = max(now, self._written + 2) + 1
        self.done = max(idle, self._latents.done) + 1

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
        rows, channels, width = self.program.rows, self.stages[0].conv.channels_in, self.widths[0]
        if not self.chain.pixels:
            # A value a cycle; the last word is written two cycles after its last value.
            return accept + width * channels + 1
        end = -1
        for first in range(0, width, rows):
            # A pixel a cycle; a word of every channel is written while the next pixels come.
            handed = max(accept + min(rows, width - first), end)
            end, accept = handed + 1 + channels, handed + 1
        return end + 1  # the write has a register of its own

    def _row(self, k, row, now, gdn_half, pending):
        """Issue a row of stage k, seen by SELECT in cycle `now`.

        Return the cycle of the last NEXT, the GDN half and the pending GDN.
        """
        stage = self.stages[k]
        kernel_rows = self._need(k, row) - self._first(k, row)
        groups = -(-stage.group_columns(self.widths[k], self.widths[k + 1]) // self.program.rows)
        # An upsampling stage makes the even, then the odd columns of every group.
        pass_kinds = (
            stage.conv.pass_kinds[2 * (row & 1) : 2 * (row & 1) + 2] if stage.upsampling else stage.conv.pass_kinds
        )
        passes = [pass_kind for _ in range(groups) for pass_kind in pass_kinds]
        now += 7  # ROW, GROUP, GROUP_2, TILE, CONV, and the descriptors behind them
        for index, pass_kind in enumerate(passes):
            ends = index == len(passes) - 1
            op = stage.conv
            for tile in range(op.tiles):
                last_tile = tile == op.tiles - 1
                fed = self._issue(op, pass_kind, tile, now, kernel_rows, stage.last and stage.gdn is None)
                if k == 0 and ends and last_tile:
                    self._released.append(fed.finish)
                if last_tile and stage.gdn is None:
                    self._complete(k, ends)
                now = fed.accepted + (2 if last_tile else _OFFER)  # GDN_TILE, GDN
            if stage.gdn is not None:
                self._half_ready[gdn_half] = self._written + 1
            if pending is not None:
                now = self._gdn_passes(pending, now)
            now += 1  # NEXT
            pending = None
            if stage.gdn is not None:
                pending = _Pending(stage.gdn, gdn_half, ends, k)
                gdn_half ^= 1
            if not ends:
                now += 6  # GROUP, GROUP_2, TILE, CONV, and the descriptors behind them
        return now, gdn_half, pending

    def _gdn_passes(self, pending, now):
        """Issue a pending GDN from cycle `now` in state GDN; return the last cycle of that state."""
        now = max(now, self._half_ready[pending.gdn_half]) + 2
        output = self.stages[pending.stage].last
        for tile in range(pending.op.tiles):
            fed = self._issue(pending.op, pending.op.pass_kinds[0], tile, now, None, output)
            now = fed.accepted + _OFFER
        self._complete(pending.stage, pending.row_ends)
        return fed.accepted

    def _complete(self, k, row_ends):
        if row_ends and k + 1 < len(self._line_rows):
            self._line_rows[k + 1].append(self._written + _LINE_READY)

    def _issue(self, op, pass_kind, tile, now, kernel_rows, output):
        """Offer a pass from cycle `now`; return its cycles."""
        if len(self._pops) == IN_FLIGHT:
            now = max(now, self._pops[0] + 4)
        fed = self._engine.feed(op, pass_kind, tile, kernel_rows, now)
        self._written = fed.written
        self._pops.append(self._written - 1)
        if output:
            drain_interval = self._engine.timing.drain_interval
            self._latents.words(fed.word, drain_interval, (fed.written - fed.word) // drain_interval + 1)
        return fed


class _LatentReader:
    """Times of the latent FIFO and its serialiser."""

    def __init__(self, program, stage, width, kept):
        self._program, self._width = program, width
        self._skip_y, self._keep_height = kept[1], kept[3]
        self._channels = stage.last_op.channels_out
        self._x = self._y = self._channel = 0
        self._free_at = 0  # cycle in which the serialiser can load the next word
        self.done = 0

    def words(self, first, drain_interval, count):
        """Words of a tile arrive."""
        rows = self._program.rows
        for index in range(count):
            load = max(first + drain_interval * index + _READER - 1, self._free_at)
            inside = self._skip_y <= self._y < self._skip_y + self._keep_height
            used = min(rows, self._width - self._x) if inside else 1
            self._free_at = load + used + 2
            self.done = load + used + 3
            self._channel += 1
            if self._channel == self._channels:
                self._channel = 0
                self._x += rows
                if self._x >= self._width:
                    self._x = 0
                    self._y += 1
