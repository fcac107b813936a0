"""What a board reaches with a model: the fastest shape that fits, what bounds it, and the widest model for a rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from licgate.explore.cycles import CycleCounter
from licgate.explore.space import Budget, Candidate, Space
from licgate.perf.roofline import Roofline

__all__ = ["Plan", "best_shape", "plan_model"]

# a budget binds if without it the frame rate is higher by more than this
_FELT = 0.02


@dataclass(frozen=True)
class Plan:
    """What a board reaches with one model.

    Attributes
    ----------
    model : str
    channels : list of int
        Of g_a, from the image on.
    macs : int
        Of an image.
    clock_mhz : float
        Assumed.
    device_fps : float
        Frames a second of all multipliers of the device, never idle.
    candidate : Candidate or None
        The fastest shape; None where none fits.
    cycles : int or None
        Of an image, by the cycle model.
    least_blocks : int or None
        Block RAMs that it takes at least, where nothing fits.
    binds : str
        What holds the rate down: ``multipliers``, ``block_rams``, ``lut``, or ``shape`` where none of them alone does.
    freed : float or None
        Frames a second, at most, without that limit (for multipliers: with twice as many).
    """

    model: str
    channels: list
    macs: int
    clock_mhz: float
    device_fps: float
    candidate: Candidate | None = None
    cycles: int | None = None
    least_block_rams: int | None = None
    binds: str = ""
    freed: float | None = None

    @property
    def fps(self) -> float:
        """Frames a second; 0 where nothing fits."""
        return self.clock_mhz * 1e6 / self.cycles if self.cycles else 0.0

    @property
    def peak_fps(self) -> float:
        """Frames a second of the array's multipliers, never idle; `fps` cannot exceed it."""
        return self._roofline.fps() if self.candidate else 0.0

    @property
    def utilization(self) -> float:
        """Multiply-accumulates that the model needs over what the array could do, two for one of packed layers."""
        return self._roofline.utilization(self.cycles) if self.candidate else 0.0

    @property
    def _roofline(self) -> Roofline:
        return _roofline(self.candidate, self.clock_mhz)

    def as_dict(self) -> dict:
        """What goes into JSON."""
        row = {"model": self.model, "channels": self.channels, "macs": self.macs, "fits": self.candidate is not None}
        row |= {"device_peak_fps": self.device_fps, "binds": self.binds, "fps_without_that_limit": self.freed}
        if self.candidate is None:
            return row | {"least_block_rams": self.least_block_rams}
        return row | shape_row(self.candidate, self.cycles, self.clock_mhz) | {"peak_fps": self.peak_fps}


def _roofline(candidate: Candidate, clock_mhz: float) -> Roofline:
    """What a shape's multipliers can do; two products of a packed layer are one unit of their work."""
    return Roofline(macs=candidate.work, multipliers=candidate.config.multipliers, clock_mhz=clock_mhz)


def shape_row(candidate: Candidate, cycles: int, clock_mhz: float) -> dict:
    """A shape and its figures for JSON."""
    config = candidate.config
    return {
        "rows": config.rows,
        "cols": config.cols,
        "lanes": config.lanes,
        "max_width": config.max_width,
        "multipliers": candidate.multipliers,
        "block_rams": candidate.block_rams,
        "lut_estimate": candidate.lut,
        "cycles": cycles,
        "clock_mhz": clock_mhz,
        "fps": clock_mhz * 1e6 / cycles,
        "utilization": _roofline(candidate, clock_mhz).utilization(cycles),
    }


def best_shape(space: Space, candidates: Iterable[Candidate], counter: CycleCounter) -> tuple[Candidate, int] | None:
    """Return the fastest of some shapes and its cycles; of equally fast ones the cheapest."""
    best = None
    for candidate in sorted(candidates, key=lambda c: (c.bound, *c.costs, c.lut)):
        if best is not None and candidate.bound >= best[1]:
            break
        cycles = exact_cycles(space, candidate, counter)
        if best is None or cycles < best[1]:
            best = candidate, cycles
    return best


def exact_cycles(space: Space, candidate: Candidate, counter: CycleCounter) -> int:
    """Cycles of an image by the cycle model."""
    program = space.program(candidate.config)
    return counter.cycles(program, space.manifest, candidate.config, space.width, space.height)


def plan_model(space: Space, clock_mhz: float, counter: CycleCounter, say: Callable = lambda done, of: None) -> Plan:
    """Plan one model on one board.

    Parameters
    ----------
    space : Space
    clock_mhz : float
    counter : CycleCounter
    say : callable
        Gets how many arrays of how many are done.
    """
    budget = Budget.of(space.board)
    channels = [3] + [layer.out_channels for layer in space.manifest.g_a.layers if layer.kind == "conv2d"]
    whole = Roofline(macs=space.least_work, multipliers=space.board.multipliers, clock_mhz=clock_mhz)
    plan = Plan(space.manifest.name, channels, space.macs, clock_mhz, whole.fps())
    found = best_shape(space, space.search(budget, say=say), counter)
    if found is None:
        least = space.least_block_rams()
        return replace(plan, least_block_rams=least, binds="block_rams" if least > budget.block_rams else "multipliers")
    rates = {}
    for name, more in (("multipliers", 2 * budget.multipliers), ("block_rams", math.inf), ("lut", math.inf)):
        freed = space.search(replace(budget, **{name: more}))
        rates[name] = clock_mhz * 1e6 / min(candidate.bound for candidate in freed)
    name = max(rates, key=rates.get)
    plan = replace(plan, candidate=found[0], cycles=found[1])
    if rates[name] <= plan.fps * (1 + _FELT):
        return replace(plan, binds="shape")
    return replace(plan, binds=name, freed=rates[name])
