"""Streaming cores with an SDR SDRAM: all but the pads of the memory and the link to a host."""

from amaranth.hdl import Cat, Module
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.memory.phy import SdramPhy, sdram_bus
from licgate.gateware.memory.port import MemoryPort
from licgate.gateware.memory.sdram import SdramController
from licgate.gateware.stream import connect
from licgate.gateware.streamed.system import COUNTERS, StreamedSystem, streamed_control

__all__ = ["SdramAccelerator", "SimulatedAccelerator"]


class SdramAccelerator(Component):
    """A :class:`~licgate.gateware.streamed.system.StreamedSystem` and its SDRAM's controller.

    Parameters
    ----------
    program : StreamedProgram
        With beats of 16 bits and addresses of 24.
    timing : SdramTiming
    clock_mhz : float
    cores : int
    round_trip : int
        See :class:`~licgate.gateware.memory.sdram.SdramController`.

    Members
    -------
    control, host
        As of the system.
    bus : :py:`Out(sdram_bus)`
        To a PHY.

    Raises
    ------
    ValueError
        The program is for another memory.
    """

    def __init__(self, program, timing, clock_mhz, *, cores=1, round_trip=0):
        self.program = program
        self.controller = SdramController(timing, clock_mhz, round_trip=round_trip)
        port = self.controller.port.signature
        if (program.beat_bits, program.address_bits, program.page_beats) != (
            port.beat_bits,
            port.address_bits,
            self.controller.page_beats,
        ):
            raise ValueError(
                f"the program is for a memory of {program.beat_bits} bits, {program.address_bits} address bits and "
                f"pages of {program.page_beats}, the SDRAM has {port.beat_bits}, {port.address_bits} and "
                f"{self.controller.page_beats}"
            )
        self.cores = cores
        self.system = StreamedSystem(program, cores=cores)
        self.watchdogs = self.system.watchdogs
        self.stream_words = len(self.watchdogs[0].words)
        super().__init__(
            {
                "control": In(streamed_control(program, self.watchdogs)),
                "host": In(MemoryPort(program.beat_bits, program.address_bits)),
                "bus": Out(sdram_bus),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.system = system = self.system
        m.submodules.controller = controller = self.controller
        self.join(m, system.memory, controller.port)
        connect(m, flipped(self.control), system.control)
        connect(m, flipped(self.host), system.host)
        connect(m, controller.bus, flipped(self.bus))
        return m

    def join(self, m, requester, memory):
        """Lead the cores' transactions to the controller."""
        connect(m, requester, memory)


class SimulatedAccelerator(Component):
    """An :class:`SdramAccelerator` with a PHY without pads, its arrays in one signal each, for harnesses.

    Members
    -------
    start, done, clear : :py:`In(cores)`, :py:`Out(cores)`, :py:`In(cores)`
    addresses : :py:`In(32 * cores)`
    counters : :py:`Out(32 * cores * len(COUNTERS))`
    threshold, hung, streams : :py:`In(32)`, :py:`Out(cores)`, :py:`Out(32 * cores * accelerator.stream_words)`
        Of the watchdogs.
    pins : :py:`Out(sdram_bus)`
    """

    def __init__(self, accelerator):
        self.accelerator = accelerator
        cores = accelerator.cores
        super().__init__(
            {
                "start": In(cores),
                "done": Out(cores),
                "clear": In(cores),
                "addresses": In(32 * cores),
                "counters": Out(32 * cores * len(COUNTERS)),
                "pins": Out(sdram_bus),
                "threshold": In(32),
                "hung": Out(cores),
                "streams": Out(32 * cores * accelerator.stream_words),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.accelerator = accelerator = self.accelerator
        m.submodules.phy = phy = SdramPhy(accelerator.controller.round_trip)
        connect(m, accelerator.bus, phy.bus)
        connect(m, phy.pins, flipped(self.pins))
        control = accelerator.control
        m.d.comb += [
            control.start.eq(self.start),
            control.clear.eq(self.clear),
            self.done.eq(control.done),
            *(a.eq(self.addresses.word_select(k, 32)) for k, a in enumerate(control.settings.address)),
            self.counters.eq(Cat(c for row in control.counters for c in row)),
            control.threshold.eq(self.threshold),
            self.hung.eq(control.hung),
            self.streams.eq(Cat(Cat(row) for row in control.streams)),
            accelerator.host.request.valid.eq(0),
            accelerator.host.w.valid.eq(0),
        ]
        return m
