"""Progressive mixed-precision search (DRAQ, Fig. 7): fewest bits at a loss, or least loss in a budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from licgate.errors import TrainingError
from licgate.train.quant.widths import Widths
from licgate.train.search.sensitivity import (
    PER_BIT,
    WIDEST,
    Coordinate,
    Evaluator,
    measure_sensitivity,
    most_sensitive_first,
    moved,
    narrowest,
    per_bit,
    width_of,
    with_width,
)
from licgate.train.search.trials import Trials

BASELINE_SHARE = 0.25
"""Part of the tolerance that the uniform baseline may use up; the rest is for single widths."""

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


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a search found.

    Attributes
    ----------
    widths, loss
        The configuration and its loss.
    baseline : Widths
        The uniform one that it started from.
    baseline_loss : float
    sensitivity : dict of Coordinate to dict of int to float
        Loss added to the baseline by each drop.
    """

    widths: Widths
    loss: float
    baseline: Widths
    baseline_loss: float
    sensitivity: Mapping[Coordinate, dict[int, float]]


def tolerance_in_loss(evaluator: Evaluator, *, percent: float | None = None, decibel: float | None = None) -> float:
    """Turn a tolerance into a difference of R + λD.

    Parameters
    ----------
    percent : float
        Of the float model's rate, as if all of the loss were spent as rate at slope λ.
    decibel : float
        As if all of it were distortion.
    """
    reference = evaluator.reference
    if (percent is None) == (decibel is None):
        raise TrainingError("give one tolerance, in percent of rate or in dB")
    value = percent if decibel is None else decibel
    if not 0 < value < 100:
        raise TrainingError(f"tolerance {value} must be above 0 and below 100")
    if decibel is None:
        return value / 100 * reference.bpp
    return evaluator.rate_lambda * 255.0**2 * reference.mse * (10 ** (value / 10) - 1)


def uniform(start: Widths, wanted: Sequence[Coordinate], bits: int) -> Widths:
    """Give all wanted widths the same bits, where these are in their range; the others stay."""
    for coordinate in wanted:
        start = with_width(start, coordinate, max(bits, narrowest(coordinate)))
    return start


def find_uniform(trials: Trials, start: Widths, wanted: Sequence[Coordinate], limit: float) -> tuple[Widths, float]:
    """Lower all widths together from 16 bits until the loss exceeds a limit (Fig. 7, first step).

    Returns
    -------
    widths, loss
        Of the last that kept the limit.

    Raises
    ------
    TrainingError
        When not even 16 bits keep it, because widths that are not searched are too narrow.
    """
    found = None
    for bits in range(WIDEST, 1, -1):
        trial = uniform(start, wanted, bits)
        loss = trials.ask(trial)
        trials.say(f"uniform {bits} bits: loss {loss:.5f} (limit {limit:.5f})")
        if loss > limit:
            break
        found = trial, loss
        trials.keep(trial)
    if found is None:
        raise TrainingError(
            f"16 bits everywhere lose {loss - limit:.3g} too much: widen the widths that are held, or tolerate more"
        )
    return found


def near_lossless(trials: Trials, start: Widths, wanted: Sequence[Coordinate], tolerance: float) -> Outcome:
    """Lower each width as far as the loss stays within its share of the tolerance (Fig. 7), the most sensitive first.

    The tolerance of the i-th width is that of the one before and an equal share more, so what one leaves the next may
    use. What is left in the end goes to a second round over all of them.
    """
    reference = trials.evaluator.reference.loss
    baseline, first = find_uniform(trials, start, wanted, reference + BASELINE_SHARE * tolerance)
    now, now_loss = baseline, first
    table = measure_sensitivity(trials.glance, baseline, wanted)
    order = most_sensitive_first(table)
    room = reference + tolerance - first
    for step in range(2 * len(order)):
        coordinate = order[step % len(order)]
        limit = first + room * min(1.0, (step + 1) / len(order))
        while (trial := moved(now, coordinate, -1)) is not None:
            loss = trials.ask(trial)
            if loss > limit:
                break
            trials.say(f"{coordinate} one bit less: loss {loss:.5f} (limit {limit:.5f})")
            now, now_loss = trial, loss
            trials.keep(now)
    return Outcome(widths=now, loss=now_loss, baseline=baseline, baseline_loss=first, sensitivity=table)


def meet_budget(
    trials: Trials, start: Widths, wanted: Sequence[Coordinate], tolerance: float, budget: Budget
) -> Outcome:
    """Search the least loss within a budget.

    From the uniform baseline the width is lowered that adds least loss per cost saved, by the latest measurement of
    each: a candidate is measured anew before it is taken (lazy greedy). Then bits are exchanged as long as that helps.
    Widths that do not move the cost are left alone.

    Raises
    ------
    TrainingError
        When the narrowest widths exceed the budget.
    """
    wanted = [c for c in wanted if moves_cost(budget, start, c)]
    if not wanted:
        raise TrainingError(f"none of the widths searched moves {budget.name}: search more kinds of width")
    # Widths that are held lose something whatever the others are, so the tolerance counts from there.
    finest = trials.glance(uniform(start, wanted, WIDEST))
    baseline, first = find_uniform(trials, start, wanted, finest + BASELINE_SHARE * tolerance)
    table = measure_sensitivity(trials.glance, baseline, wanted)
    now, loss = _lower(trials, baseline, first, wanted, budget, {c: per_bit(table[c]) for c in wanted})
    now, loss = improve(trials, now, loss, wanted, budget)
    return Outcome(widths=now, loss=loss, baseline=baseline, baseline_loss=first, sensitivity=table)


def moves_cost(budget: Budget, widths: Widths, coordinate: Coordinate) -> bool:
    """Whether a bit more or less at a coordinate changes the cost."""
    here = budget.weigh(widths)
    trials = (moved(widths, coordinate, by) for by in (-1, 1))
    return any(trial is not None and budget.weigh(trial) != here for trial in trials)


def _lower(
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


def simplified(widths: Widths) -> Widths:
    """Leave out layers that have the default's widths."""
    return replace(widths, layers={name: own for name, own in widths.layers.items() if own != widths.default})
