"""The layer sequencer: walks the compiled program over an image of any size, row by row, deepest layer first."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from licgate.gateware.feeder import address_width, pass_layout
from licgate.gateware.post import drain_layout, max_gdn_channels

__all__ = ["DIMENSION", "Destination", "Sequencer", "write_layout"]

DIMENSION = 16
_SETTLE = 5


class Destination:
    """Where a tile's words go."""

    NORM, LINE, OUTPUT = range(3)


def write_layout(program):
    """Where a tile is written: destination, line buffer, address of the first channel, channels, and what it completes."""
    return data.StructLayout({
        "to": 2,
        "line": range(max(2, len(program.stages))),
        "address": address_width(program),
        "count": range(program.cols + 1),
        "slot": 1,
        "group_done": 1,
        "row_done": 1,
    })  # fmt: skip


class Sequencer(Component):
    """Issue every pass of an image in an order that keeps the line buffers small.

    The deepest stage whose input rows are there and whose output row has room computes one row; so each line buffer needs few rows
    more than its kernel, and nothing is computed twice. Within a row, groups of ``rows`` pixels run their convolution passes; the
    GDN passes of a group follow the convolution of the next one, so that its results have arrived by then.

    Parameters
    ----------
    program : Program

    Members
    -------
    start, width, height
        ``start`` begins an image of ``width`` × ``height`` pixels; both stay stable until ``done``.
    done : :py:`Out(1)`
        Every pass has been issued and every tile written (level, until the next ``start``).
    o_pass, o_tile, o_write
        Descriptors for the feeder, the post-processor and the writer; ``o_tile`` and ``o_write`` move with ``o_pass``.
    input_row, input_room, released
        A row of pixels is complete; there is room for another; the feeder is done with a row of the first convolution.
    written, output_written, group_done, group_slot, row_done, row_line
        From the writer: a tile is written; it went to the output; it completed a group's GDN inputs; it completed a row of a line buffer.
    output_words : :py:`In(...)`
        Free words of the latent FIFO.
    out_width, out_height
        Size of the latents.
    wait_input, wait_output : :py:`Out(1)`
        The next pass waits for pixels, or for room at the output.

    Timing: one to three cycles between passes of a row, overlapped with the running pass; six cycles between rows, likewise.
    """

    def __init__(self, program, output_words):
        self._program = program
        stages = range(max(2, len(program.stages)))
        super().__init__({
            "start": In(1), "width": In(DIMENSION), "height": In(DIMENSION), "done": Out(1),
            "o_pass": Out(stream.Signature(pass_layout(program))),
            "o_tile": Out(stream.Signature(drain_layout(program))),
            "o_write": Out(stream.Signature(write_layout(program))),
            "input_row": In(1), "input_room": Out(1), "released": In(1),
            "written": In(1), "output_written": In(1), "group_done": In(1), "group_slot": In(1), "row_done": In(1), "row_line": In(stages),
            "output_words": In(range(output_words + 1)),
            "out_width": Out(DIMENSION), "out_height": Out(DIMENSION),
            "wait_input": Out(1), "wait_output": Out(1),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        program = self._program
        stages, padding, kernel = program.stages, program.padding, program.kernel
        count = len(stages)
        width = address_width(program)

        def per_stage(name, size=DIMENSION, number=count):
            return [Signal(size, name=f"{name}_{k}") for k in range(number)]

        heights, widths = per_stage("height", number=count + 1), per_stage("width", number=count + 1)
        m.d.comb += [heights[0].eq(self.height), widths[0].eq(self.width)]
        m.d.comb += [self.out_width.eq(widths[-1]), self.out_height.eq(heights[-1])]
        for k in range(count):
            m.d.sync += [heights[k + 1].eq((heights[k] + 1) >> 1), widths[k + 1].eq((widths[k] + 1) >> 1)]

        # What each stage could do next; the registers settle in three cycles.
        row, rows_in, read_base, write_base = per_stage("row"), per_stage("rows_in"), per_stage("read", width), per_stage("write", width)
        need, first, more, room, ready = per_stage("need"), per_stage("first"), per_stage("more", 1), per_stage("room", 1), per_stage("ready", 1)
        for k, stage in enumerate(stages):
            wanted = Signal(DIMENSION + 2, name=f"wanted_{k}")
            m.d.comb += wanted.eq((row[k] << 1) + kernel - padding)
            m.d.sync += [
                need[k].eq(Mux(wanted < heights[k], wanted, heights[k])),
                first[k].eq(_first(row[k], padding)),
                more[k].eq(row[k] != heights[k + 1]),
                ready[k].eq(more[k] & room[k] & (rows_in[k] >= need[k])),
            ]
            has_room = row[k] - first[k + 1] < stages[k + 1].ring if k + 1 < count else 1
            m.d.sync += room[k].eq(has_room)
        released, first_released = Signal(DIMENSION), Signal(DIMENSION)
        with m.If(self.released):
            m.d.sync += released.eq(released + 1)
        m.d.sync += [
            first_released.eq(_first(released, padding)),
            self.input_room.eq(rows_in[0] - first_released < stages[0].ring),
        ]
        with m.If(self.input_row):
            m.d.sync += rows_in[0].eq(rows_in[0] + 1)
        for k in range(1, count):
            with m.If(self.row_done & (self.row_line == k)):
                m.d.sync += rows_in[k].eq(rows_in[k] + 1)

        x_ready = Signal(2)
        outstanding = Signal(8)
        with m.If(self.group_done):
            m.d.sync += x_ready.bit_select(self.group_slot, 1).eq(1)

        # The row, group and pass at work, and the group whose GDN is pending.
        sel = Signal(range(max(2, count)))
        slot, settle, advance = Signal(), Signal(range(_SETTLE + count + 1)), Signal(2)
        out_left, in_left = Signal(DIMENSION), Signal(DIMENSION)
        group_word = Signal(DIMENSION)
        offset, target = Signal(width), Signal(width)
        tile, weight = Signal(range(max(2, max(op.tiles for op in program.ops)))), Signal(len(self.o_pass.payload.weight))
        channel = Signal(range(1 + max(op.tiles for op in program.ops) * program.cols))
        pending = Signal()
        gdn_stage, gdn_slot, gdn_target, gdn_pixels, gdn_end = (
            Signal.like(sel, name="gdn_stage"), Signal(name="gdn_slot"), Signal(width, name="gdn_target"),
            Signal(range(program.rows + 1), name="gdn_pixels"), Signal(name="gdn_end"),
        )  # fmt: skip
        is_gdn = Signal()

        def of_stage(values, index=None):
            return Array(values)[sel if index is None else index]

        ops = [(s.conv, s.gdn or s.conv) for s in stages]

        def of_op(function):
            return Mux(is_gdn, of_stage([function(g) for _, g in ops], gdn_stage), of_stage([function(c) for c, _ in ops]))

        pixels, row_ends, last_tile = Signal(range(program.rows + 1)), Signal(), Signal()
        has_gdn, is_last_stage = Signal(), Signal()
        tile_count = Signal(range(program.cols + 1))
        m.d.comb += [
            row_ends.eq(out_left <= program.rows),
            pixels.eq(Mux(row_ends, out_left, program.rows)),
            last_tile.eq(tile == of_op(lambda o: o.tiles - 1)),
            has_gdn.eq(of_stage([int(s.gdn is not None) for s in stages])),
            is_last_stage.eq(sel == count - 1),
            tile_count.eq(Mux(last_tile, of_op(lambda o: o.channels_out - (o.tiles - 1) * program.cols), program.cols)),
        ]
        self._descriptors(
            m, is_gdn=is_gdn, of_op=of_op, of_stage=of_stage, sel=sel, read_base=read_base, offset=offset, need=need, first=first,
            group_word=group_word, in_left=in_left, weight=weight, slot=slot, gdn_slot=gdn_slot, channel=channel, pixels=pixels,
            gdn_pixels=gdn_pixels, tile_count=tile_count, last_tile=last_tile, row_ends=row_ends, gdn_end=gdn_end, target=target,
            gdn_target=gdn_target, gdn_stage=gdn_stage, has_gdn=has_gdn, is_last_stage=is_last_stage,
        )  # fmt: skip

        issue, go = Signal(), Signal()
        to_output = self.o_write.payload.to == Destination.OUTPUT
        credit = Signal()
        reserved = Signal(8)
        m.d.comb += [
            credit.eq(~to_output | (self.output_words >= reserved + program.cols)),
            self.o_pass.valid.eq(go & self.o_tile.ready & self.o_write.ready & credit),
            issue.eq(self.o_pass.valid & self.o_pass.ready),
            self.o_tile.valid.eq(issue),
            self.o_write.valid.eq(issue),
            self.wait_output.eq(go & ~credit),
        ]
        m.d.sync += outstanding.eq(outstanding + issue - self.written)
        # Words promised to the output but not yet in its FIFO.
        m.d.sync += reserved.eq(reserved + Mux(issue & to_output, program.cols, 0) - Mux(self.output_written, program.cols, 0))

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.done.eq(1)
                with m.If(self.start):
                    m.d.sync += [s.eq(0) for s in (*row, *rows_in, *read_base, *write_base, released, pending, slot, x_ready)]
                    m.d.sync += settle.eq(_SETTLE + count)
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                m.d.sync += settle.eq(settle - 1)
                with m.If(settle == 0):
                    m.next = "SELECT"
            with m.State("SELECT"):
                for k in range(count):
                    with m.If(ready[k]):
                        m.d.sync += sel.eq(k)
                with m.If(Cat(ready).any()):
                    m.next = "ROW"
                with m.Elif(pending):
                    m.d.sync += [tile.eq(0), channel.eq(0), weight.eq(0), is_gdn.eq(1)]
                    m.next = "GDN"
                with m.Elif(~Cat(more).any() & (outstanding == 0)):
                    m.next = "IDLE"
                m.d.comb += self.wait_input.eq(~Cat(ready).any() & ~pending & more[0] & (rows_in[0] < need[0]) & (outstanding == 0))
            with m.State("ROW"):
                m.d.sync += [
                    out_left.eq(of_stage(widths[1:])),
                    in_left.eq(of_stage(widths[:-1])),
                    group_word.eq(0),
                    offset.eq(of_stage([program.first_word * s.conv.channels_in & ((1 << width) - 1) for s in stages])),
                    target.eq(of_stage(write_base[1:] + write_base[:1])),
                    advance.eq(of_stage([_advance(r, padding) for r in row])),
                ]
                m.next = "GROUP"
            with m.State("GROUP"):
                starts = [
                    Array(max(0, padding - k) * kernel * s.conv.channels_in for k in range(padding + 1))[
                        Mux(row[i] << 1 < padding, row[i] << 1, padding)
                    ]
                    for i, s in enumerate(stages)
                ]
                m.d.sync += [tile.eq(0), channel.eq(0), is_gdn.eq(0), weight.eq(of_stage(starts))]
                m.next = "CONV"
            with m.State("CONV"):
                m.d.comb += go.eq(1)
                with m.If(issue):
                    m.d.sync += [tile.eq(tile + 1), channel.eq(channel + program.cols), weight.eq(weight + of_op(lambda o: o.steps))]
                    with m.If(last_tile):
                        m.d.sync += [tile.eq(0), channel.eq(0), weight.eq(0), is_gdn.eq(1)]
                        m.next = "GDN"
            with m.State("GDN"):
                # The GDN of the group before this one, when there is one whose inputs have arrived.
                with m.If(~pending):
                    m.next = "NEXT"
                with m.Else():
                    m.d.comb += go.eq(x_ready.bit_select(gdn_slot, 1))
                    with m.If(issue):
                        m.d.sync += [tile.eq(tile + 1), channel.eq(channel + program.cols), weight.eq(weight + of_op(lambda o: o.steps))]
                        with m.If(last_tile):
                            m.d.sync += [pending.eq(0), x_ready.bit_select(gdn_slot, 1).eq(0)]
                            m.next = "NEXT"
            with m.State("NEXT"):
                m.d.sync += is_gdn.eq(0)
                with m.If(out_left == 0):  # only a pending GDN was flushed
                    m.d.sync += settle.eq(0)
                    m.next = "SELECT"
                with m.Else():
                    m.d.sync += [
                        out_left.eq(out_left - pixels),
                        in_left.eq(in_left - 2 * program.rows),
                        group_word.eq(group_word + 2),
                        offset.eq(offset + of_stage([2 * s.conv.channels_in for s in stages])),
                        target.eq(target + of_stage([s.conv.channels_in for s in stages[1:]] + [0])),
                    ]
                    with m.If(has_gdn):
                        m.d.sync += [
                            pending.eq(1), gdn_stage.eq(sel), gdn_slot.eq(slot), gdn_target.eq(target), gdn_pixels.eq(pixels),
                            gdn_end.eq(row_ends), slot.eq(~slot),
                        ]  # fmt: skip
                    with m.If(row_ends):
                        m.next = "END_ROW"
                    with m.Else():
                        m.next = "GROUP"
            with m.State("END_ROW"):
                with m.If(advance == 0):
                    with m.Switch(sel):
                        for k, stage in enumerate(stages):
                            with m.Case(k):
                                m.d.sync += row[k].eq(row[k] + 1)
                                if k + 1 < count:
                                    m.d.sync += write_base[k + 1].eq(_wrapped(write_base[k + 1], stages[k + 1]))
                    m.d.sync += settle.eq(_SETTLE)
                    m.next = "SETTLE"
                with m.Else():
                    m.d.sync += advance.eq(advance - 1)
                    with m.Switch(sel):
                        for k, stage in enumerate(stages):
                            with m.Case(k):
                                m.d.sync += read_base[k].eq(_wrapped(read_base[k], stage))
        return m

    def _descriptors(self, m, *, is_gdn, of_op, of_stage, sel, read_base, offset, need, first, group_word, in_left, weight, slot, gdn_slot,
                     channel, pixels, gdn_pixels, tile_count, last_tile, row_ends, gdn_end, target, gdn_target, gdn_stage, has_gdn,
                     is_last_stage):  # fmt: skip
        """The three descriptors of the pass that the registers describe."""
        program = self._program
        channels = max_gdn_channels(program)
        mask = []
        for j in range(program.window_words):
            word = program.first_word + j
            inside = (group_word >= -word) if word < 0 else (in_left > word * program.rows)
            mask.append(inside)
        norm_base = Signal(len(self.o_pass.payload.x))
        m.d.comb += norm_base.eq(Mux(Mux(is_gdn, gdn_slot, slot), channels, 0))
        gdn_ends = last_tile & Mux(is_gdn, gdn_end, row_ends)
        to = Mux(is_gdn, Destination.LINE, Mux(has_gdn, Destination.NORM, Mux(is_last_stage, Destination.OUTPUT, Destination.LINE)))
        if program.stages[-1].gdn is not None:
            to = Mux(is_gdn & (gdn_stage == len(program.stages) - 1), Destination.OUTPUT, to)
        line_target = Mux(is_gdn, gdn_target, target) + channel
        m.d.comb += [
            self.o_pass.payload.op.eq(of_op(lambda o: o.index)),
            self.o_pass.payload.row.eq(of_stage(read_base)),
            self.o_pass.payload.offset.eq(offset),
            self.o_pass.payload.kernel_rows.eq(of_stage(need) - of_stage(first)),
            self.o_pass.payload.mask.eq(Cat(mask)),
            self.o_pass.payload.weight.eq(weight),
            self.o_pass.payload.x.eq(norm_base),
            self.o_pass.payload.release.eq(~is_gdn & (sel == 0) & row_ends & last_tile),
            self.o_tile.payload.op.eq(of_op(lambda o: o.index)),
            self.o_tile.payload.count.eq(tile_count),
            self.o_tile.payload.param.eq(of_op(lambda o: o.param_base) + channel),
            self.o_tile.payload.x.eq(norm_base + channel),
            self.o_tile.payload.pixels.eq(Mux(is_gdn, gdn_pixels, pixels)),
            self.o_write.payload.to.eq(to),
            self.o_write.payload.line.eq(Mux(is_gdn, gdn_stage, sel) + 1),
            self.o_write.payload.address.eq(Mux(~is_gdn & has_gdn, norm_base + channel, line_target)),
            self.o_write.payload.count.eq(tile_count),
            self.o_write.payload.slot.eq(slot),
            self.o_write.payload.group_done.eq(~is_gdn & has_gdn & last_tile),
            self.o_write.payload.row_done.eq(gdn_ends & (to == Destination.LINE)),
        ]


def _first(row, padding):
    """First input row, inside the image, of an output row."""
    return Mux((row << 1) > padding, (row << 1) - padding, 0)


def _advance(row, padding):
    """Input rows between the first ones of this output row and the next."""
    return Mux((row << 1) >= padding, 2, Mux((row << 1) + 2 > padding, (row << 1) + 2 - padding, 0))


def _wrapped(base, stage):
    """Address of the next row of a line buffer."""
    return Mux(base == (stage.ring - 1) * stage.row_stride, 0, base + stage.row_stride)
