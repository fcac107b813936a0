"""The layer sequencer: walks the compiled program over an image of any size, row by row, deepest layer first."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.passes import Destination, max_gdn_channels, pass_layout, tile_layout, write_layout
from licgate.gateware.resident.groups import GroupWalk
from licgate.gateware.resident.issue import IssueControl
from licgate.gateware.resident.order import PassOrder
from licgate.gateware.resident.pending import PendingGdn
from licgate.gateware.resident.rows import DIMENSION, RowTracker
from licgate.gateware.resident.tiles import TileWalk

__all__ = ["Sequencer"]


class Sequencer(Component):
    """Issue every pass of an image in an order that keeps the line buffers small.

    The deepest stage whose input rows are there and whose output row has room computes one row; so each line buffer
    needs few rows more than its kernel, and nothing is computed twice. Within a row, groups of ``rows`` pixels run
    their convolution passes; the GDN passes of a group follow the convolution of the next one, so that its results have
    arrived by then. Where a stage upsamples, a group runs once for each parity of output columns, one after the other,
    and what is said of groups holds for each of these.

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
        Descriptors for the feeder, the post-processor and the writer; ``o_tile`` and ``o_write`` move with ``o_pass``,
        and are always taken: no more than ``IN_FLIGHT`` tiles are ever issued and not written.
    input_row, input_room, released
        A row from the host is complete; there is room for another; the feeder is done with a row of the chain's first
        convolution.
    written, output_written, group_done, group_half, row_done, row_line
        From the writer: a tile is written; it went to the output; it completed a group's GDN inputs; it completed a row
        of a line buffer.
    output_words : :py:`In(...)`
        Free words of the latent FIFO.
    out_width, out_height
        Size of what the chain makes.
    wait_input, wait_output : :py:`Out(1)`
        The next pass waits for the host's rows, or for room at the output.

    Timing: three to seven cycles between passes of a row, overlapped with the running pass; six cycles between rows,
    likewise.
    """

    def __init__(self, program, output_words):
        self._program, self._output_words = program, output_words
        stages = range(max(2, len(program.stages)))
        super().__init__(
            {
                "start": In(1),
                "chain": In(range(max(2, len(program.chains)))),
                "done": Out(1),
                "width": In(DIMENSION),
                "height": In(DIMENSION),
                "o_pass": Out(stream.Signature(pass_layout(program))),
                "o_tile": Out(stream.Signature(tile_layout(program))),
                "o_write": Out(stream.Signature(write_layout(program))),
                "input_row": In(1),
                "input_room": Out(1),
                "released": In(1),
                "written": In(1),
                "output_written": In(1),
                "group_done": In(1),
                "group_half": In(1),
                "row_done": In(1),
                "row_line": In(stages),
                "output_words": In(range(output_words + 1)),
                "out_width": Out(DIMENSION),
                "out_height": Out(DIMENSION),
                "wait_input": Out(1),
                "wait_output": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program = self._program
        m.submodules.rows = rows = RowTracker(program)
        m.submodules.order = order = PassOrder(program)
        m.submodules.groups = groups = GroupWalk(program)
        m.submodules.pending = pending = PendingGdn(program)
        m.submodules.tiles = tiles = TileWalk(program)
        m.submodules.issue = issue = IssueControl(program, self._output_words)
        finished = Signal()
        m.d.sync += finished.eq(~Cat(rows.more).any() & issue.settled)
        m.d.comb += [
            *(
                getattr(rows, name).eq(getattr(self, name))
                for name in ("start", "chain", "width", "height", "input_row", "released", "row_done", "row_line")
            ),
            *(getattr(self, name).eq(getattr(rows, name)) for name in ("input_room", "out_width", "out_height")),
            *(getattr(rows, name).eq(getattr(order, name)) for name in ("stage", "skip", "finish")),
            order.start.eq(self.start),
            order.ready.eq(Cat(rows.ready)),
            order.finished.eq(finished),
            order.input_missing.eq(rows.input_missing),
            order.advance.eq(rows.row.advance),
            order.issue.eq(issue.issue),
            order.settled.eq(issue.settled),
            order.last_tile.eq(tiles.tile.last),
            order.row_ends.eq(groups.group.row_ends),
            *(getattr(order, name).eq(getattr(groups, name)) for name in ("last_phase", "ended")),
            *(getattr(order, name).eq(getattr(pending, name)) for name in ("pending", "arrived")),
            groups.row.eq(rows.row),
            *(getattr(groups, name).eq(getattr(order, name)) for name in ("stage", "starts", "moves", "turns")),
            pending.clear.eq(order.clear),
            pending.keep.eq((order.moves | order.turns) & groups.has_gdn),
            pending.issued.eq(order.gdn_issued),
            pending.group_done.eq(self.group_done),
            pending.group_half.eq(self.group_half),
            tiles.has_gdn.eq(groups.has_gdn),
            tiles.gdn.eq(pending.gdn),
            tiles.gdn_half.eq(pending.gdn_half),
            *(getattr(tiles, n).eq(getattr(order, n)) for n in ("conv_begins", "gdn_begins", "continues")),
            issue.offer.eq(order.offer),
            issue.to_output.eq(self.o_write.payload.to == Destination.OUTPUT),
            issue.ready.eq(self.o_pass.ready),
            *(getattr(issue, n).eq(getattr(self, n)) for n in ("written", "output_written", "output_words")),
            self.o_pass.valid.eq(issue.valid),
            self.o_tile.valid.eq(issue.issue),
            self.o_write.valid.eq(issue.issue),
            self.done.eq(order.done),
            self.wait_input.eq(order.wait_input),
            self.wait_output.eq(issue.no_room),
        ]
        for part in (pending, tiles):
            m.d.comb += [part.stage.eq(order.stage), part.group.eq(groups.group)]
        self._describe(m, order.stage, groups.group, pending, tiles.tile)
        return m

    def _describe(self, m, stage, group, pending, tile):
        """The three descriptors of the pass at work, a cycle behind it."""
        program, gdn = self._program, pending.gdn
        late_stage = Signal.like(stage)
        m.d.sync += late_stage.eq(stage)
        first = Array(int(s.first) for s in program.stages)[late_stage]
        row_ends = Mux(tile.gdn, gdn.row_ends, group.row_ends)
        descriptors = (
            (
                self.o_pass.payload,
                {
                    "pass_kind": tile.pass_kind,
                    "row": group.row,
                    "offset": tile.window,
                    "kernel_rows": group.kernel_rows,
                    "mask": tile.mask,
                    "weight": tile.weight,
                    "x": Mux(gdn.half, max_gdn_channels(program), 0),
                    "release": ~tile.gdn & first & group.row_ends & tile.last,
                },
            ),
            (
                self.o_tile.payload,
                {
                    "op": tile.op,
                    "count": tile.count,
                    "param": tile.param,
                    "x": tile.x,
                    "pixels": Mux(tile.gdn, gdn.pixels, group.pixels),
                },
            ),
            (
                self.o_write.payload,
                {
                    "to": tile.to,
                    "line": Mux(tile.gdn, gdn.stage, stage) + 1,
                    "address": tile.address,
                    "count": tile.count,
                    "column": Mux(tile.gdn, gdn.column, group.column),
                    "gdn_half": pending.gdn_half,
                    "group_done": (tile.to == Destination.NORM) & tile.last,
                    "row_done": tile.last & row_ends & (tile.to == Destination.LINE),
                },
            ),
        )
        for payload, fields in descriptors:
            m.d.sync += [payload[name].eq(value) for name, value in fields.items()]
