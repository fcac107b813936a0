"""The accelerator: patch scheduler and core behind control and status registers."""

from functools import reduce
from operator import or_

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.ports import Register, csr_signature, latent_layout, window_layout
from licgate.gateware.resident.core import Core
from licgate.gateware.resident.patch import PatchScheduler
from licgate.gateware.shared import clearable
from licgate.gateware.stream import connect
from licgate.gateware.top.watchdog import DEFAULT_THRESHOLD, Tap, Watchdog
from licgate.manifest.transform import TRANSFORM_NAMES
from licgate.program import compile_program, input_widths

__all__ = ["ID", "RESET_CYCLES", "Accelerator"]

ID = 0x4C494347  # "LICG"
_GROUP_BITS = 3  # of an address: registers that are read together
RESET_CYCLES = 255  # more than the longest pipeline, of feeder, array, lanes and assembly, with 64 rows and columns


class Accelerator(Component):
    """Transforms of a manifest in gateware, on one array and the same memories; one of them runs at a time.

    The host writes which one (TRANSFORM), the image's and the patch's size, then CONTROL.start. For g_a the accelerator
    asks for windows of pixels on ``o_window``, takes them on ``i`` in raster order, and gives the latents on ``o``
    (order: see `LatentReader`). The others take a whole feature map, value by value in
    that same order, and keep all that they make of it; a synthesis transform gives its pixels in depth form, see
    :class:`~licgate.program.Op`. ``STATUS.done`` rises when the last latent has left. CONTROL.reset
    gives up whatever is under way; ``STATUS.busy`` falls when the accelerator can be started again, ``RESET_CYCLES``
    later. ``STATUS.hung`` rises when nothing has moved for WATCHDOG cycles; STREAMS and LEVELS then say what every
    stream did, see :class:`~licgate.gateware.top.watchdog.Watchdog`.

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
    o_window : :py:`Out(stream.Signature(window_layout))`
    csr : :py:`In(csr_signature)`
        Registers of docs/hostlink.md; ``r_data`` follows ``addr`` by two cycles.

    Numerics: docs/numerics.md; latents equal ``licgate.reference.run_transform`` bit by bit, at every size.

    Attributes
    ----------
    watchdog : Watchdog
        Knows the streams' names.

    Timing: ``licgate.perf.predict``; counters CYCLES (busy), BUSY (array steps), STALL_INPUT, STALL_MEMORY,
    STALL_OUTPUT.

    Raises
    ------
    ConfigError
        The manifest lacks a transform, or one holds what the array does not run.
    """

    def __init__(self, manifest, config, transforms=("g_a",)):
        widths = input_widths(manifest, transforms, config.max_width)
        self.program = compile_program([manifest.transforms[name] for name in transforms], config, widths)
        self.config = config
        self._model = int(manifest.hash[:8], 16)
        self._core = Core(self.program, output_words=config.output_words)
        cut = next((chain.transform for chain in self.program.chains if chain.pixels), None)
        self._scheduler = PatchScheduler(cut, max_width=[chain.max_width for chain in self.program.chains])
        super().__init__(
            {
                "i": In(stream.Signature(len(self._core.i.payload))),
                "o": Out(stream.Signature(latent_layout)),
                "o_window": Out(stream.Signature(window_layout)),
                "csr": In(csr_signature),
            }
        )
        window = self._scheduler.o_window
        asked = Tap("windows", window.valid, window.ready, "the scheduler", "the host")
        self.watchdog = Watchdog([asked, *self._core.taps()], step=self._core.step)

    def elaborate(self, platform):
        m = Module()
        core, scheduler = self._core, self._scheduler
        reset, start, done, refused = Signal(), Signal(), Signal(), Signal()
        numbers = [TRANSFORM_NAMES.index(c.transform.name) for c in self.program.chains]
        chosen, chain, there = Signal(3, init=numbers[0]), Signal(range(max(2, len(numbers)))), Signal(init=1)
        m.d.sync += [
            chain.eq(Array(numbers.index(n) if n in numbers else 0 for n in range(8))[chosen]),
            there.eq(Array(int(n in numbers) for n in range(8))[chosen]),
        ]
        m.submodules.core = core
        m.submodules.scheduler = clearable(m, reset, "scheduler", scheduler)
        connect(m, flipped(self.i), core.i)
        connect(m, core.o, flipped(self.o))
        connect(m, scheduler.o_window, flipped(self.o_window))
        m.d.comb += [
            core.chain.eq(chain),
            scheduler.chain.eq(chain),
            core.start.eq(scheduler.core_start),
            core.clear.eq(reset),
            scheduler.core_done.eq(core.done),
            core.width.eq(scheduler.core_width),
            core.height.eq(scheduler.core_height),
            *(getattr(core, n).eq(getattr(scheduler, n)) for n in ("skip_x", "skip_y", "keep_width", "keep_height")),
            scheduler.start.eq(start & there),
        ]

        sizes = {
            Register.WIDTH: scheduler.width,
            Register.HEIGHT: scheduler.height,
            Register.PATCH_WIDTH: scheduler.patch_width,
            Register.PATCH_HEIGHT: scheduler.patch_height,
            Register.MODE: scheduler.independent,
            Register.OVERLAP: scheduler.overlap,
            Register.TRANSFORM: chosen,
        }
        busy = Signal()
        # A reset is held until whatever is in the pipelines has drained away.
        draining = Signal(range(RESET_CYCLES + 1))
        control = self.csr.w_stb & (self.csr.addr == Register.CONTROL)
        drains = Signal(name="drains")  # the counter is not 0
        with m.If(control & self.csr.w_data[1]):
            m.d.sync += [draining.eq(RESET_CYCLES), drains.eq(1)]
        with m.Elif(drains):
            m.d.sync += [draining.eq(draining - 1), drains.eq(draining != 1)]
        m.d.comb += busy.eq(~scheduler.done | drains)
        m.d.sync += [start.eq(control & self.csr.w_data[0] & ~busy), reset.eq(drains)]
        shape = self.config.rows | self.config.cols << 8 | self.config.max_width << 16
        values = {Register.ID: ID, Register.MODEL: self._model, Register.SHAPE: shape}
        values[Register.TRANSFORMS] = sum(1 << number for number in numbers)
        for address, target in sizes.items():
            held = Signal(len(target), init=target.init, name=f"register_{address}")
            with m.If(self.csr.w_stb & (self.csr.addr == address)):
                m.d.sync += held.eq(self.csr.w_data[: len(target)])
            m.d.comb += target.eq(held)
            values[address] = held
        was_busy = Signal()
        m.d.sync += was_busy.eq(busy & ~drains)
        with m.If(start | reset):
            m.d.sync += done.eq(0)
        with m.Elif(was_busy & ~busy):
            m.d.sync += done.eq(1)
        with m.If(start | reset):
            m.d.sync += refused.eq(start & ~there)
        m.submodules.watchdog = watchdog = self.watchdog
        threshold = Signal(len(watchdog.threshold), init=DEFAULT_THRESHOLD)
        with m.If(self.csr.w_stb & (self.csr.addr == Register.WATCHDOG)):
            m.d.sync += threshold.eq(self.csr.w_data)
        m.d.comb += [
            watchdog.busy.eq(was_busy),
            watchdog.clear.eq(start | reset),
            watchdog.threshold.eq(threshold),
        ]
        values[Register.WATCHDOG] = threshold
        values |= zip(watchdog.registers, [*watchdog.words, *watchdog.levels], strict=True)
        started = Signal()
        m.d.sync += started.eq(start)
        values[Register.STATUS] = busy | done << 1 | (scheduler.error | refused) << 2 | watchdog.hung << 3
        for address, event in (
            (Register.CYCLES, busy),
            (Register.BUSY, core.step),
            (Register.STALL_INPUT, core.wait_input),
            (Register.STALL_MEMORY, core.wait_memory),
            (Register.STALL_OUTPUT, core.wait_output),
        ):
            # An event comes from deep in the core, so it is counted a cycle later, which is still before ``done``; and
            # the first one comes two cycles after the start.
            counter, late = Signal(32, name=f"counter_{address}"), Signal(name=f"event_{address}")
            m.d.sync += [late.eq(event), counter.eq(Mux(started, 0, counter + late))]
            values[address] = counter
        _read(m, self.csr, values)
        return m


def _read(m, csr, values):
    """Drive ``r_data`` with the register asked for: one of its group, then of the groups, each in a cycle."""
    group = Signal(len(csr.addr) - _GROUP_BITS)
    m.d.sync += group.eq(csr.addr[_GROUP_BITS:])
    words = []
    for number in sorted({address >> _GROUP_BITS for address in values}):
        word = Signal(32, name=f"group_{number}")
        members = [values.get((number << _GROUP_BITS) + low, 0) for low in range(1 << _GROUP_BITS)]
        m.d.sync += word.eq(Array(members)[csr.addr[:_GROUP_BITS]])
        words.append(Mux(group == number, word, 0))
    m.d.sync += csr.r_data.eq(reduce(or_, words))
