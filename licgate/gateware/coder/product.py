"""Products of a range's unit and a share, two bits of the share a cycle, without a multiplier."""

from amaranth.hdl import Array, Cat, Const, Module, Signal
from amaranth.lib.wiring import Component, In, Out

from licgate.target.rangecoder import SCALE_BITS, SHARE_BITS, WORD_BITS, check_precision

__all__ = ["Product", "just_above_word", "multiple", "scales", "small_bits"]


def small_bits(precision):
    """Bits that a product has at most where its range is below a word, so that a word is shifted in."""
    return WORD_BITS - SHARE_BITS + precision


def scales(product):
    """Units of the next range: where a word is shifted in, and where none is."""
    small = small_bits(len(product) - SCALE_BITS)
    return product[:small] << SCALE_BITS - small, product[len(product) - SCALE_BITS :]


def just_above_word(product):
    """Whether the range of a product is a word or more and less than two, and its low word.

    A range behind a shift is far above this.
    """
    small = small_bits(len(product) - SCALE_BITS)
    return product[small] & ~product[small + 1 :].any(), Cat(Const(0, WORD_BITS - small), product[:small])


def multiple(digit, scale, triple):
    """0, 1, 2 or 3 times the scale, as a value of two bits more."""
    return Array([0, scale, scale << 1, triple])[digit]


class Product(Component):
    """``initial + scale * share``, from the low digits of the share to its high ones.

    What is left of the share and what is done of the product share one register: two bits of the one leave as two of
    the other come, so the adder has only the bits of the scale.

    Parameters
    ----------
    precision : int
        Bits of a share, even, 16 to 24.

    Members
    -------
    scale, triple : :py:`In(40)`, :py:`In(42)`
        The unit and three times the unit, while it multiplies.
    start : :py:`In(1)`
        Take ``share`` and ``initial``.
    share, initial : :py:`In(precision)`, :py:`In(40)`
    step : :py:`In(1)`
        Take the next two bits; ``precision / 2`` of these make the product. Not with ``start``.
    product : :py:`Out(40 + precision)`
        Holds from the last step to the next start.

    Attributes
    ----------
    steps : int
        ``precision / 2``.

    Numerics: exact. ``initial`` is at most the scale, or the share is 0: then every partial sum stays below ``2**42``.

    Resources on ECP5 (Yosys), for 20 bits: about 115 LUT4, 21 CCU2C, 60 flip-flops.
    """

    def __init__(self, precision):
        self.precision = check_precision(precision)
        self.steps = precision // 2
        super().__init__(
            {
                "start": In(1),
                "share": In(precision),
                "initial": In(SCALE_BITS),
                "scale": In(SCALE_BITS),
                "triple": In(SCALE_BITS + 2),
                "step": In(1),
                "product": Out(SCALE_BITS + precision),
            }
        )

    def elaborate(self, platform):
        m = Module()
        low, high = Signal(self.precision), Signal(SCALE_BITS)
        total = Signal(SCALE_BITS + 2)
        m.d.comb += [
            self.product.eq(Cat(low, high)),
            total.eq(high + multiple(low[:2], self.scale, self.triple)),
        ]
        with m.If(self.start):
            m.d.sync += [low.eq(self.share), high.eq(self.initial)]
        with m.Elif(self.step):
            m.d.sync += Cat(low, high).eq(Cat(low[2:], total))
        return m
