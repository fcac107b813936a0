"""Streaming cores, the external memory that they share, and their counters."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.extmem.arbiter import Arbiter
from licgate.gateware.extmem.port import MemoryPort
from licgate.gateware.stream import connect
from licgate.gateware.streamed.core import PORTS, StreamingCore
from licgate.gateware.streamed.gate import PortGate
from licgate.gateware.top.watchdog import Watchdog

__all__ = ["COUNTERS", "StreamingSystem", "add_core"]

#: What is counted of every core, in cycles since its ``start``.
COUNTERS = ("busy", "steps", "wait_map", "wait_weights", "wait_output")


class StreamingSystem(Component):
    """``cores`` streaming cores and a host at one memory, which a round robin shares.

    Parameters
    ----------
    program : StreamedProgram
    cores : int
        1 to 16. Each carries out a list of commands of its own.

    Members
    -------
    start : :py:`In(cores)`
        Begin; a bit for each core that is ``done``.
    addresses : :py:`In(address_bits).array(cores)`
        First commands.
    clear : :py:`In(cores)`
        Give up whatever a core does (level): it requests no more, and once no transaction of it is under way, it is
        cleared for as long as this stays.
    cleared : :py:`Out(cores)`
        The core is being cleared.
    done : :py:`Out(cores)`
    host : :py:`In(MemoryPort(...))`
        The host's own port.
    memory : :py:`Out(MemoryPort(...))`
        To the memory's controller.
    counters : :py:`Out(32)` for each core and name in ``COUNTERS``
        They stop when the core is done.
    threshold, hung, streams : :py:`In(32)`, :py:`Out(cores)`, :py:`Out(32)` for each core and word
        Of a watchdog on each core's streams, see :class:`~licgate.gateware.top.watchdog.Watchdog`.

    Attributes
    ----------
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
        self._cores = [StreamingCore(program) for _ in range(cores)]
        port = MemoryPort(program.beat_bits, program.address_bits)
        self.watchdogs = [Watchdog(core.taps(), step=core.step) for core in self._cores]
        self._arbiter = Arbiter(len(PORTS) * cores + 1, program.beat_bits, program.address_bits)
        super().__init__(
            {
                "start": In(cores),
                "clear": In(cores),
                "cleared": Out(cores),
                "done": Out(cores),
                "addresses": In(program.address_bits).array(cores),
                "host": In(port),
                "memory": Out(port),
                "counters": Out(32).array(cores, len(COUNTERS)),
                "threshold": In(32),
                "hung": Out(cores),
                "streams": Out(32).array(cores, len(self.watchdogs[0].words)),
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
        m.d.comb += self.done.eq(Cat(core.done for core in self._cores))
        return m


def add_core(m, system, number, core, ports):
    """Put a core, its gates, its watchdog and its counters into the module of a system.

    Parameters
    ----------
    m : Module
    system : StreamingSystem or AxiSystem
    number : int
        Of the core.
    core : StreamingCore
    ports : iterator of interfaces of MemoryPort
        What the core's ports lead to, in the order of ``PORTS``.
    """
    m.submodules[f"core_{number}"] = core
    gates = [PortGate(port.signature.beat_bits, port.signature.address_bits) for port in core.ports]
    for name, port, gate in zip(PORTS, core.ports, gates, strict=True):
        m.submodules[f"{name}_gate_{number}"] = gate
        connect(m, port, gate.i)
        connect(m, gate.o, next(ports))
        m.d.comb += gate.stop.eq(system.clear[number])
    m.submodules[f"watchdog_{number}"] = watchdog = system.watchdogs[number]
    m.d.sync += system.cleared[number].eq(system.clear[number] & Cat(gate.quiet for gate in gates).all())
    m.d.comb += [
        core.start.eq(system.start[number]),
        core.address.eq(system.addresses[number]),
        core.clear.eq(system.cleared[number]),
        watchdog.threshold.eq(system.threshold),
        system.hung[number].eq(watchdog.hung),
        *(mine.eq(its) for mine, its in zip(system.streams[number], watchdog.words, strict=True)),
    ]
    m.d.sync += watchdog.clear.eq(system.start[number] | system.clear[number])
    # `busy` is the first of them; what it holds back is held back behind the register.
    counted = Signal(len(COUNTERS), name=f"counted_{number}")
    busy = Signal(name=f"busy_{number}")
    m.d.comb += [busy.eq(~core.done), watchdog.busy.eq(busy)]
    m.d.sync += counted.eq(Cat(busy, core.step, core.wait_map, core.wait_weights, core.wait_output))
    for bit, counter in zip(counted, system.counters[number], strict=True):
        m.d.sync += counter.eq(counter + (bit & counted[0]))
        with m.If(system.start[number]):
            m.d.sync += counter.eq(0)
