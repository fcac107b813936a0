"""The sequencer of a streamed core: what its bands bring beside the walk, and where results go in external memory."""

from amaranth.hdl import Array, Cat, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from licgate.gateware.passes import Destination, record_layout
from licgate.gateware.sequence.sequencer import PassSequencer
from licgate.gateware.sequence.tables import of_stage
from licgate.gateware.streamed.layouts import command_layout
from licgate.gateware.streamed.passcredits import ColumnCredits, RecordCredits
from licgate.gateware.streamed.places import BandPlaces
from licgate.gateware.streamed.tilering import TileRing
from licgate.target.points import QUAD

__all__ = ["BandSequencer"]


class BandSequencer(PassSequencer):
    """Issue the passes of the bands of a list of commands.

    Parameters
    ----------
    program : StreamedProgram

    Members
    -------
    Beside those of a :class:`~licgate.gateware.sequence.sequencer.PassSequencer`, whose bands are commands:

    start : :py:`In(1)`
        The weight ring is empty.
    o_record : :py:`Out(stream.Signature(record_layout(program)))`
        Descriptor for the record writer where results leave the chip, a cycle behind the others.
    column_loaded, tile_loaded, packed : :py:`In(1)`
        A word column has come; a weight tile has come; the words of a pass to memory are packed.
    wait_map, wait_weights, wait_output : :py:`Out(1)`
        What the next pass waits for.
    """

    both_parities = True

    def __init__(self, program):
        super().__init__(
            program,
            command_layout(program, "band"),
            {
                "o_record": Out(stream.Signature(record_layout(program))),
                **{name: In(1) for name in ("start", "column_loaded", "tile_loaded", "packed")},
                **{name: Out(1) for name in ("wait_map", "wait_weights", "wait_output")},
            },
        )

    def parts(self):
        program = self._program
        return {
            "places": BandPlaces(program),
            "weights": TileRing(program),
            "columns": ColumnCredits(program),
            "records": RecordCredits(program),
        }

    def describe(self, m, at):
        program, band, walk, ring, places = self._program, at.band, at.walk, at.weights, at.places
        there, room = at.columns.loaded, at.records.room
        m.d.comb += [
            ring.consumed.eq(at.issued & walk.consumes),
            ring.home.eq(at.ends & band.keep),
            self.wait_map.eq(at.offering & ~there),
            self.wait_weights.eq(at.offering & there & ~ring.there),
            self.wait_output.eq(at.offering & there & ring.there & ~room),
        ]
        self._record(m, at)
        words = ring.words
        if program.upsampling:
            # Of an upsampling stage, a tile has the weights of all parities, one after the other.
            convs = [stage.conv for stage in program.stages]
            counts = [[op.pass_kinds[k % len(op.pass_kinds)].weights for k in range(4)] for op in convs]
            of_kind = Array(Array(found) for found in counts)[band.stage][Cat(walk.column, walk.parity)]
            words = Signal.like(ring.words, name="pass_words")
            m.d.sync += words.eq(Mux(walk.is_gdn, ring.words, of_kind))
        freed = Mux(
            walk.last_group,
            band.release,
            Mux(walk.group_left == band.groups, band.release_first, places.stride),
        )
        frees = ~walk.is_gdn & walk.last_tile & walk.last_row & walk.last_column
        release = self.o_pass.payload.release
        m.d.sync += [release.slots.eq(Mux(frees, freed, 0)), release.words.eq(Mux(walk.releases, words, 0))]
        of_write = {
            "to": Mux(at.leaves, Destination.OUTPUT, Destination.NORM),
            "address": walk.x + walk.channel,
        }
        if program.arithmetic.points:
            of_write |= {"line": band.stage, "quads": ~walk.is_gdn, "quarter": walk.quarter}
        return {"wrap": places.wrap}, of_write, [there, ring.there, room]

    def _record(self, m, at):
        """The record writer's descriptor."""
        program, band, walk = self._program, at.band, at.walk
        recorded, out = Signal(), self.o_record
        m.d.sync += recorded.eq(at.issue & at.leaves)
        m.d.comb += [
            out.valid.eq(recorded),
            at.records.recorded.eq(Mux(recorded, self._records(m, at), 0) if program.arithmetic.points else recorded),
            out.payload.address.eq(at.places.address),
            out.payload.count.eq(walk.count),
            out.payload.stage.eq(band.stage),
            out.payload.first.eq(~walk.is_gdn | (walk.channel == 0)),
            out.payload.last.eq(~walk.is_gdn | walk.last_tile),
        ]
        if program.upsampling and not program.arithmetic.points:
            beyond = out.payload.beyond
            m.d.comb += [
                beyond.eq(walk.column & walk.last_group & self._narrow(m, at)),
                out.payload.column.eq(walk.column),
                # nothing of it is packed
                at.records.recorded.eq(recorded & ~beyond),
            ]

    def _narrow(self, m, at):
        """The last group's second records lie beyond the image."""
        narrow = Signal(name="narrow")
        m.d.sync += narrow.eq((at.band.pixels << 1) <= self._program.group_columns)
        return narrow

    def _records(self, m, at):
        """Describe the records of a pass by points; return how many there are: four of a convolution's, one of GDN's.

        Of what upsamples, the columns of two quarters make a pair of records, of which a pass of GDN makes one half.
        """
        walk, out = at.walk, self.o_record.payload
        m.d.comb += out.quads.eq(~walk.is_gdn)
        if not self._program.upsampling:
            return Mux(walk.is_gdn, 1, QUAD)
        pairs = of_stage(at.band.stage, (stage.upsampling for stage in self._program.stages))
        m.d.comb += [
            out.column.eq(pairs & walk.is_gdn & walk.quarter[1]),
            out.beyond.eq(pairs & (~walk.is_gdn | walk.quarter[1]) & walk.last_group & self._narrow(m, at)),
        ]
        return Mux(walk.is_gdn, ~out.beyond, Mux(out.beyond, QUAD // 2, QUAD))
