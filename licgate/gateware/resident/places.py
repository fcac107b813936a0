"""Where the passes of a resident core's bands read and write: words of line buffers, and weights."""

from itertools import pairwise

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.passes import address_width, pass_layout, place_names
from licgate.gateware.resident.rowbands import band_layout
from licgate.gateware.resident.rows import DIMENSION
from licgate.gateware.sequence.tables import of_stage

__all__ = ["FixedWeights", "RowPlaces"]


class RowPlaces(Component):
    """Follow the walk over a band with words of line buffers.

    A row's bands follow each other, and those of its two parities of columns have the same places.

    Parameters
    ----------
    program : Program

    Members
    -------
    band, begin, issued : :py:`In(...)`
        As of :class:`~licgate.gateware.sequence.walk.BandWalk`, as are
    last_tile, has_gdn, moves_group, moves_tile : :py:`In(1)`
    pass_kind : :py:`In(...)`
        Of the convolution, a cycle behind the band.
    row, offset, kernel_rows, mask, above, inside : :py:`Out(...)`
        For the feeder, see :func:`~licgate.gateware.passes.pass_layout`; the last two only where it has them.
    target : :py:`Out(...)`
        Line buffer address of the first channel of what the pass makes, which counts channels.

    Timing: all is there four cycles after the one in which ``begin`` or ``issued`` was said.

    Resources: two registers of pixels, of words and of two addresses each; tables of stages and pass kinds.
    """

    def __init__(self, program):
        self._program = program
        layout, address = pass_layout(program), address_width(program) + program.arithmetic.part_bits
        super().__init__(
            {
                "band": In(band_layout(program)),
                **{name: In(1) for name in ("begin", "issued", "last_tile", "has_gdn", "moves_group", "moves_tile")},
                "pass_kind": In(layout["pass_kind"].shape),
                **{name: Out(layout[name].shape) for name in place_names(program)},
                "target": Out(address),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program, band = self._program, self.band
        # Pixels of the group's input that are left in the row; its first input word.
        self._left, self._word = (Signal(DIMENSION, name=name) for name in ("left", "word"))
        base, first = Signal.like(self.offset, name="base"), Signal.like(self.offset, name="first")
        self._move(m, base)
        offsets = []
        for kind in program.pass_kinds:
            word = 0 if kind.shape is None else kind.shape.first_word(program.rows)
            offsets.append(word * program.ops[kind.op].words_in & ((1 << len(first)) - 1))
        m.d.sync += first.eq(Array(offsets)[self.pass_kind])
        m.d.comb += [
            self.row.eq(band.read_base),
            self.offset.eq(base + first),
            self.mask.eq(self._inside(m)),
        ]
        if program.arithmetic.whole_passes:
            m.d.comb += [self.above.eq(band.above), self.inside.eq(band.kernel_rows)]
            m.d.sync += self.kernel_rows.eq(Array(kind.kernel_rows for kind in program.pass_kinds)[self.pass_kind])
        else:
            m.d.comb += self.kernel_rows.eq(band.kernel_rows)
        return m

    def _move(self, m, base):
        """Move on from group to group, and back to the band's first one."""
        band, stages, rows = self.band, self._program.stages, self._program.group_columns
        outputs = self._program.arithmetic.outputs
        padded, part_bits = self._program.arithmetic.padded, self._program.arithmetic.part_bits
        made = [padded(following.conv.channels_in) << stage.upsampling for stage, following in pairwise(stages)]
        # Where a row begins, and how far a group of each stage moves.
        places = (
            (self._left, band.width, [-stage.stride * rows for stage in stages]),
            (self._word, 0, [stage.stride * outputs for stage in stages]),
            (base, 0, [stage.stride * outputs * stage.conv.words_in for stage in stages]),
            (self.target, band.write_base << part_bits, [*(outputs * count for count in made), 0]),
        )
        back = self.issued & self.moves_tile & (~self.last_tile | self.has_gdn)
        # Flip-flops: what enables four wide registers comes from no logic.
        moves, goes_home, begins, leaves_home = (
            Signal(name=n) for n in ("moves", "goes_home", "begins", "leaves_home")
        )
        m.d.sync += [
            moves.eq((self.issued & (self.moves_group | back)) | (self.begin & (band.column | band.begins))),
            goes_home.eq(back | (self.begin & band.column)),
            begins.eq(self.begin & band.begins),
            leaves_home.eq(self.begin & ~band.column),
        ]
        for register, first, steps in places:
            home, step = Signal.like(register, name=f"home_{register.name}"), Signal(range(1 + max(map(abs, steps))))
            m.d.sync += step.eq(of_stage(band.stage, map(abs, steps)))
            with m.If(leaves_home):
                m.d.sync += home.eq(Mux(begins, first, register))
            with m.If(moves):
                m.d.sync += register.eq(register + step if max(steps) > 0 else register - step)
                with m.If(goes_home):
                    m.d.sync += register.eq(home)
                with m.If(begins):
                    m.d.sync += register.eq(first)

    def _inside(self, m):
        """Which words of the window lie inside the input row, a cycle late."""
        program = self._program
        inside = {}

        def word(offset):
            if offset not in inside:
                inside[offset] = Signal(name=f"inside_{len(inside)}")
                # words of a group begin together
                outputs = program.arithmetic.outputs
                pixels = offset // outputs * program.group_columns
                lies = (self._word >= -offset) if offset < 0 else (self._left > pixels)
                m.d.sync += inside[offset].eq(lies)
            return inside[offset]

        masks = []
        for kind in program.pass_kinds:
            first, words = (0, 0)
            if kind.shape is not None:
                first, words = kind.shape.first_word(program.rows), kind.shape.words(program.rows)
            masks.append(Cat([word(first + j) for j in range(words)]))
        return Array(masks)[self.pass_kind]


class FixedWeights(Component):
    """Point to the weights of passes, which have their place on the chip.

    Parameters
    ----------
    program : Program

    Members
    -------
    band, begin, is_gdn, to_gdn : :py:`In(...)`
        As of :class:`~licgate.gateware.sequence.walk.BandWalk`.
    pass_kind : :py:`In(...)`
        Of the convolution, a cycle behind the band.
    next_tile, again : :py:`In(1)`
        The pass that went was the last one before another tile; it is followed by GDN's first tile again.
    weight : :py:`Out(...)`
        First word of the pass: three cycles after ``begin``, two after the others.

    Resources: an adder; tables of stages and pass kinds.
    """

    def __init__(self, program):
        self._program = program
        layout = pass_layout(program)
        super().__init__(
            {
                "band": In(band_layout(program)),
                **{name: In(1) for name in ("begin", "is_gdn", "to_gdn", "next_tile", "again")},
                "pass_kind": In(layout["pass_kind"].shape),
                "weight": Out(layout["weight"].shape),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program, band, weight = self._program, self.band, self.weight
        lasts = [stage.last_op for stage in program.stages]
        first, gdn = (Signal.like(weight, name=name) for name in ("first", "gdn"))
        words = Signal(range(1 + max(kind.weights for kind in program.pass_kinds)))
        begun = Signal(2)
        # Where the next tile's weights begin: passes are further apart than this takes to settle.
        behind = Signal.like(weight, name="behind")
        # Kernel rows above the image are left out, where passes are not whole.
        most = 0 if program.arithmetic.whole_passes else program.kernel_rows
        firsts = []
        for kind in program.pass_kinds:
            row = 0 if kind.shape is None else kind.shape.columns * program.ops[kind.op].words_in
            above = range(1 << len(band.above))
            firsts += [kind.base + min(count, kind.kernel_rows, most) * row for count in above]
        m.d.sync += [
            begun.eq(Cat(self.begin, begun[0])),
            behind.eq(weight + words),
            first.eq(Array(firsts)[Cat(band.above, self.pass_kind)]),
            gdn.eq(of_stage(band.stage, (op.base for op in lasts))),
            words.eq(
                Mux(
                    self.is_gdn,
                    of_stage(band.stage, (op.pass_kinds[0].weights for op in lasts)),
                    Array(kind.weights for kind in program.pass_kinds)[self.pass_kind],
                )
            ),
        ]
        moves, turns = Signal(name="moves"), Signal(name="turns")
        m.d.sync += [moves.eq(self.next_tile), turns.eq(self.to_gdn | self.again)]
        with m.If(moves):
            m.d.sync += weight.eq(behind)
        with m.If(turns):
            m.d.sync += weight.eq(gdn)
        with m.If(begun[1]):
            m.d.sync += weight.eq(first)
        return m
