"""Devices in the place of simulated gateware, for the comparison with the integer reference."""

from licgate.perf.core import CoreModel
from licgate.perf.predict import multiplier_cycles
from licgate.perf.streamed.frame import StreamedModel
from licgate.program.cores import core_jobs
from licgate.runtime.engines import ResidentEngine, StreamedEngine
from licgate.sim.transforms import ResidentFigures
from licgate.target.board import find_board
from licgate.target.registers import Kind
from licgate.target.sdram import SdramCycles

__all__ = ["board_gateware"]


class _ResidentBoard(ResidentFigures, ResidentEngine):
    """A device with its memories on the chip, in place of :class:`licgate.sim.transforms.Gateware`."""

    def steps(self, name, ran):
        """Steps of the array that a run took, and those of the cycle model; None where the build is not known."""
        if self._connection.identity.facts is None:
            return ran.counters["busy"], None
        chain = self.program.chain_of(name)
        models = (CoreModel(self.program, chain, p.width, p.height, start=0, kept=None) for p in ran.patches)
        return ran.counters["busy"], sum(sum(model.op_cycles) for model in models)


class _StreamedBoard(StreamedEngine):
    """A device with an SDRAM, in place of :class:`licgate.sim.streamed.StreamedGateware`.

    Its cycles are not predicted: when its memory is refreshed, no host knows.
    """

    def steps(self, name, ran):
        """See `_ResidentBoard.steps`."""
        facts, first = self._connection.identity.facts, ran.patches[0]
        height = first.height
        width = max(p.x + p.width for p in ran.patches)
        jobs = core_jobs(self.program, self.program.chain_of(name), width, height, self.cores)
        timing = SdramCycles.at(find_board(facts.board).sdram, facts.clock_khz / 1e3)
        runs = StreamedModel([job.schedule for job in jobs], timing).runs
        return ran.counters["steps"], sum(run.steps for run in runs)

    def figures(self, name, size, ran):
        """See `ResidentFigures.figures`."""
        chain = self.program.chain_of(name)
        macs = chain.transform.macs(size[1], size[0])
        return {
            "macs": macs,
            "multiplier_cycles": multiplier_cycles(self.program, chain, *size),
            "cores": len(ran.patches),
            "recompute_factor": sum(chain.transform.macs(p.height, p.width) for p in ran.patches) / macs,
            "counters": ran.counters,
        }


def board_gateware(connection, manifest, transforms):
    """Put transforms on a device.

    Parameters
    ----------
    connection : Connection
    manifest : Manifest
    transforms : sequence of str

    Raises
    ------
    DeviceError
        It was built of another model, or lacks one of the transforms.
    """
    board = _StreamedBoard if connection.identity.kind is Kind.SDRAM else _ResidentBoard
    return board(connection, manifest, transforms)
