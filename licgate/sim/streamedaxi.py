"""Simulation of a streamed core behind AXI4, as compiled C++."""

import numpy as np
from amaranth.hdl import Cat, Module
from amaranth.lib.wiring import Component, In, Out

from licgate.errors import ConfigError, SimulationError
from licgate.gateware.streamed.axisystem import BUS_ADDRESS_BITS, AxiSystem
from licgate.gateware.streamed.system import COUNTERS
from licgate.resources import simulation_source
from licgate.sim.cxxrtl import build, run_harness
from licgate.sim.form import form_of
from licgate.sim.streamed import StreamedGateware
from licgate.sim.streamedrun import PATIENCE, StreamedOutcome, describe_hang

__all__ = ["AxiGateware", "SimulatedAxi", "run_axi"]

HARNESS = simulation_source("axi.cpp")

#: Cycle after the reset in which the core starts.
_START = 1
_COUNTS = ("reads", "writes", "read_beats", "write_beats")
_ADDRESS = {"addr": BUS_ADDRESS_BITS, "len": 8, "size": 3, "burst": 2}


class SimulatedAxi(Component):
    """An :class:`AxiSystem` of one core, each field of its bus and each array in a signal of its own, for harnesses."""

    def __init__(self, system):
        self.system = system
        bits = system.program.beat_bits
        self._driven = {
            "ar": _ADDRESS,
            "aw": _ADDRESS,
            "w": {"data": bits, "strb": bits // 8, "last": 1},
            "r": {},
            "b": {},
        }
        self._seen = {"r": {"data": bits, "last": 1}, "b": {}, "ar": {}, "aw": {}, "w": {}}
        fields = {f"{c}_{name}": Out(width) for c, names in self._driven.items() for name, width in names.items()}
        fields |= {f"{c}_{name}": In(width) for c, names in self._seen.items() for name, width in names.items()}
        fields |= {f"{c}_valid": Out(1) for c in ("ar", "aw", "w")} | {f"{c}_ready": Out(1) for c in ("r", "b")}
        fields |= {f"{c}_valid": In(1) for c in ("r", "b")} | {f"{c}_ready": In(1) for c in ("ar", "aw", "w")}
        super().__init__(
            fields
            | {
                "start": In(1),
                "done": Out(1),
                "clear": In(1),
                "address": In(system.program.address_bits),
                "threshold": In(32),
                "hung": Out(1),
                "counters": Out(32 * len(COUNTERS)),
                "streams": Out(32 * len(system.watchdogs[0].words)),
            }
        )

    def elaborate(self, platform):
        """Connect each field to its signal."""
        m = Module()
        m.submodules.system = system = self.system
        control = system.control
        for channel, flow in ((name, getattr(system.buses[0], name)) for name in self._driven):
            outwards = channel in ("ar", "aw", "w")
            mine = {name: getattr(self, f"{channel}_{name}") for name in ("valid", "ready")}
            m.d.comb += [
                mine["valid"].eq(flow.valid) if outwards else flow.valid.eq(mine["valid"]),
                flow.ready.eq(mine["ready"]) if outwards else mine["ready"].eq(flow.ready),
                *(getattr(self, f"{channel}_{name}").eq(getattr(flow.payload, name)) for name in self._driven[channel]),
                *(getattr(flow.payload, name).eq(getattr(self, f"{channel}_{name}")) for name in self._seen[channel]),
            ]
        m.d.comb += [
            control.start.eq(self.start),
            control.clear.eq(self.clear),
            self.done.eq(control.done),
            control.settings.address[0].eq(self.address),
            control.threshold.eq(self.threshold),
            self.hung.eq(control.hung),
            self.counters.eq(Cat(control.counters[0])),
            self.streams.eq(Cat(control.streams[0])),
        ]
        return m


def run_axi(simulated, schedule, x, timing, *, progress=None, patience=PATIENCE, engine="cxxrtl", random=None):
    """Run a schedule on a core.

    Parameters
    ----------
    simulated : SimulatedAxi
        It is compiled once, and runs any number of times.
    schedule : Schedule
    x : ndarray
        Its input.
    timing : AxiTiming
        Of the memory.
    progress : callable or None
        Called with the number of cycles so far, now and then.
    patience : int
        Cycles without progress of the core after which it counts as hung, 1 to 2³² − 1.
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
        The core hung, or a rule of AXI4 was broken.
    ConfigError
        The patience is out of range.
    """
    if not 1 <= patience < 1 << 32:
        raise ConfigError(f"a patience of {patience} cycles makes no sense: give 1 to {(1 << 32) - 1}")
    system = simulated.system
    words = len(system.watchdogs[0].words)
    header = [*timing.words(), len(COUNTERS), words, _START, patience]
    header += [schedule.address, schedule.origin, schedule.beats]
    contents = schedule.memory(x).astype("<u8").tobytes()
    program = build(simulated, HARNESS, form_of(engine, random))
    job = np.array(header, dtype="<u4").tobytes() + contents
    broken = "the AXI4 bus was not driven as its specification asks"
    result = run_harness(program, job, seed=random, broken=broken, progress=progress)
    (hung, clashes, cycles), result = result[:3].tolist(), result[3:]
    counters, result = result[: len(COUNTERS)].tolist(), result[len(COUNTERS) :]
    streams, wide = result[:words].tolist(), result[words:].view("<u8")
    if hung:
        raise SimulationError(describe_hang(system, 1, [counters], [streams], patience))
    return StreamedOutcome(
        [schedule.output(wide[len(_COUNTS) :])],
        [cycles],
        [dict(zip(COUNTERS, counters, strict=True))],
        dict(zip(_COUNTS, wide[: len(_COUNTS)].tolist(), strict=True)),
        clashes,
    )


class AxiGateware(StreamedGateware):
    """One streamed core behind AXI4, with a memory of an assumed timing.

    Parameters
    ----------
    manifest, config, transforms
        As for :class:`StreamedGateware`, with beats and pages of an AXI4 bus.
    timing : AxiTiming
    engine, random
        As for :class:`StreamedGateware`.

    Raises
    ------
    ConfigError
        The array does not run one of the transforms.
    """

    _counted, _start = "axi", _START

    def __init__(self, manifest, config, transforms, timing, *, engine="cxxrtl", random=None):
        super().__init__(manifest, config, transforms, engine=engine, random=random)
        self.timing = timing
        self.facts = {"memory": "axi", "faults": None, "random": random, "timing": timing.words()}

    def _make(self, cores):
        return SimulatedAxi(AxiSystem(self.program))

    def _carried_out(self, simulated, schedules, inputs, progress):
        return run_axi(
            simulated, *schedules, *inputs, self.timing, progress=progress, engine=self.engine, random=self.random
        )
