"""Addresses of what a pass reads: words of its window, weights, inputs of GDN."""

from amaranth.hdl import Array, Const, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.engine.feed.kinds import PassKinds, held
from licgate.gateware.engine.feed.nextpass import next_layout
from licgate.gateware.passes import address_width

__all__ = ["OperandAddresses", "WindowReads", "read_layout"]


def read_layout(program):
    """A read of the line buffers.

    address, stage: where. inside: the word lies in the row. last: it is the window's last one. kind: the pass.
    """
    return data.StructLayout(
        {
            "address": address_width(program),
            "stage": range(max(2, len(program.stages))),
            "inside": 1,
            "last": 1,
            "kind": range(max(2, len(program.pass_kinds))),
        }
    )


class WindowReads(Component):
    """Read the words that a window touches, once for each tap row, while the window before is used up.

    They are asked for in the first cycles of the tap row; those of windows with fewer words than the widest are read
    later, so that the steps of all passes arrive after the same time.

    Parameters
    ----------
    program : Program

    Members
    -------
    opens, next : :py:`In(1)`, :py:`In(next_layout(program))`
        A pass may be taken, and which.
    run, tap_row_ends, row_ends, position, kind, gdn, channels
        Of the pass at work, see :class:`~licgate.gateware.engine.feed.walk.PassWalk`.
    read : :py:`Out(read_layout(program))`
        The read that is due in this cycle; of its ``last``, ``inside`` and ``stage`` anything where none is.

    Attributes
    ----------
    latest : int
        Cycles from a cycle of a tap row to the read that it asks for, of the narrowest window; 0 of the widest.

    Resources: four adders; ``latest`` registers for a read.
    """

    def __init__(self, program):
        self._program, self._kinds = program, PassKinds(program)
        self.latest = max(self._kinds.delays)
        kinds = self._kinds
        super().__init__(
            {
                "opens": In(1),
                "next": In(next_layout(program)),
                **{name: In(1) for name in ("run", "tap_row_ends", "row_ends", "gdn")},
                "position": In(range(max(2, *kinds.tap_rows))),
                "kind": In(range(max(2, len(kinds.ops)))),
                "channels": In(range(1 + max(kinds.channels))),
                "read": Out(read_layout(program)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        kinds, kind = self._kinds, self.next.work.pass_kind
        words, delay = (
            held(m, self.opens, kind, values, name)
            for name, values in (("words", kinds.words), ("delay", kinds.delays))
        )
        stage = Signal(len(self.read.stage), name="stage")
        mask = Signal(self._program.window_words)
        with m.If(self.opens):
            m.d.sync += [stage.eq(Array(kinds.stages)[kind]), mask.eq(self.next.work.mask)]
        asked, asks, inside = Signal(read_layout(self._program)), Signal(), self._inside(m)
        m.d.comb += [
            asks.eq(self.run & ~self.gdn & (self.position < words)),
            asked.address.eq(self._address(m)),
            asked.inside.eq(Array(mask)[self.position] & (self.position < words) & inside),
            asked.stage.eq(stage),
            asked.last.eq(self.run & ~self.gdn & (self.position == words - 1)),
            asked.kind.eq(self.kind),
        ]
        m.d.comb += self.read.eq(self._due(m, asked, asks, delay))
        return m

    def _inside(self, m):
        """The kernel row at hand lies in the image: of whole passes, which have rows that do not."""
        self._above = Const(0)
        if not self._program.arithmetic.whole_passes:
            return Const(1)
        # Rows above the image that are left, then rows inside, the one at hand counted.
        work, inside = self.next.work, Signal(name="row_inside")
        above, left = (Signal.like(work[name], name=f"rows_{name}") for name in ("above", "inside"))
        self._above = above != 0
        with m.If(self.row_ends & self.run):
            with m.If(self._above):
                m.d.sync += [above.eq(above - 1), inside.eq(above == 1)]
            with m.Elif(inside):
                m.d.sync += [left.eq(left - 1), inside.eq(left != 1)]
        with m.If(self.opens):
            m.d.sync += [above.eq(work.above), left.eq(work.inside), inside.eq(work.above == 0)]
        return inside

    def _address(self, m):
        """Address of the word at hand, which follows the pass at work."""
        kinds, stages, work = self._kinds, self._program.stages, self.next.work
        width = len(self.read.address)
        row, next_row, step, first, last, column, address = (
            Signal(width, name=name)
            for name in ("row", "next_row", "row_step", "row_first", "row_last", "column", "address")
        )
        wrap = Signal(self._program.window_words)
        # Where a row's window begins. A pass reads a row for two cycles at least.
        m.d.sync += next_row.eq(Mux(self._above, row, Mux(row == last, first, row + step)))
        with m.If(self.run):
            m.d.sync += address.eq(self._next_word(address, wrap))
            with m.If(self.tap_row_ends):
                m.d.sync += [column.eq(column + 1), address.eq(column + 1)]
            with m.If(self.row_ends):
                m.d.sync += [row.eq(next_row), column.eq(next_row), address.eq(next_row)]
        with m.If(self.opens):
            m.d.sync += [
                *(register.eq(self.next.begin) for register in (row, column, address)),
                first.eq(self.next.first + work.offset),
                last.eq(self.next.last + work.offset),
                step.eq(Array(kinds.of_stage([stage.row_stride for stage in stages]))[work.pass_kind]),
            ]
            if self._program.ring_words is not None:
                m.d.sync += wrap.eq(work.wrap)
        return address

    def _next_word(self, address, wrap):
        """Address of the next word of a row, of the same channel."""
        program = self._program
        if program.word_stride is None:
            return address + self.channels
        # Cycles of a tap row beyond the window's words read nothing.
        begins_again = Mux(self.position < program.window_words, Array(wrap)[self.position], 0)
        return address + Mux(begins_again, program.word_stride - program.ring_words, program.word_stride)

    def _due(self, m, read, asks, delay):
        """The read that is due in this cycle: the one asked for ``delay`` cycles ago."""
        if not self.latest:
            return read
        due = Signal(read.shape(), name="due")
        m.d.comb += [due.eq(read), due.last.eq(read.last & (delay == 0))]
        for cycles in range(1, self.latest + 1):
            later, valid = Signal(read.shape(), name=f"read_{cycles}"), Signal(name=f"read_{cycles}_valid")
            wait = Signal.like(delay, name=f"read_{cycles}_delay")
            m.d.sync += [later.eq(read), valid.eq(asks), wait.eq(delay)]
            with m.If(valid & (wait == cycles)):
                m.d.comb += due.eq(later)
            read, asks, delay = later, valid, wait
        return due


class OperandAddresses(Component):
    """Address of the weights and of the GDN inputs of each step.

    They are asked for later than pixels, so their addresses follow the pass at work by a cycle, when ``next`` still is
    what was taken.

    Parameters
    ----------
    program : Program

    Members
    -------
    take, step, next : :py:`In(1)`, :py:`In(1)`, :py:`In(next_layout(program))`
        A pass is taken, and which; a step is issued.
    fetch : :py:`In(1)`
        A weight is read: only by points, where not every step has one.
    weight, norm : :py:`Out(...)`
        Addresses of the step of the cycle before, and of what was read.

    Resources: two counters; a comparison where the weight memory is a ring.
    """

    def __init__(self, program):
        self._ring, self._part_bits = program.weight_ring, program.arithmetic.part_bits
        self._points = program.arithmetic.points
        super().__init__(
            {
                "take": In(1),
                "step": In(1),
                **({"fetch": In(1)} if self._points else {}),
                "next": In(next_layout(program)),
                "weight": Out(range(max(memory.depth for memory in program.weight_memories))),
                "norm": Out(range(program.gdn_depth // program.arithmetic.indices)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        ring, weight, work = self._ring, self.weight, self.next.work
        stepped, taken, wraps = (Signal(name=name) for name in ("stepped", "taken", "wraps"))
        m.d.sync += [stepped.eq(self.step), taken.eq(self.take)]
        fetched = stepped
        if self._points:
            fetched = Signal(name="fetched")
            m.d.sync += fetched.eq(self.fetch)
        with m.If(stepped):
            m.d.sync += self.norm.eq(self.norm + 1)
        with m.If(fetched):
            m.d.sync += weight.eq(weight + 1)
            if ring is not None:
                # the comparison is made a step ahead
                m.d.sync += [
                    weight.eq(Mux(wraps, 0, weight + 1)),
                    wraps.eq(Mux(wraps, ring == 1, weight == ring - 2)),
                ]
        with m.If(taken):
            m.d.sync += [weight.eq(work.weight), self.norm.eq(work.x[self._part_bits :])]
            if ring is not None:
                m.d.sync += wraps.eq(work.weight == ring - 1)
        return m
