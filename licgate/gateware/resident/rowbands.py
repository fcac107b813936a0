"""Bands of a resident core: which row comes next, and how it is cut."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.resident.rows import DIMENSION, RowTracker, row_layout
from licgate.gateware.sequence.tables import of_stage

__all__ = ["RowBands", "band_layout"]

_SETTLE = RowTracker.settle


def band_layout(program):
    """A band: neighbouring groups of a row, of one parity of columns where its stage makes them apart.

    groups: how many. pixels: of the last one. begins: the row's first band. column, odd: parities of columns and row.
    ends: the row's last band. width, above, kernel_rows, read_base, write_base: of the row, see ``row_layout``.
    """
    row = row_layout(program).members
    return data.StructLayout(
        {
            "stage": range(max(2, len(program.stages))),
            "groups": range(2 * max(stage.band_groups for stage in program.stages)),
            "pixels": range(program.group_columns + 1),
            "begins": 1,
            "ends": 1,
            "column": 1,
            **{name: row[name] for name in ("odd", "width", "above", "kernel_rows", "read_base", "write_base")},
        }
    )


class RowBands(Component):
    """Choose rows, and cut them into bands.

    The deepest stage whose input rows are there and whose output row has room computes one row. Its groups make bands
    of ``band_groups``, the last of which takes up to as many more less one, so that none is left behind that is
    shorter. Where the stage upsamples, there are two bands of each, of even and of odd columns.

    Parameters
    ----------
    program : Program

    Members
    -------
    start : :py:`In(1)`
        Begin an image; taken when ``done``.
    ready, input_missing : :py:`In(stages)`, :py:`In(1)`
        Stages that could compute a row; the first stage waits for the host.
    finished, idle : :py:`In(1)`
        Nothing is left to be done (this may come late); no pass is under way.
    row : :py:`In(row_layout(program))`
        The next row of ``stage``, a cycle late.
    o : :py:`Out(stream.Signature(band_layout(program)))`
    done : :py:`Out(1)`
        Nothing is at work.
    stage, skip, finish : :py:`Out(...)`
        To the :class:`~licgate.gateware.resident.rows.RowTracker`: the stage whose row is at work; see there.
    wait_input : :py:`Out(1)`
        Nothing can be done before the host has sent more.

    Timing: three cycles, and two for each group, from a stage that is ready to its row's first band; two for each group
    from a band to the next. A row has ended as soon as its last band is taken; the next one is chosen
    eight cycles later, and one for each row that the first input row moves on.

    Resources: a counter of pixels, two comparators.
    """

    def __init__(self, program):
        self._program, self._count = program, len(program.stages)
        super().__init__(
            {
                **{name: In(1) for name in ("start", "finished", "idle", "input_missing")},
                "ready": In(self._count),
                "row": In(row_layout(program)),
                "o": Out(stream.Signature(band_layout(program))),
                "stage": Out(range(max(2, self._count))),
                **{name: Out(1) for name in ("done", "skip", "finish", "wait_input")},
            }
        )

    def elaborate(self, platform):
        m = Module()
        band, row = self.o.payload, self.row
        self._wait, self._advance = Signal(range(_SETTLE + self._count + 1), name="wait"), Signal.like(row.advance)
        # Pixels of the row that are not in a band yet; none are.
        self._left, self._last = Signal(DIMENSION, name="left"), Signal(name="last")
        m.d.comb += [
            band.stage.eq(self.stage),
            *(band[name].eq(row[name]) for name in ("odd", "width", "above", "kernel_rows", "read_base", "write_base")),
        ]
        with m.FSM():
            self._rows(m)
            self._cut(m)
        return m

    def _rows(self, m):
        """From row to row."""
        with m.State("IDLE"):
            m.d.comb += self.done.eq(1)
            with m.If(self.start):
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
                m.next = "CHOSEN"
            with m.Elif(self.finished):
                m.next = "IDLE"
            m.d.comb += self.wait_input.eq(~self.ready.any() & self.idle & self.input_missing)
        with m.State("CHOSEN"):
            m.next = "ROW"
        with m.State("ROW"):
            m.d.sync += [
                self._left.eq(self.row.columns),
                self._advance.eq(self.row.advance),
                self._last.eq(0),
                self.o.payload.groups.eq(0),
                self.o.payload.begins.eq(1),
            ]
            m.next = "COMPARE"
        with m.State("END_ROW"):
            with m.If(self._advance == 0):
                m.d.comb += self.finish.eq(1)
                m.d.sync += self._wait.eq(_SETTLE)
                m.next = "SETTLE"
            with m.Else():
                m.d.comb += self.skip.eq(1)
                m.d.sync += self._advance.eq(self._advance - 1)

    def _cut(self, m):
        """From band to band of a row."""
        program, band, left, rows = self._program, self.o.payload, self._left, self._program.group_columns
        most, upsampling, enough = Signal(len(band.groups)), Signal(), Signal(len(band.groups) + len(band.pixels))
        m.d.sync += [
            most.eq(of_stage(self.stage, (stage.band_groups - 1 for stage in program.stages))),
            enough.eq(of_stage(self.stage, (stage.band_groups * rows for stage in program.stages))),
            upsampling.eq(of_stage(self.stage, (stage.upsampling for stage in program.stages))),
        ]
        final, beyond, offers = Signal(), Signal(), Signal()
        last_column = band.column | ~upsampling
        m.d.comb += [band.ends.eq(self._last & last_column), self.o.valid.eq(offers)]
        m.d.sync += [final.eq(left <= rows), beyond.eq(left > enough)]
        with m.State("COMPARE"):
            m.next = "CUT"
        with m.State("CUT"):
            m.d.sync += [band.groups.eq(band.groups + 1), left.eq(left - rows), band.pixels.eq(rows)]
            with m.If(final):
                m.d.sync += [band.pixels.eq(left), self._last.eq(1)]
            m.next = "COMPARE"
            with m.If(final | (beyond & (band.groups == most))):
                m.d.sync += offers.eq(1)
                m.next = "OFFER"
        with m.State("OFFER"), m.If(self.o.ready):
            m.d.sync += [offers.eq(~last_column), band.begins.eq(0), band.column.eq(~last_column)]
            with m.If(last_column):
                m.d.sync += band.groups.eq(0)
                m.next = "CUT"
                with m.If(self._last):
                    m.next = "END_ROW"
