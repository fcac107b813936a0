"""The sequencer of a resident core's bands: what they bring beside the walk, and room for results."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.passes import Destination
from licgate.gateware.resident.places import FixedWeights, RowPlaces
from licgate.gateware.resident.rowbands import band_layout
from licgate.gateware.sequence.sequencer import PassSequencer
from licgate.gateware.sequence.tables import of_stage
from licgate.program import IN_FLIGHT

__all__ = ["OutputRoom", "RowPasses"]

# Passes that are issued and not written, at most: those in the queue of descriptors, and the one in front of it.
_UNDER_WAY = IN_FLIGHT + 1


class RowPasses(PassSequencer):
    """Issue the passes of bands of rows.

    Parameters
    ----------
    program : Program

    Members
    -------
    Beside those of a :class:`~licgate.gateware.sequence.sequencer.PassSequencer`, whose bands are those of
    :func:`~licgate.gateware.resident.rowbands.band_layout`:

    output_written, output_words : :py:`In(...)`
        See :class:`OutputRoom`.
    wait_output : :py:`Out(1)`
        The next pass waits for room at the output.
    """

    def __init__(self, program):
        members = {"output_written": In(1), "output_words": In(range(program.output_words + 1)), "wait_output": Out(1)}
        super().__init__(program, band_layout(program), members)

    def parts(self):
        program = self._program
        return {
            "places": RowPlaces(program),
            "weights": FixedWeights(program),
            "output": OutputRoom(program),
        }

    def describe(self, m, at):
        stages, band, walk, output = self._program.stages, at.band, at.walk, at.output
        first, last = Signal(), Signal()
        m.d.sync += [
            first.eq(of_stage(band.stage, (stage.first for stage in stages))),
            last.eq(of_stage(band.stage, (stage.last for stage in stages))),
        ]
        m.d.comb += [
            output.to_output.eq(at.leaves & last),
            self.wait_output.eq(at.offering & ~output.room),
        ]
        of_pass = {"release": first & band.ends & walk.moves_tile & walk.last_tile}
        of_write = {
            "to": Mux(at.leaves, Mux(last, Destination.OUTPUT, Destination.LINE), Destination.NORM),
            "line": band.stage + 1,
            "address": Mux(at.leaves, at.places.target, walk.x) + walk.channel,
            "column": band.column,
            **({"quads": ~walk.is_gdn, "quarter": walk.quarter} if self._program.arithmetic.points else {}),
            "row_done": at.leaves & ~last & band.ends & walk.stage_ends,
        }
        return of_pass, of_write, [output.room]


class OutputRoom(Component):
    """Promise words of the latent FIFO to passes.

    Parameters
    ----------
    program : Program

    Members
    -------
    issued, to_output : :py:`In(1)`
        A pass has been issued, the cycle before; its words go to the output.
    output_written : :py:`In(1)`
        From the writer: the words of a pass have gone to the output.
    output_words : :py:`In(range(program.output_words + 1))`
        Free words.
    room : :py:`Out(1)`
        There is room for the words of the next pass; a cycle behind.

    Resources: a counter; a comparison with the FIFO's level.
    """

    def __init__(self, program):
        self._words = program.leaving_words
        super().__init__(
            {
                **{name: In(1) for name in ("issued", "to_output", "output_written")},
                "output_words": In(range(program.output_words + 1)),
                "room": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # Passes to the output whose words are not yet in its FIFO.
        promised, goes = Signal(range(_UNDER_WAY + 1), name="promised"), Signal(name="goes")
        wanted = Array((count + 1) * self._words for count in range(_UNDER_WAY + 1))[promised]
        m.d.sync += [
            # a cycle behind the pass, which is soon enough for the next one
            goes.eq(self.issued & self.to_output),
            promised.eq(promised + Cat(goes ^ self.output_written, self.output_written & ~goes).as_signed()),
            self.room.eq(~self.to_output | (self.output_words >= wanted)),
        ]
        return m
