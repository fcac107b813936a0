"""Streamed accelerators with their SDRAM on a simulator."""

from amaranth.lib.wiring import connect

from licgate.gateware.streamed.accelerator import SdramAccelerator, SimulatedAccelerator
from licgate.sim.faults import seeds
from licgate.sim.faultymemory import FaultyMemory
from licgate.sim.streamed import StreamedGateware
from licgate.sim.streamedrun import run_streamed
from licgate.target.sdram import ULX3S_SDRAM, SdramCycles

__all__ = ["LateAccelerator", "SdramGateware"]


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


class SdramGateware(StreamedGateware):
    """Streamed cores and their SDRAM: a chip that satisfies the data sheets of all ULX3S boards.

    Parameters
    ----------
    manifest, config, transforms, cores, engine, random
        As for :class:`StreamedGateware`.
    faults : int or None
        Seed of delays of the memory: they cost cycles, which the model does not predict, and must not change a value.
    clock_mhz : float
        Of the accelerator and of the chip.

    Raises
    ------
    ConfigError
        The array does not run one of the transforms, or there is no such seed.
    """

    _counted = "chip"

    def __init__(
        self, manifest, config, transforms, *, cores=1, faults=None, clock_mhz=100.0, engine="cxxrtl", random=None
    ):
        super().__init__(manifest, config, transforms, cores=cores, engine=engine, random=random)
        if faults is not None:
            seeds(faults)
        self.timing = SdramCycles.at(ULX3S_SDRAM, clock_mhz)
        self._start, self._faults, self._clock_mhz = self.timing.start + 1, faults, clock_mhz
        self.facts = {"memory": "sdram", "faults": faults, "random": self.random, "clock_mhz": clock_mhz}

    def _make(self, cores):
        options = self.program, ULX3S_SDRAM, self._clock_mhz
        if self._faults is None:
            return SimulatedAccelerator(SdramAccelerator(*options, cores=cores))
        return SimulatedAccelerator(LateAccelerator(self._faults, *options, cores=cores))

    def _carried_out(self, simulated, schedules, inputs, progress):
        return run_streamed(simulated, schedules, inputs, progress=progress, engine=self.engine, random=self.random)
