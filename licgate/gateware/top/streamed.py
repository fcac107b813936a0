"""A streaming accelerator behind control and status registers, and the host's way to its memory."""

from amaranth.hdl import Array, Cat, Module, ResetInserter, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.extmem.phy import sdram_bus
from licgate.gateware.ports import Register, csr_signature, latent_layout, window_layout
from licgate.gateware.stream import connect
from licgate.gateware.streamed.accelerator import SdramAccelerator
from licgate.gateware.streamed.gate import PortGate
from licgate.gateware.streamed.hostmemory import HostMemory
from licgate.gateware.top.resident import RESET_CYCLES
from licgate.gateware.top.watchdog import DEFAULT_THRESHOLD
from licgate.program.streamed import compile_streamed

__all__ = ["ID", "StreamingAccelerator"]

ID = 0x4C494353  # "LICS"

_COUNTERS = (Register.CYCLES, Register.BUSY, Register.STALL_INPUT, Register.STALL_MEMORY, Register.STALL_OUTPUT)


class StreamingAccelerator(Component):
    """Cores that run a manifest's g_a from an SDRAM, and registers; for the same link as any other accelerator.

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
        See :class:`~licgate.gateware.extmem.sdram.SdramController`.

    Members
    -------
    i : :py:`In(stream.Signature(24))`
        Three bytes for memory.
    o : :py:`Out(stream.Signature(latent_layout))`
        Two bytes from memory.
    o_window : :py:`Out(stream.Signature(window_layout))`
        Never valid: nothing is asked for.
    csr : :py:`In(csr_signature)`
        Registers of docs/hostlink.md; ``r_data`` follows ``addr`` by one cycle.
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
        The manifest's g_a holds what the array does not run.
    ValueError
        ``cores`` is out of range, the clock is not for the chip, or the configuration for another memory.
    """

    def __init__(self, manifest, config, timing, clock_mhz, *, cores=1, round_trip=0):
        self.program = compile_streamed([manifest.g_a], config)
        self.config, self.cores, self.round_trip = config, cores, round_trip
        self._model = int(manifest.hash[:8], 16)
        self.accelerator = SdramAccelerator(self.program, timing, clock_mhz, cores=cores, round_trip=round_trip)
        self.watchdogs = self.accelerator.watchdogs
        self._host = HostMemory(self.program.beat_bits, self.program.address_bits)
        super().__init__(
            {
                "i": In(stream.Signature(24)),
                "o": Out(stream.Signature(latent_layout)),
                "o_window": Out(stream.Signature(window_layout)),
                "csr": In(csr_signature),
                "bus": Out(sdram_bus),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program, cores, csr = self.program, self.cores, self.csr
        m.submodules.accelerator = accelerator = self.accelerator
        connect(m, accelerator.bus, flipped(self.bus))
        host, stopping, reset = self._host, Signal(), Signal()
        m.submodules.host = ResetInserter(reset)(host)
        m.submodules.gate = gate = PortGate(program.beat_bits, program.address_bits)
        connect(m, host.port, gate.i)
        connect(m, gate.o, accelerator.host)
        m.d.comb += [
            # after a reset was asked for, nothing that belongs to what was before
            host.i.payload.eq(self.i.payload),
            host.i.valid.eq(self.i.valid & ~stopping),
            self.i.ready.eq(host.i.ready & ~stopping),
            self.o.payload.eq(host.o.payload),
            self.o.valid.eq(host.o.valid & ~stopping),
            host.o.ready.eq(self.o.ready & ~stopping),
        ]

        values = self._settings(m)
        core = values[Register.CORE]
        m.d.comb += [
            accelerator.threshold.eq(values[Register.WATCHDOG]),
            host.address.eq(values[Register.MEMORY_ADDRESS]),
        ]

        def written(address):
            return csr.w_stb & (csr.addr == address)

        # A reset lasts until no transaction is under way, and then until the pipelines have drained.
        control, stopped = written(Register.CONTROL), Signal()
        draining = Signal(range(RESET_CYCLES + 1))
        m.d.comb += [
            gate.stop.eq(stopping),
            accelerator.clear.eq(stopping.replicate(cores)),
            stopped.eq(reset & accelerator.cleared.all()),
        ]
        m.d.sync += reset.eq(stopping & gate.quiet)
        with m.If(control & csr.w_data[1]):
            m.d.sync += [stopping.eq(1), draining.eq(RESET_CYCLES)]
        with m.Elif(stopped):
            m.d.sync += draining.eq(draining - 1)
            with m.If(draining == 0):
                m.d.sync += stopping.eq(0)

        # Cores start that are done, transfers when none is under way; anything else is refused.
        start, busy, running, finished = Signal(cores), Signal(), Signal(), Signal()
        starts, moving, refused, begins = Signal(), Signal(), Signal(), Signal()
        transfers = written(Register.MEMORY_WRITE) | written(Register.MEMORY_READ)
        m.d.comb += [
            starts.eq(control & csr.w_data[0] & ~stopping),
            moving.eq(host.busy | host.write | host.read),
            begins.eq(transfers & ~moving & ~stopping),
            accelerator.start.eq(start),
            busy.eq(~accelerator.done.all() | start.any() | stopping),
        ]
        m.d.sync += [
            start.eq(values[Register.CORES] & accelerator.done & starts.replicate(cores)),
            host.write.eq(begins & (csr.addr == Register.MEMORY_WRITE)),
            host.read.eq(begins & (csr.addr == Register.MEMORY_READ)),
        ]
        with m.If(begins):
            m.d.sync += host.beats.eq(csr.w_data)
        with m.If(start.any() | stopping):
            m.d.sync += [running.eq(start.any()), finished.eq(0)]
        with m.Elif(running & ~busy):
            m.d.sync += [running.eq(0), finished.eq(1)]
        with m.If(starts):
            m.d.sync += refused.eq((values[Register.CORES] & ~accelerator.done).any())
        with m.Elif(transfers):
            m.d.sync += refused.eq(~begins)
        with m.Elif(stopping):
            m.d.sync += refused.eq(0)

        def of_core(rows):
            return Array(rows)[core] if cores > 1 else rows[0]

        values |= {
            Register.ID: ID,
            Register.MODEL: self._model,
            Register.STATUS: busy
            | finished << 1
            | refused << 2
            | accelerator.hung.any() << 3
            | moving << 4
            | Cat(accelerator.done) << 16,
            Register.SHAPE: self.config.rows | self.config.cols << 8,
            Register.TRANSFORMS: 1,
            Register.ADDRESS: of_core(list(accelerator.addresses)),
            Register.MEMORY_SHAPE: program.beat_bits | program.address_bits << 8 | cores << 16,
        }
        for index, address in enumerate(_COUNTERS):
            values[address] = of_core([row[index] for row in accelerator.counters])
        for index, address in enumerate(self.watchdogs[0].registers):
            values[address] = of_core([row[index] for row in accelerator.streams])
        with m.Switch(csr.addr):
            for address, value in values.items():
                with m.Case(address):
                    m.d.sync += csr.r_data.eq(value)
            with m.Default():
                m.d.sync += csr.r_data.eq(0)
        return m

    def _settings(self, m):
        """Registers that the host writes, by their addresses."""
        csr, values = self.csr, {}
        for address, width, init in (
            (Register.CORE, max(1, (self.cores - 1).bit_length()), 0),
            (Register.CORES, self.cores, (1 << self.cores) - 1),
            (Register.WATCHDOG, 32, DEFAULT_THRESHOLD),
            (Register.MEMORY_ADDRESS, self.program.address_bits, 0),
        ):
            values[address] = held = Signal(width, init=init, name=f"register_{address}")
            with m.If(csr.w_stb & (csr.addr == address)):
                m.d.sync += held.eq(csr.w_data)
        for number, target in enumerate(self.accelerator.addresses):
            held = Signal.like(target, name=f"address_{number}")
            with m.If(csr.w_stb & (csr.addr == Register.ADDRESS) & (values[Register.CORE] == number)):
                m.d.sync += held.eq(csr.w_data)
            m.d.comb += target.eq(held)
        return values
