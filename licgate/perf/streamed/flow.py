"""Ports of a streamed core as flows: weights, maps and results that share the memory, from event to event.

What the array frees and makes goes in with its time; when tiles, columns and results are there comes out.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush

from licgate.program.streamed import SEGMENT, WRITES

__all__ = ["LOOKAHEAD", "Flow"]

_AHEAD = 2  # bands behind the one at work whose commands have been given
#: Bands that decide what is fetched while the first of them is computed.
LOOKAHEAD = _AHEAD + 2
_LATENCY = 10  # cycles from what lets a port request to its first beat
_EPS = 1e-6
_NEVER = float("inf")
_QUANTUM = 4  # cycles and beats in which states are told apart
_OLD = 64  # of those, after which it does not matter when something was
_BEGUN, _WORDS, _SLOTS, _READY = range(4)
# What a state holds as it is, and beats on the way.
_KEPT = ("w_tile", "w_words", "room", "m_columns", "slots", "m_burst", "r_burst")
_LEFT = ("w_left", "m_left", "r_left")


class Flow:
    """State of a core's ports.

    Parameters
    ----------
    program : StreamedProgram
    plan : FramePlan
    share : MemoryShare
    start : float
    """

    def __init__(self, program, plan, share, start):
        self.plan, self.share = plan, share
        self.segment = SEGMENT * program.beat_bits
        self.weight_burst = program.weight_burst
        self.now = start
        self.inputs, self.begun = [], 0
        # Weights: band, tile, its words that are not asked for; words of room; beats on the way.
        self.w_band, self.w_tile, self.w_words, self.room, self.w_left = -1, 0, 0, program.weight_ring, 0.0
        self.w_tiles, self.w_burst = (), 1.0
        # Maps: band, columns that are not asked for; free slots; beats on the way.
        self.m_band, self.m_columns, self.slots, self.m_left, self.m_burst = -1, 0, program.slots, 0.0, 1.0
        # Results: beats on the way, and those that wait.
        self.r_left, self.r_burst, self.r_queue = 0.0, 1.0, deque()
        # Packer: passes that wait for it, writes begun, from when on it takes a pass.
        self.waiting, self.writes_begun, self.free = deque(), 0, start
        # When tiles, columns and writes were there, and passes packed; writes done before those.
        self.tiles, self.columns, self.done, self.packed = [], [], [], []
        self.before = 0
        self.busy = 0.0  # cycles in which something moved
        self._weights()
        self._maps()

    def tell(self, kind, cycle, amount):
        """Put in what happens in ``cycle``."""
        heappush(self.inputs, (cycle, kind, amount))

    def begin(self, cycle):
        """A band is begun."""
        self.tell(_BEGUN, cycle, 1)

    def free_words(self, cycle, words, length):
        """Weight words become free, one after the other in the ``length`` cycles before ``cycle``."""
        # A segment as soon as it is free, for who waits for it; while that is fetched, ever more of the others.
        left, part = words, self.segment
        while left:
            part = min(part, left)
            left -= part
            self.tell(_WORDS, cycle - length * left / words, part)
            part *= 2

    def free_slots(self, cycle, slots):
        """Slots become free."""
        if slots:
            self.tell(_SLOTS, cycle, slots)

    def offer(self, first, moved, packing, beats, burst):
        """A pass is on its way to the packer.

        Parameters
        ----------
        first : bool
            It begins a write.
        moved : float
            Cycle in which its last result is there.
        packing : int
            Cycles that the packer takes.
        beats : int
            Of the write, with the pass that ends it; else 0.
        burst : float
        """
        self.waiting.append((first, moved, packing, beats, burst))
        if len(self.waiting) == 1:
            self._pack()

    def until(self, events, count):
        """Go on until ``count`` events are known; return the cycle of the last of them."""
        while len(events) < count:
            self._step()
        return events[count - 1]

    def advance(self, cycle):
        """Go on to ``cycle``."""
        while self.now < cycle:
            self._step(cycle)

    def _step(self, limit=_NEVER):
        """Go on to the next event, or to the cycle ``limit`` if that is earlier."""
        weights, maps, results = self.w_left, self.m_left, self.r_left
        cycle = limit
        if self.inputs and self.inputs[0][0] < cycle:
            cycle = self.inputs[0][0]
        if weights or maps or results:
            rates = self.share.rates(
                self.w_burst if weights else 0, self.m_burst if maps else 0, self.r_burst if results else 0
            )
            now = self.now
            if weights:
                cycle = min(cycle, now + weights / rates[0])
            if maps:
                cycle = min(cycle, now + maps / rates[1])
            if results:
                cycle = min(cycle, now + results / rates[2])
            passed = max(0.0, cycle - now)
            self.busy += passed
            if weights:
                weights -= passed * rates[0]
                self.w_left = weights = weights if weights > _EPS else 0.0
            if maps:
                maps -= passed * rates[1]
                self.m_left = maps = maps if maps > _EPS else 0.0
            if results:
                results -= passed * rates[2]
                self.r_left = results = results if results > _EPS else 0.0
            self.now = now + passed
            # What has just ended lets the next begin.
            if not weights and rates[0]:
                self._weights_came()
            if not maps and rates[1]:
                self.columns.append(self.now)
                self._maps(0)
            if not results and rates[2]:
                self.done.append(self.now)
                self._results()
                self._pack()
                if not self.m_left:
                    self._maps()
        elif cycle == _NEVER:
            raise AssertionError("the estimate waits for what nobody makes")
        else:
            self.now = max(self.now, cycle)
        while self.inputs and self.inputs[0][0] <= self.now:
            self._take(*heappop(self.inputs))

    def _take(self, cycle, kind, amount):
        if kind == _BEGUN:
            self.begun += amount
        elif kind == _WORDS:
            self.room += amount
        elif kind == _SLOTS:
            self.slots += amount
        else:
            self.r_queue.append(amount)
        if kind in (_BEGUN, _WORDS) and not self.w_left:
            self._weights()
        if kind in (_BEGUN, _SLOTS) and not self.m_left:
            self._maps()
        if kind == _READY and not self.r_left:
            self._results()

    def _weights(self):
        """Ask for as much of the next tile as there is room for."""
        if not self.w_words:
            while self.w_tile == len(self.w_tiles):
                bands, band = self.plan.bands, self.w_band + 1
                if band == len(bands) or band > self.begun + _AHEAD:
                    return
                kind = self.plan.kinds[bands[band][0]]
                self.w_band, self.w_tile, self.w_tiles = band, 0, kind.tiles if kind.weights else ()
            self.w_words = self.w_tiles[self.w_tile][0]
        words, beats = self.w_tiles[self.w_tile]
        taken = self.w_words
        if taken > self.room:
            taken = self.room // self.segment * self.segment
        if not taken:
            return
        self.room -= taken
        self.w_words -= taken
        self.w_left = beats * taken / words
        self.w_burst = self._burst(words, beats)

    def _burst(self, words, beats):
        """Mean beats of a transaction of a tile."""
        part = beats * min(words, self.segment) / words
        return part / (1 + (part - 1) / self.weight_burst)

    def _weights_came(self):
        if not self.w_words:
            self.tiles.append(self.now + _LATENCY)
            self.w_tile += 1
        self._weights()

    def _maps(self, late=_LATENCY):
        """Ask for the next column, if a slot is free and its rows are written; its first beat comes ``late``."""
        while not self.m_columns:
            bands, band = self.plan.bands, self.m_band + 1
            if band == len(bands) or band > self.begun + _AHEAD:
                return
            self.m_band, self.m_columns = band, sum(self.plan.kinds[bands[band][0]].loads)
        number, after = self.plan.bands[self.m_band]
        if not self.slots or after > self.before + len(self.done):
            return
        kind = self.plan.kinds[number]
        self.slots -= 1
        self.m_columns -= 1
        self.m_left, self.m_burst = float(kind.column + late), kind.map_burst

    def _results(self):
        if self.r_queue:
            beats, self.r_burst = self.r_queue.popleft()
            self.r_left = float(beats)

    def _pack(self):
        """Take passes for as long as it is known when; no more than so many writes are under way."""
        while self.waiting:
            first, moved, packing, beats, burst = self.waiting[0]
            if first:
                behind = self.writes_begun - WRITES
                if behind >= len(self.done):
                    return
                if behind >= 0:
                    self.free = max(self.free, self.done[behind] + 1)
                self.writes_begun += 1
            self.waiting.popleft()
            self.free = max(self.free + packing, moved)
            self.packed.append(self.free)
            if beats:
                self.tell(_READY, self.free + _LATENCY, (beats, burst))

    @staticmethod
    def late(events, cycle, least=-_OLD):
        """Cycles of events relative to ``cycle`` in quanta, none of them less than ``least``."""
        return [max(round((event - cycle) / _QUANTUM), least) for event in events]

    @staticmethod
    def times(late, cycle):
        """Undo :meth:`late`."""
        return [cycle + _QUANTUM * event for event in late]

    def save(self, cycle, band, used):
        """State relative to ``cycle`` and ``band``, in whole quanta; equal ones go on alike.

        ``used`` are how many tiles, columns and packed passes are of no more use.
        """
        tiles, columns, packed = used
        begun = max(0, self.writes_begun - WRITES)
        late = lambda events, least=-_OLD: tuple(self.late(events, cycle, least))  # noqa: E731
        (free,) = late([self.free])
        return (
            tuple(getattr(self, name) for name in _KEPT),
            tuple(-int(-getattr(self, name) // _QUANTUM) for name in _LEFT),
            (self.w_band - band, self.m_band - band, self.writes_begun - begun, free),
            tuple(sorted((*late([when]), kind, amount) for when, kind, amount in self.inputs)),
            tuple(self.r_queue),
            tuple((first, *late([moved]), *rest) for first, moved, *rest in self.waiting),
            (
                late(self.done[begun:], free),
                late(self.tiles[tiles:], 0),
                late(self.columns[columns:], 0),
                late(self.packed[packed:], 0),
            ),
        )

    def load(self, state, cycle, band):
        """Return to a state that :meth:`save` gave, at another ``cycle`` and ``band``; ``before`` is to be set."""
        kept, left, (w_band, m_band, self.writes_begun, free), inputs, queue, waiting, events = state
        for name, value in zip(_KEPT, kept, strict=True):
            setattr(self, name, value)
        for name, beats in zip(_LEFT, left, strict=True):
            setattr(self, name, float(_QUANTUM * beats))
        self.now, self.begun = cycle, band
        self.inputs = [(cycle + _QUANTUM * when, *rest) for when, *rest in inputs]
        self.w_band, self.m_band = band + w_band, band + m_band
        self.r_queue = deque(queue)
        self.waiting = deque((first, cycle + _QUANTUM * moved, *rest) for first, moved, *rest in waiting)
        self.free = cycle + _QUANTUM * free
        self.done, self.tiles, self.columns, self.packed = (self.times(each, cycle) for each in events)
        kind = self.plan.kinds[self.plan.bands[max(0, self.w_band)][0]]
        self.w_tiles = kind.tiles if kind.weights and self.w_band >= 0 else ()
        if self.w_left:
            self.w_burst = self._burst(*self.w_tiles[self.w_tile])
