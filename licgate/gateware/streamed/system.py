"""Streaming cores, the external memory that they share, and their counters."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.counters import RunCounters
from licgate.gateware.memory.arbiter import Arbiter
from licgate.gateware.memory.port import MemoryPort
from licgate.gateware.ports import CoreControl
from licgate.gateware.stream import connect
from licgate.gateware.streamed.core import PORTS, StreamedCore
from licgate.gateware.streamed.gate import PortGate
from licgate.gateware.watchdog import Watchdog
from licgate.target.registers import STREAMED_COUNTERS

__all__ = ["COUNTERS", "StreamedSystem", "add_core", "streamed_control"]

#: What is counted of every core, in cycles since its ``start``.
COUNTERS = tuple(STREAMED_COUNTERS)


class StreamedSystem(Component):
    """``cores`` streamed cores and a host at one memory, which a round robin shares.

    Parameters
    ----------
    program : StreamedProgram
    cores : int
        1 to 16. Each carries out a list of commands of its own.

    Members
    -------
    control : :py:`In(CoreControl(...))`
        Its setting ``address`` is the first command of each core. A core is cleared once no transaction of it is under
        way; counters stop when it is done.
    host : :py:`In(MemoryPort(...))`
        The host's own port.
    memory : :py:`Out(MemoryPort(...))`
        To the memory's controller.

    Attributes
    ----------
    events : list of dict
        See :class:`~licgate.gateware.streamed.core.StreamedCore`.
    watchdogs : list of Watchdog
        They know the streams' names.

    Raises
    ------
    ValueError
        ``cores`` is not in its range.
    """

    def __init__(self, program, *, cores=1):
        if not isinstance(cores, int) or not 1 <= cores <= 16:
            raise ValueError(f"cores must be an integer from 1 to 16, not {cores!r}")
        self._cores = [StreamedCore(program) for _ in range(cores)]
        port = MemoryPort(program.beat_bits, program.address_bits)
        self.events = [core.events for core in self._cores]
        self.watchdogs = [Watchdog(core.probes(), step=core.step) for core in self._cores]
        self._arbiter = Arbiter(len(PORTS) * cores + 1, program.beat_bits, program.address_bits)
        super().__init__(
            {
                "control": In(streamed_control(program, self.watchdogs)),
                "host": In(port),
                "memory": Out(port),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.arbiter = arbiter = self._arbiter
        connect(m, arbiter.o, flipped(self.memory))
        ports = iter(arbiter.i)
        for number, core in enumerate(self._cores):
            add_core(m, self, number, core, ports)
        connect(m, flipped(self.host), next(ports))
        return m


def streamed_control(program, watchdogs):
    """The `CoreControl` of streamed cores, one for each watchdog."""
    cores, streams = len(watchdogs), len(watchdogs[0].words)
    settings = {"address": Out(program.address_bits).array(cores)}
    return CoreControl(settings, cores=cores, streams=streams)


def add_core(m, system, number, core, ports):
    """Put a core, its gates, its watchdog and its counters into the module of a system.

    Parameters
    ----------
    m : Module
    system : StreamedSystem or AxiSystem
    number : int
        Of the core.
    core : StreamedCore
    ports : iterator of interfaces of MemoryPort
        What the core's ports lead to, in the order of ``PORTS``.
    """
    control = system.control
    m.submodules[f"core_{number}"] = core
    gates = [PortGate(port.signature.beat_bits, port.signature.address_bits) for port in core.ports]
    for name, port, gate in zip(PORTS, core.ports, gates, strict=True):
        m.submodules[f"{name}_gate_{number}"] = gate
        connect(m, port, gate.i)
        connect(m, gate.o, next(ports))
        m.d.comb += gate.stop.eq(control.clear[number])
    m.submodules[f"watchdog_{number}"] = watchdog = system.watchdogs[number]
    m.submodules[f"counters_{number}"] = counters = RunCounters()
    start, clear, busy = control.start[number], control.clear[number], Signal(name=f"busy_{number}")
    m.d.sync += [
        control.cleared[number].eq(clear & Cat(gate.quiet for gate in gates).all()),
        watchdog.clear.eq(start | clear),
    ]
    m.d.comb += [
        busy.eq(~core.done),
        core.start.eq(start),
        core.address.eq(control.settings.address[number]),
        core.clear.eq(control.cleared[number]),
        control.done[number].eq(core.done),
        watchdog.busy.eq(busy),
        watchdog.threshold.eq(control.threshold),
        control.hung[number].eq(watchdog.hung),
        *(mine.eq(its) for mine, its in zip(control.streams[number], watchdog.words, strict=True)),
        counters.start.eq(start),
        counters.busy.eq(busy),
        counters.events.eq(Cat(core.step, core.wait_map, core.wait_weights, core.wait_output)),
        *(mine.eq(its) for mine, its in zip(control.counters[number], counters.counts, strict=True)),
    ]
