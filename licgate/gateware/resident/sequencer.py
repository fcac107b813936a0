"""The sequencer of a resident core: walks the compiled program over an image of any size, row by row, deepest first."""

from amaranth.hdl import Cat, Module
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.passes import pass_layout, tile_layout, write_layout
from licgate.gateware.resident.rowbands import RowBands
from licgate.gateware.resident.rowpasses import RowPasses
from licgate.gateware.resident.rows import DIMENSION, RowTracker
from licgate.gateware.stream import connect

__all__ = ["Sequencer"]


class Sequencer(Component):
    """Issue every pass of an image in an order that keeps the line buffers small.

    The deepest stage whose input rows are there and whose output row has room computes one row; so each line buffer
    needs few rows more than its kernel, and nothing is computed twice. A row is cut into bands, which are carried out
    like those of a streamed core. The next row is chosen while the last band of this one is at work.

    Parameters
    ----------
    program : Program

    Members
    -------
    start, chain, width, height
        ``start`` begins a run of a chain on an input of ``width`` × ``height``; all stay stable until ``done``.
    done : :py:`Out(1)`
        Every pass has been issued and every tile written (level, until the next ``start``).
    o_pass, o_tile, o_write
        Descriptors for the feeder, the post-processor and the writer; ``o_tile`` and ``o_write`` move with ``o_pass``.
    input_row, input_room, released
        A row from the host is complete; there is room for another; the feeder is done with a row of the chain's first
        convolution.
    written, output_written, row_done, row_line
        From the writer: a tile is written; it went to the output; it completed a row of a line buffer.
    output_words : :py:`In(...)`
        Free words of the latent FIFO.
    out_width, out_height
        Size of what the chain makes.
    wait_input, wait_output : :py:`Out(1)`
        The next pass waits for the host's rows, or for room at the output.

    Timing: five cycles between passes of a band, eight between bands, overlapped with the running passes;
    :class:`licgate.perf.core.CoreModel`.
    """

    def __init__(self, program):
        self._program = program
        size = dict.fromkeys(("width", "height", "out_width", "out_height"), DIMENSION)
        reports = ("input_row", "released", "written", "output_written", "row_done")
        super().__init__(
            {
                "start": In(1),
                "chain": In(range(max(2, len(program.chains)))),
                **{name: (Out if "out" in name else In)(shape) for name, shape in size.items()},
                "o_pass": Out(stream.Signature(pass_layout(program))),
                "o_tile": Out(stream.Signature(tile_layout(program))),
                "o_write": Out(stream.Signature(write_layout(program))),
                **{name: In(1) for name in reports},
                "row_line": In(range(max(2, len(program.stages)))),
                "output_words": In(range(program.output_words + 1)),
                **{name: Out(1) for name in ("done", "input_room", "wait_input", "wait_output")},
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.rows = rows = RowTracker(self._program)
        m.submodules.bands = bands = RowBands(self._program)
        m.submodules.passes = passes = RowPasses(self._program)
        connect(m, bands.o, passes.i)
        for name in ("o_pass", "o_tile", "o_write"):
            connect(m, getattr(passes, name), flipped(getattr(self, name)))
        given = (
            (rows, self, ("start", "chain", "width", "height", "input_row", "released", "row_done", "row_line")),
            (rows, bands, ("stage", "skip", "finish")),
            (bands, self, ("start",)),
            (bands, rows, ("row", "input_missing")),
            (bands, passes, ("idle",)),
            (passes, self, ("written", "output_written", "output_words")),
            (self, rows, ("input_room", "out_width", "out_height")),
            (self, bands, ("done", "wait_input")),
            (self, passes, ("wait_output",)),
        )
        for target, source, names in given:
            m.d.comb += [getattr(target, name).eq(getattr(source, name)) for name in names]
        m.d.comb += bands.ready.eq(Cat(rows.ready))
        m.d.sync += bands.finished.eq(~Cat(rows.more).any() & passes.idle)
        return m
