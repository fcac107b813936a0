"""Cycles of a streamed frame in milliseconds: an estimate. :mod:`.frame` is exact, and takes seconds.

Ports are flows that share the memory as its exact model says that busy ports do (:mod:`.share`); the array
goes from tile to tile and from one GDN pass to the next, and waits for columns, tiles and room for results as the
sequencer does (:mod:`.flow`). Between two bands all that lies ahead is a short list of numbers. Where
it comes again, which it does within a few bands of a block, what follows is known, so a frame of thousands of bands is
a hundred that are looked at.

Several cores are one, that of the most steps, beside which the others move as much as their beats say, for as long of
the time as it moves something itself.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from licgate.perf.streamed import plan as streamplan
from licgate.perf.streamed.flow import LOOKAHEAD, Flow
from licgate.perf.streamed.plan import frame_plan
from licgate.perf.streamed.share import MemoryShare
from licgate.program.commands import command_beats
from licgate.program.cores import core_patches

__all__ = ["StreamedEstimate", "estimate_frame", "least_frame"]

# Cycles from the start to the first commands; from a column, a tile, a packed pass and the band to a pass behind them.
_START, _COLUMN, _TILE, _CREDIT, _BAND = 30, 8, 4, 4, 6
# From memory words that are free behind the feeder to the request of others, and from the last write to the end.
_FREED, _END = 2, 4
# Rounds in which the share of time that other cores move something is found.
_ROUNDS = 4


@dataclass(frozen=True)
class StreamedEstimate:
    """What a frame takes.

    Attributes
    ----------
    cycles : int
    steps : int
        Cycles in which the array steps, of the core that has most.
    beats : dict of str to int
        Moved, by all cores: commands, weights, maps, results.
    """

    cycles: int
    steps: int
    beats: dict


def estimate_frame(program, chain, width, height, cycles, *, cores=1) -> StreamedEstimate:
    """Estimate the cycles of a frame.

    Measured against the exact model: within 0.22 % for seven shapes of 1280 x 720 with one core (N = 36, 128 and 192),
    -0.9 % for two cores of N = 128 (640 x 96). For the 60 random shapes on small frames of ``tests/bench/estimate.py``
    (seed 1), with one core the median is 0.19 % and the largest 1.9 %, with two or three cores 1.5 % and 7.9 %. Frames
    of a few dozen blocks of two array rows may be given 12 % too few.

    Never fewer than the array steps, or than the beats that move.

    Parameters
    ----------
    program : StreamedProgram
    chain : Chain
    width, height : int
        Of the whole input.
    cycles : SdramCycles
        Of the memory.
    cores : int
        Each takes a strip, see :func:`licgate.program.cores.core_jobs`.

    Raises
    ------
    ConfigError
        The run needs more memory than there is, or the input has no pixel.
    """
    plans = _plans(program, chain, width, height, cores)
    beats = {kind: sum(plan.beats[kind] for plan in plans) for kind in plans[0].beats}
    moved, most = sum(beats.values()), max(plans, key=lambda plan: plan.steps)
    others, busy = moved / sum(most.beats.values()) - 1, 1.0
    for _ in range(_ROUNDS if len(plans) > 1 else 1):
        array = _Array(program, most, MemoryShare(cycles, 1 + others * busy))
        found = array.run()
        busy = array.busy / found
    return StreamedEstimate(round(max(found, most.steps, moved)), most.steps, beats)


def least_frame(program, chain, width, height, *, cores=1) -> int:
    """Cycles of a frame at least, in a millisecond: passes that never wait, or beats that come every cycle."""
    patches = core_patches(chain, width, height, cores)
    found = [streamplan.least_frame(program, chain, patch.width, patch.height) for patch in patches]
    return max(max(passes for passes, _ in found), sum(beats for _, beats in found))


def _plans(program, chain, width, height, cores):
    """Of each core."""
    plans, origin = [], 0
    for patch in core_patches(chain, width, height, cores):
        plans.append(frame_plan(program, chain, patch.width, patch.height, origin=origin))
        origin = (-(-plans[-1].end // program.page_beats) + len(plans)) * program.page_beats
    return plans


class _Array:
    """The array of a core, and what it tells its ports.

    Attributes
    ----------
    busy : float
        Cycles in which the ports moved something.
    """

    def __init__(self, program, plan, share):
        self.plan, self.flow = plan, Flow(program, plan, share, _START)
        self.latency = program.feed_latency + _FREED
        self.credit = program.output_credits
        self.time, self.last = float(_START), 0  # end of the last pass, and its cycles
        self.used = self.fetched = self.out = 0  # tiles, columns and passes to memory so far
        # Commands are parsed one after the other: until when those of the last band were, and when bands were begun.
        self.odd = []  # passes of the odd record of a pair, until the last of them comes
        self.parse, self.parsed, self.begins = command_beats(program) + 1, float(_START), (0.0, 0.0)
        self.busy = 0.0

    def run(self):
        """Cycles of the frame."""
        plan, flow = self.plan, self.flow
        made = [len(kind.written) * kind.records for kind in plan.kinds]
        known, states, numbers, writes, at = {}, [], {}, 0, None
        for index in range(len(plan.bands)):
            # What is fetched while this band is computed, and whether it waits for writes.
            window = plan.bands[index : index + LOOKAHEAD]
            key = (at, *((number, max(after - writes, -self.credit - 8)) for number, after in window))
            if at is not None and key in known:
                passed, busy, at = known[key]
                self.time += passed
            else:
                if at is not None:
                    self._load(states[at], index, writes)
                begun, flow.busy, number = self.time, 0.0, window[0][0]
                self._band(plan.kinds[number])
                flow.advance(self.time)
                state = self._save(index + 1, writes + made[number])
                at = numbers.setdefault(state, len(states))
                if at == len(states):
                    states.append(state)
                passed, busy = self.time - begun, flow.busy
                known[key] = passed, busy, at
            self.busy += busy
            writes += made[window[0][0]]
        self._load(states[at], len(plan.bands), writes)
        return flow.until(flow.done, writes - flow.before) + _END

    def _save(self, band, writes):
        """State before a band, behind which so many writes lie."""
        old, flow = max(0, self.out - self.credit), self.flow
        waiting = writes - flow.before - len(flow.done)
        parsed = tuple(flow.late((self.parsed, *self.begins), self.time))
        return self.last, self.out - old, waiting, parsed, flow.save(self.time, band, (self.used, self.fetched, old))

    def _load(self, state, band, writes):
        """Return to a state, at the time and before the band that it is now."""
        self.last, self.out, waiting, parsed, flow = state
        self.parsed, *self.begins = self.flow.times(parsed, self.time)
        self.used = self.fetched = 0
        self.flow.load(flow, self.time, band)
        self.flow.before = writes - waiting - len(self.flow.done)

    def _band(self, kind):
        flow = self.flow
        self.parsed = max(self.parsed, self.begins[0]) + self.parse * (1 + kind.weights + sum(kind.loads))
        begin = max(self.time - self.last, self.parsed)
        self.begins = self.begins[1], begin
        self.time = max(self.time, begin + _BAND)
        flow.begin(max(begin, flow.now))
        for tile, passes in enumerate(kind.passes):
            ready = flow.until(flow.tiles, self.used + tile + 1) + _TILE
            release = kind.release if tile == len(kind.passes) - 1 else None
            if kind.gdn is None:
                self._outputs(kind, tile, ready, release)
            elif tile and not release:
                self.time = max(self.time, ready + kind.lengths[0] - passes[0]) + kind.groups * sum(passes)
            else:
                ends = self._groups(kind, tile, ready, release)
            self.last = passes[-1]
            if not kind.keep:
                # those of each parity while its last pass runs
                flow.free_words(
                    self.time + self.latency, kind.tiles[tile][0], sum(kind.lengths[-4 if kind.pairs else -1 :])
                )
        if kind.gdn is not None:
            self._norm(kind, ends)
        if not kind.keep:
            self.used += len(kind.tiles)

    def _columns(self, kind, tile, group):
        """Cycle from which the columns are there that a group waits for."""
        if tile or not kind.loads[group]:
            return 0.0
        self.fetched += kind.loads[group]
        return self.flow.until(self.flow.columns, self.fetched) + _COLUMN

    def _groups(self, kind, tile, ready, release):
        """Passes of a tile, group by group; return when each ends."""
        lengths, passes, ends = kind.lengths, kind.passes[tile], []
        for group in range(kind.groups):
            ready = max(ready, self._columns(kind, tile, group))
            self.time = max(self.time, ready + lengths[0] - passes[0]) + sum(passes)
            ends.append(self.time)
            if release:
                self.flow.free_slots(self.time + self.latency, release[group])
        return ends

    def _outputs(self, kind, tile, ready, release):
        """Passes of a tile whose results go to memory."""
        flow, conv = self.flow, kind.conv
        for group in range(kind.groups):
            ready = max(ready, self._columns(kind, tile, group))
            for index, (length, cycles) in enumerate(zip(kind.lengths, kind.passes[tile], strict=True)):
                last, quads = kind.beyond and group == kind.groups - 1, kind.outputs > 1
                outside = last and index & 1
                records = kind.outputs // (1 + last) if quads else 1 - outside
                self.time = max(self.time + cycles, max(ready, self._room(records, kind.outputs)) + length)
                moved = self.time + conv.flight[tile] + _FREED
                leaves = (True, moved, conv.packing[tile], kind.written[tile], kind.write_burst)
                if quads:
                    for _ in range(records):
                        self.flow.offer(*leaves)
                else:
                    self._offer(kind, index, leaves, outside)
            if release:
                flow.free_slots(self.time + self.latency, release[group])

    def _norm(self, kind, ends):
        """Passes of a GDN behind a convolution the groups of whose last tile end at ``ends``."""
        flow, gdn, first = self.flow, kind.gdn, self.used + len(kind.passes) + 1
        flight, last, passes = kind.conv.flight[-1] + _CREDIT, len(kind.norm) - 1, kind.passes[-1]
        for pixel in range(kind.pixels):
            group, index = divmod(pixel, len(passes))
            ready = ends[group] - sum(passes[index + 1 :]) + flight
            for quarter, (tile, cycles) in itertools.product(range(kind.outputs), enumerate(kind.norm)):
                # the halves of a pair come as parities of columns, or as quarters
                index = index if kind.outputs == 1 else quarter
                outside = kind.beyond and group == kind.groups - 1 and index & 1
                if pixel == quarter == 0:
                    ready = max(ready, flow.until(flow.tiles, first + tile) + _TILE)
                self.time = max(self.time + cycles, max(ready, self._room(not outside)) + kind.norm_length)
                beats = kind.written[0] if tile == last else 0
                moved = self.time + gdn.flight[tile] + _FREED
                self._offer(
                    kind, index, (tile == 0, moved, gdn.packing[tile], beats, kind.write_burst), outside, tile == last
                )
                if pixel == kind.pixels - 1 and quarter == kind.outputs - 1 and not kind.keep:
                    flow.free_words(self.time + self.latency, gdn.tiles[tile][0], kind.norm_length)
        self.last = kind.norm[-1]

    def _offer(self, kind, index, leaves, outside, ends=True):
        """A pass is on its way to the packer: alone, or to meet the one of the other parity.

        The passes of an even record leave as those of the odd one come, the latter behind them.
        """
        if kind.pairs and not index & 1:
            return
        self.flow.offer(*leaves)
        if kind.pairs and not outside:
            self.odd.append(leaves)
            if ends:
                for first, _, *rest in self.odd:
                    self.flow.offer(first, leaves[1], *rest)
                self.odd = []

    def _room(self, counts, needed=1):
        """Cycle from which there is room for ``needed`` records of another pass, of which so many count."""
        waits = self.out + needed - self.credit
        self.out += counts
        if waits <= 0:
            return 0.0
        return self.flow.until(self.flow.packed, waits) + _CREDIT
