"""Steps of passes for the tests of what sums point by point."""

from __future__ import annotations

from licgate.gateware.engine.points.sums import NOWHERE
from licgate.target.points import tap_row

__all__ = ["BUBBLE", "quad_steps", "random_steps", "single_steps"]

ROWS = [(5, 2), (3, 1), (2, 1), (3, 2), (7, 2), (4, 1), (1, 1)]

BUBBLE = {"place": NOWHERE, "first": 0, "chain": 1, "ends": 0}


def quad_steps(row, taps):
    """What is said of each step of a pass of so many tap rows."""
    return [
        BUBBLE
        if step.point is None
        else {
            "place": step.point,
            "first": int(tap == 0 and row.first(k)),
            "chain": 0,
            "ends": int(tap == taps - 1 and row.last(k)),
        }
        for tap in range(taps)
        for k, step in enumerate(row.steps)
    ]


def single_steps(count):
    """Of a pass that has one sum."""
    return [{"place": 0, "first": int(k == 0), "chain": int(k > 0), "ends": int(k == count - 1)} for k in range(count)]


def random_steps(rng, count):
    """Of passes of both kinds behind each other, with bubbles anywhere."""
    found = []
    for _ in range(count):
        if rng.random() < 0.4:
            steps = single_steps(int(rng.integers(1, 5)))
        else:
            steps = quad_steps(tap_row(*ROWS[int(rng.integers(len(ROWS)))]), int(rng.integers(1, 4)))
        for step in steps:
            while rng.random() < 0.1:
                found.append(BUBBLE)
            found.append(step)
    return found
