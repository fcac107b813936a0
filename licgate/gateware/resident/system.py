"""A core with its memories on the chip, and the scheduler that hands it an image in patches."""

from amaranth.hdl import Array, Cat, Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.clear import clearable
from licgate.gateware.counters import RunCounters
from licgate.gateware.ports import CoreControl, latent_layout, patch_layout
from licgate.gateware.resident.core import Core
from licgate.gateware.resident.patch import PatchScheduler
from licgate.gateware.resident.rows import DIMENSION
from licgate.gateware.stream import connect
from licgate.gateware.watchdog import Probe, Watchdog
from licgate.manifest.transform import TRANSFORM_NAMES

__all__ = ["ResidentSystem"]

_SIZES = ("width", "height", "patch_width", "patch_height", "overlap")
_KEPT = ("skip_x", "skip_y", "keep_width", "keep_height")
_NUMBER = 3  # bits of a transform's number


class ResidentSystem(Component):
    """Run a transform of a program over an image patch by patch, or over a feature map; with counters and a watchdog.

    Parameters
    ----------
    program : Program

    Members
    -------
    control : :py:`In(CoreControl(...))`
        Settings ``width``, ``height``, ``patch_width``, ``patch_height``, ``overlap``, ``mode`` (independent patches)
        as of a `PatchScheduler`; ``transform``, a number of ``TRANSFORM_NAMES``. A run whose sizes the scheduler does
        not take is refused some cycles behind its start; one whose transform is not there at once, and never begins.
    i : :py:`In(stream.Signature(...))`, o : :py:`Out(stream.Signature(latent_layout))`
        As of a `Core`.
    o_patch : :py:`Out(stream.Signature(patch_layout))`
        What is wanted on ``i`` next.

    Attributes
    ----------
    watchdog : Watchdog
        Knows the streams' names.

    Timing: ``licgate.perf.predict``; the scheduler starts with the control, and ``clear`` reaches the blocks two cycles
    later.
    """

    def __init__(self, program):
        self.program = program
        self._core = Core(program)
        cut = next((chain.transform for chain in program.chains if chain.pixels), None)
        self._scheduler = PatchScheduler(cut, max_width=[chain.max_width for chain in program.chains])
        window = self._scheduler.o_patch
        asked = Probe("patches", window.valid, window.ready, "the scheduler", "the host")
        self.watchdog = Watchdog([asked, *self._core.probes()], step=self._core.step)
        self.numbers = [TRANSFORM_NAMES.index(chain.transform.name) for chain in program.chains]
        settings = {name: Out(DIMENSION) for name in _SIZES} | {"mode": Out(1), "transform": Out(_NUMBER)}
        streams, levels = len(self.watchdog.words), len(self.watchdog.levels)
        super().__init__(
            {
                "control": In(CoreControl(settings, streams=streams, levels=levels)),
                "i": In(stream.Signature(len(self._core.i.payload))),
                "o": Out(stream.Signature(latent_layout)),
                "o_patch": Out(stream.Signature(patch_layout)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        core, scheduler, control = self._core, self._scheduler, self.control
        settings, reset = control.settings, Signal()
        chain, there = self._chosen(m)
        m.submodules.core = core
        m.submodules.scheduler = clearable(m, reset, "scheduler", scheduler)
        connect(m, flipped(self.i), core.i)
        connect(m, core.o, flipped(self.o))
        connect(m, scheduler.o_patch, flipped(self.o_patch))
        m.d.sync += reset.eq(control.clear)
        m.d.comb += [
            core.chain.eq(chain),
            core.start.eq(scheduler.core_start),
            core.clear.eq(reset),
            core.width.eq(scheduler.core_width),
            core.height.eq(scheduler.core_height),
            *(getattr(core, name).eq(getattr(scheduler, name)) for name in _KEPT),
            scheduler.chain.eq(chain),
            scheduler.start.eq(control.start & there),
            scheduler.core_done.eq(core.done),
            scheduler.independent.eq(settings.mode),
            *(getattr(scheduler, name).eq(getattr(settings, name)) for name in _SIZES),
        ]
        missing = Signal()
        with m.If(control.start | reset):
            m.d.sync += missing.eq(control.start & ~there)
        m.d.comb += [
            control.done.eq(scheduler.done),
            control.refused.eq(scheduler.error | missing),
            control.cleared.eq(control.clear),  # there is no transaction to wait for
        ]
        self._watch(m, reset)
        return m

    def _chosen(self, m):
        """The chain of the transform that is set, and whether there is one: a cycle behind the setting."""
        numbers, transform = self.numbers, self.control.settings.transform
        chain, there = Signal(range(max(2, len(numbers)))), Signal(init=1)
        known = [number in numbers for number in range(1 << _NUMBER)]
        m.d.sync += [
            chain.eq(Array(numbers.index(n) if known[n] else 0 for n in range(1 << _NUMBER))[transform]),
            there.eq(Array(map(int, known))[transform]),
        ]
        return chain, there

    def _watch(self, m, reset):
        """Counters and the watchdog."""
        control, core, busy = self.control, self._core, Signal()
        m.submodules.watchdog = watchdog = self.watchdog
        m.submodules.counters = counters = RunCounters()
        started, was_busy = Signal(), Signal()
        m.d.sync += [started.eq(control.start), was_busy.eq(busy & ~control.clear)]
        m.d.comb += [
            busy.eq(~self._scheduler.done),
            watchdog.busy.eq(was_busy),
            watchdog.clear.eq(control.start | reset),
            watchdog.threshold.eq(control.threshold),
            control.hung.eq(watchdog.hung),
            Cat(control.streams[0]).eq(Cat(watchdog.words)),
            # the scheduler is at work from the cycle behind the start on, and is counted from the next one on
            counters.start.eq(started),
            counters.busy.eq(busy),
            counters.events.eq(Cat(core.step, core.wait_input, core.wait_memory, core.wait_output)),
            Cat(control.counters[0]).eq(Cat(counters.counts)),
        ]
        if watchdog.levels:
            m.d.comb += Cat(control.levels[0]).eq(Cat(watchdog.levels))
