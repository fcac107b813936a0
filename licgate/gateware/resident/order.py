"""The order of passes: rows, groups in them, and the GDN of the group before."""

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.resident.rows import RowTracker, row_layout

__all__ = ["PassOrder"]

_SETTLE = RowTracker.settle


class PassOrder(Component):
    """Say when rows, groups and tiles begin.

    The deepest stage that is ready computes a row. Of each group come the passes of the convolution, then those of the
    GDN that is pending, which is that of the group before; when no stage is ready, it comes alone.

    Parameters
    ----------
    program : Program

    Members
    -------
    start : :py:`In(1)`
        Begin an image; taken when ``done``.
    ready, finished, input_missing : :py:`In(stages)`, :py:`In(1)`, :py:`In(1)`
        Stages that could compute a row; nothing is left to be done (this alone may come late); the first stage waits
        for the host.
    issue, last_tile, settled : :py:`In(1)`
        A pass is taken; it is the last one of its operation; none is under way.
    last_phase, row_ends, ended : :py:`In(1)`
        Of the group, see :class:`~licgate.gateware.resident.groups.GroupWalk`.
    advance : :py:`In(...)`
        Rows that the stage's first input row moves on by, when a row starts.
    pending, arrived : :py:`In(1)`
        A GDN is pending; its inputs are there.
    done, clear : :py:`Out(1)`
        Nothing is at work; an image begins.
    stage : :py:`Out(...)`
        Stage whose row is at work.
    starts, moves, turns, conv_begins, gdn_begins, continues : :py:`Out(1)`
        A row begins; its next group; the group's other parity; the tiles of a convolution, of the pending GDN; the next
        tile: each the cycle after it is decided.
    offer, gdn_issued : :py:`Out(1)`
        The tile at work may be issued; the last one of the pending GDN is.
    skip, finish : :py:`Out(1)`
        To the :class:`~licgate.gateware.resident.rows.RowTracker`.
    wait_input : :py:`Out(1)`
        Nothing can be done before the host has sent more.

    Timing: seven cycles from a row to its first offer, six from group to group, three from tile to tile; six between
    rows.
    """

    def __init__(self, program):
        self._count = len(program.stages)
        into = ("start", "finished", "input_missing", "issue", "last_tile", "settled")
        of_group = ("last_phase", "row_ends", "ended", "pending", "arrived")
        begins = ("starts", "moves", "turns", "conv_begins", "gdn_begins", "continues")
        out = ("done", "clear", "offer", "gdn_issued", "skip", "finish", "wait_input")
        super().__init__(
            {
                **{name: In(1) for name in (*into, *of_group)},
                "ready": In(self._count),
                "advance": In(row_layout(program)["advance"].shape),
                "stage": Out(range(max(2, self._count))),
                **{name: Out(1) for name in (*begins, *out)},
            }
        )

    def elaborate(self, platform):
        m = Module()
        self._wait, self._advance = Signal(range(_SETTLE + self._count + 1), name="wait"), Signal.like(self.advance)
        begins = (self.starts, self.moves, self.turns, self.conv_begins, self.gdn_begins)
        m.d.sync += [*(begin.eq(0) for begin in begins), self.continues.eq(self.issue)]
        with m.If(self.starts):
            m.d.sync += self._advance.eq(self.advance)
        with m.FSM():
            self._rows(m)
            self._groups(m)
        return m

    def _rows(self, m):
        """From row to row."""
        with m.State("IDLE"):
            m.d.comb += self.done.eq(1)
            with m.If(self.start):
                m.d.comb += self.clear.eq(1)
                m.d.sync += self._wait.eq(_SETTLE + self._count)
                m.next = "SETTLE"
        with m.State("SETTLE"):
            m.d.sync += self._wait.eq(self._wait - 1)
            with m.If(self._wait == 0):
                m.next = "SELECT"
        with m.State("SELECT"):
            for k in range(self._count):
                with m.If(self.ready[k]):
                    m.d.sync += self.stage.eq(k)
            with m.If(self.ready.any()):
                m.next = "ROW"
            with m.Elif(self.pending):
                m.d.sync += self.gdn_begins.eq(1)
                m.next = "GDN_TILE"
            with m.Elif(self.finished):
                m.next = "IDLE"
            m.d.comb += self.wait_input.eq(~self.ready.any() & ~self.pending & self.settled & self.input_missing)
        with m.State("ROW"):
            m.d.sync += self.starts.eq(1)
            m.next = "GROUP"
        with m.State("END_ROW"):
            with m.If(self._advance == 0):
                m.d.comb += self.finish.eq(1)
                m.d.sync += self._wait.eq(_SETTLE)
                m.next = "SETTLE"
            with m.Else():
                m.d.comb += self.skip.eq(1)
                m.d.sync += self._advance.eq(self._advance - 1)

    def _groups(self, m):
        """From group to group of a row."""
        # The group begins in this cycle, and what follows from it takes two more.
        with m.State("GROUP"):
            m.next = "GROUP_2"
        with m.State("GROUP_2"):
            m.d.sync += self.conv_begins.eq(1)
            m.next = "TILE"
        with m.State("TILE"):
            m.next = "CONV"
        with m.State("CONV"):
            m.d.sync += self.offer.eq(~self.issue)
            with m.If(self.issue & self.last_tile):
                m.d.sync += self.gdn_begins.eq(1)
                m.next = "GDN_TILE"
        with m.State("GDN_TILE"):
            m.next = "GDN"
        with m.State("GDN"):
            with m.If(~self.pending):
                m.next = "NEXT"
            with m.Else():
                m.d.sync += self.offer.eq(self.arrived & ~self.issue)
                with m.If(self.issue & self.last_tile):
                    m.d.comb += self.gdn_issued.eq(1)
                    m.next = "NEXT"
        with m.State("NEXT"):
            with m.If(self.ended):  # the row had ended; only a pending GDN was issued
                m.next = "SELECT"
            with m.Else():
                m.d.sync += [self.moves.eq(self.last_phase), self.turns.eq(~self.last_phase)]
                m.next = "GROUP"
                with m.If(self.row_ends):
                    m.next = "END_ROW"
