"""Pareto sets: the shapes that no other one beats in everything at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from licgate.explore.cycles import CycleCounter
from licgate.explore.plan import exact_cycles
from licgate.explore.space import Candidate, Space

__all__ = ["measured", "pareto", "thinned"]

# by how much a shape must be faster than one that takes no more, to be shown beside it
_MARGINS = (0.0, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)


def pareto(candidates: Iterable[Candidate], *, margin: float = 0.0) -> list[Candidate]:
    """Reduce to those that no other beats, from the cheapest to the most expensive.

    Parameters
    ----------
    candidates : iterable of Candidate
        Compared by `bound` cycles, multipliers and block RAMs.
    margin : float
        A shape that takes more stays only if it is faster by more than this share; the fastest one stays anyway.
    """
    kept: list[Candidate] = []
    ordered = sorted(candidates, key=lambda c: (*c.costs, c.bound, c.lut))
    for candidate in ordered:
        if not any(
            other.multipliers <= candidate.multipliers
            and other.block_rams <= candidate.block_rams
            and other.bound <= candidate.bound * (1 + margin)
            for other in kept
        ):
            kept.append(candidate)
    if ordered:
        fastest = min(ordered, key=lambda c: (c.bound, *c.costs))
        if fastest not in kept:
            kept.append(fastest)
    return kept


def thinned(candidates: Iterable[Candidate], points: int) -> tuple[list[Candidate], float]:
    """Pareto set of no more than ``points`` (where a margin of 1 gets it there), and the margin that it took."""
    front = pareto(candidates)
    for margin in _MARGINS:
        kept = pareto(front, margin=margin)
        if len(kept) <= points:
            break
    return kept, margin


def measured(
    space: Space,
    candidates: Sequence[Candidate],
    counter: CycleCounter,
    say: Callable[[int, int], None] = lambda done, of: None,
) -> list[tuple[Candidate, int]]:
    """Candidates with the cycles that the cycle model counts, but for those that thereby prove to be beaten.

    Parameters
    ----------
    space : Space
    candidates : sequence of Candidate
    counter : CycleCounter
    say : callable
        Gets how many of how many are done.

    Returns
    -------
    list of (Candidate, int)
        From the cheapest to the most expensive.
    """
    kept: list[tuple[Candidate, int]] = []
    for done, candidate in enumerate(candidates):
        say(done, len(candidates))
        cycles = exact_cycles(space, candidate, counter)
        if not any(
            other.multipliers <= candidate.multipliers and other.block_rams <= candidate.block_rams and fewer <= cycles
            for other, fewer in kept
        ):
            kept.append((candidate, cycles))
    return kept
