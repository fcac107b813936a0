"""Run control: what starts, what is refused, what a reset waits for."""

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Out

__all__ = ["RESET_CYCLES", "RunControl"]

#: For which a reset holds what is cleared: more than the longest pipeline, of feeder, array, lanes and assembly, with
#: 64 rows and columns.
RESET_CYCLES = 256


class RunControl(Component):
    """Start cores that are done, tell when all of them are, refuse what cannot be, and reset them.

    A reset lasts until everything is ``cleared`` and the pipelines have drained: what is under way is finished first,
    so that no transaction is broken off. A start or anything else that is asked for meanwhile is refused. Of cores that
    are to start, those that are done do, whether another one is busy or not.

    Parameters
    ----------
    cores : int

    Members
    -------
    start, reset : :py:`In(1)`
        The host asks for it in this cycle; a reset wins.
    selected : :py:`In(cores)`
        Which cores a start is for.
    other, other_refused : :py:`In(1)`
        Something beside a start is asked for in this cycle, and whether that is refused.
    busy, done, refused : :py:`Out(1)`
        A core or a reset is at work; all cores are done, until the next start; what was asked for last was refused,
        until something is asked for again (levels).
    core_start, clear : :py:`Out(cores)`
        To the cores.
    core_done, cleared : :py:`In(cores)`
        From the cores, see :class:`~licgate.gateware.ports.CoreControl`.
    quiet : :py:`In(1)`
        What else a reset waits for is being cleared.

    Attributes
    ----------
    latency : int
        From ``start`` to ``core_start``, from ``reset`` to ``clear``, from the last ``core_done`` to ``done``: 1 cycle.

    A reset ends `RESET_CYCLES` after everything is cleared. Resources on ECP5, for one core: 24 LUT4, 4 CCU2C,
    14 flip-flops; for four 43, 4 and 17 (Yosys).
    """

    latency = 1

    def __init__(self, cores=1):
        self.cores = cores
        super().__init__(
            {
                "start": In(1),
                "reset": In(1),
                "selected": In(cores, init=(1 << cores) - 1),
                "other": In(1),
                "other_refused": In(1),
                "busy": Out(1),
                "done": Out(1),
                "refused": Out(1),
                "core_start": Out(cores),
                "clear": Out(cores),
                "core_done": In(cores),
                "cleared": In(cores),
                "quiet": In(1, init=1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        stopping, draining = Signal(), Signal(range(RESET_CYCLES))
        m.d.comb += self.clear.eq(stopping.replicate(self.cores))
        with m.If(self.reset):
            m.d.sync += [stopping.eq(1), draining.eq(RESET_CYCLES - 1)]
        with m.Elif(self.quiet & self.cleared.all()):
            m.d.sync += draining.eq(draining - 1)
            with m.If(draining == 0):
                m.d.sync += stopping.eq(0)

        working, was_working, started, ready = Signal(), Signal(), Signal(), Signal(self.cores)
        m.d.comb += [
            working.eq(~self.core_done.all()),
            self.busy.eq(working | self.core_start.any() | stopping),
            ready.eq(self.core_done & ~self.core_start & ~stopping.replicate(self.cores)),
        ]
        m.d.sync += was_working.eq(working & ~stopping)
        asked = self.start & ~self.reset
        m.d.sync += self.core_start.eq(self.selected & ready & asked.replicate(self.cores))
        with m.If(self.reset):
            m.d.sync += self.refused.eq(0)
        with m.Elif(asked):
            m.d.sync += self.refused.eq((self.selected & ~ready).any())
        with m.Elif(self.other):
            m.d.sync += self.refused.eq(self.other_refused)
        # Cores may come to rest once after power-up, which is no run; one that refuses at once never works.
        with m.If(self.core_start.any() | stopping):
            m.d.sync += [self.done.eq(0), started.eq(~stopping)]
        with m.Elif(was_working & ~working & started):
            m.d.sync += self.done.eq(1)
        return m
