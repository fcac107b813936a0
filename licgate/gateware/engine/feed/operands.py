"""The operands of a step: weights and activations, chosen, unpacked and sign-extended."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.engine.feed.kinds import PassKinds
from licgate.gateware.engine.feed.window import operand_shape, spread_register, unpacked, window_pixels, words_layout

__all__ = ["Activations", "Weights"]


class Weights(Component):
    """The weight of every column.

    Parameters
    ----------
    program : Program

    Members
    -------
    words : :py:`In(words_layout(...))`
        A word of each weight memory.
    kind : :py:`In(range(...))`
        Of the pass whose words come in the next cycle.
    step : :py:`In(1)`
        There is a step, whose words come in the next cycle. Only of an array in which a weight counts without an
        activation, and is 0 where there is no step; but not by points, where weights are evaluated first.
    w : :py:`Out(signed(indices * tap_width)).array(cols)`

    Attributes
    ----------
    latency : int
        1 cycle from ``words``, 2 from ``kind``. interval is 1.

    Resources: a register for each column; a choice of memories in front of it.
    """

    latency = 1
    interval = 1

    def __init__(self, program):
        self._program = program
        self._masked = program.arithmetic.row_sum and not program.arithmetic.points
        super().__init__(
            {
                "words": In(words_layout(program.weight_memories, program.cols)),
                "kind": In(range(max(2, len(program.pass_kinds)))),
                **({"step": In(1)} if self._masked else {}),
                "w": Out(signed(program.arithmetic.indices * program.tap_width)).array(program.cols),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program, memories = self._program, self._program.weight_memories
        memory = Array(op.memory for op in PassKinds(program).ops)[self.kind]
        for c in range(program.cols):
            memory_of = spread_register(m, memory, range(len(memories)), f"memory_of_{c}")
            values = [self._operand(m, c, index) for index in range(len(memories))]
            # No reset: it would cross the chip, and a weight that meets no activation counts for nothing.
            w, value = Signal.like(self.w[c], name=f"w_{c}", reset_less=True), Array(values)[memory_of]
            if self._masked:
                value &= spread_register(m, self.step, 1, f"steps_{c}").replicate(len(w))
            m.d.sync += w.eq(value)
            m.d.comb += self.w[c].eq(w)
        return m

    def _operand(self, m, column, index):
        """Operand from the word of memory ``index``: a weight, or two of them ``pack_shift`` apart."""
        program, memory = self._program, self._program.weight_memories[index]
        if not memory.packed:
            return unpacked(m, self.words, memory, index, column, program.cols, program.tap_width)
        low, high = (self.words[f"m{index}"].word_select(2 * column + k, memory.bits) for k in range(2))
        # The upper weight already lacks what the lower one's sign takes from it, see `licgate.program.ops.words_of`.
        between = (low[-1] if memory.signed else Const(0, 1)).replicate(program.pack_shift - memory.bits)
        operand = Signal(signed(program.tap_width), name=f"operand_{index}_{column}")
        value = Cat(low, between, high)
        m.d.comb += operand.eq(value.as_signed() if memory.signed else value)
        return operand


class Activations(Component):
    """The activation of every row: a pixel of the window, as far from its neighbour's as the stride, or a GDN input.

    Parameters
    ----------
    program : Program

    Members
    -------
    window : :py:`In(operand_shape(program)).array(window_pixels(program))`
        Where a step's pixels begin the window.
    norms : :py:`In(...)`
        GDN inputs for each row: of a step's first reduction index, then of the next one.
    kind, step, gdn : :py:`In(...)`
        Of the pass whose pixels or inputs come in the next cycle: its number, whether there is a step, of a GDN.
    a : :py:`Out(operand_shape(program)).array(rows)`
        0 where there is no step.

    Attributes
    ----------
    latency : int
        1 cycle from ``window`` and ``norms``, 2 from ``kind``, ``step`` and ``gdn``. interval is 1.

    Resources: a register and two or three LUT4 for each bit of an activation.
    """

    latency = 1
    interval = 1

    def __init__(self, program):
        self._program = program
        self._strides = [shape.stride for shape in PassKinds(program).shapes]
        norm_bits = max([op.layer.norm_bits for op in program.ops if op.is_gdn], default=1)
        super().__init__(
            {
                "window": In(operand_shape(program)).array(window_pixels(program)),
                "norms": In(program.arithmetic.indices * program.rows * norm_bits),
                "kind": In(range(max(2, len(program.pass_kinds)))),
                "step": In(1),
                "gdn": In(1),
                "a": Out(operand_shape(program)).array(program.rows),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program, rows, indices = self._program, self._program.rows, self._program.arithmetic.indices
        shape = operand_shape(program)
        widest, narrowest = max(self._strides), min(self._strides)
        bits = len(self.norms) // (indices * rows)
        strided = Array(int(stride == widest) for stride in self._strides)[self.kind]
        for r in range(rows):
            chosen, norm = Signal(shape, name=f"chosen_{r}"), Signal(shape, name=f"norm_{r}")
            far, steps, norms = (
                spread_register(m, value, 1, f"{name}_{r}")
                for name, value in (("far", strided), ("steps", self.step), ("norms", self.gdn))
            )
            a = Signal(shape, name=f"a_{r}", reset_less=True)
            near = self.window[widest * r]
            if widest != narrowest:
                near = Mux(far, near, self.window[narrowest * r])
            parts = (self.norms.word_select(part * rows + r, bits) for part in range(indices))
            m.d.comb += norm.eq(Cat(Cat(part, Const(0, program.activation_width - bits)) for part in parts))
            m.d.comb += chosen.eq(Mux(norms, norm, near))
            # Masked by an AND: synthesis would make a multiplexer with 0 a reset that crosses the chip.
            m.d.sync += a.eq(chosen & steps.replicate(shape.width))
            m.d.comb += self.a[r].eq(a)
        return m
