"""Transforms on simulated streamed gateware: what goes into external memory, and what is found there in the end."""

from abc import abstractmethod
from dataclasses import dataclass

from licgate.perf.predict import multiplier_cycles
from licgate.perf.streamed.frame import StreamedModel
from licgate.runtime.outcome import Ran
from licgate.runtime.streamedtransforms import StreamedTransforms
from licgate.sim.engine import seed_of
from licgate.sim.streamedrun import StreamedOutcome

__all__ = ["StreamedGateware", "StreamedRan"]


@dataclass(frozen=True)
class StreamedRan(Ran):
    """A transform that was run; a patch for each core.

    Attributes
    ----------
    outcome : StreamedOutcome
    model : StreamedModel
        What was predicted of it.
    """

    outcome: StreamedOutcome
    model: StreamedModel


class StreamedGateware(StreamedTransforms):
    """An accelerator with external memory, as compiled C++; in place of :class:`licgate.sim.transforms.Gateware`.

    Parameters
    ----------
    manifest : Manifest
    config : StreamedConfig
    transforms : sequence of str
        Those that the accelerator contains.
    cores : int
        Each takes a strip of the input.
    engine, random
        See :class:`licgate.sim.transforms.Gateware`.

    Raises
    ------
    ConfigError
        The array does not run one of the transforms.

    Attributes
    ----------
    program : StreamedProgram
    config : StreamedConfig
    engine : str
    random : int or None
    multipliers : int
        Of all cores.
    facts : dict
        What a result says of the simulation.
    """

    counts = "cycles"

    def __init__(self, manifest, config, transforms, *, cores=1, engine="cxxrtl", random=None):
        super().__init__(manifest, config, transforms, cores=cores)
        self.engine, self.random = engine, seed_of(engine, random)
        self.facts = {}
        # by the number of cores, of which a narrow input keeps fewer at work
        self._made = {}

    def run(self, name, x, *, patch=None, independent=False, overlap=0, progress=None):
        """Run a transform.

        Parameters
        ----------
        name : str
        x : ndarray of int, shape (C, H, W)
            In the range of the transform's input.
        patch, independent, overlap
            For resident gateware alone.
        progress : callable or None
            Called with (cycles so far, cycles that the model predicts).

        Returns
        -------
        StreamedRan

        Raises
        ------
        ConfigError
            The memory does not hold the maps, or patches are asked for.
        SimulationError, ToolError
        """
        jobs = self._jobs(name, x, patch=patch, independent=independent, overlap=overlap)
        schedules, inputs = [job.schedule for job in jobs], [job.input(x) for job in jobs]
        model = StreamedModel(schedules, self.timing, start=self._start)
        if len(jobs) not in self._made:
            self._made[len(jobs)] = self._make(len(jobs))
        told = None if progress is None else lambda cycles: progress(min(cycles, model.done), model.done)
        outcome = self._carried_out(self._made[len(jobs)], schedules, inputs, told)
        results = self._results(jobs, outcome.outputs)
        return StreamedRan(results, {"cycles": max(outcome.cycles)}, outcome, model)

    def figures(self, name, size, ran):
        """See `Gateware.figures`; multiply-accumulates are those of the whole input, without what strips share."""
        chain, runs = self.program.chain_of(name), ran.model.runs
        macs = chain.transform.macs(size[1], size[0])
        return {
            "macs": macs,
            "multipliers": len(runs) * self.config.multipliers,
            "multiplier_cycles": multiplier_cycles(self.program, chain, *size),
            "cores": len(runs),
            "recompute_factor": sum(chain.transform.macs(p.height, p.width) for p in ran.patches) / macs,
            "cycles_predicted": [run.done - run.start for run in runs],
            "cycles_of_cores": ran.outcome.cycles,
            "counters": ran.outcome.counters,
            "bytes": [{kind: beats * self.config.beat_bits // 8 for kind, beats in run.beats.items()} for run in runs],
            self._counted: ran.outcome.memory,
            **({} if self.random is None else {"clashes": ran.outcome.clashes}),
        }

    #: What the counts of the memory are called in a result.
    _counted: str
    #: Timing of the memory.
    timing: object
    #: Cycle after the reset in which the cores start.
    _start: int

    @abstractmethod
    def _make(self, cores):
        """A component for the harness with so many cores."""

    @abstractmethod
    def _carried_out(self, simulated, schedules, inputs, progress):
        """The StreamedOutcome of schedules, one for each core."""
