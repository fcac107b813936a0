"""A streamed core behind AXI4-Lite registers, with an AXI4 bus to the processor's memory."""

from amaranth.hdl import Module
from amaranth.lib.wiring import Component, Out, flipped

from licgate.gateware.host.axilite import AxiLiteRegisters, axilite_signature
from licgate.gateware.memory.axi import axi4_signature
from licgate.gateware.stream import connect
from licgate.gateware.streamed.axisystem import BUS_ADDRESS_BITS, AxiSystem
from licgate.gateware.top.control import Control, identity
from licgate.manifest.transform import TRANSFORM_NAMES
from licgate.program.streamed import compile_streamed
from licgate.target.registers import Kind, Register
from licgate.target.registertable import encode

__all__ = ["ZynqAccelerator"]


class ZynqAccelerator(Component):
    """One core that runs transforms of a manifest from the processor's memory; as many of them as there are ports.

    The processor puts schedule, weights and input where the schedule says (:class:`licgate.program.schedule.Schedule`,
    with ``origin`` the first beat of its buffer), writes ADDRESS and CONTROL, and finds the output in memory when
    STATUS says so, or the interrupt.

    Parameters
    ----------
    manifest : Manifest
    config : StreamedConfig
        With beats and pages of an AXI4 bus.
    transforms : sequence of str
        Those that the core runs; which one, the schedule says.

    Members
    -------
    control : :py:`Out(axilite_signature())`
        Registers of docs/registers.md.
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
        A transform holds what the array does not run.
    ValueError
        The configuration is for another memory.
    """

    def __init__(self, manifest, config, *, transforms=("g_a",)):
        chains = [manifest.transforms[name] for name in transforms]
        self.program = compile_streamed(chains, config, weights=False)
        self.config = config
        program = self.program
        self.system = AxiSystem(program)
        self.watchdog = self.system.watchdogs[0]
        kind, bits = Kind.AXI, {"beat_bits": program.beat_bits, "address_bits": program.address_bits}
        numbers = [TRANSFORM_NAMES.index(chain.transform.name) for chain in program.chains]
        self._registers = Control(
            kind,
            self.system.control.signature.flip(),
            constants={
                **identity(kind, manifest, numbers, rows=config.rows, cols=config.cols),
                Register.MEMORY_SHAPE: encode(Register.MEMORY_SHAPE, kind, cores=1, **bits),
            },
        )
        super().__init__(
            {
                "control": Out(axilite_signature()),
                "bus": Out(axi4_signature(self.program.beat_bits, BUS_ADDRESS_BITS)),
                "interrupt": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.axilite = axilite = AxiLiteRegisters()
        m.submodules.registers = registers = self._registers
        m.submodules.system = system = self.system
        connect(m, flipped(self.control), axilite.bus)
        connect(m, axilite.csr, registers.csr)
        connect(m, registers.core, system.control)
        connect(m, system.buses[0], flipped(self.bus))
        m.d.comb += [registers.flags.failed.eq(system.errors[0]), self.interrupt.eq(registers.interrupt)]
        return m
