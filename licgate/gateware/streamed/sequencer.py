"""The sequencer of a streaming accelerator: carries out bands, pass by pass."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.passes import Destination, credits, pass_layout, record_layout, tile_layout, write_layout
from licgate.gateware.streamed.layouts import command_layout
from licgate.program import IN_FLIGHT

__all__ = ["BandSequencer"]

_OUTSTANDING = IN_FLIGHT + 4


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
        super().__init__(
            {
                "start": In(1),
                "i": In(stream.Signature(command_layout(program, "band"))),
                "o_pass": Out(stream.Signature(pass_layout(program))),
                "o_tile": Out(stream.Signature(tile_layout(program))),
                "o_write": Out(stream.Signature(write_layout(program))),
                "o_record": Out(stream.Signature(record_layout(program))),
                "column_loaded": In(1),
                "tile_loaded": In(1),
                "written": In(1),
                "packed": In(1),
                "idle": Out(1),
                "wait_map": Out(1),
                "wait_weights": Out(1),
                "wait_output": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program, stages, ops = self._program, self._program.stages, self._program.ops
        ring, slots, most = program.weight_ring, program.slots, program.most_channels
        band = Signal.like(self.i.payload)

        def of_stage(values):
            return Array([int(v) for v in values])[band.stage]

        # What the stage says.
        convs, lasts = [s.conv for s in stages], [s.last_op for s in stages]
        is_gdn, has_gdn = Signal(), Signal()
        steps = Signal(range(1 + max(op.phases[0].steps for op in ops)))
        tiles, final_count = Signal(range(1 + max(op.tiles for op in ops))), Signal(range(most + 1))
        full = Signal(range(most + 1))  # channels of a pass that is not the last
        channels = Signal(range(1 + max(op.channels_out for op in ops)))  # of the GDN inputs
        # Known a cycle after the band: of these nobody asks before its first pass is issued.
        stride, record = Signal(2), Signal(range(1 + max(map(self._record, stages))))
        part_beats = Signal(range(1 + max(map(self._part, stages))))
        m.d.sync += [
            stride.eq(of_stage(s.stride for s in stages)),
            record.eq(of_stage(map(self._record, stages))),
            part_beats.eq(of_stage(map(self._part, stages))),
        ]

        def of_op(conv):
            which = convs if conv else lasts
            return [
                steps.eq(of_stage(op.phases[0].steps for op in which)),
                tiles.eq(of_stage(op.tiles for op in which)),
                last_tile.eq(of_stage(op.tiles == 1 for op in which)),
                final_count.eq(of_stage(op.channels_out - (op.tiles - 1) * program.tile_channels(op) for op in which)),
                full.eq(of_stage(program.tile_channels(op) for op in which)),
                param.eq(of_stage(op.param_base for op in which)),
                first_param.eq(of_stage(op.param_base for op in which)),
                is_gdn.eq(0 if conv else 1),
            ]

        # Where it is: tile, group, row.
        tile_left, last_tile = Signal.like(tiles), Signal()
        group_left, row_left = Signal.like(band.groups), Signal.like(band.rows)
        last_group, last_row = Signal(), Signal()
        param, first_param = Signal(range(len(program.biases) + most)), Signal(range(len(program.biases) + most))
        channel, x = Signal(range(program.gdn_depth + most)), Signal(range(program.gdn_depth + most))
        # Rows of the slot that the kernel meets, and the words of the window.
        kernel_row = Signal.like(band.height)
        slot, word = Signal.like(band.slot), Signal(signed(14))
        # Addresses: of the group's first record, of the row's, and of the tile's part in it.
        group_target, row_target = Signal.like(band.target), Signal.like(band.target)
        part = Signal(range(1 + max(self._part(s) * s.last_op.tiles for s in stages)))
        # The weight ring: of this tile, of the GDN's first tile, of the band's first tile.
        pointer, gdn_pointer, home = (Signal(range(ring), name=n) for n in ("pointer", "gdn_pointer", "home"))
        most_tiles = 1 + sum(op.tiles for op in ops) + ring
        ready, held, gdn_held = (Signal(range(most_tiles), name=n) for n in ("ready", "held", "gdn_held"))
        # Columns that are there, that the next pass takes, and that come for the groups behind it.
        columns, needed, later = (Signal(range(slots + 1), name=n) for n in ("columns", "needed", "later"))
        outstanding, behind = Signal(range(_OUTSTANDING)), Signal(9)
        unpacked = Signal(range(credits(program) + 1))

        # A cycle behind what they look at, and long settled when a pass is offered.
        tile_ends = Signal()
        m.d.sync += [
            last_group.eq(group_left == 1),
            last_row.eq(row_left == 1),
            # the last pass that uses this tile
            tile_ends.eq((group_left == 1) & (row_left == 1)),
        ]
        # Two cycles behind: what moves on with the pass.
        moves_row, moves_group, moves_tile, goes_back = Signal(), Signal(), Signal(), Signal()
        stage_ends, releases = Signal(), Signal()
        m.d.sync += [
            moves_row.eq(~is_gdn | last_tile),
            moves_group.eq((~is_gdn | last_tile) & last_row),
            moves_tile.eq(~is_gdn & tile_ends),
            goes_back.eq(is_gdn & last_tile & ~tile_ends),
            stage_ends.eq(last_tile & tile_ends),
            releases.eq(tile_ends & ~band.keep),
        ]

        # The descriptor, made in two cycles.
        first, kernel_end = Signal.like(kernel_row), Signal(range(2 * program.kernel_rows + 64))
        above, kernel_rows = Signal.like(self.o_pass.payload.kernel_rows), Signal.like(self.o_pass.payload.kernel_rows)
        beyond = Signal.like(kernel_end)
        most_rows = max(program.in_rows(stage) for stage in stages)
        kernel = of_stage(s.conv.layer.kernel for s in stages)
        row_address = Array(Array(row * s.conv.channels_in for row in range(most_rows + 1)) for s in stages)[
            band.stage
        ][first]
        skipped = Array(
            Array(k * s.conv.phases[0].shape.columns * s.conv.channels_in for k in range(program.kernel_rows + 1))
            for s in stages
        )[band.stage][above]
        words = program.window_words
        begins = Array(number * program.slot_words for number in range(slots))
        inside = Cat((word + k >= 0) & (word + k < band.words) for k in range(words))
        wraps = Cat(slot + k == slots - 1 for k in range(words))
        # The ring's address behind skipped rows, and the same less a ring, of which the one that is inside is taken.
        skip, back = Signal(range(ring + 1)), Signal(range(-ring, 1))
        sum_weight, sum_back = Signal(range(2 * ring + 1)), Signal(range(-ring, ring + 1))
        out = self.o_pass.payload
        p_row, p_offset, p_weight, p_mask, p_wrap = (
            Signal.like(s, name=n)
            for n, s in (
                ("p_row", out.row),
                ("p_offset", out.offset),
                ("p_weight", out.weight),
                ("p_mask", out.mask),
                ("p_wrap", out.wrap),
            )
        )
        p_address = Signal.like(band.target)

        freed = Mux(last_group, band.release, Mux(group_left == band.groups, band.release_first, stride))
        go, issue, issued, recorded = Signal(), Signal(), Signal(), Signal()
        to_memory = Signal()
        loaded, there, room, arrived, can = Signal(), Signal(), Signal(), Signal(), Signal()
        count = Signal.like(final_count)
        m.d.comb += [
            to_memory.eq(is_gdn | ~has_gdn),
            count.eq(Mux(last_tile, final_count, full)),
            out.phase.eq(
                Mux(is_gdn, of_stage(op.phases[0].index for op in lasts), of_stage(op.phases[0].index for op in convs))
            ),
            out.row.eq(p_row),
            out.offset.eq(p_offset),
            out.kernel_rows.eq(kernel_rows),
            out.mask.eq(p_mask),
            out.wrap.eq(p_wrap),
            out.weight.eq(p_weight),
            out.x.eq(x),
            out.release.words.eq(Mux(releases, steps, 0)),
            out.release.slots.eq(Mux(~is_gdn & last_tile & last_row, freed, 0)),
            self.o_tile.payload.op.eq(
                Mux(is_gdn, of_stage(op.index for op in lasts), of_stage(op.index for op in convs))
            ),
            self.o_tile.payload.count.eq(count),
            self.o_tile.payload.param.eq(param),
            self.o_tile.payload.x.eq(x + channel),
            self.o_tile.payload.pixels.eq(Mux(last_group, band.pixels, program.rows)),
            self.o_write.payload.to.eq(Mux(to_memory, Destination.OUTPUT, Destination.NORM)),
            self.o_write.payload.address.eq(x + channel),
            self.o_write.payload.count.eq(count),
            self.o_record.payload.address.eq(p_address),
            self.o_record.payload.count.eq(count),
            self.o_record.payload.stage.eq(band.stage),
            self.o_record.payload.first.eq(~is_gdn | (channel == 0)),
            self.o_record.payload.last.eq(~is_gdn | last_tile),
            self.o_pass.valid.eq(go & can),
            issue.eq(self.o_pass.valid & self.o_pass.ready),
            self.o_tile.valid.eq(issue),
            self.o_write.valid.eq(issue),
            self.o_record.valid.eq(recorded),
        ]
        consumed = Signal()
        m.d.comb += consumed.eq(issued & releases)
        m.d.sync += [
            # Up to date when a pass is offered: nothing but other units' reports changes them in the cycles before.
            issued.eq(issue),
            recorded.eq(issue & to_memory),
            # `room` says that the record writer's queue has a place
            can.eq(loaded & there & room & arrived & self.o_tile.ready & self.o_write.ready),
            loaded.eq(columns >= needed),
            there.eq(ready > held),
            room.eq(~to_memory | (unpacked != credits(program))),
            arrived.eq(~is_gdn | (outstanding <= behind)),
            ready.eq(ready + self.tile_loaded - consumed),
            columns.eq(columns + self.column_loaded - Mux(issued, needed, 0)),
            outstanding.eq(outstanding + issued - self.written),
            unpacked.eq(unpacked + recorded - self.packed),
        ]
        sum_pointer, next_pointer = Signal(range(2 * ring + 1)), Signal.like(pointer)
        moved_slot, next_slot, next_group = Signal(range(2 * slots + 2)), Signal.like(slot), Signal.like(group_target)
        m.d.comb += [
            sum_pointer.eq(pointer + steps),
            moved_slot.eq(slot + stride),
            sum_weight.eq(pointer + skip),
            sum_back.eq(back + skip),
        ]
        # Long settled when the next pass is issued.
        m.d.sync += [
            next_pointer.eq(Mux(sum_pointer >= ring, sum_pointer - ring, sum_pointer)),
            back.eq(pointer - ring),
            next_slot.eq(Mux(moved_slot >= slots, moved_slot - slots, moved_slot)),
            next_group.eq(group_target + record),
        ]

        def first_group():
            return [
                group_left.eq(band.groups),
                slot.eq(band.slot),
                word.eq(band.word),
                x.eq(0),
                group_target.eq(band.target),
                *first_row(band.target),
            ]

        def first_row(target):
            return [row_left.eq(band.rows), kernel_row.eq(0), kernel_end.eq(kernel), row_target.eq(target)]

        tile_state = (
            tile_left,
            last_tile,
            param,
            channel,
            full,
            part,
            part_beats,
            pointer,
            next_pointer,
            held,
            releases,
        )

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.i.ready.eq(1), self.idle.eq(outstanding == 0)]
                with m.If(self.i.valid):
                    m.d.sync += band.eq(self.i.payload)
                    m.next = "BEGIN"
            with m.State("BEGIN"):
                m.d.sync += [
                    *of_op(True),
                    *first_group(),
                    channel.eq(0),
                    part.eq(0),
                    tile_left.eq(of_stage(o.tiles for o in convs)),
                    has_gdn.eq(of_stage(s.gdn is not None for s in stages)),
                    held.eq(0),
                    home.eq(pointer),
                    channels.eq(of_stage(s.conv.channels_out for s in stages)),
                    needed.eq(band.loads_first),
                    later.eq(band.loads - band.loads_first),
                ]
                m.next = "ROWS"
            with m.State("ROWS"):
                begins_at = Mux(kernel_row < band.top, band.top, kernel_row)
                m.d.sync += [
                    first.eq(begins_at),
                    above.eq(Mux(kernel_row < band.top, band.top - kernel_row, 0)),
                    beyond.eq(Mux(kernel_end < band.height, kernel_end, band.height)),
                ]
                m.next = "PLACES"
            with m.State("PLACES"):
                m.d.sync += [
                    kernel_rows.eq(beyond - first),
                    p_row.eq(row_address),
                    p_offset.eq(begins[slot]),
                    p_mask.eq(inside),
                    p_wrap.eq(wraps),
                    skip.eq(Mux(is_gdn, 0, skipped)),
                    p_address.eq(row_target + part),
                ]
                m.next = "WEIGHT"
            with m.State("WEIGHT"):
                m.d.sync += [p_weight.eq(Mux(sum_back >= 0, sum_back, sum_weight)), go.eq(1)]
                m.next = "ISSUE"
            with m.State("ISSUE"):
                m.d.comb += [
                    self.wait_map.eq(~loaded),
                    self.wait_weights.eq(loaded & ~there),
                    self.wait_output.eq(loaded & there & ~room),
                ]
                with m.If(issue):
                    m.d.sync += go.eq(0)
                    m.next = "NEXT"
            with m.State("NEXT"):
                m.next = "ROWS"
                with m.If(stage_ends):
                    m.next = "END"
                    with m.If(~is_gdn & has_gdn):
                        m.next = "GDN"
            with m.State("GDN"):
                m.d.sync += [tile_left.eq(tiles), gdn_pointer.eq(pointer), gdn_held.eq(held)]
                m.next = "ROWS"
            with m.State("END"):
                with m.If(band.keep):
                    m.d.sync += pointer.eq(home)
                m.next = "IDLE"
        # What happens in the state NEXT: a flip-flop knows that as well, and many wait for it.
        with m.If(issued):
            m.d.sync += needed.eq(0)
            with m.If(is_gdn):
                # tiles, then rows, then groups
                m.d.sync += [behind.eq(Mux(behind == 511, 511, behind + 1)), *self._next_tile(*tile_state)]
                with m.If(last_tile):
                    m.d.sync += [
                        tile_left.eq(tiles),
                        last_tile.eq(tiles == 1),
                        param.eq(first_param),
                        channel.eq(0),
                        part.eq(0),
                        behind.eq(behind),
                        x.eq(x + channels),
                    ]
                with m.If(goes_back):
                    m.d.sync += [pointer.eq(gdn_pointer), held.eq(gdn_held)]
            with m.If(moves_row):
                m.d.sync += [
                    row_left.eq(row_left - 1),
                    kernel_row.eq(kernel_row + stride),
                    kernel_end.eq(kernel_end + stride),
                    row_target.eq(row_target + band.pitch),
                    x.eq(x + channels),
                ]
                with m.If(moves_group):
                    m.d.sync += [
                        group_left.eq(group_left - 1),
                        group_target.eq(next_group),
                        *first_row(next_group),
                        word.eq(word + stride),
                        slot.eq(next_slot),
                        # all have come when the first tile is through
                        needed.eq(Mux(later < stride, later, stride)),
                        later.eq(Mux(later < stride, 0, later - stride)),
                    ]
            with m.If(moves_tile):
                m.d.sync += [*first_group(), *self._next_tile(*tile_state)]
                with m.If(last_tile):
                    m.d.sync += [channel.eq(0), part.eq(0)]
                    with m.If(has_gdn):
                        m.d.sync += [*of_op(False), behind.eq(band.groups * band.rows - 1)]
        with m.If(self.start):
            m.d.sync += [s.eq(0) for s in (ready, columns, pointer)]
        return m

    def _part(self, stage):
        """Beats of the part of a record that a pass makes."""
        program, op = self._program, stage.last_op
        return program.beats(program.rows * op.layer.output.bits * program.cols) * op.products

    def _record(self, stage):
        """Beats of a record of the stage's output."""
        program, op = self._program, stage.last_op
        parts = [min(program.cols, op.channels_out - c) for c in range(0, op.channels_out, program.cols)]
        return sum(program.beats(part * program.rows * op.layer.output.bits) for part in parts)

    def _next_tile(self, left, last, param, channel, full, part, part_beats, pointer, next_pointer, held, releases):
        """Move on to the next output channels."""
        return [
            left.eq(left - 1),
            last.eq(left == 2),
            param.eq(param + full),
            channel.eq(channel + full),
            part.eq(part + part_beats),
            pointer.eq(next_pointer),
            held.eq(held + ~releases),
        ]
