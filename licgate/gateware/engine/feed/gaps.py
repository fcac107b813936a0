"""What a pass waits for: the results of the pass before, and the reads of the pass before."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.engine.feed.kinds import PassKinds, held
from licgate.gateware.engine.feed.nextpass import next_layout

__all__ = ["DrainGap", "ReadGap"]


class DrainGap(Component):
    """Keep the last steps of two passes ``gap_behind`` cycles apart: so long it takes to drain the first one's sums.

    ``gap`` cycles are left until another last step may come: columns - 1 cycles behind a convolution's gate, one behind
    a GDN's. So there is a bound for each kind of pass; whether the next gap exceeds it is found for all.

    Parameters
    ----------
    program : Program

    Members
    -------
    opens, next : :py:`In(1)`, :py:`In(next_layout(program))`
        A pass may be taken, and which.
    last_step : :py:`In(1)`
        The step issued now is the last one of the pass at work.
    early : :py:`Out(1)`
        If the pass at work went through its gate now, its last step would come too early.

    Timing: ``early`` is a register.

    Resources: a counter and a comparison for each bound.
    """

    def __init__(self, program):
        self._kinds = PassKinds(program)
        super().__init__({"opens": In(1), "next": In(next_layout(program)), "last_step": In(1), "early": Out(1)})

    def elaborate(self, platform):
        m = Module()
        kinds, last_step = self._kinds, self.last_step
        drain = held(m, self.opens, self.next.work.pass_kind, [gap - 1 for gap in kinds.gaps], "drain")
        gap, bounds = Signal(range(max(kinds.gaps))), Signal.like(self.next.bounds)
        m.d.sync += gap.eq(Mux(last_step, drain, Mux(gap == 0, 0, gap - 1)))
        exceeds = [self._exceeds(m, gap, bound) for bound in sorted(set(kinds.gate_bounds))]
        with m.If(self.opens):
            m.d.sync += bounds.eq(self.next.bounds)
        m.d.sync += self.early.eq((Mux(self.opens, self.next.bounds, bounds) & Cat(exceeds)).any())
        return m

    def _exceeds(self, m, gap, bound):
        """The next gap exceeds a bound: compared a cycle ahead, or looked up of the pass whose last step it is."""
        exceeds = Signal(name=f"exceeds_{bound}")
        now, later = (
            held(
                m,
                self.opens,
                self.next.work.pass_kind,
                [int(gap - 1 > bound + cycles) for gap in self._kinds.gaps],
                f"drain_exceeds_{bound}_by_{cycles}",
            )
            for cycles in (0, 1)
        )
        m.d.sync += exceeds.eq(Mux(self.last_step, later, gap > bound + 2))
        return Mux(self.last_step, now, exceeds)


class ReadGap(Component):
    """Hold back a pass whose window has more words than the last tap row of the pass before has cycles.

    Reads of the last pass are under way for so many cycles after the cycle in which it ended, and its successor's begin
    as many after its own start.

    Parameters
    ----------
    program : Program

    Members
    -------
    opens, next : :py:`In(1)`, :py:`In(next_layout(program))`
        A pass may be taken; the one that waits.
    finish, gdn : :py:`In(1)`
        The pass at work ends now; it is a GDN.
    free : :py:`Out(1)`
        The reads of the next pass would come behind those of the last one; combinational.

    Resources: none where no window has more words than any tap row has cycles, else a counter.
    """

    def __init__(self, program):
        self._program = program
        super().__init__(
            {"opens": In(1), "next": In(next_layout(program)), "finish": In(1), "gdn": In(1), "free": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        kinds, words = PassKinds(self._program), self._program.window_words
        if not kinds.reads_collide:
            m.d.comb += self.free.eq(1)
            return m
        tap_row = held(m, self.opens, self.next.work.pass_kind, kinds.tap_rows, "tap_row")
        busy, ending = (Signal(range(words + 1), name=name) for name in ("busy", "ending"))
        m.d.comb += [
            ending.eq(Mux(self.finish & ~self.gdn & (tap_row < words), words - tap_row, busy)),
            self.free.eq(ending <= self.next.margin),
        ]
        m.d.sync += busy.eq(Mux(ending == 0, 0, ending - 1))
        return m
