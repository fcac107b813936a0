"""The pass at work: its tap rows, one after the other, and where it has to wait."""

from amaranth.hdl import Array, Const, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.engine.feed.kinds import PassKinds, held
from licgate.gateware.engine.feed.nextpass import next_layout
from licgate.gateware.passes import release_shape

__all__ = ["PassWalk"]


class PassWalk(Component):
    """Walk a pass: kernel rows, channels in them, and the cycles of a channel's tap row.

    A tap row of a convolution has as many cycles as columns, or as its window has words; that of a GDN is one step. The
    gate stands before the last tap row, or before a GDN's last step but one: the last step must come late enough after
    that of the pass before. Behind the gate, ``finish`` and ``last_step`` are known a cycle ahead.

    Parameters
    ----------
    program : Program

    Members
    -------
    i : :py:`In(stream.Signature(next_layout(program)))`
        The next pass; taken in the cycle in which the one at work finishes, or when there is none.
    free : :py:`In(1)`
        The next pass may begin to read.
    early : :py:`In(1)`
        The last step would come too early if the pass at work went through its gate now.
    opens : :py:`Out(1)`
        The pass at work ends now, or there is none: what is said of the next one may be looked at. A register.
    take, run, step : :py:`Out(1)`
        A pass is taken; the pass at work moves on by a cycle; by a step of the array.
    tap_row_ends, row_ends, finish : :py:`Out(1)`
        The tap row at work has its last cycle when ``run``; the last one of its kernel row; the pass ends, for certain.
    last_step, final : :py:`Out(1)`
        This step is the last one of its pass; the tap row is a convolution's last one.
    position : :py:`Out(range(...))`
        Cycle of the tap row.
    kind, gdn, channels : :py:`Out(...)`
        Of the pass at work: its number, whether it is a GDN, its channels.
    release, released : :py:`Out(release_shape(program))`
        The ``release`` of the pass at work; that of the pass that ends now, else zero.

    Attributes
    ----------
    latency : int
        Cycles from taking a pass to its first step: 1. interval is 1, and passes follow each other without a bubble.

    Resources: counters of rows, channels and cycles, and a dozen flags: what they are compared with is looked at a
    cycle before it counts. What stands in them while no pass is at work does not matter, so they are loaded whenever
    one may be taken: from a register, which many can wait for.
    """

    latency = 1
    interval = 1

    def __init__(self, program):
        self._kinds = kinds = PassKinds(program)
        self._kernel_rows = program.kernel_rows
        super().__init__(
            {
                "i": In(stream.Signature(next_layout(program))),
                "free": In(1),
                "early": In(1),
                "opens": Out(1, init=1),
                **{name: Out(1) for name in ("take", "run", "step", "tap_row_ends", "row_ends", "finish")},
                **{name: Out(1) for name in ("last_step", "final")},
                "position": Out(range(max(2, *kinds.tap_rows))),
                "kind": Out(range(max(2, len(kinds.ops)))),
                "gdn": Out(1),
                "channels": Out(range(1 + max(kinds.channels))),
                "release": Out(release_shape(program)),
                "released": Out(release_shape(program)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        kinds, take, following = self._kinds, self.take, self.i.payload
        # Of the pass at work.
        tap_row, columns, channels = (
            held(m, self.opens, following.work.pass_kind, values, name)
            for name, values in (("tap_row", kinds.tap_rows), ("columns", kinds.columns), ("channels", kinds.channels))
        )
        self._active, self._gate, self._idle = Signal(name="active"), Signal(name="gate"), Const(0)
        if any(kinds.idle):
            self._idle = Signal(name="idle")
        self._final_tap_row, self._last_channel, self._last_row = (
            Signal(name=n) for n in ("final_tap_row", "last_channel", "last_row")
        )
        self._channels_left = Signal.like(self.channels, name="channels_left")
        # As many channels are left: counted beside them, so that nothing waits for a comparison.
        self._two_left, self._three_left = Signal(name="two_left"), Signal(name="three_left")
        self._few_channels = [
            held(m, self.opens, following.work.pass_kind, [int(n == k) for n in kinds.channels], f"channels_are_{k}")
            for k in (1, 2, 3)
        ]
        self._rows_left = Signal(range(self._kernel_rows + 1), name="rows_left")
        m.d.comb += [
            self.channels.eq(channels),
            self.i.ready.eq(self.opens & self.free),
            take.eq(self.i.valid & self.i.ready),
            self.run.eq(self._active & ~(self._gate & self.early)),
            self.final.eq(self._final_tap_row),
            self.step.eq(self.run & Mux(self.gdn, ~self._idle, self.position < columns)),
        ]
        with m.If(self.finish):
            m.d.comb += self.released.eq(self.release)
        ends = Signal()
        with m.If(self.run):
            self._move_on(m, tap_row, columns, ends)
            self._end_tap_row(m, ends)
            self._end_row(m)
        m.d.sync += [
            self._active.eq(~self.opens | take),
            self.finish.eq(ends & ~self.opens),
            self.opens.eq(Mux(self.opens, ~take, ends)),
        ]
        with m.If(self.opens):
            self._begin(m, following)
        with m.If(take):
            m.d.sync += self.release.eq(following.work.release)
        return m

    def _move_on(self, m, tap_row, columns, ends):
        """Move on by a cycle; find out what the next one ends, and whether it is the pass."""
        nearly = self.position == tap_row - 2
        m.d.sync += [
            self.position.eq(self.position + 1),
            self._gate.eq(0),
            self.tap_row_ends.eq(nearly),
            self.row_ends.eq(self._last_channel & nearly),
            self.last_step.eq(self._final_tap_row & (self.position == columns - 2)),
        ]
        m.d.comb += ends.eq(self._final_tap_row & nearly)
        if any(self._kinds.idle):
            m.d.sync += self._idle.eq(0)

    def _end_tap_row(self, m, ends):
        """Move on to the next channel; of GDN, whose tap rows are steps, find out whether it is the last one."""
        gdn, channels_left = self.gdn, self._channels_left
        with m.If(self.tap_row_ends):
            m.d.comb += ends.eq(gdn & self._two_left)
            m.d.sync += [
                self.position.eq(0),
                self.tap_row_ends.eq(gdn),
                self.row_ends.eq(0),
                self.last_step.eq(gdn & self._two_left),
                channels_left.eq(channels_left - 1),
                self._last_channel.eq(self._two_left),
                self._two_left.eq(self._three_left),
                self._three_left.eq(channels_left == 4),
                self._final_tap_row.eq(self._last_row & ~gdn & self._two_left),
                self._gate.eq(Mux(gdn, self._three_left, self._last_row & self._two_left)),
            ]

    def _end_row(self, m):
        """Move on to a convolution's next kernel row."""
        rows_left, (one, two, three) = self._rows_left, self._few_channels
        final = (rows_left == 2) & one
        with m.If(self.row_ends):  # with the tap row
            m.d.sync += [
                self._channels_left.eq(self.channels),
                self._last_channel.eq(one),
                self._two_left.eq(two),
                self._three_left.eq(three),
                rows_left.eq(rows_left - 1),
                self._last_row.eq(rows_left == 2),
                self._final_tap_row.eq(final),
                self._gate.eq(final),
            ]

    def _begin(self, m, following):
        """Look at the pass that is taken, if one is; what was not looked up before is in tables of its kind."""
        kinds, work = self._kinds, following.work
        tables = [(self._channels_left, kinds.channels)]
        for count, flag in enumerate((self._last_channel, self._two_left, self._three_left), 1):
            tables.append((flag, [int(n == count) for n in kinds.channels]))
        if any(kinds.idle):
            tables.append((self._idle, kinds.idle))
        m.d.sync += [
            self.position.eq(0),
            self.kind.eq(work.pass_kind),
            self.last_step.eq(0),
            self.row_ends.eq(0),
            self.gdn.eq(following.gdn),
            self.tap_row_ends.eq(following.gdn),
            self._gate.eq(following.shortest & (following.gdn | following.one_row)),
            self._final_tap_row.eq(following.shortest & ~following.gdn & following.one_row),
            self._rows_left.eq(work.kernel_rows),
            self._last_row.eq(following.one_row),
            *(register.eq(Array(values)[work.pass_kind]) for register, values in tables),
        ]
