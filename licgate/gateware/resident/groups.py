"""The group of pixels at work in a row, and what its passes read."""

from itertools import pairwise

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.passes import address_width
from licgate.gateware.resident.rows import DIMENSION, row_layout

__all__ = ["GroupWalk", "group_layout"]


def group_layout(program):
    """A group of pixels, of one parity of columns where its stage makes them parity by parity.

    pass_kind: of its convolution. column: the parity. row, window, mask, kernel_rows, weight: what a pass over its
    first tile reads, see ``pass_layout``. target: where the result goes. pixels: inside the row. row_ends: its last.
    """
    address = address_width(program)
    return data.StructLayout(
        {
            "pass_kind": range(max(2, len(program.pass_kinds))),
            "column": 1,
            "row": address,
            "window": address,
            "mask": program.window_words,
            "kernel_rows": range(program.kernel_rows + 1),
            "weight": range(max(memory.depth for memory in program.weight_memories)),
            "target": address,
            "pixels": range(program.rows + 1),
            "row_ends": 1,
        }
    )


class GroupWalk(Component):
    """Walk the groups of a row, ``rows`` pixels each, and where a stage upsamples, the two parities of each.

    Parameters
    ----------
    program : Program

    Members
    -------
    stage, row : :py:`In(...)`, :py:`In(row_layout(program))`
        Stage at work and its row, which follows the stage by a cycle.
    starts, turns, moves : :py:`In(1)`
        Begin the row; move on to the group's second parity; move on to the next group, from the last parity.
    group : :py:`Out(group_layout(program))`
        The group at work, two cycles behind what changes it.
    last_phase, ended, has_gdn : :py:`Out(1)`
        The group has no other parity to come; the row had ended; a GDN follows the stage's convolution.

    Resources: counters of pixels and words, four adders for addresses, tables of stages and pass kinds.
    """

    def __init__(self, program):
        self._program = program
        super().__init__(
            {
                "stage": In(range(max(2, len(program.stages)))),
                "row": In(row_layout(program)),
                "starts": In(1),
                "turns": In(1),
                "moves": In(1),
                "group": Out(group_layout(program)),
                "last_phase": Out(1),
                "ended": Out(1),
                "has_gdn": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program, group = self._program, self.group
        self._stage = Signal.like(self.stage)
        # Pixels of the group that are left in the row, and of its input; its first input word; what it reads.
        self._out_left, self._in_left, self._word = (Signal(DIMENSION, name=n) for n in ("out_left", "in_left", "word"))
        self._offset, first_word = Signal.like(group.window, name="offset"), Signal.like(group.window, name="first")
        above = Signal.like(self.row.above)
        group_ends = Signal()
        weights, offsets = self._phase_tables(len(above))
        ends = self._out_left <= program.rows
        m.d.sync += [
            self._stage.eq(self.stage),
            group.row.eq(self.row.read_base),
            group.kernel_rows.eq(self.row.kernel_rows),
            group_ends.eq(ends),
            group.pixels.eq(Mux(ends, self._out_left, program.rows)),
            self.ended.eq(self._out_left == 0),
            above.eq(self.row.above),
            group.weight.eq(Array(weights)[Cat(above, group.pass_kind)]),
            first_word.eq(Array(offsets)[group.pass_kind]),
        ]
        m.d.comb += [
            group.row_ends.eq(group_ends & self.last_phase),
            group.window.eq(self._offset + first_word),
            group.mask.eq(self._inside(m)[group.pass_kind]),
        ]
        self._upsamples = any(stage.upsampling for stage in program.stages)
        if self._upsamples:
            single = self._of_stage(int(not s.upsampling) for s in program.stages)
            m.d.sync += self.last_phase.eq(group.column | single)
        else:
            m.d.comb += self.last_phase.eq(1)
        self._move(m)
        return m

    def _of_stage(self, values):
        """The value of the stage at work, from the second cycle of its row on."""
        return Array(list(values))[self._stage]

    def _move(self, m):
        """Move on within the row."""
        stages, rows, group = self._program.stages, self._program.rows, self.group
        made = [following.conv.channels_in << stage.upsampling for stage, following in pairwise(stages)]
        # How far a group of each stage moves: input pixels and words, addresses to read and to write.
        distances = (
            (self._in_left, "in", [stage.stride * rows for stage in stages], -1),
            (self._word, "word", [stage.stride for stage in stages], 1),
            (self._offset, "offset", [stage.stride * stage.conv.channels_in for stage in stages], 1),
            (group.target, "target", [*made, 0], 1),
        )
        steps = []
        for register, name, values, sign in distances:
            step = Signal(range(1 + max(values)), name=f"{name}_step")
            m.d.sync += step.eq(self._of_stage(values))
            steps.append(register.eq(register + step if sign > 0 else register - step))
        with m.If(self.starts):
            m.d.sync += [
                self._out_left.eq(self.row.columns),
                self._in_left.eq(self.row.width),
                self._word.eq(0),
                self._offset.eq(0),
                group.target.eq(self.row.write_base),
                self.has_gdn.eq(self._of_stage(int(s.gdn is not None) for s in stages)),
                group.pass_kind.eq(self._of_stage(s.conv.pass_kinds[0].index for s in stages) + (self.row.odd << 1)),
                group.column.eq(0),
            ]
        with m.If(self.moves):
            if self._upsamples:
                m.d.sync += [group.column.eq(0), group.pass_kind.eq(group.pass_kind - group.column)]
            m.d.sync += [self._out_left.eq(self._out_left - group.pixels), *steps]
        with m.If(self.turns):
            m.d.sync += [group.column.eq(1), group.pass_kind.eq(group.pass_kind + 1)]

    def _phase_tables(self, above_bits):
        """First weight by rows above the image and pass kind; offset of the window's first word by pass kind."""
        program, count = self._program, 1 << above_bits
        weights, offsets = [], []
        for pass_kind in program.pass_kinds:
            shape, op = pass_kind.shape, program.ops[pass_kind.op]
            row = 0 if shape is None else shape.columns * op.channels_in
            weights += [pass_kind.base + min(k, pass_kind.kernel_rows) * row for k in range(count)]
            first = 0 if shape is None else shape.first_word(program.rows) * op.channels_in
            offsets.append(first & ((1 << len(self._offset)) - 1))
        return weights, offsets

    def _inside(self, m):
        """Which words of each pass kind's window lie inside the input row, a cycle late."""
        program = self._program
        inside = {}

        def word(offset):
            if offset not in inside:
                inside[offset] = Signal(name=f"inside_{len(inside)}")
                lies = (self._word >= -offset) if offset < 0 else (self._in_left > offset * program.rows)
                m.d.sync += inside[offset].eq(lies)
            return inside[offset]

        masks = []
        for pass_kind in program.pass_kinds:
            shape = pass_kind.shape
            first, words = (0, 0) if shape is None else (shape.first_word(program.rows), shape.words(program.rows))
            masks.append(Cat([word(first + j) for j in range(words)]))
        return Array(masks)
