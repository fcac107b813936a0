"""The weight ring as passes use it: where their tiles lie, and which have come."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.sequence.tables import of_stage

__all__ = ["TileRing"]


class TileRing(Component):
    """Point to the weights of passes.

    Parameters
    ----------
    program : StreamedProgram

    Members
    -------
    start : :py:`In(1)`
        The ring is empty.
    stage : :py:`In(range(max(2, len(program.stages))))`
        Of the band at work.
    begin, to_gdn, next_tile, again, home, consumed : :py:`In(1)`
        The band begins, from here on; its GDN begins with the next tile; the pass that went was the last one before
        another tile; it is followed by GDN's first tile again; the band's tiles stay for the next band; the tile is of
        no more use.
    tile_loaded : :py:`In(1)`
        A tile has come.
    skip : :py:`In(...)`
        Words of the tile in front of those that the pass reads; used in the cycle after it came.
    weight : :py:`Out(...)`
        First word of the pass, two cycles after ``skip``.
    words : :py:`Out(...)`
        Of the tile.
    there : :py:`Out(1)`
        The tile has come; a cycle behind.
    """

    def __init__(self, program):
        self._program = program
        strobes = ("start", "begin", "to_gdn", "next_tile", "again", "home", "consumed", "tile_loaded")
        super().__init__(
            {
                **{name: In(1) for name in strobes},
                "stage": In(range(max(2, len(program.stages)))),
                "skip": In(range(program.weight_ring + 1)),
                "weight": Out(range(max(memory.depth for memory in program.weight_memories))),
                "words": Out(range(1 + max(op.weights for op in program.ops))),
                "there": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program, ring = self._program, self._program.weight_ring
        # Of this tile, of GDN's first one, of the band's first one.
        pointer, gdn_pointer, home = (Signal(range(ring), name=n) for n in ("pointer", "gdn_pointer", "home"))
        # Tiles that have come and are not consumed, and those of the band in front of this one.
        most_tiles = 1 + sum(op.tiles for op in program.ops) + ring
        ready, held, gdn_held = (Signal(range(most_tiles), name=n) for n in ("ready", "held", "gdn_held"))
        sum_pointer, next_pointer = Signal(range(2 * ring + 1)), Signal.like(pointer)
        # The address behind skipped rows, and the same less a ring, of which the one that is inside is taken.
        back, sum_weight, sum_back = (
            Signal(range(-ring, 1)),
            Signal(range(2 * ring + 1)),
            Signal(range(-ring, ring + 1)),
        )
        begun_gdn = Signal()
        m.d.comb += [
            sum_pointer.eq(pointer + self.words),
            sum_weight.eq(pointer + self.skip),
            sum_back.eq(back + self.skip),
        ]
        m.d.sync += [
            # long settled when the next pass is issued
            next_pointer.eq(Mux(sum_pointer >= ring, sum_pointer - ring, sum_pointer)),
            back.eq(pointer - ring),
            self.weight.eq(Mux(sum_back >= 0, sum_back, sum_weight)),
            self.there.eq(ready > held),
            ready.eq(ready + self.tile_loaded - self.consumed),
            begun_gdn.eq(self.to_gdn),
        ]
        with m.If(self.begin):
            convs = (stage.conv.weights for stage in program.stages)
            m.d.sync += [self.words.eq(of_stage(self.stage, convs)), held.eq(0), home.eq(pointer)]
        with m.If(self.next_tile):
            m.d.sync += [pointer.eq(next_pointer), held.eq(held + ~self.consumed)]
        with m.If(self.to_gdn):
            lasts = (stage.last_op.weights for stage in program.stages)
            m.d.sync += self.words.eq(of_stage(self.stage, lasts))
        with m.If(begun_gdn):
            m.d.sync += [gdn_pointer.eq(pointer), gdn_held.eq(held)]
        with m.If(self.again):
            m.d.sync += [pointer.eq(gdn_pointer), held.eq(gdn_held)]
        with m.If(self.home):
            m.d.sync += pointer.eq(home)
        with m.If(self.start):
            m.d.sync += [ready.eq(0), pointer.eq(0)]
        return m
