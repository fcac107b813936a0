"""The sequencer's registers: where it is in a row, and what follows from that."""

from amaranth.hdl import Array, Cat, Mux, Signal

from licgate.gateware.feeder import address_width
from licgate.gateware.post import max_gdn_channels
from licgate.gateware.rows import DIMENSION

__all__ = ["Destination", "Work"]


class Destination:
    """Where a tile's words go."""

    NORM, LINE, OUTPUT = range(3)


class Work:
    """Registers of the row, group of pixels and tile of channels at work, and of the group whose GDN is pending.

    The methods return values or lists of assignments; the sequencer's states say when they happen.

    Parameters
    ----------
    program : Program
    """

    def __init__(self, program):
        self._program = program
        stages, ops = program.stages, program.ops
        address, tiles = address_width(program), max(op.tiles for op in ops)
        self.stage, self.gdn_stage = (Signal(range(max(2, len(stages))), name=n) for n in ("stage", "gdn_stage"))
        self.is_gdn, self.pending = Signal(), Signal()
        # The group: pixels left of it in the row, its first input word, addresses to read and to write.
        self.out_left, self.in_left, self.word = (
            Signal(DIMENSION, name=n) for n in ("out_left", "in_left", "word")
        )  # fmt: skip
        self.offset, self.target = Signal(address, name="offset"), Signal(address, name="target")
        self.slot = Signal()
        # The tile of the convolution or of the pending GDN, and what the layer says of it.
        self.tiles_left, self.op = Signal(range(1 + tiles)), Signal(range(max(2, len(ops))))
        self.last_tile, self.final_count = Signal(), Signal(range(program.cols + 1))
        self.weight = Signal(range(max(memory.depth for memory in program.weight_memories)))
        self.steps, self.param = (
            Signal(range(1 + max(op.steps for op in ops))),
            Signal(range(len(program.biases) + program.cols)),
        )
        self.x, self.to, self.address = (
            Signal(range(2 * max_gdn_channels(program) + program.cols)),
            Signal(2),
            Signal(address),
        )
        # The group whose GDN is pending.
        self.gdn_slot, self.gdn_ends = Signal(), Signal()
        self.gdn_target, self.gdn_pixels = Signal(address), Signal(range(program.rows + 1))
        # Derived.
        self.pixels, self.tile_count = Signal(range(program.rows + 1)), Signal(range(program.cols + 1))
        self.row_ends, self.has_gdn = Signal(), Signal()

    def derive(self, m):
        """Drive what follows from the registers."""
        program = self._program
        m.d.comb += [
            self.row_ends.eq(self.out_left <= program.rows),
            self.pixels.eq(Mux(self.row_ends, self.out_left, program.rows)),
            self.tile_count.eq(Mux(self.last_tile, self.final_count, program.cols)),
        ]

    def of_stage(self, values):
        """The value of the stage at work."""
        return Array(list(values))[self.stage]

    def first_group(self, rows):
        """Begin a row."""
        program = self._program
        stages, count = program.stages, len(program.stages)
        wrap = (1 << len(self.offset)) - 1
        return [
            self.out_left.eq(self.of_stage(rows.widths[k + 1] for k in range(count))),
            self.in_left.eq(self.of_stage(rows.widths[k] for k in range(count))),
            self.word.eq(0),
            self.offset.eq(self.of_stage(program.first_word * s.conv.channels_in & wrap for s in stages)),
            self.target.eq(self.of_stage(rows.write_base[min(k + 1, count - 1)] for k in range(count))),
            self.has_gdn.eq(self.of_stage(int(s.gdn is not None) for s in stages)),
        ]

    def advance(self, rows):
        """Input rows between the first ones of this output row and the next."""
        padding = self._program.padding

        def of(row):
            partly = Mux((row << 1) + 2 > padding, (row << 1) + 2 - padding, 0)
            return Mux((row << 1) >= padding, 2, partly)

        return self.of_stage(of(rows.rows[k]) for k in range(len(self._program.stages)))

    def next_group(self):
        """Move on by ``rows`` pixels."""
        program = self._program
        stages = program.stages
        return [
            self.out_left.eq(self.out_left - self.pixels),
            self.in_left.eq(self.in_left - 2 * program.rows),
            self.word.eq(self.word + 2),
            self.offset.eq(self.offset + self.of_stage(2 * s.conv.channels_in for s in stages)),
            self.target.eq(self.target + self.of_stage([*(s.conv.channels_in for s in stages[1:]), 0])),
        ]

    def keep_for_gdn(self):
        """The group at work becomes the one whose GDN is pending."""
        return [
            self.pending.eq(1), self.gdn_stage.eq(self.stage), self.gdn_slot.eq(self.slot), self.slot.eq(~self.slot),
            self.gdn_target.eq(self.target), self.gdn_pixels.eq(self.pixels), self.gdn_ends.eq(self.row_ends),
        ]  # fmt: skip

    def first_conv_tile(self, rows):
        """Begin the tiles of a group's convolution; kernel rows above the image are left out."""
        program = self._program
        padding, kernel, final = program.padding, program.kernel, len(program.stages) - 1

        def weight(row, op):
            above = Array(op.base + (padding - k) * kernel * op.channels_in for k in range(padding + 1))
            return above[Mux(row << 1 < padding, row << 1, padding)]

        x = Mux(self.slot, max_gdn_channels(program), 0)
        to = Mux(self.stage == final, Destination.OUTPUT, Destination.LINE)
        return [
            *self._first_tile(self.stage, [s.conv for s in program.stages]),
            self.is_gdn.eq(0),
            self.weight.eq(self.of_stage(weight(rows.rows[k], s.conv) for k, s in enumerate(program.stages))),
            self.x.eq(x),
            self.to.eq(Mux(self.has_gdn, Destination.NORM, to)),
            self.address.eq(Mux(self.has_gdn, x, self.target)),
        ]

    def first_gdn_tile(self):
        """Begin the tiles of the pending GDN."""
        program = self._program
        ops, final = [s.last_op for s in program.stages], len(program.stages) - 1
        return [
            *self._first_tile(self.gdn_stage, ops),
            self.is_gdn.eq(1),
            self.weight.eq(Array(op.base for op in ops)[self.gdn_stage]),
            self.x.eq(Mux(self.gdn_slot, max_gdn_channels(program), 0)),
            self.to.eq(Mux(self.gdn_stage == final, Destination.OUTPUT, Destination.LINE)),
            self.address.eq(self.gdn_target),
        ]

    def _first_tile(self, stage, ops):
        cols = self._program.cols
        return [
            signal.eq(Array(int(v) for v in values)[stage])
            for signal, values in (
                (self.op, [op.index for op in ops]),
                (self.tiles_left, [op.tiles for op in ops]),
                (self.last_tile, [op.tiles == 1 for op in ops]),
                (self.final_count, [op.channels_out - (op.tiles - 1) * cols for op in ops]),
                (self.steps, [op.steps for op in ops]),
                (self.param, [op.param_base for op in ops]),
            )
        ]

    def next_tile(self):
        """Move on to the next output channels."""
        cols = self._program.cols
        return [
            self.tiles_left.eq(self.tiles_left - 1),
            self.last_tile.eq(self.tiles_left == 2),
            self.weight.eq(self.weight + self.steps),
            self.param.eq(self.param + cols),
            self.x.eq(self.x + cols),
            self.address.eq(self.address + cols),
        ]

    def mask(self):
        """Which words of the window lie inside the input row."""
        program = self._program
        words = range(program.first_word, program.first_word + program.window_words)
        return Cat((self.word >= -w) if w < 0 else (self.in_left > w * program.rows) for w in words)
