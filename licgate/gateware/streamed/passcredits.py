"""What a pass of a band waits for: word columns of its input, room for its results, results that GDN reads."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.streamed.layouts import command_layout, of_stage
from licgate.program import IN_FLIGHT

__all__ = ["ColumnCredits", "ResultCredits"]

_OUTSTANDING = IN_FLIGHT + 4
_MOST_BEHIND = 511


class ColumnCredits(Component):
    """Count word columns that have come, for each group those that it is the first to read.

    Parameters
    ----------
    program : StreamedProgram

    Members
    -------
    start : :py:`In(1)`
        None has come.
    band, stride : :py:`In(...)`
        The band at work, and input words from a group to the next.
    begin, issued, moves_group : :py:`In(1)`
        As of :class:`~licgate.gateware.streamed.bandwalk.BandWalk`.
    column_loaded : :py:`In(1)`
        A column has come.
    loaded : :py:`Out(1)`
        Those that the next pass reads have come; a cycle behind.
    """

    def __init__(self, program):
        self._slots = program.slots
        super().__init__(
            {
                "band": In(command_layout(program, "band")),
                "stride": In(2),
                **{name: In(1) for name in ("start", "begin", "issued", "moves_group", "column_loaded")},
                "loaded": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # Columns that are there, that the next pass takes, and that come for the groups behind it.
        columns, needed, later = (Signal(range(self._slots + 1), name=n) for n in ("columns", "needed", "later"))
        band, stride = self.band, self.stride
        m.d.sync += [
            self.loaded.eq(columns >= needed),
            columns.eq(columns + self.column_loaded - Mux(self.issued, needed, 0)),
        ]
        with m.If(self.begin):
            m.d.sync += [needed.eq(band.loads_first), later.eq(band.loads - band.loads_first)]
        with m.If(self.issued):
            m.d.sync += needed.eq(0)
            with m.If(self.moves_group):
                # all have come when the first tile is through
                m.d.sync += [
                    needed.eq(Mux(later < stride, later, stride)),
                    later.eq(Mux(later < stride, 0, later - stride)),
                ]
        with m.If(self.start):
            m.d.sync += columns.eq(0)
        return m


class ResultCredits(Component):
    """Count passes whose results are on their way.

    Parameters
    ----------
    program : StreamedProgram

    Members
    -------
    band : :py:`In(command_layout(program, "band"))`
    issued, is_gdn, last_tile, to_gdn : :py:`In(1)`
        As of :class:`~licgate.gateware.streamed.bandwalk.BandWalk`.
    to_memory, recorded : :py:`In(1)`
        The pass's results leave the chip; a pass of which the record writer will say ``packed`` was issued.
    written, packed : :py:`In(1)`
        A pass is through; the words of one to memory are packed.
    arrived : :py:`Out(1)`
        What the pass reads of GDN's inputs is written; a cycle behind.
    room : :py:`Out(1)`
        There is room for the pass's results; likewise.
    none : :py:`Out(1)`
        Every pass is through.
    """

    def __init__(self, program):
        self._program = program
        strobes = ("issued", "is_gdn", "last_tile", "to_gdn", "to_memory", "recorded", "written", "packed")
        super().__init__(
            {
                "band": In(command_layout(program, "band")),
                **{name: In(1) for name in strobes},
                **{name: Out(1) for name in ("arrived", "room", "none")},
            }
        )

    def elaborate(self, platform):
        m = Module()
        program, band, limit = self._program, self.band, self._program.output_credits
        outstanding, behind = Signal(range(_OUTSTANDING)), Signal(range(_MOST_BEHIND + 1))
        unpacked, pixels = Signal(range(limit + 1)), Signal(range(_MOST_BEHIND + 2))
        m.d.comb += [self.none.eq(outstanding == 0), pixels.eq(band.groups * band.rows)]
        if program.upsampling:
            pairs = [int(stage.upsampling) for stage in program.stages]
            m.d.comb += pixels.eq((band.groups * band.rows) << of_stage(band.stage, pairs))
        m.d.sync += [
            # `room` says that the record writer's queue has a place
            self.room.eq(~self.to_memory | (unpacked != limit)),
            self.arrived.eq(~self.is_gdn | (outstanding <= behind)),
            outstanding.eq(outstanding + self.issued - self.written),
            unpacked.eq(unpacked + self.recorded - self.packed),
        ]
        with m.If(self.issued & self.is_gdn & ~self.last_tile):
            m.d.sync += behind.eq(Mux(behind == _MOST_BEHIND, _MOST_BEHIND, behind + 1))
        with m.If(self.to_gdn):
            m.d.sync += behind.eq(pixels - 1)
        return m
