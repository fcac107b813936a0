"""Transforms on simulated resident gateware."""

import threading
from functools import partial

from licgate.errors import SimulationError
from licgate.gateware.top.resident import Accelerator
from licgate.perf.predict import multiplier_cycles
from licgate.runtime.transforms import ResidentTransforms
from licgate.sim.engine import Job, get_engine, seed_of
from licgate.sim.faults import seeds

__all__ = ["Gateware", "ResidentFigures"]


class ResidentFigures:
    """What a run of :class:`~licgate.runtime.transforms.ResidentTransforms` comes to, beside its cycles."""

    def figures(self, name, size, ran):
        """Figures of a run: those that another memory does not have, and what its cycles were spent on.

        Parameters
        ----------
        name : str
        size : tuple of int
            Width and height of the whole input.
        ran : Ran
        """
        chain, results = self.program.chain_of(name), ran.patches
        transform = chain.transform
        macs = sum(transform.macs(p.height, p.width) for p in results)
        return {
            "macs": macs,
            "macs_nominal": sum(transform.macs(p.height, p.width, strict=False) for p in results),
            "multiplier_cycles": sum(multiplier_cycles(self.program, chain, p.width, p.height) for p in results),
            "recompute_factor": macs / transform.macs(size[1], size[0]),
            "patches": len(results),
            "counters": ran.counters,
        }


class Gateware(ResidentFigures, ResidentTransforms):
    """An accelerator that holds everything on the chip, on a simulator.

    Parameters
    ----------
    manifest, config, transforms
        As for :class:`~licgate.runtime.transforms.ResidentTransforms`.
    engine : str
        "cxxrtl", "verilator" or "amaranth": what Amaranth describes; "netlist": what a build for the ULX3S
        leads into nextpnr; "routed": what nextpnr makes of it.
    faults, random : int or None
        Seeds of a host that is late and of what hardware leaves open, see :class:`licgate.sim.engine.Job`.

    Raises
    ------
    ConfigError
        The array does not run one of the transforms, there is no such engine, or no such seed.

    Attributes
    ----------
    facts : dict
        What a result says of the simulation.
    """

    def __init__(self, manifest, config, transforms, engine, *, faults=None, random=None):
        super().__init__(manifest, config, transforms)
        self._run, self._engine, self._faults = get_engine(engine), engine, faults
        self._random = seed_of(engine, random)
        self.facts = {"engine": engine, "faults": faults, "random": self._random}
        if faults is not None:
            seeds(faults)
        self._make = partial(Accelerator, self.manifest, config, transforms=tuple(transforms))
        self._accelerator, self._making = None, threading.Lock()

    def _carried_out(self, task, progress):
        # Amaranth elaborates a component once; of what CXXRTL compiles, the engine keeps the program
        with self._making:
            if self._accelerator is None or self._engine == "amaranth":
                self._accelerator = self._make()
            accelerator = self._accelerator
        job = Job(task.words, task.registers, self._faults, self._random)
        outcome = self._run(accelerator, job, progress)
        if wrong := task.wrong(outcome):
            raise SimulationError(wrong)
        return outcome
