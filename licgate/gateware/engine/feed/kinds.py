"""What the kinds of passes of a program have in common: tables by their number, and registers loaded from them."""

from functools import cached_property

from amaranth.hdl import Array, Const, Signal

__all__ = ["FEWEST_STEPS", "PassKinds", "held"]

#: Cycles of a GDN pass, at least.
FEWEST_STEPS = 2


class PassKinds:
    """Tables with a value for each of ``program.pass_kinds``, which are the kinds of passes.

    Parameters
    ----------
    program : Program

    Attributes
    ----------
    ops, stages : list
        Operation, and the number of its stage.
    gdn : list of int
        1 for GDN.
    shapes : list of Shape
        Window that a pass reads; any, for GDN.
    tap_rows, columns, words : list of int
        Cycles of a tap row, which is a kernel row of one channel; steps in it; words of its window.
    delays : list of int
        Cycles from a read's issue to the read: windows of fewer words than the widest are read later.
    channels : list of int
        Words of channels in a kernel row, with an idle one of a GDN of a single word.
    """

    def __init__(self, program):
        self.program = program
        rows, pass_kinds = program.rows, program.pass_kinds
        self.ops = [program.ops[pass_kind.op] for pass_kind in pass_kinds]
        self.gdn = [int(op.is_gdn) for op in self.ops]
        of_op = {op.index: k for k, s in enumerate(program.stages) for op in (s.conv, s.gdn) if op is not None}
        self.stages = [of_op[op.index] for op in self.ops]
        self.shapes = [pass_kind.shape or program.shapes[0] for pass_kind in pass_kinds]
        self.tap_rows = [shape.tap_row_cycles(rows) for shape in self.shapes]
        self.columns = [shape.steps for shape in self.shapes]
        self.words = [shape.words(rows) for shape in self.shapes]
        self.delays = [program.window_words - words for words in self.words]
        self.channels = [max(op.words_in, FEWEST_STEPS) if op.is_gdn else op.words_in for op in self.ops]

    @cached_property
    def shortest(self):
        """1 where a pass of one kernel row has as few tap rows as there may be, so that the last one comes at once."""
        fewest = [FEWEST_STEPS if gdn else 1 for gdn in self.gdn]
        return [int(count == least) for count, least in zip(self.channels, fewest, strict=True)]

    @cached_property
    def idle(self):
        """1 for a GDN of a single word of channels: it has no last step but one, so an idle cycle takes its place."""
        return [int(count > op.words_in) for count, op in zip(self.channels, self.ops, strict=True)]

    @cached_property
    def gaps(self):
        """Cycles from a pass's last step to that of the next one, at least."""
        return [self.program.gap_behind(op) for op in self.ops]

    @cached_property
    def gate_bounds(self):
        """Cycles from the gate, where a pass waits for the array, to its last step."""
        return [1 if gdn else columns - 1 for gdn, columns in zip(self.gdn, self.columns, strict=True)]

    @cached_property
    def margins(self):
        """Cycles from a pass's start to its first read, beyond those that the widest window takes; GDN reads none."""
        program = self.program
        words = [
            0 if pass_kind.shape is None else pass_kind.shape.words(program.rows) for pass_kind in program.pass_kinds
        ]
        return [program.window_words - count for count in words]

    @cached_property
    def reads_collide(self):
        """Reads of a pass could meet those of the one before: its window has more words than a tap row has cycles."""
        windows = [(s, w) for s, w, gdn in zip(self.tap_rows, self.words, self.gdn, strict=True) if not gdn]
        return any(words > tap_row for tap_row, _ in windows for _, words in windows)

    def of_stage(self, values):
        """A table of stages as one of kinds."""
        return [values[stage] for stage in self.stages]


def held(m, load, kind, values, name):
    """What the pass at work says of itself: a number where all say the same, else a register, loaded from a table."""
    if len(set(values)) == 1:
        return Const(values[0], range(values[0] + 1))
    register = Signal(range(1 + max(values)), name=name)
    with m.If(load):
        m.d.sync += register.eq(Array(values)[kind])
    return register
