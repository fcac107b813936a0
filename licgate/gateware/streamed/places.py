"""Where the passes of a band read and write: rows and words of the line memory, kernel rows, records."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.passes import pass_layout, place_names
from licgate.gateware.sequence.tables import of_stage
from licgate.gateware.streamed.layouts import command_layout, record_offset, stride_width

__all__ = ["BandPlaces"]


class BandPlaces(Component):
    """Follow the walk over a band with places.

    Parameters
    ----------
    program : StreamedProgram

    Members
    -------
    band, begin, issued : :py:`In(...)`
        As of :class:`~licgate.gateware.sequence.walk.BandWalk`, as are
    is_gdn, column, parity, last_tile, moves_row, moves_group, moves_tile, to_gdn : :py:`In(1)`
    quarter : :py:`In(2)`
        Only where rows make quads.
    stride : :py:`Out(...)`
        Input words from a group to the next.
    row, offset, kernel_rows, mask, above, inside, wrap : :py:`Out(...)`
        For the feeder, see :func:`~licgate.gateware.passes.pass_layout`; ``above`` and ``inside`` only where it has
        them.
    skip : :py:`Out(...)`
        Weights of the tile in front of those that the pass reads.
    address : :py:`Out(address_bits)`
        Of the pass's record, or part of it.

    Timing: ``skip`` is there two cycles after the walk moved on, all others after three.
    """

    def __init__(self, program):
        self._program = program
        layout = pass_layout(program)
        flags = ("begin", "issued", "is_gdn", "column", "parity", "last_tile")
        moves = ("moves_row", "moves_group", "moves_tile", "to_gdn")
        quads = program.arithmetic.points
        super().__init__(
            {
                "band": In(command_layout(program, "band")),
                **{name: In(1) for name in (*flags, *moves)},
                **({"quarter": In(2)} if quads else {}),
                "stride": Out(stride_width(program)),
                **{name: Out(layout[name].shape) for name in (*place_names(program), "wrap")},
                "skip": Out(range(program.weight_ring + 1)),
                "address": Out(program.address_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # known a cycle after the band: nobody asks before its first pass is issued
        steps = (self._program.group_step(stage) for stage in self._program.stages)
        m.d.sync += self.stride.eq(of_stage(self.band.stage, steps))
        self._kernel(m)
        self._window(m)
        self._target(m)
        return m

    def _by_parity(self, of_phase):
        """Values of the convolution's pass kind with the pass's parities; of the only one where there are none."""
        pass_kinds = [stage.conv.pass_kinds for stage in self._program.stages]
        if not self._program.upsampling:
            return Array(of_phase(found[0]) for found in pass_kinds)[self.band.stage]
        index = Cat(self.column, self.parity)
        return Array(Array(of_phase(found[k % len(found)]) for k in range(4)) for found in pass_kinds)[self.band.stage][
            index
        ]

    def _kernel(self, m):
        """Rows of the slot that the kernel meets, and what it skips."""
        program, stages, band = self._program, self._program.stages, self.band
        kernel_row = Signal(len(band.height), name="kernel_row")
        kernel_end = Signal(range(2 * program.kernel_rows + 64), name="kernel_end")
        row_step, end_step = self.stride, self.stride
        if program.arithmetic.points:
            # groups are four times as many words apart, rows are not
            row_step = end_step = self.stride >> 2
        if program.upsampling:
            row_step, end_step = Signal(2, name="row_step"), Signal(2, name="end_step")
            for step, which in ((row_step, 0), (end_step, 1)):
                steps = (
                    [stage.span(parity + 1)[which] - stage.span(parity)[which] for parity in range(2)]
                    for stage in stages
                )
                m.d.sync += step.eq(Array(Array(found) for found in steps)[band.stage][self.parity])
        first_row = [
            kernel_row.eq(0),
            kernel_end.eq(of_stage(band.stage, (stage.conv.pass_kinds[0].kernel_rows for stage in stages))),
        ]
        with m.If(self.issued & self.moves_row):
            m.d.sync += [kernel_row.eq(kernel_row + row_step), kernel_end.eq(kernel_end + end_step)]
        with m.If(self.begin | (self.issued & (self.moves_group | self.moves_tile))):
            m.d.sync += first_row

        first, beyond = Signal.like(kernel_row, name="first"), Signal.like(kernel_end, name="beyond")
        above = Signal(range(program.kernel_rows + 1))
        inside = self.kernel_rows
        if program.arithmetic.whole_passes:
            inside = self.inside
            m.d.comb += [self.kernel_rows.eq(self._by_parity(lambda kind: kind.kernel_rows)), self.above.eq(above)]
        most_rows = max(program.in_rows(stage) for stage in stages)
        row = Array(Array(row * stage.conv.words_in for row in range(most_rows + 1)) for stage in stages)

        def skipped(pass_kind):
            op = program.ops[pass_kind.op]
            before = sum(other.weights for other in op.pass_kinds if other.index < pass_kind.index)
            width = 0 if program.arithmetic.whole_passes else pass_kind.shape.columns * op.words_in
            return Array(before + count * width for count in range(program.kernel_rows + 1))

        m.d.sync += [
            first.eq(Mux(kernel_row < band.top, band.top, kernel_row)),
            above.eq(Mux(kernel_row < band.top, band.top - kernel_row, 0)),
            beyond.eq(Mux(kernel_end < band.height, kernel_end, band.height)),
            inside.eq(beyond - first),
            self.row.eq(row[band.stage][first]),
            self.skip.eq(Mux(self.is_gdn, 0, self._by_parity(skipped)[above])),
        ]

    def _window(self, m):
        """The window's first slot, and its words."""
        program, band, slots = self._program, self.band, self._program.slots
        slot, word = Signal(len(band.slot), name="slot"), Signal(signed(14), name="word")
        moved, next_slot = Signal(range(2 * slots + 2)), Signal.like(slot, name="next_slot")
        m.d.comb += moved.eq(slot + self.stride)
        m.d.sync += next_slot.eq(Mux(moved >= slots, moved - slots, moved))
        with m.If(self.issued & self.moves_group):
            m.d.sync += [word.eq(word + self.stride), slot.eq(next_slot)]
        with m.If(self.begin | (self.issued & self.moves_tile)):
            m.d.sync += [slot.eq(band.slot), word.eq(band.word)]
        if program.upsampling:
            slot, word = self._shifted(m, slot, word)
        words = range(program.window_words)
        begins = Array(number * program.slot_words for number in range(slots))
        m.d.sync += [
            self.offset.eq(begins[slot]),
            self.mask.eq(Cat((word + k >= 0) & (word + k < band.words) for k in words)),
            self.wrap.eq(Cat(slot + k == slots - 1 for k in words)),
        ]

    def _shifted(self, m, slot, word):
        """Where the window of the pass's column parity begins, in those of both; a cycle behind."""
        program, slots = self._program, self._program.slots

        def later(pass_kind):
            stage = next(stage for stage in program.stages if stage.conv.index == pass_kind.op)
            return pass_kind.shape.first_word(program.rows) - program.window(stage)[0]

        shift, moved = Signal(2, name="shift"), Signal(range(slots + 4), name="shifted")
        here, at = Signal.like(slot, name="slot_here"), Signal.like(word, name="word_here")
        m.d.comb += [shift.eq(self._by_parity(later)), moved.eq(slot + shift)]
        m.d.sync += [here.eq(Mux(moved >= slots, moved - slots, moved)), at.eq(word + shift)]
        return here, at

    def _target(self, m):
        """Addresses: of the group's first record, of the row's, and of the tile's part in it."""
        program, stages, band = self._program, self._program.stages, self.band
        group_target, row_target, next_group = (
            Signal.like(self.address, name=name) for name in ("group_target", "row_target", "next_group")
        )
        parts = [program.record_beats(program.cols, s.last_op.layer.output.bits) * s.last_op.products for s in stages]
        records = [program.record_beats(s.last_op.channels_out, s.last_op.layer.output.bits) for s in stages]
        part = Signal(range(1 + max(size * s.last_op.tiles for size, s in zip(parts, stages, strict=True))))
        each = [size * program.group_records(s) for size, s in zip(records, stages, strict=True)]
        part_beats, step = Signal(range(1 + max(parts))), Signal(range(1 + max(each)))
        m.d.sync += [
            part_beats.eq(of_stage(band.stage, parts)),
            step.eq(of_stage(band.stage, each)),
            next_group.eq(group_target + step),
        ]
        with m.If(self.issued):
            with m.If(self.is_gdn):
                m.d.sync += part.eq(Mux(self.last_tile, 0, part + part_beats))
            with m.If(self.moves_row):
                m.d.sync += row_target.eq(row_target + band.pitch)
            with m.If(self.moves_group):
                m.d.sync += [group_target.eq(next_group), row_target.eq(next_group)]
            with m.If(self.moves_tile):
                m.d.sync += part.eq(Mux(self.last_tile, 0, part + part_beats))
        with m.If(self.begin | (self.issued & self.moves_tile)):
            m.d.sync += [group_target.eq(band.target), row_target.eq(band.target)]
        with m.If(self.begin):
            m.d.sync += part.eq(0)
        place = part
        if program.interleaves:
            before = max(group - size for group, size in zip(each, records, strict=True))
            most = before + max(parts) * max(s.last_op.tiles for s in stages)
            place = Signal(range(1 + most), name="place")
            m.d.sync += place.eq(part + record_offset(program, band.stage, self._record(m)))
        m.d.sync += self.address.eq(row_target + place)

    def _record(self, m):
        """Which record of its group the pass makes: of what upsamples by points, every second one of two fours."""
        program = self._program
        if not program.arithmetic.points:
            return self.column
        number = Signal(3, name="record_number")
        m.d.comb += number.eq(self.quarter)
        if program.upsampling:
            with m.If(of_stage(self.band.stage, (stage.upsampling for stage in program.stages))):
                m.d.comb += number.eq(Cat(self.column, self.quarter))
        return number
