"""The layer sequencer: walks the compiled program over an image of any size, row by row, deepest layer first."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.passes import Destination, max_gdn_channels, pass_layout, tile_layout, write_layout
from licgate.gateware.resident.rows import DIMENSION, RowTracker
from licgate.gateware.resident.work import Work
from licgate.program import IN_FLIGHT

__all__ = ["Sequencer"]

_SETTLE = RowTracker.settle


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
    written, output_written, group_done, group_slot, row_done, row_line
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
        self._program = program
        self._rows = RowTracker(program)
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
                "group_slot": In(1),
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
        count = len(program.stages)
        m.submodules.rows = rows = self._rows
        work = Work(program, rows)
        m.d.comb += [
            rows.start.eq(self.start),
            rows.chain.eq(self.chain),
            rows.width.eq(self.width),
            rows.height.eq(self.height),
            rows.stage.eq(work.stage),
            rows.input_row.eq(self.input_row),
            rows.released.eq(self.released),
            self.input_room.eq(rows.input_room),
            rows.row_done.eq(self.row_done),
            rows.row_line.eq(self.row_line),
            self.out_width.eq(Array(rows.widths_out[chain.last] for chain in program.chains)[self.chain]),
            self.out_height.eq(Array(rows.heights_out[chain.last] for chain in program.chains)[self.chain]),
        ]
        ready, more = Cat(rows.ready), Cat(rows.more)

        arrived = Signal(2)  # slots whose GDN inputs are complete
        with m.If(self.group_done):
            m.d.sync += arrived.bit_select(self.group_slot, 1).eq(1)

        work.derive(m)
        self._describe(m, work)
        # The descriptors follow the work registers by a cycle, and so does what says that there are any.
        offer, go, issue, full = Signal(), Signal(), Signal(), Signal()
        outstanding = Signal(range(IN_FLIGHT + 1))
        # Tiles promised to the output whose words are not yet in its FIFO.
        words, promised, room = program.output_channels, Signal(range(IN_FLIGHT + 2)), Signal()
        to_output = self.o_write.payload.to == Destination.OUTPUT
        m.d.comb += [
            self.o_pass.valid.eq(go),
            issue.eq(self.o_pass.valid & self.o_pass.ready),
            self.o_tile.valid.eq(issue),
            self.o_write.valid.eq(issue),
            self.wait_output.eq(offer & to_output & ~room),
        ]
        # Up to date two cycles after a pass; none is offered before that.
        m.d.sync += [
            go.eq(offer & ~issue & ~full & (~to_output | room)),
            room.eq(self.output_words >= Array((k + 1) * words for k in range(IN_FLIGHT + 2))[promised]),
            promised.eq(promised + (issue & to_output) - self.output_written),
            outstanding.eq(outstanding + issue - self.written),
            full.eq(outstanding == IN_FLIGHT),
        ]

        # Nothing is left to be done; of what SELECT sees, this alone may come late.
        finished = Signal()
        m.d.sync += finished.eq(~more.any() & (outstanding == 0))
        settle, advance = Signal(range(_SETTLE + count + 1)), Signal(2)
        slot = work.slot
        # Rows, groups and further tiles begin the cycle after it is decided.
        starts, moves, turns, continues = Signal(), Signal(), Signal(), Signal()
        m.d.sync += [starts.eq(0), moves.eq(0), turns.eq(0), continues.eq(issue)]
        with m.If(continues):
            m.d.sync += work.next_tile()
        # The states TILE and GDN_TILE, without their decoding.
        conv_begins, gdn_begins = Signal(), Signal()
        m.d.sync += [conv_begins.eq(0), gdn_begins.eq(0)]
        with m.If(conv_begins):
            m.d.sync += work.first_conv_tile()
        with m.If(gdn_begins):
            m.d.sync += work.first_gdn_tile()
        with m.If(starts):
            m.d.sync += [*work.first_group(rows), advance.eq(work.of_stage(rows.advance))]
        with m.If(moves):
            m.d.sync += work.next_group()
        with m.If(turns):
            m.d.sync += work.next_phase()
        with m.If((moves | turns) & work.has_gdn):
            m.d.sync += work.keep_for_gdn()
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.done.eq(1)
                with m.If(self.start):
                    m.d.sync += [work.pending.eq(0), slot.eq(0), arrived.eq(0), settle.eq(_SETTLE + count)]
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                m.d.sync += settle.eq(settle - 1)
                with m.If(settle == 0):
                    m.next = "SELECT"
            with m.State("SELECT"):
                for k in range(count):
                    with m.If(ready[k]):
                        m.d.sync += work.stage.eq(k)
                with m.If(ready.any()):
                    m.next = "ROW"
                with m.Elif(work.pending):
                    m.d.sync += gdn_begins.eq(1)
                    m.next = "GDN_TILE"
                with m.Elif(finished):
                    m.next = "IDLE"
                idle = ~ready.any() & ~work.pending & (outstanding == 0)
                m.d.comb += self.wait_input.eq(idle & rows.input_missing)
            with m.State("ROW"):
                m.d.sync += starts.eq(1)
                m.next = "GROUP"
            # The group begins in this cycle, and what follows from it takes two more.
            with m.State("GROUP"):
                m.next = "GROUP_2"
            with m.State("GROUP_2"):
                m.d.sync += conv_begins.eq(1)
                m.next = "TILE"
            with m.State("TILE"):
                m.next = "CONV"
            with m.State("CONV"):
                m.d.sync += offer.eq(~issue)
                with m.If(issue & work.last_tile):
                    m.d.sync += gdn_begins.eq(1)
                    m.next = "GDN_TILE"
            with m.State("GDN_TILE"):
                m.next = "GDN"
            with m.State("GDN"):
                # The GDN of the group before this one, when there is one whose inputs have arrived.
                with m.If(~work.pending):
                    m.next = "NEXT"
                with m.Else():
                    m.d.sync += offer.eq(arrived.bit_select(work.gdn_slot, 1) & ~issue)
                    with m.If(issue & work.last_tile):
                        m.d.sync += [work.pending.eq(0), arrived.bit_select(work.gdn_slot, 1).eq(0)]
                        m.next = "NEXT"
            with m.State("NEXT"):
                m.d.sync += work.is_gdn.eq(0)
                with m.If(work.ended):  # the row had ended; only a pending GDN was issued
                    m.next = "SELECT"
                with m.Else():
                    m.d.sync += [moves.eq(work.last_phase), turns.eq(~work.last_phase)]
                    with m.If(work.row_ends):
                        m.next = "END_ROW"
                    with m.Else():
                        m.next = "GROUP"
            with m.State("END_ROW"):
                with m.If(advance == 0):
                    m.d.comb += rows.finish.eq(1)
                    m.d.sync += settle.eq(_SETTLE)
                    m.next = "SETTLE"
                with m.Else():
                    m.d.comb += rows.skip.eq(1)
                    m.d.sync += advance.eq(advance - 1)
        return m

    def _describe(self, m, work):
        """The three descriptors of the pass that the work registers stand for."""
        stages = self._program.stages
        m.d.sync += [
            self.o_pass.payload.phase.eq(work.kind),
            self.o_pass.payload.row.eq(work.read_base),
            self.o_pass.payload.offset.eq(work.window),
            self.o_pass.payload.kernel_rows.eq(work.kernel_rows),
            self.o_pass.payload.mask.eq(work.mask),
            self.o_pass.payload.weight.eq(work.weight),
            self.o_pass.payload.x.eq(Mux(work.gdn_slot, max_gdn_channels(self._program), 0)),
            self.o_pass.payload.release.eq(
                ~work.is_gdn & work.of_stage(int(s.first) for s in stages) & work.row_ends & work.last_tile
            ),
            self.o_tile.payload.op.eq(work.op),
            self.o_tile.payload.count.eq(work.tile_count),
            self.o_tile.payload.param.eq(work.param),
            self.o_tile.payload.x.eq(work.x),
            self.o_tile.payload.pixels.eq(Mux(work.is_gdn, work.gdn_pixels, work.pixels)),
            self.o_write.payload.to.eq(work.to),
            self.o_write.payload.line.eq(Mux(work.is_gdn, work.gdn_stage, work.stage) + 1),
            self.o_write.payload.address.eq(work.address),
            self.o_write.payload.count.eq(work.tile_count),
            self.o_write.payload.column.eq(Mux(work.is_gdn, work.gdn_column, work.column)),
            self.o_write.payload.slot.eq(work.slot),
            self.o_write.payload.group_done.eq((work.to == Destination.NORM) & work.last_tile),
            self.o_write.payload.row_done.eq(
                work.last_tile & Mux(work.is_gdn, work.gdn_ends, work.row_ends) & (work.to == Destination.LINE)
            ),
        ]
