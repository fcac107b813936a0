"""The accelerator: patch scheduler and core behind control and status registers."""

from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.ports import csr_signature, latent_layout, patch_layout
from licgate.gateware.resident.system import ResidentSystem
from licgate.gateware.stream import connect
from licgate.gateware.top.control import Control, identity
from licgate.program import compile_program, input_widths
from licgate.target.registers import Kind, Register

__all__ = ["Accelerator"]


class Accelerator(Component):
    """Transforms of a manifest in gateware, on one array and the same memories; one of them runs at a time.

    The host writes which one (TRANSFORM), the image's and the patch's size, then CONTROL.start. For g_a the accelerator
    asks for windows of pixels on ``o_patch``, takes them on ``i`` in raster order, and gives the latents on ``o``
    (order: see `LatentReader`). The others take a whole feature map, value by value in
    that same order, and keep all that they make of it; a synthesis transform gives its pixels in depth form, see
    :class:`~licgate.program.Op`. ``STATUS.done`` rises when the last latent has left. CONTROL.reset gives up whatever
    is under way; ``STATUS.busy`` falls when the accelerator can be started again, ``run.RESET_CYCLES`` later.
    ``STATUS.hung`` rises when nothing has moved for WATCHDOG cycles; STREAMS and LEVELS then say what every
    stream did, see :class:`~licgate.gateware.watchdog.Watchdog`.

    Parameters
    ----------
    manifest : Manifest
    config : AcceleratorConfig
    transforms : sequence of str
        The transforms that it holds.

    Members
    -------
    i : :py:`In(stream.Signature(...))`
        A pixel, channel 0 (red) in the low bits; or a value of a feature map in the low 16.
    o : :py:`Out(stream.Signature(latent_layout))`
    first : :py:`Out(1)`
        What is offered on ``o`` is the first of its run.
    o_patch : :py:`Out(stream.Signature(patch_layout))`
    csr : :py:`In(csr_signature)`
        Registers of docs/registers.md; ``r_data`` follows ``addr`` by ``csr_latency`` cycles.
    irq : :py:`Out(1)`
        The run is done, or hangs (level, until the next start or reset).

    Numerics: docs/numerics.md; latents equal ``licgate.reference.run_transform`` bit by bit, at every size.

    Attributes
    ----------
    watchdog : Watchdog
        Knows the streams' names.
    csr_latency : int
        2 cycles.

    Timing: ``licgate.perf.predict``; counters CYCLES (busy), BUSY (array steps), STALL_INPUT, STALL_MEMORY,
    STALL_OUTPUT.

    Raises
    ------
    ConfigError
        The manifest lacks a transform, or one holds what the array does not run.
    """

    csr_latency = 2

    def __init__(self, manifest, config, transforms=("g_a",)):
        widths = input_widths(manifest, transforms, config.max_width)
        self.program = compile_program([manifest.transforms[name] for name in transforms], config, widths)
        self.config = config
        self._system = ResidentSystem(self.program)
        self.watchdog = self._system.watchdog
        kind, numbers = Kind.RESIDENT, self._system.numbers
        self._control = Control(
            kind,
            self._system.control.signature.flip(),
            constants=identity(kind, manifest, numbers, rows=config.rows, cols=config.cols, max_width=config.max_width),
            resets={Register.TRANSFORM: numbers[0]},
            latency=self.csr_latency,
        )
        super().__init__(
            {
                "i": In(stream.Signature(len(self._system.i.payload))),
                "o": Out(stream.Signature(latent_layout)),
                "first": Out(1),
                "o_patch": Out(stream.Signature(patch_layout)),
                "csr": In(csr_signature),
                "irq": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.control = control = self._control
        m.submodules.system = system = self._system
        connect(m, flipped(self.csr), control.csr)
        connect(m, control.core, system.control)
        connect(m, flipped(self.i), system.i)
        connect(m, system.o, flipped(self.o))
        connect(m, system.o_patch, flipped(self.o_patch))
        m.d.comb += self.irq.eq(control.interrupt)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += self.first.eq(0)
        with m.If(control.core.start):
            m.d.sync += self.first.eq(1)
        return m
