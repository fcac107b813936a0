"""What a pass of a streamed core waits for: word columns of its input, and room for its results."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.streamed.layouts import command_layout, stride_width

__all__ = ["ColumnCredits", "RecordCredits"]


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
        As of :class:`~licgate.gateware.sequence.walk.BandWalk`.
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
                "stride": In(stride_width(program)),
                **{name: In(1) for name in ("start", "begin", "issued", "moves_group", "column_loaded")},
                "loaded": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # Columns that are there, that the next pass takes, and that come for the groups behind it.
        there, needed, later = (Signal(range(self._slots + 1), name=n) for n in ("there", "needed", "later"))
        band, stride = self.band, self.stride
        m.d.sync += [
            self.loaded.eq(there >= needed),
            there.eq(there + self.column_loaded - Mux(self.issued, needed, 0)),
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
            m.d.sync += there.eq(0)
        return m


class RecordCredits(Component):
    """Count passes to external memory whose words are not packed yet; by records, where one makes several.

    Parameters
    ----------
    program : StreamedProgram

    Members
    -------
    leaves, is_gdn : :py:`In(1)`
        The pass's results leave the chip; it is one of GDN, which makes one record where a convolution's make four
        (only there).
    recorded : :py:`In(...)`
        A pass of which the record writer will say ``packed`` was issued, so many times.
    packed : :py:`In(1)`
        The words of one are packed.
    room : :py:`Out(1)`
        There is room for the pass's results; a cycle behind.
    """

    def __init__(self, program):
        self._limit, self._most = program.output_credits, program.arithmetic.outputs
        members = {"recorded": In(range(1 + self._most)), "packed": In(1), "room": Out(1)}
        members |= {"is_gdn": In(1)} if self._most > 1 else {}
        super().__init__({"leaves": In(1), **members})

    def elaborate(self, platform):
        m = Module()
        unpacked = Signal(range(self._limit + 1))
        fits = unpacked != self._limit
        if self._most > 1:
            fits &= self.is_gdn | (unpacked <= self._limit - self._most)
        m.d.sync += [
            # `room` says that the record writer's queue has a place
            self.room.eq(~self.leaves | fits),
            unpacked.eq(unpacked + self.recorded - self.packed),
        ]
        return m
