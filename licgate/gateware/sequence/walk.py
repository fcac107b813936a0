"""The order of the passes of a band: tiles, groups, rows and parities of columns, and what moves on with each pass."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.sequence.tables import of_stage
from licgate.target.points import QUAD

__all__ = ["BandWalk"]


class BandWalk(Component):
    """Walk over a band: each tile of the convolution over all its groups, then GDN group by group.

    A group's passes go from row to row, and in a row from one parity of columns to the other where a band has both. GDN
    goes through its tiles for each of them. Where rows of the array make quads, a pass of the convolution is four of
    GDN, of every fourth column each: its *quarters*. The second and the third one change places where a band has both
    parities: what the first and the third one make are neighbouring columns then.

    Parameters
    ----------
    program : Program
    groups, rows : ShapeLike
        Of the numbers of groups and of rows of a band.
    both_parities : bool
        Bands of an upsampling stage have whole pairs of rows and both parities of columns; else a band has one of each,
        and the walk knows nothing of them.

    Members
    -------
    stage, groups, rows, keep : :py:`In(...)`
        Of the band at work (level): its stage, how many groups and rows it has, and that the next one has the same
        weights.
    begin, issued : :py:`In(1)`
        The band begins: the next pass is its first one. A pass has been issued, the cycle before.
    is_gdn, has_gdn : :py:`Out(1)`
        The pass is one of GDN; the stage has one.
    column, parity : :py:`Out(1)`
        Parity of the pass's output columns and rows; 0 where a band has but one of them.
    x, channel, param, count : :py:`Out(...)`
        Of the GDN inputs the first one of the pass's pixels, and the first channel of the tile from there on; its first
        parameter; its channels.
    last_tile, last_group, last_row, last_column : :py:`Out(1)`
        Of what the pass is one of the last; a column's last ones are those of its last quarter.
    last_reader : :py:`Out(1)`
        It is the last pass of GDN that reads what a pass of the convolution made.
    quarter : :py:`Out(2)`
        The columns of a pass of GDN are those that are as much modulo 4, where rows make quads; else 0.
    group_left : :py:`Out(...)`
        Groups from this one on.
    releases, consumes : :py:`Out(1)`
        No later pass uses the pass's weights; nor any of its tile's.
    moves_row, moves_group, moves_tile, goes_back, stage_ends, to_gdn : :py:`Out(1)`
        What comes with the next pass: another row, group, tile of the convolution; GDN's first tile again; no other
        pass of this operation; GDN (in the cycle of ``issued``).

    Timing: what is said of a pass is there three cycles after the one in which ``issued`` said that the last one went,
    and stays until the cycle in which it says so of this one.

    Resources: counters of tiles, groups, rows, parameters and channels; tables of stages.
    """

    def __init__(self, program, groups, rows, *, both_parities):
        self._program, self._both_parities = program, both_parities
        self._quads = program.arithmetic.points
        most = program.most_channels
        flags = (
            *("is_gdn", "has_gdn", "column", "parity"),
            *("last_tile", "last_group", "last_row", "last_column", "last_reader", "releases", "consumes"),
            *("moves_row", "moves_group", "moves_tile", "goes_back", "stage_ends", "to_gdn"),
        )
        super().__init__(
            {
                "stage": In(range(max(2, len(program.stages)))),
                "groups": In(groups),
                "rows": In(rows),
                "keep": In(1),
                "begin": In(1),
                "issued": In(1),
                "x": Out(range(program.gdn_depth + most)),
                "channel": Out(range(max(op.channels_out for op in program.ops) + most)),
                "param": Out(range(len(program.biases) + program.most_words)),
                "count": Out(range(program.most_words + 1)),
                "group_left": Out(groups),
                "quarter": Out(2),
                **{name: Out(1) for name in flags},
            }
        )

    def elaborate(self, platform):
        m = Module()
        row_left, last_quarter = Signal(len(self.rows), name="row_left"), self._quarters(m)
        moves_pixel = self._flags(m, row_left, last_quarter)
        m.d.comb += self.to_gdn.eq(self.issued & self.moves_tile & self.last_tile & self.has_gdn)
        self._tiles(m)
        self._pixels(m, row_left, moves_pixel, last_quarter)
        return m

    def _quarters(self, m):
        """Quarters of a pass of the convolution, of GDN one after the other; return whether it is the last one."""
        if not self._quads:
            return Const(1)
        number, last = Signal(2, name="quarter_number"), Signal(name="last_quarter")
        m.d.comb += [self.quarter.eq(number), last.eq(~self.is_gdn | (number == QUAD - 1))]
        if self._both_parities and self._program.upsampling:
            pairs = (stage.upsampling for stage in self._program.stages)
            with m.If(of_stage(self.stage, pairs)):
                m.d.comb += self.quarter.eq(Cat(number[1], number[0]))
        with m.If(self.issued & self.is_gdn & self.last_tile):
            m.d.sync += number.eq(number + 1)
        return last

    def _tiles(self, m):
        """The operation, and its tile."""
        program, stage = self._program, self.stage
        full_channels = Signal.like(self.count, name="full_channels")
        tiles, tile_left = (Signal(range(1 + max(op.tiles for op in program.ops)), name=n) for n in ("tiles", "left"))
        final_count, full = (Signal.like(self.count, name=name) for name in ("final_count", "full"))
        first_param = Signal.like(self.param)

        def of_op(conv):
            which = [stage.conv if conv else stage.last_op for stage in program.stages]
            size = program.tile_channels
            # words of results: those of a quad's outputs lie beside each other, with parameters of their own
            outputs = program.arithmetic.outputs if conv else 1
            return [
                tiles.eq(of_stage(stage, (op.tiles for op in which))),
                final_count.eq(
                    of_stage(stage, (outputs * (op.channels_out - (op.tiles - 1) * size(op)) for op in which))
                ),
                full.eq(of_stage(stage, (outputs * size(op) for op in which))),
                full_channels.eq(of_stage(stage, (size(op) for op in which))),
                first_param.eq(of_stage(stage, (op.param_base for op in which))),
                self.is_gdn.eq(0 if conv else 1),
            ]

        m.d.comb += self.count.eq(Mux(self.last_tile, final_count, full))
        with m.If(self.begin):
            has_gdn = (stage.gdn is not None for stage in program.stages)
            m.d.sync += [*of_op(True), self.has_gdn.eq(of_stage(stage, has_gdn))]
        with m.If(self.to_gdn):
            m.d.sync += of_op(False)
        # Flip-flops: what counters begin and move by comes from no logic.
        begins, moves = Signal(name="begins_tiles"), Signal(name="moves_on")
        m.d.sync += [
            begins.eq(self.begin | self.to_gdn | (self.issued & self.is_gdn & self.last_tile)),
            moves.eq(self.issued & (self.is_gdn | self.moves_tile)),
        ]
        with m.If(moves):
            m.d.sync += [
                tile_left.eq(tile_left - 1),
                self.last_tile.eq(tile_left == 2),
                self.param.eq(self.param + full),
                self.channel.eq(self.channel + full_channels),
            ]
        with m.If(begins):
            m.d.sync += [
                tile_left.eq(tiles),
                self.last_tile.eq(tiles == 1),
                self.param.eq(first_param),
                self.channel.eq(0),
            ]

    def _pixels(self, m, row_left, moves_pixel, last_quarter):
        """Group, row and parities, and the pixels' place in the GDN inputs."""
        program, rows = self._program, self.rows

        def padded(stage):
            return program.arithmetic.padded(stage.conv.channels_out)

        channels = Signal(range(1 + max(map(padded, program.stages))))
        moved = Mux(self.is_gdn, channels, channels << 2) if self._quads else channels
        with m.If(self.begin):
            m.d.sync += channels.eq(of_stage(self.stage, map(padded, program.stages)))
        with m.If(self.issued):
            with m.If(moves_pixel):
                m.d.sync += self.x.eq(self.x + moved)
            with m.If(self.moves_row):
                m.d.sync += row_left.eq(row_left - 1)
            with m.If(self.moves_group):
                m.d.sync += [self.group_left.eq(self.group_left - 1), row_left.eq(rows)]
        with m.If(self.begin | (self.issued & self.moves_tile)):
            m.d.sync += [self.group_left.eq(self.groups), row_left.eq(rows), self.x.eq(0)]
        if self._both_parities:
            with m.If(self.begin):
                m.d.sync += [self.column.eq(0), self.parity.eq(0)]
            moves_column = moves_pixel & last_quarter if self._quads else moves_pixel
            with m.If(self.issued & moves_column):
                m.d.sync += self.column.eq(~self.last_column)
            with m.If(self.issued & self.moves_row):
                m.d.sync += self.parity.eq(self._pairs & ~self.parity)

    def _flags(self, m, row_left, last_quarter):
        """What is known of a pass ahead; return whether another pixel comes with the next one."""
        program, last_tile, is_gdn = self._program, self.last_tile, self.is_gdn
        moves_pixel, in_last_group, in_last_row = Signal(), self.group_left == 1, row_left == 1
        last_column, parity_ends, tile_ends = Const(1), Const(1), Signal()
        if self._both_parities:
            # The last rows of either parity use its weights for the last time.
            self._pairs, parity_ends = Signal(name="pairs"), Signal(name="parity_ends")
            last_column = self.column | ~self._pairs
            m.d.sync += [
                self._pairs.eq(of_stage(self.stage, (stage.upsampling for stage in program.stages))),
                parity_ends.eq(in_last_group & (in_last_row | (self._pairs & (row_left == 2)))),
            ]
        if self._quads:
            last_column &= last_quarter
        m.d.comb += self.last_column.eq(last_column)
        m.d.comb += self.last_reader.eq(last_tile & last_quarter)
        m.d.sync += [
            # a cycle behind what they look at, and long settled when a pass is offered
            self.last_group.eq(in_last_group),
            self.last_row.eq(in_last_row),
            # the last pass that uses this tile
            tile_ends.eq(in_last_group & in_last_row & last_column),
            # two cycles behind
            moves_pixel.eq(~is_gdn | last_tile),
            self.moves_row.eq((~is_gdn | last_tile) & last_column),
            self.moves_group.eq((~is_gdn | last_tile) & last_column & self.last_row),
            self.moves_tile.eq(~is_gdn & tile_ends),
            self.goes_back.eq(is_gdn & last_tile & ~tile_ends),
            self.stage_ends.eq(last_tile & tile_ends),
            self.consumes.eq(tile_ends & ~self.keep),
        ]
        if self._both_parities:
            m.d.sync += self.releases.eq(Mux(is_gdn, tile_ends, parity_ends) & ~self.keep)
        else:
            m.d.comb += self.releases.eq(self.consumes)
        return moves_pixel
