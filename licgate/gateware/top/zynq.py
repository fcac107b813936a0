"""A streaming core behind AXI4-Lite registers, with an AXI4 bus to the processor's memory."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import Component, Out, flipped

from licgate.gateware.extmem.axi import axi4_signature
from licgate.gateware.host.axilite import AxiLiteRegisters, axilite_signature
from licgate.gateware.ports import Register
from licgate.gateware.stream import connect
from licgate.gateware.streamed.axisystem import BUS_ADDRESS_BITS, AxiSystem
from licgate.gateware.top.resident import RESET_CYCLES
from licgate.gateware.top.watchdog import DEFAULT_THRESHOLD
from licgate.program.streamed import compile_streamed

__all__ = ["ID", "ZynqAccelerator"]

ID = 0x4C49435A  # "LICZ"

_COUNTERS = (Register.CYCLES, Register.BUSY, Register.STALL_INPUT, Register.STALL_MEMORY, Register.STALL_OUTPUT)


class ZynqAccelerator(Component):
    """One core that runs a manifest's g_a from the processor's memory; as many of them as there are ports.

    The processor puts schedule, weights and input where the schedule says (:class:`licgate.program.schedule.Schedule`,
    with ``origin`` the first beat of its buffer), writes ADDRESS and CONTROL, and finds the output in memory when
    STATUS says so, or the interrupt.

    Parameters
    ----------
    manifest : Manifest
    config : StreamedConfig
        With beats and pages of an AXI4 bus.

    Members
    -------
    control : :py:`Out(axilite_signature())`
        Registers of docs/zynq.md.
    bus : :py:`Out(axi4_signature(beat_bits, 40))`
    interrupt : :py:`Out(1)`
        The run is done, or hangs (level, until the next start or reset), or an answer of the bus was not OKAY (until
        the reset of the design).

    Attributes
    ----------
    program : StreamedProgram
    watchdog : Watchdog
        It knows the streams' names.

    Numerics: docs/numerics.md; what is written equals ``licgate.reference.run_transform`` bit by bit, at every size.

    Timing: ``licgate.perf.streamed.frame`` with an ``AxiTiming``; the core starts 2 cycles after CONTROL was written.

    Raises
    ------
    ConfigError
        The manifest's g_a holds what the array does not run.
    ValueError
        The configuration is for another memory.
    """

    def __init__(self, manifest, config):
        self.program = compile_streamed([manifest.g_a], config, weights=False)
        self.config = config
        self._model = int(manifest.hash[:8], 16)
        self.system = AxiSystem(self.program)
        self.watchdog = self.system.watchdogs[0]
        super().__init__(
            {
                "control": Out(axilite_signature()),
                "bus": Out(axi4_signature(self.program.beat_bits, BUS_ADDRESS_BITS)),
                "interrupt": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.system = system = self.system
        m.submodules.registers = registers = AxiLiteRegisters()
        connect(m, flipped(self.control), registers.bus)
        connect(m, system.buses[0], flipped(self.bus))
        csr, program = registers.csr, self.program
        values = self._settings(m, csr)
        m.d.comb += [
            system.threshold.eq(values[Register.WATCHDOG]),
            system.addresses[0].eq(values[Register.ADDRESS]),
        ]

        # A reset lasts until no transaction is under way, and then until the pipelines have drained.
        control = csr.w_stb & (csr.addr == Register.CONTROL)
        stopping, draining = Signal(), Signal(range(RESET_CYCLES + 1))
        m.d.comb += system.clear.eq(stopping)
        with m.If(control & csr.w_data[1]):
            m.d.sync += [stopping.eq(1), draining.eq(RESET_CYCLES)]
        with m.Elif(system.cleared[0]):
            m.d.sync += draining.eq(draining - 1)
            with m.If(draining == 0):
                m.d.sync += stopping.eq(0)

        start, busy, running, finished, refused = Signal(), Signal(), Signal(), Signal(), Signal()
        starts = Signal()
        m.d.comb += [
            starts.eq(control & csr.w_data[0] & ~csr.w_data[1] & ~stopping),
            system.start.eq(start),
            busy.eq(~system.done[0] | start | stopping),
        ]
        m.d.sync += [
            start.eq(starts & ~busy),
            self.interrupt.eq(finished | system.hung[0] | system.errors[0]),
        ]
        with m.If(start | stopping):
            m.d.sync += [running.eq(start), finished.eq(0)]
        with m.Elif(running & ~busy):
            m.d.sync += [running.eq(0), finished.eq(1)]
        with m.If(starts):
            m.d.sync += refused.eq(busy)
        with m.Elif(stopping):
            m.d.sync += refused.eq(0)

        values |= {
            Register.ID: ID,
            Register.MODEL: self._model,
            Register.STATUS: Cat(busy, finished, refused, system.hung[0], system.errors[0]),
            Register.SHAPE: self.config.rows | self.config.cols << 8,
            Register.TRANSFORMS: 1,
            Register.MEMORY_SHAPE: program.beat_bits | program.address_bits << 8 | 1 << 16,
        }
        values |= dict(zip(_COUNTERS, system.counters[0], strict=True))
        values |= dict(zip(self.watchdog.registers, system.streams[0], strict=True))
        with m.Switch(csr.addr):
            for address, value in values.items():
                with m.Case(address):
                    m.d.sync += csr.r_data.eq(value)
            with m.Default():
                m.d.sync += csr.r_data.eq(0)
        return m

    def _settings(self, m, csr):
        """Registers that the processor writes, by their addresses."""
        values = {}
        for address, width, init in (
            (Register.WATCHDOG, 32, DEFAULT_THRESHOLD),
            (Register.ADDRESS, self.program.address_bits, 0),
        ):
            values[address] = held = Signal(width, init=init, name=f"register_{address}")
            with m.If(csr.w_stb & (csr.addr == address)):
                m.d.sync += held.eq(csr.w_data)
        return values
