"""Power-up of the SDRAM, and the timer of its refreshes."""

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, Out

from licgate.target.sdram import SdramCycles

__all__ = ["SdramStart"]


class SdramStart(Component):
    """Wait, precharge all banks, refresh eight times, set the mode; then tick.

    Parameters
    ----------
    cycles : SdramCycles

    Members
    -------
    ras, cas, we, a
        Commands of the power-up, active high; no command when ``running``.
    running : :py:`Out(1)`
        From cycle ``cycles.start`` after the reset on.
    tick : :py:`Out(1)`
        One cycle in every ``cycles.refresh``, the first ``cycles.refresh`` cycles after ``running`` rose.
    """

    def __init__(self, cycles: SdramCycles):
        self.cycles = cycles
        super().__init__(
            {
                "ras": Out(1),
                "cas": Out(1),
                "we": Out(1),
                "a": Out(13),
                "running": Out(1),
                "tick": Out(1),
            }
        )

    @property
    def mode(self) -> int:
        """The mode register: full-page sequential bursts, for reads and writes alike."""
        return 0b111 | self.cycles.cas << 4

    def elaborate(self, platform):
        m = Module()
        cycles = self.cycles
        pause = Signal(range(max(cycles.power_up, cycles.gap, cycles.refresh) + 1), init=cycles.power_up - 1)
        step = Signal(range(cycles.STEPS + 1))
        elapsed = Signal()
        m.d.comb += elapsed.eq(pause == 0)
        m.d.sync += self.tick.eq(0)
        with m.If(~elapsed):
            m.d.sync += pause.eq(pause - 1)
        with m.Elif(self.running):
            m.d.sync += [self.tick.eq(1), pause.eq(cycles.refresh - 1)]
        with m.Elif(step == cycles.STEPS):
            m.d.sync += [self.running.eq(1), pause.eq(cycles.refresh - 1)]
        with m.Else():
            m.d.sync += [step.eq(step + 1), pause.eq(cycles.gap - 1)]
            with m.If(step == 0):
                m.d.comb += [self.ras.eq(1), self.we.eq(1), self.a.eq(1 << 10)]
            with m.Elif(step == cycles.STEPS - 1):
                m.d.comb += [self.ras.eq(1), self.cas.eq(1), self.we.eq(1), self.a.eq(self.mode)]
            with m.Else():
                m.d.comb += [self.ras.eq(1), self.cas.eq(1)]
        return m
