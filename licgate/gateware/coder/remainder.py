"""A dividend that becomes remainder and quotient, and a product again, two bits a cycle."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.coder.product import multiple
from licgate.target.rangecoder import SCALE_BITS, SHARE_BITS, WORD_BITS, check_precision

__all__ = ["Remainder"]


class Remainder(Component):
    """How far the point of a decoder is above lower: divided by the scale, then made of a smaller quotient again.

    The offset has 64 bits. A division takes it as a number of ``2**(24 - precision)``, whose parts below do not count:
    the quotient takes the place of its low ``precision`` bits, the remainder that of its high 40. Then another quotient
    may be loaded, and a multiplication adds so many scales to the remainder.

    Parameters
    ----------
    precision : int
        Bits of the quotient: even, 16 to 24.

    Members
    -------
    scale, triple : :py:`In(40)`, :py:`In(42)`
        The divisor and three times the divisor.
    divide, multiply : :py:`In(1)`
        Two bits of a division, of a multiplication; each takes ``precision / 2`` cycles.
    load, distance : :py:`In(1)`, :py:`In(precision)`
        Put another number into the quotient's place.
    shift, word : :py:`In(1)`, :py:`In(32)`
        Multiply the offset by ``2**32`` and add a word.
        At most one of ``divide``, ``multiply``, ``load`` and ``shift`` is high.
    offset : :py:`Out(64)`
    quotient : :py:`Out(precision)`
        Behind a division.
    beyond : :py:`Out(1)`
        The quotient would have more bits: it cannot be divided.

    Attributes
    ----------
    steps : int
        ``precision / 2``.

    Numerics: exact. A remainder is below the scale, so partial sums and partial remainders stay below ``2**42``.

    Resources: see docs/coder.md.
    """

    def __init__(self, precision):
        self.precision = check_precision(precision)
        self.steps = precision // 2
        super().__init__(
            {
                "scale": In(SCALE_BITS),
                "triple": In(SCALE_BITS + 2),
                "divide": In(1),
                "multiply": In(1),
                "load": In(1),
                "distance": In(precision),
                "shift": In(1),
                "word": In(WORD_BITS),
                "offset": Out(2 * WORD_BITS),
                "quotient": Out(precision),
                "beyond": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        below = Signal(SHARE_BITS - self.precision)
        low, high = Signal(self.precision), Signal(SCALE_BITS)
        m.d.comb += [
            self.offset.eq(Cat(below, low, high)),
            self.quotient.eq(low),
            self.beyond.eq(high >= self.scale),
        ]
        partial = Cat(low[-2:], high)
        # with a borrow: whether once, twice and three times the scale fit into it
        less = [partial - part for part in (self.scale, self.scale << 1, self.triple)]
        fits = [~value[SCALE_BITS + 2] for value in less]
        rest = Mux(fits[1], Mux(fits[2], less[2], less[1])[:SCALE_BITS], Mux(fits[0], less[0], partial)[:SCALE_BITS])
        total = Signal(SCALE_BITS + 2)
        m.d.comb += total.eq(high + multiple(low[:2], self.scale, self.triple))
        with m.If(self.divide):
            m.d.sync += Cat(low, high).eq(Cat(Mux(fits[1], fits[2], fits[0]), fits[1], low[:-2], rest))
        with m.If(self.multiply):
            m.d.sync += Cat(low, high).eq(Cat(low[2:], total))
        with m.If(self.load):
            m.d.sync += low.eq(self.distance)
        with m.If(self.shift):
            m.d.sync += Cat(below, low, high).eq(Cat(self.word, self.offset[:WORD_BITS]))
        return m
