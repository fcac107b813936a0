"""The sequencer's registers: where it is in a row, and what follows from that."""

from itertools import pairwise

from amaranth.hdl import Array, Cat, Const, Mux, Signal

from licgate.gateware.passes import Destination, address_width, max_gdn_channels
from licgate.gateware.resident.rows import DIMENSION

__all__ = ["Work"]


class Work:
    """Registers of the row, group of pixels, phase and tile of channels at work, and of the group with a pending GDN.

    The methods return values or lists of assignments; the sequencer's states say when they happen.

    Parameters
    ----------
    program : Program
    rows : RowTracker
    """

    def __init__(self, program, rows):
        self._program, self._rows = program, rows
        stages, ops, phases = program.stages, program.ops, program.phases
        address, tiles = address_width(program), max(op.tiles for op in ops)
        self.stage, self.gdn_stage = (Signal(range(max(2, len(stages))), name=n) for n in ("stage", "gdn_stage"))
        self.is_gdn, self.pending = Signal(), Signal()
        # The group: pixels left of it in the row, its first input word, addresses to read and to write.
        self.out_left, self.in_left, self.word = (Signal(DIMENSION, name=n) for n in ("out_left", "in_left", "word"))
        self.offset, self.target = Signal(address, name="offset"), Signal(address, name="target")
        self.slot = Signal()
        # The phase of the group's convolution, the parity of the columns that it makes, and what it reads.
        self.phase, self.column = Signal(range(max(2, len(phases)))), Signal()
        self.window, self.mask = Signal(address, name="window"), Signal(program.window_words)
        # The tile of the convolution or of the pending GDN, and what the layer says of it.
        self.kind = Signal.like(self.phase)
        self.tiles_left, self.op = Signal(range(1 + tiles)), Signal(range(max(2, len(ops))))
        self.last_tile, self.final_count = Signal(), Signal(range(program.most_channels + 1))
        # Channels of a pass: the same for all, or as many again where it is packed.
        self.channels = Signal(range(program.most_channels + 1)) if program.packing else Const(program.cols)
        self.weight = Signal(range(max(memory.depth for memory in program.weight_memories)))
        self.steps, self.param = (
            Signal(range(1 + max(phase.steps for phase in phases))),
            Signal(range(len(program.biases) + program.most_channels)),
        )
        self.x, self.to, self.address = (
            Signal(range(2 * max_gdn_channels(program) + program.most_channels)),
            Signal(2),
            Signal(address),
        )
        # The group whose GDN is pending.
        self.gdn_slot, self.gdn_ends, self.gdn_column = Signal(), Signal(), Signal()
        self.gdn_target, self.gdn_pixels = Signal(address), Signal(range(program.rows + 1))
        # Derived; those of the group a cycle late, of its phase two.
        self.pixels, self.tile_count = Signal(range(program.rows + 1)), Signal(range(program.most_channels + 1))
        self.group_ends, self.row_ends, self.has_gdn, self.ended = (
            Signal(name=n) for n in ("group_ends", "row_ends", "has_gdn", "ended")
        )
        self._upsamples = any(stage.upsampling for stage in stages)
        self.last_phase = Signal(name="last_phase") if self._upsamples else Const(1)
        self.in_step, self.word_step, self.offset_step, self.target_step = (
            Signal(range(1 + max(values)), name=f"{name}_step") for name, values in self._steps()
        )
        self.above, self.first_weight = Signal.like(rows.above[0]), Signal.like(self.weight, name="first_weight")
        self.first_word = Signal.like(self.offset, name="first_word")
        # The stage, a cycle late: for the many who ask for it. What the row reads, two cycles late.
        self._stage = Signal.like(self.stage, name="stage_of_all")
        self.read_base, self.kernel_rows = Signal(address, name="read_base"), Signal(range(program.kernel_rows + 1))

    def derive(self, m):
        """Drive what follows from the registers."""
        program = self._program
        weights, offsets = self._phase_tables()
        ends = self.out_left <= program.rows
        m.d.comb += [
            self.row_ends.eq(self.group_ends & self.last_phase),
            self.tile_count.eq(Mux(self.last_tile, self.final_count, self.channels)),
        ]
        m.d.sync += [
            self._stage.eq(self.stage),
            self.read_base.eq(self.of_stage(self._rows.read_base)),
            self.kernel_rows.eq(self.of_stage(self._rows.need) - self.of_stage(self._rows.first)),
            self.group_ends.eq(ends),
            self.pixels.eq(Mux(ends, self.out_left, program.rows)),
            self.ended.eq(self.out_left == 0),
            *(
                [self.last_phase.eq(self.column | self.of_stage(int(not s.upsampling) for s in program.stages))]
                if self._upsamples
                else []
            ),
            self.above.eq(self.of_stage(self._rows.above)),
            self.first_weight.eq(Array(weights)[Cat(self.above, self.phase)]),
            self.first_word.eq(Array(offsets)[self.phase]),
            *(getattr(self, f"{name}_step").eq(self.of_stage(values)) for name, values in self._steps()),
        ]
        self._masks = self._inside(m)

    def _steps(self):
        """How far a group of each stage moves: input pixels and words, addresses to read and to write."""
        stages, rows = self._program.stages, self._program.rows
        made = [following.conv.channels_in << stage.upsampling for stage, following in pairwise(stages)]
        return (
            ("in", [stage.stride * rows for stage in stages]),
            ("word", [stage.stride for stage in stages]),
            ("offset", [stage.stride * stage.conv.channels_in for stage in stages]),
            ("target", [*made, 0]),
        )

    def _phase_tables(self):
        """First weight by rows above the image and phase; offset of the window's first word by phase."""
        program, count = self._program, 1 << len(self.above)
        weights, offsets = [], []
        for phase in program.phases:
            shape, op = phase.shape, program.ops[phase.op]
            row = 0 if shape is None else shape.columns * op.channels_in
            weights += [phase.base + min(k, phase.kernel_rows) * row for k in range(count)]
            first = 0 if shape is None else shape.first_word(program.rows) * op.channels_in
            offsets.append(first & ((1 << len(self.offset)) - 1))
        return weights, offsets

    def of_stage(self, values):
        """The value of the stage at work, from the second cycle of its row on."""
        return Array(list(values))[self._stage]

    def first_group(self, rows):
        """Begin a row."""
        stages, count = self._program.stages, len(self._program.stages)
        return [
            self.out_left.eq(
                self.of_stage(s.group_columns(rows.widths_in[k], rows.widths_out[k]) for k, s in enumerate(stages))
            ),
            self.in_left.eq(self.of_stage(rows.widths_in[k] for k in range(count))),
            self.word.eq(0),
            self.offset.eq(0),
            self.target.eq(self.of_stage(rows.write_base[min(k + 1, count - 1)] for k in range(count))),
            self.has_gdn.eq(self.of_stage(int(s.gdn is not None) for s in stages)),
            self.phase.eq(
                self.of_stage(
                    s.conv.phases[0].index + ((rows.rows[k][0] << 1) if s.upsampling else 0)
                    for k, s in enumerate(stages)
                )
            ),
            self.column.eq(0),
        ]

    def next_phase(self):
        """Move on to the group's second phase."""
        return [self.column.eq(1), self.phase.eq(self.phase + 1)]

    def next_group(self):
        """Move on by ``rows`` pixels, from the group's last phase."""
        begins = [self.column.eq(0), self.phase.eq(self.phase - self.column)] if self._upsamples else []
        return [
            *begins,
            self.out_left.eq(self.out_left - self.pixels),
            self.in_left.eq(self.in_left - self.in_step),
            self.word.eq(self.word + self.word_step),
            self.offset.eq(self.offset + self.offset_step),
            self.target.eq(self.target + self.target_step),
        ]

    def keep_for_gdn(self):
        """The group at work becomes the one whose GDN is pending."""
        return [
            self.pending.eq(1),
            self.gdn_stage.eq(self.stage),
            self.gdn_slot.eq(self.slot),
            self.slot.eq(~self.slot),
            self.gdn_target.eq(self.target),
            self.gdn_pixels.eq(self.pixels),
            self.gdn_ends.eq(self.row_ends),
            self.gdn_column.eq(self.column),
        ]

    def first_conv_tile(self):
        """Begin the tiles of a group's phase, two cycles old; kernel rows above the image are left out."""
        program = self._program
        stages = program.stages
        x = Mux(self.slot, max_gdn_channels(program), 0)
        to = Mux(self.of_stage(int(s.last) for s in stages), Destination.OUTPUT, Destination.LINE)
        return [
            *self._first_tile(self.stage, [s.conv for s in stages]),
            self.is_gdn.eq(0),
            self.kind.eq(self.phase),
            self.steps.eq(Array(phase.steps for phase in program.phases)[self.phase]),
            self.weight.eq(self.first_weight),
            self.window.eq(self.offset + self.first_word),
            self.mask.eq(self._masks[self.phase]),
            self.x.eq(x),
            self.to.eq(Mux(self.has_gdn, Destination.NORM, to)),
            self.address.eq(Mux(self.has_gdn, x, self.target)),
        ]

    def first_gdn_tile(self):
        """Begin the tiles of the pending GDN."""
        program = self._program
        ops = [s.last_op for s in program.stages]
        last = Array(int(s.last) for s in program.stages)[self.gdn_stage]
        return [
            *self._first_tile(self.gdn_stage, ops),
            self.is_gdn.eq(1),
            self.kind.eq(Array(op.phases[0].index for op in ops)[self.gdn_stage]),
            self.steps.eq(Array(op.phases[0].steps for op in ops)[self.gdn_stage]),
            self.weight.eq(Array(op.base for op in ops)[self.gdn_stage]),
            self.x.eq(Mux(self.gdn_slot, max_gdn_channels(program), 0)),
            self.to.eq(Mux(last, Destination.OUTPUT, Destination.LINE)),
            self.address.eq(self.gdn_target),
        ]

    def _first_tile(self, stage, ops):
        program = self._program
        channels = [(self.channels, [program.tile_channels(op) for op in ops])] if program.packing else []
        return [
            signal.eq(Array(int(v) for v in values)[stage])
            for signal, values in (
                *channels,
                (self.op, [op.index for op in ops]),
                (self.tiles_left, [op.tiles for op in ops]),
                (self.last_tile, [op.tiles == 1 for op in ops]),
                (self.final_count, [op.channels_out - (op.tiles - 1) * program.tile_channels(op) for op in ops]),
                (self.param, [op.param_base for op in ops]),
            )
        ]

    def next_tile(self):
        """Move on to the next output channels."""
        return [
            self.tiles_left.eq(self.tiles_left - 1),
            self.last_tile.eq(self.tiles_left == 2),
            self.weight.eq(self.weight + self.steps),
            self.param.eq(self.param + self.channels),
            self.x.eq(self.x + self.channels),
            self.address.eq(self.address + self.channels),
        ]

    def _inside(self, m):
        """Which words of each phase's window lie inside the input row, a cycle late."""
        program = self._program
        inside = {}

        def word(offset):
            if offset not in inside:
                inside[offset] = Signal(name=f"inside_{len(inside)}")
                lies = (self.word >= -offset) if offset < 0 else (self.in_left > offset * program.rows)
                m.d.sync += inside[offset].eq(lies)
            return inside[offset]

        masks = []
        for phase in program.phases:
            first, words = (
                (0, 0)
                if phase.shape is None
                else (phase.shape.first_word(program.rows), phase.shape.words(program.rows))
            )
            masks.append(Cat([word(first + j) for j in range(words)]))
        return Array(masks)
