"""A streamed accelerator behind control and status registers, and the host's way to its memory."""

from amaranth.hdl import Cat, Module
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.memory.phy import sdram_bus
from licgate.gateware.ports import csr_signature, latent_layout, patch_layout
from licgate.gateware.stream import connect
from licgate.gateware.streamed.accelerator import SdramAccelerator
from licgate.gateware.top.control import Control, identity
from licgate.gateware.top.transfers import HostTransfers
from licgate.manifest.transform import TRANSFORM_NAMES
from licgate.program.streamed import compile_streamed
from licgate.target.registers import Kind, Register
from licgate.target.registertable import encode

__all__ = ["StreamedAccelerator"]


class StreamedAccelerator(Component):
    """Cores that run transforms of a manifest from an SDRAM, and registers; for the same link as any other accelerator.

    The host writes schedules, weights and inputs to memory (MEMORY_ADDRESS, then MEMORY_WRITE, then what goes there as
    pixels of three bytes), chooses what each core runs (CORE, ADDRESS) and which of them start (CORES, CONTROL), and
    reads the outputs (MEMORY_ADDRESS, then MEMORY_READ; they come as latents of two bytes).

    Parameters
    ----------
    manifest : Manifest
    config : StreamedConfig
    timing : SdramTiming
    clock_mhz : float
        Of the design and of the SDRAM.
    cores : int
        1 to 16.
    round_trip : int
        See :class:`~licgate.gateware.memory.sdram.SdramController`.
    transforms : sequence of str
        Those that the cores run; which one, the schedule says.

    Members
    -------
    i : :py:`In(stream.Signature(24))`
        Three bytes for memory.
    o : :py:`Out(stream.Signature(latent_layout))`
        Two bytes from memory.
    o_patch : :py:`Out(stream.Signature(patch_layout))`
        Never valid: nothing is asked for.
    csr : :py:`In(csr_signature)`
        Registers of docs/registers.md; ``r_data`` follows ``addr`` by one cycle.
    bus : :py:`Out(sdram_bus)`
        To a PHY.

    Attributes
    ----------
    program : StreamedProgram
    watchdogs : list of Watchdog
        Of each core; they know the streams' names.

    Numerics: docs/numerics.md; what is read equals ``licgate.reference.run_transform`` bit by bit, at every size.

    Timing: ``licgate.perf.streamed.frame``; a core starts 2 cycles after CONTROL was written.

    Raises
    ------
    ConfigError
        A transform holds what the array does not run.
    ValueError
        ``cores`` is out of range, the clock is not for the chip, or the configuration for another memory.
    """

    def __init__(self, manifest, config, timing, clock_mhz, *, cores=1, round_trip=0, transforms=("g_a",)):
        self.program = program = compile_streamed([manifest.transforms[name] for name in transforms], config)
        self.config, self.cores, self.round_trip = config, cores, round_trip
        self.accelerator = SdramAccelerator(program, timing, clock_mhz, cores=cores, round_trip=round_trip)
        self.watchdogs = self.accelerator.watchdogs
        self._transfers = HostTransfers(program.beat_bits, program.address_bits)
        kind, bits = Kind.SDRAM, {"beat_bits": program.beat_bits, "address_bits": program.address_bits}
        numbers = [TRANSFORM_NAMES.index(chain.transform.name) for chain in program.chains]
        self._control = Control(
            kind,
            self.accelerator.control.signature.flip(),
            constants={
                **identity(kind, manifest, numbers, rows=config.rows, cols=config.cols),
                Register.MEMORY_SHAPE: encode(Register.MEMORY_SHAPE, kind, cores=cores, **bits),
            },
            address_bits=program.address_bits,
        )
        super().__init__(
            {
                "i": In(stream.Signature(24)),
                "o": Out(stream.Signature(latent_layout)),
                "o_patch": Out(stream.Signature(patch_layout)),
                "csr": In(csr_signature),
                "bus": Out(sdram_bus),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.control = control = self._control
        m.submodules.transfers = transfers = self._transfers
        m.submodules.accelerator = accelerator = self.accelerator
        connect(m, flipped(self.csr), control.csr)
        connect(m, control.core, accelerator.control)
        connect(m, control.transfer, transfers.control)
        connect(m, flipped(self.i), transfers.i)
        connect(m, transfers.o, flipped(self.o))
        connect(m, transfers.port, accelerator.host)
        connect(m, accelerator.bus, flipped(self.bus))
        m.d.comb += [
            control.flags.moving.eq(transfers.control.moving),
            control.flags.cores_done.eq(Cat(accelerator.control.done)),
        ]
        return m
