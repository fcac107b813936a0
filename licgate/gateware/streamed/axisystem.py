"""Streaming cores that have an AXI4 bus each, for memories with several ports such as that of Zynq UltraScale+."""

from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.memory.axi import axi4_signature
from licgate.gateware.memory.duplex import AxiDuplex
from licgate.gateware.stream import connect
from licgate.gateware.streamed.core import PORTS, StreamedCore
from licgate.gateware.streamed.system import add_core, streamed_control
from licgate.gateware.watchdog import Watchdog

__all__ = ["AxiSystem"]

#: Bits of a byte address on the buses.
BUS_ADDRESS_BITS = 40


class AxiSystem(Component):
    """``cores`` streamed cores, each with a bus of its own for what it reads and what it writes.

    Nothing is shared, so each core may work on a frame of its own, with no margin computed twice.

    Parameters
    ----------
    program : StreamedProgram
        Its beats are those of the buses.
    cores : int
        1 to 16.

    Members
    -------
    control : :py:`In(CoreControl(...))`
        As of a :class:`~licgate.gateware.streamed.system.StreamedSystem`.
    buses : array of :py:`Out(axi4_signature(beat_bits, 40))`
        Addresses of commands count beats from byte 0 of the bus.
    errors : :py:`Out(cores)`
        An answer on the core's bus was not OKAY; stays until the reset.

    Attributes
    ----------
    events : list of dict
        See :class:`~licgate.gateware.streamed.core.StreamedCore`.
    watchdogs : list of Watchdog

    Timing: ``licgate.perf.streamed.frame`` with an ``AxiTiming``, each core by itself.

    Raises
    ------
    ValueError
        ``cores`` is not in its range, the program's beats are of no AXI4 bus, or its pages are longer than a burst.
    """

    def __init__(self, program, *, cores=1):
        if not isinstance(cores, int) or not 1 <= cores <= 16:
            raise ValueError(f"cores must be an integer from 1 to 16, not {cores!r}")
        self._cores = [StreamedCore(program) for _ in range(cores)]
        bits = program.beat_bits, program.address_bits
        self._buses = [AxiDuplex(len(PORTS) - 1, 1, *bits, bus_address_bits=BUS_ADDRESS_BITS) for _ in range(cores)]
        page = self._buses[0].page_beats
        if max(program.page_beats, program.burst_beats, program.weight_burst) > page:
            raise ValueError(f"the program has pages of {program.page_beats} beats, a burst of AXI4 has {page} at most")
        self.program, self.cores = program, cores
        self.events = [core.events for core in self._cores]
        self.watchdogs = [Watchdog(core.probes(), step=core.step) for core in self._cores]
        super().__init__(
            {
                "control": In(streamed_control(program, self.watchdogs)),
                "buses": Out(axi4_signature(program.beat_bits, BUS_ADDRESS_BITS)).array(cores),
                "errors": Out(cores),
            }
        )

    def elaborate(self, platform):
        m = Module()
        for number, (core, bus) in enumerate(zip(self._cores, self._buses, strict=True)):
            m.submodules[f"bus_{number}"] = bus
            add_core(m, self, number, core, iter([*bus.reads, bus.writes[0]]))
            connect(m, bus.bus, flipped(self.buses[number]))
            m.d.comb += self.errors[number].eq(bus.error)
        return m
