"""From words of every fourth column to words of neighbours."""

from amaranth.hdl import Array, Cat, Module, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from licgate.target.points import QUAD

__all__ = ["QuadTurner"]


class QuadTurner(Component):
    """Take the four words of a channel, of every fourth column each, and give four of neighbouring columns.

    Parameters
    ----------
    rows, width : int
        Values of a word, and bits of one.

    Members
    -------
    enable, word : :py:`In(1)`, :py:`In(signed(width)).array(rows)`
        Words 0 to 3 of a channel, then of the next one; two cycles apart at least.
    o_enable, o_word : :py:`Out(...)`
        Of four words the first one comes two cycles behind the last one of those that were taken, the others behind it.
    clear : :py:`In(1)`
        The next word is the first one of a channel.

    Attributes
    ----------
    latency : int
        Cycles from a channel's last word to its last word: 5.
    interval : int
        2 cycles from word to word.

    Resources: flip-flops for seven words, two LUT4 for a bit of one.

    Raises
    ------
    ValueError
        A parameter is not a positive integer.
    """

    latency = 5
    interval = 2

    def __init__(self, rows, width):
        for name, value in (("rows", rows), ("width", width)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be an integer of at least 1, not {value!r}")
        word = signed(width)
        super().__init__(
            {
                "enable": In(1),
                "word": In(word).array(rows),
                "o_enable": Out(1),
                "o_word": Out(word).array(rows),
                "clear": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        rows, size = len(self.word), len(Cat(self.word))
        came, gives, which = Signal(range(QUAD), name="came"), Signal(name="gives"), Signal(range(QUAD), name="which")
        waiting = [Signal(size, name=f"waiting_{k}", reset_less=True) for k in range(QUAD - 1)]
        block = Signal(QUAD * size, name="block", reset_less=True)
        with m.If(self.enable):
            m.d.sync += came.eq(came + 1)
            for k, register in enumerate(waiting):
                with m.If(came == k):
                    m.d.sync += register.eq(Cat(self.word))
            with m.If(came == QUAD - 1):
                whole = Cat(*waiting, *self.word)
                columns = [whole.word_select((c % QUAD) * rows + c // QUAD, size // rows) for c in range(QUAD * rows)]
                m.d.sync += [block.eq(Cat(columns)), gives.eq(1), which.eq(0)]
        with m.If(gives):
            m.d.sync += [which.eq(which + 1), gives.eq(which != QUAD - 1)]
        with m.If(self.clear):
            m.d.sync += [came.eq(0), gives.eq(0)]
        m.d.sync += [
            self.o_enable.eq(gives),
            Cat(self.o_word).eq(Array(block.word_select(k, size) for k in range(QUAD))[which]),
        ]
        return m
