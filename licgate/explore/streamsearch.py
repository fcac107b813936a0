"""Search of accelerators with external memory: arrays by their bounds, then buffers from wide to narrow.

Wide buffers are narrowed a step at a time, always the one that costs fewest cycles for the memory blocks which it
saves, so each height of blocks and width of bands gives a handful of shapes, not thousands. What cannot beat those
that are known, by the bound of its array or of its traffic or by its widest buffers, is left at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from licgate.explore.space import Budget
from licgate.explore.streamspace import StreamCandidate, StreamSpace

__all__ = ["fastest_stream", "search_streams"]

# by how much a shape must be faster than one that takes no more, to be looked at
_MARGIN = 0.002
# shapes that are slower than with wide buffers by more than this are not narrowed any further
_SLOWER = 1.3


def search_streams(
    space: StreamSpace,
    budget: Budget,
    *,
    least: float,
    say: Callable[[int, int], None] = lambda done, of: None,
    more: Callable[[int, int], None] = lambda done, of: None,
) -> list[StreamCandidate]:
    """Find shapes within a budget that none beats in frames a second, multipliers and memory blocks at once.

    Parameters
    ----------
    space : StreamSpace
    budget : Budget
    least : float
        Share of the fastest one's rate below which arrays are not looked at: 1 for the fastest alone.
    say, more : callable
        Get how many arrays of how many are bounded, and searched.

    Returns
    -------
    list of StreamCandidate
        With estimates; some may be beaten by others.

    """
    return _Search(space, budget, least).run(say, more)


def fastest_stream(space: StreamSpace, budget: Budget, say=lambda done, of: None) -> StreamCandidate | None:
    """The fastest shape within a budget, of equally fast ones the cheapest; None where none fits."""
    found = search_streams(space, budget, least=1.0, more=say)
    return min(found, key=lambda c: (c.bound, *c.costs, c.lut), default=None)


class _Search:
    def __init__(self, space, budget, least):
        self.space, self.budget, self.least = space, budget, least
        self.found = []

    def run(self, say, more):
        """All that is found."""
        arrays = self.space.arrays(self.budget, say)
        for done, array in enumerate(arrays):
            more(done, len(arrays))
            if self.found and array.bound * self.least > min(c.bound for c in self.found):
                break
            if not self._beaten(array, array.bound, 0):
                self._array(array)
        more(len(arrays), len(arrays))
        return self.found

    def _beaten(self, candidate, bound, blocks):
        """No faster than one that takes no more of anything; the fastest alone counts where that is asked for."""
        if self.least == 1.0:
            return any(other.bound <= bound * (1 + _MARGIN) for other in self.found)
        return any(
            other.multipliers <= candidate.multipliers and other.blocks <= blocks
            and other.bound <= bound * (1 + _MARGIN)
            for other in self.found
        )  # fmt: skip

    def _array(self, array):
        """Blocks and bands of an array, those first that are fastest with wide buffers."""
        pairs = []
        for narrow, options in self.space.buffers(array, self.budget):
            wide = {name: values[-1] for name, values in options}
            widest = self.space.candidate(replace(narrow.config, **wide), array.cores)
            pairs.append((widest.bound, narrow.blocks, len(pairs), narrow, widest, options))
        known = []
        for bound, blocks, number, narrow, widest, options in sorted(pairs, key=lambda pair: pair[:3]):
            if known and bound > _SLOWER * known[0][0]:
                break
            if not self._beaten(narrow, bound, blocks):
                widest = self.space.estimated(widest)
                known.append((widest.bound, blocks, number, narrow, widest, options))
        kept = []
        for pair in sorted(known, key=lambda pair: pair[:3]):
            bound, blocks, _, narrow, widest, options = pair
            # another with as narrow buffers that is as fast is enough
            if any(other <= blocks for other in kept) or self._beaten(narrow, bound, blocks):
                continue
            self._narrow(narrow, widest, options)
            kept.append(blocks)

    def _narrow(self, narrow, current, options):
        """Take buffers from wide to narrow, and keep what fits on the way."""
        places = {name: len(values) - 1 for name, values in options}
        current = self.space.estimated(current)
        slowest = current.bound * _SLOWER
        steps = {name: self._step(current, name, values, places[name]) for name, values in options}
        while True:
            if not self.budget.lacks(current):
                self.found.append(current)
                if self.least == 1.0:
                    return
            if self._beaten(narrow, current.bound, narrow.blocks) or current.bound > slowest:
                return
            possible = [name for name in steps if steps[name] is not None]
            if not possible:
                return
            name = min(possible, key=lambda each: steps[each][0])
            places[name] = steps[name][1]
            changed = replace(current.config, **{name: dict(options)[name][places[name]]})
            current = self.space.estimated(self.space.candidate(changed, current.cores))
            steps[name] = self._step(current, name, dict(options)[name], places[name])

    def _step(self, current, name, values, place):
        """The next narrower value that saves memory blocks: cycles that it costs for each, and its place."""
        for lower in range(place - 1, -1, -1):
            config = replace(current.config, **{name: values[lower]})
            candidate = self.space.candidate(config, current.cores)
            saved = current.blocks - candidate.blocks
            if saved > 0:
                return (self.space.estimated(candidate).bound - current.bound) / saved, lower
        return None
