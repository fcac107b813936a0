"""Simulation of streamed accelerators with their SDRAM, as compiled C++."""

from dataclasses import dataclass

import numpy as np

from licgate.errors import ConfigError, SimulationError
from licgate.gateware.streamed.system import COUNTERS
from licgate.resources import simulation_source
from licgate.sim.cxxrtl import build, run_harness
from licgate.sim.form import form_of

__all__ = ["StreamedOutcome", "describe_hang", "run_streamed"]

HARNESS = simulation_source("streamed.cpp")

#: Cycles without progress of a core after which its watchdog bites.
PATIENCE = 5_000_000

_COUNTS = ("activations", "misses", "refreshes", "read_beats", "write_beats")


@dataclass(frozen=True)
class StreamedOutcome:
    """What a simulation gave.

    Attributes
    ----------
    outputs : list of ndarray
        Of each schedule, (C, H, W).
    cycles : list of int
        Of each core, from ``start`` to ``done``.
    counters : list of dict
        Of each core, by the names of ``COUNTERS``.
    memory : dict
        What the memory counted. SDRAM: activations, misses, refreshes, read_beats, write_beats; AXI4: reads, writes,
        read_beats, write_beats.
    clashes : int
        Words on the chip that were read while they were written, where that is counted.
    """

    outputs: list
    cycles: list
    counters: list
    memory: dict
    clashes: int = 0


def run_streamed(
    simulated, schedules, inputs, *, start=None, progress=None, patience=PATIENCE, engine="cxxrtl", random=None
):
    """Run a schedule on each core, all at the same time.

    Parameters
    ----------
    simulated : SimulatedAccelerator
        It is compiled once, and runs any number of times.
    schedules : sequence of Schedule
        One for each core, in stretches of memory that do not overlap.
    inputs : sequence of ndarray
        Their inputs.
    start : int or None
        Cycle after the reset in which the cores start; None: when the memory has been set up.
    progress : callable or None
        Called with the number of cycles so far, now and then.
    patience : int
        Cycles without progress of a core after which it counts as hung, 1 to 2³² − 1.
    engine, random
        See :class:`licgate.sim.engine.Job`.

    Returns
    -------
    StreamedOutcome

    Raises
    ------
    ToolError
        Yosys or g++ is missing, or one of them fails.
    SimulationError
        A core hung, or a rule of the memory's data sheet was broken.
    ConfigError
        The patience is out of range.
    """
    if not 1 <= patience < 1 << 32:
        raise ConfigError(f"a patience of {patience} cycles makes no sense: give 1 to {(1 << 32) - 1}")
    accelerator = simulated.accelerator
    controller = accelerator.controller
    start = controller.cycles.start + 1 if start is None else start
    size = max(schedule.origin + schedule.beats for schedule in schedules)
    contents = np.zeros(size, dtype="<u4")
    for schedule, x in zip(schedules, inputs, strict=True):
        contents[schedule.origin : schedule.origin + schedule.beats] = schedule.memory(x)
    timing = controller.timing.words(controller.clock_mhz)
    words = accelerator.stream_words
    header = [*timing, len(schedules), len(COUNTERS), len(schedules) * words, start, patience, 0, size]
    header += [s.address for s in schedules]
    program = build(simulated, HARNESS, form_of(engine, random))
    job = np.array(header, dtype="<u4").tobytes() + contents.tobytes()
    broken = "the SDRAM was not driven as its data sheet asks"
    result = run_harness(program, job, seed=random, broken=broken, progress=progress).astype(np.int64)
    cores, names = len(schedules), len(COUNTERS)
    hung, clashes, result = int(result[0]), int(result[1]), result[2:]
    cycles, result = result[:cores].tolist(), result[cores:]
    counters, result = result[: cores * names].reshape(cores, names).tolist(), result[cores * names :]
    streams, result = result[: cores * words].reshape(cores, words).tolist(), result[cores * words :]
    if hung:
        raise SimulationError(describe_hang(accelerator, hung, counters, streams, patience))
    counts, contents = result[:10].reshape(5, 2) @ np.array([1, 1 << 32]), result[10:]
    return StreamedOutcome(
        [s.output(contents[s.origin : s.origin + s.beats].astype(np.uint64)) for s in schedules],
        cycles,
        [dict(zip(COUNTERS, row, strict=True)) for row in counters],
        dict(zip(_COUNTS, counts.tolist(), strict=True)),
        clashes,
    )


def describe_hang(accelerator, hung, counters, streams, patience):
    """What the streams of the cores that hang did."""
    parts = [
        f"core {k} after {counters[k][0]} cycles: {accelerator.watchdogs[k].describe(row)}"
        for k, row in enumerate(streams)
        if hung >> k & 1
    ]
    return f"the accelerator hung: no progress for {patience} cycles; {'; '.join(parts)}"
