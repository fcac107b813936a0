"""Run a transform on a streaming accelerator with its SDRAM, and hold every value and cycle against the models."""

import numpy as np
from amaranth.lib.wiring import connect

from licgate.gateware.streamed.accelerator import SdramAccelerator
from licgate.perf.streamed.frame import StreamingModel
from licgate.program.cores import core_jobs
from licgate.program.streamed import compile_streamed
from licgate.reference import run_transform
from licgate.sim.faults import seeds
from licgate.sim.faultymemory import FaultyMemory
from licgate.sim.streaming import run_streaming
from licgate.target.sdram import ULX3S_SDRAM

__all__ = ["LateAccelerator", "simulate_external"]


class LateAccelerator(SdramAccelerator):
    """An accelerator whose memory is late at random, see :class:`~licgate.sim.faultymemory.FaultyMemory`.

    Parameters
    ----------
    seed : int
    *args, **options
        Those of :class:`SdramAccelerator`.

    Raises
    ------
    ConfigError
        The seed is not an integer from 0 to 2³² − 1.
    """

    def __init__(self, seed, *args, **options):
        self._seed = seeds(seed)[0]
        super().__init__(*args, **options)

    def join(self, m, requester, memory):
        """Put delays between the arbiter and the controller."""
        m.submodules.faulty = faulty = FaultyMemory(
            self.program.beat_bits, self.program.address_bits, page_beats=self.program.page_beats, seed=self._seed
        )
        connect(m, requester, faulty.i)
        connect(m, faulty.o, memory)


def simulate_external(manifest, config, x, *, transform="g_a", cores=1, clock_mhz=100.0, faults=None, progress=None):
    """Run a transform with external memory and compare.

    Parameters
    ----------
    manifest : Manifest
    config : StreamedConfig
    x : ndarray of int, shape (C, H, W)
        In the range of the transform's input.
    transform : str
        One without transposed convolutions.
    cores : int
        Each takes a strip of the input.
    clock_mhz : float
        Of the accelerator and of the chip, which is one that satisfies the data sheets of all ULX3S boards.
    faults : int or None
        Seed of delays of the memory: they cost cycles, which the model does not predict, and must not change a value.
    progress : callable or None
        Called with (cycles so far, cycles that the model predicts).

    Returns
    -------
    dict
        What ``licgate simulate --memory sdram --json`` writes.

    Raises
    ------
    ConfigError, SimulationError, ToolError
    """
    program = compile_streamed([manifest.transforms[transform]], config)
    chain = program.chains[0]
    _, height, width = x.shape
    jobs = core_jobs(program, chain, width, height, cores)
    schedules = [job.schedule for job in jobs]
    options = program, ULX3S_SDRAM, clock_mhz
    if faults is None:
        accelerator = SdramAccelerator(*options, cores=len(jobs))
    else:
        accelerator = LateAccelerator(faults, *options, cores=len(jobs))
    timing = accelerator.controller.cycles
    model = StreamingModel(schedules, timing, start=timing.start + 1)
    told = None if progress is None else lambda cycles: progress(min(cycles, model.done), model.done)
    ran = run_streaming(accelerator, schedules, [job.input(x) for job in jobs], progress=told)
    whole = run_transform(chain.transform, x)
    mismatches = values = 0
    for job, output in zip(jobs, ran.outputs, strict=True):
        p, got = job.patch, job.kept(output)
        expected = whole[:, p.out_y : p.out_y + p.out_height, p.out_x : p.out_x + p.out_width]
        mismatches += int(np.count_nonzero(got != expected))
        values += got.size
    cycles, macs = max(ran.cycles), chain.transform.macs(height, width)
    multipliers = config.multipliers * len(jobs)
    return {
        "transform": transform,
        "memory": "sdram",
        "bit_exact": mismatches == 0,
        "mismatches": mismatches,
        "values": values,
        "faults": faults,
        "cycles": cycles,
        "cycles_predicted": [run.done - run.start for run in model.runs],
        "cycles_of_cores": ran.cycles,
        "macs": macs,
        "multipliers": multipliers,
        "cores": len(jobs),
        "utilization": macs / (multipliers * cycles),
        "recompute_factor": sum(chain.transform.macs(j.patch.height, j.patch.width) for j in jobs) / macs,
        "image": [width, height],
        "counters": ran.counters,
        "chip": ran.memory,
        "bytes": [{kind: beats * 2 for kind, beats in run.beats.items()} for run in model.runs],
        "clock_mhz": clock_mhz,
        "model": {"name": manifest.name, "hash": manifest.hash},
        "rows": config.rows,
        "cols": config.cols,
    }
