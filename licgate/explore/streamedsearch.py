"""Search of accelerators with external memory: arrays by their bounds, then how wide their buffers are.

With the widest buffers each height of blocks and width of bands shows what it could do. Then, for all block RAMs
that there are and for fewer, one shape is looked at for each number of columns that are fetched ahead, with the
longest weight ring that fits beside them. What cannot beat those that are known, by the bound of its array or of its
traffic or by its widest buffers, is left at once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from licgate.explore.space import Budget
from licgate.explore.streamedshape import Bands, StreamCandidate
from licgate.explore.streamedspace import StreamSpace

__all__ = ["fastest_stream", "search_streams"]

# by how much a shape must be faster than one that takes no more, to be looked at
_MARGIN = 0.002
# by how much the bound of an array may be above that of one of no more multipliers, for what its buffers may save
_NEAR = 1.04
# by how much a shape may be slower for results that wait in fewer words
_RESULTS_LOST = 1.001
# shares of the device's block RAMs for which the best buffers are looked for
_LEVELS = (1.0, 0.75, 0.55, 0.4, 0.3)


def search_streams(
    space: StreamSpace,
    budget: Budget,
    *,
    least: float,
    say: Callable[[int, int], None] = lambda done, of: None,
    more: Callable[[int, int], None] = lambda done, of: None,
) -> list[StreamCandidate]:
    """Find shapes within a budget that none beats in frames a second, multipliers and block RAMs at once.

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
        self.levels = [round(budget.block_rams * level) for level in (_LEVELS if least < 1 else _LEVELS[:1])]
        self.found = []

    def run(self, say, more):
        """All that is found."""
        arrays = self.space.arrays(self.budget, self.least, say)
        for done, array in enumerate(arrays):
            more(done, len(arrays))
            if self.found and array.bound * self.least > min(c.bound for c in self.found):
                break
            near = min(other.bound for other in arrays if other.multipliers <= array.multipliers)
            if array.bound <= near * _NEAR and not self._beaten(array.multipliers, 0, array.bound):
                self._array(array)
        more(len(arrays), len(arrays))
        return self.found

    def _beaten(self, multipliers, block_rams, bound):
        """No faster than one that takes no more of anything; where the fastest alone counts, than any."""
        return any(
            other.bound <= bound * (1 + _MARGIN)
            and (self.least == 1.0 or (other.multipliers <= multipliers and other.block_rams <= block_rams))
            for other in self.found
        )

    def _array(self, array):
        """Blocks and bands of an array, those first that are fastest with wide buffers."""
        known = []
        pairs = [
            (bands.wide.bound, number, bands)
            for number, bands in enumerate(self.space.bands(array, self.budget.block_rams))
        ]
        for bound, number, bands in sorted(pairs, key=lambda pair: pair[:2]):
            if not self._beaten(array.multipliers, self._fewest(bands), bound):
                wide = self.space.estimated(bands.wide)
                known.append((wide.bound, number, bands._replace(wide=wide)))
        results, narrow = None, []
        for bound, _, bands in sorted(known, key=lambda pair: pair[:2]):
            if not self._beaten(array.multipliers, self._fewest(bands), bound):
                results = self._results(bands) if results is None else results
                # fewer block RAMs are for those that need few, if no other of them is about as fast
                fewest = self._fewest(bands)
                front = not any(block_rams <= fewest for block_rams in narrow)
                narrow.append(fewest)
                for level in self.levels if front else self.levels[:1]:
                    self._buffers(bands, level, results)

    def _blocks(self, bands: Bands, prefetch, results, ring):
        return self.space.block_rams(bands, prefetch, ring, results)

    def _fewest(self, bands: Bands):
        return self._blocks(bands, bands.prefetch[0], bands.results[0], bands.rings[0])

    def _buffers(self, bands: Bands, level, results):
        """The best buffers within a number of block RAMs: more columns ahead, or a longer ring."""
        wide, last = bands.wide, None
        for prefetch in bands.prefetch:
            # longer rings take no fewer block RAMs
            count = bisect_right(bands.rings, level, key=partial(self._blocks, bands, prefetch, results))
            if not count or self._beaten(wide.multipliers, level, wide.bound):
                break
            ring = bands.rings[count - 1]
            config = replace(wide.config, prefetch_words=prefetch, weight_words=ring, output_words=results)
            candidate = self.space.candidate(config, wide.cores)
            if self.budget.lacks(candidate):
                break
            candidate = self.space.estimated(candidate)
            if candidate not in self.found:
                self.found.append(candidate)
            # what more columns gain is lost by the shorter ring, or there is nothing to gain any more
            if last is not None and candidate.bound > last * (1 - _MARGIN):
                break
            last = candidate.bound

    def _results(self, bands):
        """Fewest words of results that cost next to nothing with all else wide."""
        wide, kept = bands.wide, bands.results[-1]
        for words in reversed(bands.results[:-1]):
            config = replace(wide.config, output_words=words)
            if self.space.estimated(self.space.candidate(config, wide.cores)).bound > wide.bound * _RESULTS_LOST:
                break
            kept = words
        return kept
