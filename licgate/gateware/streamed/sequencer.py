"""The sequencer of a streamed accelerator: carries out bands, pass by pass."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.passes import Destination, pass_layout, record_layout, tile_layout, write_layout
from licgate.gateware.streamed.bandplaces import BandPlaces
from licgate.gateware.streamed.bandwalk import BandWalk
from licgate.gateware.streamed.layouts import command_layout, of_stage
from licgate.gateware.streamed.passcredits import ColumnCredits, ResultCredits
from licgate.gateware.streamed.tilering import TileRing

__all__ = ["BandSequencer"]


class BandSequencer(Component):
    """Issue the passes of a band: every tile of the convolution over all its groups, then GDN group by group.

    Parameters
    ----------
    program : StreamedProgram

    Members
    -------
    start : :py:`In(1)`
        The weight ring is empty.
    i : :py:`In(stream.Signature(command_layout(program, "band")))`
    o_pass, o_tile, o_write, o_record
        Descriptors for feeder, post-processor, result writer and, where results leave the chip, record writer; they
        move with ``o_pass``, that of the record writer a cycle later.
    column_loaded, tile_loaded, written, packed : :py:`In(1)`
        A word column has come; a weight tile has come; a pass is through; the words of a pass to memory are packed.
    idle : :py:`Out(1)`
        No band is at work, every pass is through.
    wait_map, wait_weights, wait_output : :py:`Out(1)`
        What the next pass waits for.

    Attributes
    ----------
    latency : int
        Cycles from a band to its first pass: 5, when what it needs is there.
    interval : int
        Cycles between passes, at least: 5.
    """

    latency = 5
    interval = 5

    def __init__(self, program):
        self._program = program
        reports = ("column_loaded", "tile_loaded", "written", "packed")
        super().__init__(
            {
                "start": In(1),
                "i": In(stream.Signature(command_layout(program, "band"))),
                "o_pass": Out(stream.Signature(pass_layout(program))),
                "o_tile": Out(stream.Signature(tile_layout(program))),
                "o_write": Out(stream.Signature(write_layout(program))),
                "o_record": Out(stream.Signature(record_layout(program))),
                **{name: In(1) for name in reports},
                **{name: Out(1) for name in ("idle", "wait_map", "wait_weights", "wait_output")},
            }
        )

    def elaborate(self, platform):
        m = Module()
        program = self._program
        m.submodules.walk = walk = BandWalk(program)
        m.submodules.places = places = BandPlaces(program)
        m.submodules.ring = ring = TileRing(program)
        m.submodules.columns = columns = ColumnCredits(program)
        m.submodules.results = results = ResultCredits(program)
        band, go = Signal.like(self.i.payload), Signal()
        begin, issue, issued, can = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            self.o_pass.valid.eq(go & can),
            issue.eq(self.o_pass.valid & self.o_pass.ready),
            self.o_tile.valid.eq(issue),
            self.o_write.valid.eq(issue),
        ]
        m.d.sync += [
            issued.eq(issue),
            # Up to date when a pass is offered: nothing but other units' reports changes them in the cycles before.
            can.eq(
                columns.loaded & ring.there & results.room & results.arrived & self.o_tile.ready & self.o_write.ready
            ),
        ]
        self._connect(m, band, begin, issued, issue)
        self._describe(m, band, walk, places, ring)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.i.ready.eq(1), self.idle.eq(results.none)]
                with m.If(self.i.valid):
                    m.d.sync += band.eq(self.i.payload)
                    m.next = "BEGIN"
            with m.State("BEGIN"):
                m.d.comb += begin.eq(1)
                m.next = "ROWS"
            # what is said of a pass takes so many cycles
            with m.State("ROWS"):
                m.next = "PLACES"
            with m.State("PLACES"):
                m.next = "WEIGHT"
            with m.State("WEIGHT"):
                m.d.sync += go.eq(1)
                m.next = "ISSUE"
            with m.State("ISSUE"):
                m.d.comb += [
                    self.wait_map.eq(~columns.loaded),
                    self.wait_weights.eq(columns.loaded & ~ring.there),
                    self.wait_output.eq(columns.loaded & ring.there & ~results.room),
                ]
                with m.If(issue):
                    m.d.sync += go.eq(0)
                    m.next = "NEXT"
            # `issued` says the same as this state: a flip-flop knows that as well, and many wait for it
            with m.State("NEXT"):
                m.next = "ROWS"
                with m.If(walk.stage_ends):
                    m.next = "END"
                    with m.If(walk.to_gdn):
                        m.next = "GDN"
            with m.State("GDN"):
                m.next = "ROWS"
            with m.State("END"):
                m.d.comb += ring.home.eq(band.keep)
                m.next = "IDLE"
        return m

    def _connect(self, m, band, begin, issued, issue):
        """Tell each part what the others know."""
        program = self._program
        parts = {name: getattr(m.submodules, name) for name in ("walk", "places", "ring", "columns", "results")}
        walk, places, ring = parts["walk"], parts["places"], parts["ring"]
        known = {"band": band, "begin": begin, "issued": issued, "start": self.start, "stride": places.stride}
        said = ("is_gdn", "column", "parity", "last_tile", "moves_row", "moves_group", "moves_tile", "to_gdn")
        known |= {name: getattr(walk, name) for name in said} | {"skip": places.skip, "stage": band.stage}
        known |= {name: getattr(self, name) for name in ("column_loaded", "tile_loaded", "written", "packed")}
        for part in parts.values():
            for name, member in part.signature.members.items():
                if member.flow == In and name in known:
                    m.d.comb += getattr(part, name).eq(known[name])
        to_memory, recorded = Signal(), Signal()
        m.d.comb += [
            to_memory.eq(walk.is_gdn | ~walk.has_gdn),
            ring.next_tile.eq(issued & (walk.is_gdn | walk.moves_tile)),
            ring.again.eq(issued & walk.goes_back),
            ring.consumed.eq(issued & walk.consumes),
            parts["results"].to_memory.eq(to_memory),
            parts["results"].recorded.eq(recorded),
            self.o_write.payload.to.eq(Mux(to_memory, Destination.OUTPUT, Destination.NORM)),
            self.o_record.valid.eq(recorded),
        ]
        m.d.sync += recorded.eq(issue & to_memory)
        if program.upsampling:
            beyond, narrow = self.o_record.payload.beyond, Signal()
            m.d.sync += narrow.eq((band.pixels << 1) <= program.rows)
            m.d.comb += [
                beyond.eq(walk.column & walk.last_group & narrow),
                self.o_record.payload.column.eq(walk.column),
                # nothing of it is packed
                parts["results"].recorded.eq(recorded & ~beyond),
            ]

    def _describe(self, m, band, walk, places, ring):
        """The descriptors of a pass."""
        program, out = self._program, self.o_pass.payload
        convs, lasts = [stage.conv for stage in program.stages], [stage.last_op for stage in program.stages]
        pass_kind = of_stage(band.stage, (op.pass_kinds[0].index for op in convs))
        words = ring.words
        if program.upsampling:
            # Of an upsampling stage, a tile has the weights of all parities, one after the other.
            steps = [[op.pass_kinds[k % len(op.pass_kinds)].steps for k in range(4)] for op in convs]
            of_pass, index = Signal.like(ring.words, name="pass_words"), Cat(walk.column, walk.parity)
            m.d.sync += of_pass.eq(
                Mux(walk.is_gdn, ring.words, Array(Array(found) for found in steps)[band.stage][index])
            )
            pass_kind, words = pass_kind + index, of_pass
        freed = Mux(
            walk.last_group,
            band.release,
            Mux(walk.group_left == band.groups, band.release_first, places.stride),
        )
        frees = ~walk.is_gdn & walk.last_tile & walk.last_row & walk.last_column
        m.d.comb += [
            out.pass_kind.eq(
                Mux(walk.is_gdn, of_stage(band.stage, (op.pass_kinds[0].index for op in lasts)), pass_kind)
            ),
            *(
                getattr(out, name).eq(getattr(places, name))
                for name in ("row", "offset", "kernel_rows", "mask", "wrap")
            ),
            out.weight.eq(ring.weight),
            out.x.eq(walk.x),
            out.release.words.eq(Mux(walk.releases, words, 0)),
            out.release.slots.eq(Mux(frees, freed, 0)),
            self.o_tile.payload.op.eq(
                Mux(
                    walk.is_gdn,
                    of_stage(band.stage, (op.index for op in lasts)),
                    of_stage(band.stage, (op.index for op in convs)),
                )
            ),
            self.o_tile.payload.count.eq(walk.count),
            self.o_tile.payload.param.eq(walk.param),
            self.o_tile.payload.x.eq(walk.x + walk.channel),
            self.o_tile.payload.pixels.eq(Mux(walk.last_group, band.pixels, program.rows)),
            self.o_write.payload.address.eq(walk.x + walk.channel),
            self.o_write.payload.count.eq(walk.count),
            self.o_record.payload.address.eq(places.address),
            self.o_record.payload.count.eq(walk.count),
            self.o_record.payload.stage.eq(band.stage),
            self.o_record.payload.first.eq(~walk.is_gdn | (walk.channel == 0)),
            self.o_record.payload.last.eq(~walk.is_gdn | walk.last_tile),
        ]
