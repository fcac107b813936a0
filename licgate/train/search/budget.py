"""Least loss in a budget: widths are lowered until it is met, then bits are exchanged."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from licgate.errors import TrainingError
from licgate.train.quant.widths import Widths
from licgate.train.search.sensitivity import PER_BIT, Coordinate, moved, width_of
from licgate.train.search.trials import Trials

EXCHANGES = 24
"""Exchanges that are tried, best prediction first, before the search is content."""


@dataclass(frozen=True)
class Budget:
    """A limit on a cost.

    Attributes
    ----------
    name : str
    limit : float
    value : callable
        ``value(widths) -> float``: what must not exceed the limit.
    weigh : callable
        The same in steps fine enough to weigh single bits by; `value` itself except where that counts whole blocks.
    """

    name: str
    limit: float
    value: Callable[[Widths], float]
    weigh: Callable[[Widths], float]

    def met(self, widths: Widths) -> bool:
        """Whether the limit is kept; up to rounding errors of the cost."""
        return self.value(widths) <= self.limit * (1 + 1e-9)


def moves_cost(budget: Budget, widths: Widths, coordinate: Coordinate) -> bool:
    """Whether a bit more or less at a coordinate changes the cost."""
    here = budget.weigh(widths)
    trials = (moved(widths, coordinate, by) for by in (-1, 1))
    return any(trial is not None and budget.weigh(trial) != here for trial in trials)


def lower(
    trials: Trials,
    now: Widths,
    loss: float,
    wanted: Sequence[Coordinate],
    budget: Budget,
    added: dict[Coordinate, float],
) -> tuple[Widths, float]:
    """Lower widths until the budget is met; ``added`` is the loss that a bit less of each is thought to add."""
    added = dict(added)
    while not budget.met(now):
        measured: set[Coordinate] = set()
        cost, here = budget.weigh(now), trials.glance(now)
        while True:
            best, price = None, math.inf
            for coordinate in wanted:
                trial = moved(now, coordinate, -1)
                saved = 0.0 if trial is None else cost - budget.weigh(trial)
                if saved > 0 and max(added[coordinate], 0.0) / saved < price:
                    best, price = coordinate, max(added[coordinate], 0.0) / saved
            if best is None:
                reach = budget.value(now)
                raise TrainingError(f"{budget.name} of {budget.limit:g} is out of reach: the search ends at {reach:g}")
            if best in measured:
                break
            added[best] = trials.glance(moved(now, best, -1)) - here
            measured.add(best)
        now = moved(now, best, -1)
        added[best] *= PER_BIT
        loss = trials.ask(now)
        trials.keep(now)
        trials.say(f"{best} one bit less: {budget.name} {budget.value(now):.6g}, loss {loss:.5f}")
    return now, loss


def improve(
    trials: Trials, now: Widths, loss: float, wanted: Sequence[Coordinate], budget: Budget
) -> tuple[Widths, float]:
    """Exchange bits until no exchange helps.

    An exchange takes a bit from one width and gives what becomes free to others, or gives a bit to one and takes what
    is missing from others. Which others, and what to expect, follows from the loss that a bit more and a bit less of
    each width alone makes. The most promising are tried until one helps; then the widths that it changed are measured
    anew, and all of them before the search gives up.
    """
    more: dict[Coordinate, float] = {}
    less: dict[Coordinate, float] = {}
    stale, fresh = list(wanted), True
    while True:
        here = trials.glance(now)
        for coordinate in stale:
            for table, by in ((more, 1), (less, -1)):
                trial = moved(now, coordinate, by)
                table[coordinate] = math.inf if trial is None else trials.glance(trial) - here
        stale = []
        for predicted, trial in _exchanges(now, wanted, budget, more, less)[:EXCHANGES]:
            found = trials.ask(trial)
            if found < loss:
                trials.say(f"exchange: loss {found:.5f}, predicted {loss + predicted:.5f}")
                stale = [c for c in wanted if width_of(trial, c) != width_of(now, c)]
                now, loss, fresh = trial, found, False
                trials.keep(now)
                break
        if not stale and fresh:
            return now, loss
        if not stale:
            stale, fresh = list(wanted), True


def _exchanges(
    now: Widths,
    wanted: Sequence[Coordinate],
    budget: Budget,
    more: Mapping[Coordinate, float],
    less: Mapping[Coordinate, float],
) -> list[tuple[float, Widths]]:
    """List exchanges that keep the budget, best prediction first."""
    found = []
    filled = _fill(now, wanted, budget, dict(more))
    if filled[1] is not now:
        found.append(filled)
    for coordinate in wanted:
        trial = moved(now, coordinate, -1)
        if trial is not None and math.isfinite(less[coordinate]):
            others = [c for c in wanted if c != coordinate]
            gained, trial = _fill(trial, others, budget, dict(more))
            found.append((less[coordinate] + gained, trial))
        trial = moved(now, coordinate, 1)
        if trial is not None and math.isfinite(more[coordinate]):
            others = [c for c in wanted if c != coordinate]
            lost, trial = _repair(trial, others, budget, dict(less))
            if trial is not None:
                found.append((more[coordinate] + lost, trial))
    return sorted((entry for entry in found if math.isfinite(entry[0])), key=lambda entry: entry[0])


def _fill(now: Widths, wanted: Sequence[Coordinate], budget: Budget, change: dict) -> tuple[float, Widths]:
    """Raise widths, best predicted gain per cost first, while the budget is kept."""
    total = 0.0
    while True:
        best, price, cost = None, 0.0, budget.weigh(now)
        for coordinate in wanted:
            trial = moved(now, coordinate, 1)
            if trial is None or not budget.met(trial):
                continue
            gain = change[coordinate] / max(budget.weigh(trial) - cost, 1e-12)
            if gain < price:
                best, price = coordinate, gain
        if best is None:
            return total, now
        now = moved(now, best, 1)
        total += change[best]
        change[best] /= PER_BIT


def _repair(now: Widths, wanted: Sequence[Coordinate], budget: Budget, change: dict) -> tuple[float, Widths | None]:
    """Lower widths, least predicted loss per cost first, until the budget is met; None where it cannot be."""
    total = 0.0
    while not budget.met(now):
        best, price, cost = None, math.inf, budget.weigh(now)
        for coordinate in wanted:
            trial = moved(now, coordinate, -1)
            saved = 0.0 if trial is None else cost - budget.weigh(trial)
            if saved > 0 and change[coordinate] / saved < price:
                best, price = coordinate, change[coordinate] / saved
        if best is None:
            return math.inf, None
        now = moved(now, best, -1)
        total += change[best]
        change[best] = max(change[best], 0.0) * PER_BIT
    return total, now
