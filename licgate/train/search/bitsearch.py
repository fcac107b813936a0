"""Progressive mixed-precision search (DRAQ, Fig. 7): fewest bits at a loss, or least loss in a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from licgate.errors import TrainingError
from licgate.train.quant.widths import Widths
from licgate.train.search.budget import Budget, improve, lower, moves_cost
from licgate.train.search.sensitivity import (
    WIDEST,
    Coordinate,
    Evaluator,
    measure_sensitivity,
    most_sensitive_first,
    moved,
    narrowest,
    per_bit,
    with_width,
)
from licgate.train.search.trials import Trials

BASELINE_SHARE = 0.25
"""Part of the tolerance that the uniform baseline may use up; the rest is for single widths."""


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
    now, loss = lower(trials, baseline, first, wanted, budget, {c: per_bit(table[c]) for c in wanted})
    now, loss = improve(trials, now, loss, wanted, budget)
    return Outcome(widths=now, loss=loss, baseline=baseline, baseline_loss=first, sensitivity=table)


def simplified(widths: Widths) -> Widths:
    """Leave out layers that have the default's widths."""
    return replace(widths, layers={name: own for name, own in widths.layers.items() if own != widths.default})
