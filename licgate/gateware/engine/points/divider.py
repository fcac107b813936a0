"""From what the ends of rows make of sums to results: biases, and an eighth of a third."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.arith import delayed
from licgate.program.collecting import DIVISION
from licgate.target.points import DIVISOR_SHIFT

__all__ = ["QuadDivider"]


class QuadDivider(Component):
    """Take 24 times an output off its bias, -24 times the result is left; or twice a single sum, for a result likewise.

    A third is a product with the inverse of 3 modulo a power of two, whose negative is 0b...010101: four additions, for
    32 bits. Of a single sum, ``-2 * result - 2`` is left, and its half is the complement of the result. See
    :func:`licgate.program.quads.biases_of_quads`.

    Parameters
    ----------
    width : int
        Of a result, which fits: 2 to 32. Inputs have three bits more.

    Members
    -------
    output, bias : :py:`In(signed(width + 3))`
        The bias a cycle later.
    single : :py:`In(1)`
        In the cycle of the output.
    result : :py:`Out(signed(width))`

    Attributes
    ----------
    latency : int
        7 cycles. interval is 1.

    Resources: an adder of ``width + 3`` bits, one of ``width`` for every doubling of it, a choice.

    Raises
    ------
    ValueError
        ``width`` is not an integer in its range.
    """

    latency = DIVISION
    interval = 1

    def __init__(self, width):
        if not isinstance(width, int) or not 2 <= width <= 32:
            raise ValueError(f"width must be an integer from 2 to 32, not {width!r}")
        self._width = width
        wide = signed(width + DIVISOR_SHIFT)
        super().__init__({"output": In(wide), "bias": In(wide), "single": In(1), "result": Out(signed(width))})

    def elaborate(self, platform):
        m = Module()
        width = self._width
        output, left = (Signal.like(self.output, name=name, reset_less=True) for name in ("held", "left"))
        m.d.sync += [output.eq(self.output), left.eq(self.bias - output)]
        value, taken = left[DIVISOR_SHIFT:].as_signed(), 2
        for shift in (2, 4, 8, 16):
            if shift < width:
                total = Signal(signed(width), name=f"times_{shift}", reset_less=True)
                m.d.sync += total.eq(value + (value << shift))
                value, taken = total, taken + 1
        wait = self.latency - 1 - taken
        value = delayed(m, value, wait, name="waits", reset_less=True).as_signed() if wait else value
        half = delayed(m, left[1:], self.latency - 3, name="half", reset_less=True)
        single = delayed(m, self.single, self.latency - 1, name="single", reset_less=True)
        result = Signal(signed(width), name="chosen", reset_less=True)
        m.d.sync += result.eq(Mux(single, ~half, value))
        m.d.comb += self.result.eq(result)
        return m
