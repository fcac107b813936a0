"""What the cycles of a frame are spent on, cause by cause, and the bytes that it moves."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from licgate.errors import ConfigError
from licgate.perf.core import CoreModel
from licgate.perf.predict import GAP, image_runs, multiplier_cycles
from licgate.perf.roofline import Roofline
from licgate.program import compile_program, input_widths

__all__ = ["CAUSES", "PIXEL_BYTES", "VALUE_BYTES", "FrameCost", "SpentModel", "frame_cost"]

#: Causes by their names, in the order of reports, and what they mean.
CAUSES = {
    "products": "every multiplier at work on a product that the model needs",
    "edges": "multipliers without work: ragged channels and columns, taps beside the image or of depth form",
    "windows": "windows with more words than steps",
    "input": "the array waits for the host's rows, at the beginning too",
    "results": "the array waits for results on their way from an earlier layer",
    "drain": "the array waits until results have left it, at the end too",
    "control": "the sequencer between rows and patches, or passes of a band",
    "memory": "the array waits for external memory",
    "output": "the array waits for the host to take results",
}

PIXEL_BYTES = 3
"""Bytes of a pixel, or of a value of a feature map, on the host link."""
VALUE_BYTES = 2
"""Bytes of a result there."""


@dataclass(frozen=True, kw_only=True)
class FrameCost:
    """What one frame costs.

    Attributes
    ----------
    cycles : dict of str to float
        By cause, see `CAUSES`; they sum to the frame's cycles. ``products`` and ``edges`` share the array's steps.
    traffic : dict of str to int
        Bytes to and from external memory by kind, such as ``weights``, ``maps read``, ``maps written``, ``commands``;
        empty where there is none.
    bandwidth : float or None
        Bytes a second of that memory.
    link_in, link_out : int
        Bytes of pixels and values from the host, and of results to it.

    Raises
    ------
    ConfigError
        A cause is unknown, or a number negative.
    """

    cycles: dict
    traffic: dict = field(default_factory=dict)
    bandwidth: float | None = None
    link_in: int = 0
    link_out: int = 0

    def __post_init__(self):
        for name in self.cycles:
            if name not in CAUSES:
                raise ConfigError(f"cycles cannot be spent on {name!r}: there are {', '.join(CAUSES)}")
        for name, number in [*self.cycles.items(), *self.traffic.items(), ("link", min(self.link_in, self.link_out))]:
            if number < 0:
                raise ConfigError(f"{name} of a frame is {number}: it cannot be negative")

    @property
    def total(self) -> int:
        """Cycles of the frame."""
        return round(sum(self.cycles.values()))

    @property
    def bytes(self) -> int:
        """Bytes to and from external memory."""
        return sum(self.traffic.values())

    def __add__(self, other: FrameCost) -> FrameCost:
        """Costs of what runs one after the other, at the same memory."""
        spent, moved = Counter(self.cycles), Counter(self.traffic)
        spent.update(other.cycles)
        moved.update(other.traffic)
        link = {name: getattr(self, name) + getattr(other, name) for name in ("link_in", "link_out")}
        return FrameCost(cycles=dict(spent), traffic=dict(moved), bandwidth=self.bandwidth, **link)

    def roofline(self, macs: int, multipliers: int, clock_mhz: float) -> Roofline:
        """The bound that the multipliers and the memory set."""
        return Roofline(
            macs=macs,
            multipliers=multipliers,
            clock_mhz=clock_mhz,
            traffic=self.bytes,
            bandwidth=self.bandwidth if self.traffic else None,
        )


class SpentModel(CoreModel):
    """A cycle model that says of every idle cycle what it was spent on.

    A pass's idle cycles are those between its last step and the one of the pass before that are none of its own steps.
    They are split by what made the pass late: the feeder would have begun it as soon as the one before ended
    (``windows``: what it loses nevertheless), but it was offered later (``input``, ``results``, ``drain`` of the
    descriptors' queue, ``output``, else ``control``), and its last step then waited for the results before it to
    leave (``drain``).

    Attributes
    ----------
    idle : dict of str to int
        Cycles by cause; with the steps of ``op_cycles`` they sum to ``done``.
    """

    def __init__(self, program, chain, width, height, *, start=0, kept=None):
        self.idle = dict.fromkeys(("windows", "input", "results", "drain", "output", "control"), 0)
        self._begun, self._why = start, "input"
        self._ended = None  # last step of the pass before
        self._when = {}  # what SELECT knows of every stage
        super().__init__(program, chain, width, height, start=start, kept=kept)
        self.idle["drain"] += self.done - 1 - self._ended

    def _ready_time(self, k, row):
        self._when[k] = super()._ready_time(k, row)
        return self._when[k]

    def _row(self, k, row, now):
        # a row whose inputs were complete only when the sequencer had nothing else to do is what it waited for
        if self._ended is not None and self._when[k] == now > self._passes.free:
            self._why = "results" if k else "input"
        return super()._row(k, row, now)

    def _feed(self, one, kind, kernel_rows, seen):
        offered = self._passes.cycle
        for cause, cycle in seen.items():
            if cycle + 1 > offered:
                self._why, offered = cause, cycle + 1
        earliest = self._passes.engine.earliest(kind)
        fed = super()._feed(one, kind, kernel_rows, seen)
        if self._ended is None:
            # nothing went before the first pass but the host's first rows
            self.idle[self._why] += fed.last_step - self._begun + 1 - fed.steps
        else:
            length = (fed.tap_rows - 1) * fed.tap_row_cycles + fed.columns
            self.idle["windows"] += earliest - self._ended + length - fed.steps
            self.idle[self._why] += fed.first - 1 - earliest
            self.idle["drain"] += fed.last_step - (fed.first - 1) - length
        self._ended, self._why = fed.last_step, "control"
        return fed


def frame_cost(manifest, config, width, height, *, transforms=("g_a",)) -> FrameCost:
    """Count what a frame costs on an accelerator that keeps everything on the chip.

    Parameters
    ----------
    manifest, config, width, height, transforms
        As for :func:`licgate.perf.predict`, with whose cycles and steps it agrees.

    Returns
    -------
    FrameCost

    Raises
    ------
    ConfigError
        See :func:`licgate.perf.predict`.
    """
    widths = input_widths(manifest, transforms, config.max_width)
    program = compile_program([manifest.transforms[name] for name in transforms], config, widths, weights=False)
    cycles, steps, busy, link_in, link_out = dict.fromkeys(CAUSES, 0), 0, 0, 0, 0
    for chain, _, runs in image_runs(program, manifest, config, width, height):
        transform, known = chain.transform, {}
        for run in runs:
            if run not in known:
                known[run] = SpentModel(program, chain, *run[:2], start=0, kept=run[2:] or None)
            model = known[run]
            for name, number in model.idle.items():
                cycles[name] += number
            cycles["control"] += GAP
            steps += sum(model.op_cycles)
            busy += multiplier_cycles(program, chain, run[0], run[1])
            link_in += PIXEL_BYTES * run[0] * run[1] * (1 if chain.pixels else transform.in_channels)
            out_height, out_width = run[5:3:-1] if run[2:] else transform.output_size(run[1], run[0])
            link_out += VALUE_BYTES * transform.out_channels * out_height * out_width
    cycles["products"] = busy / config.multipliers
    cycles["edges"] = steps - cycles["products"]
    return FrameCost(cycles=cycles, link_in=link_in, link_out=link_out)
