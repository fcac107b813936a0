"""Pixels of a row at a point."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.arith import delayed
from licgate.gateware.engine.accumulator import SigningAdder
from licgate.target.points import POINTS

__all__ = ["PixelPoint", "point_flags", "point_layout"]

#: Which point it is: 0 or infinity; 1 or -1 (else 2 or -2); a negative one.
point_layout = data.StructLayout({"zero": 1, "one": 1, "negative": 1})


def point_flags(point):
    """The flags of one of the six points, or of none."""
    value = 0 if point is None or point >= len(POINTS) else POINTS[point]
    return {"zero": int(value == 0), "one": int(abs(value) == 1), "negative": int(value < 0)}


class PixelPoint(Component):
    """Evaluate five pixels at a point: a row of :data:`licgate.target.points.PIXELS` times them.

    Parameters
    ----------
    bits, width : int
        Width of a signed pixel, and of the result, which holds ten times a pixel.

    Members
    -------
    pixels : :py:`In(signed(bits)).array(5)`
    point : :py:`In(point_layout)`
    other, plain, step : :py:`In(signed(width))`, :py:`In(1)`, :py:`In(1)`
        Two cycles later: what is shown instead where ``plain`` asks for it; without ``step`` the result is 0.
    value : :py:`Out(signed(width))`

    Attributes
    ----------
    latency : int
        3 cycles. interval is 1.

    Resources: three adders of about ``width`` bits and what they choose from: some ``6 * width`` LUT4, carries
    included, and ``3 * width`` flip-flops.

    Raises
    ------
    ValueError
        A width is not an integer in its range.
    """

    latency = 3
    interval = 1

    def __init__(self, bits, width):
        for name, value, low, high in (("bits", bits, 1, 15), ("width", width, bits, 18)):
            if not isinstance(value, int) or not low <= value <= high:
                raise ValueError(f"{name} must be an integer from {low} to {high}, not {value!r}")
        super().__init__(
            {
                "pixels": In(signed(bits)).array(len(POINTS)),
                "point": In(point_layout),
                "other": In(signed(width)),
                "plain": In(1),
                "step": In(1),
                "value": Out(signed(width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        d, zero, one = self.pixels, self.point.zero, self.point.one
        width = len(self.value)
        # 0: (d4 - d2) + 4 (d0 - d2); 1: (d4 - 4 d2) + (d3 - 4 d1); 2: (d4 - d2) + 2 (d3 - d1); less for -1, -2
        sums = signed(len(d[0]) + 3)
        even, odd = (Signal(sums, name=name, reset_less=True) for name in ("even", "odd"))
        m.d.sync += [
            even.eq(d[4] - Mux(one, d[2] << 2, d[2])),
            odd.eq(Mux(zero, d[0], d[3]) - Mux(one, d[1] << 2, Mux(zero, d[2], d[1]))),
        ]
        zero, one, negative = (
            delayed(m, self.point[name], 1, name=name, reset_less=True) for name in ("zero", "one", "negative")
        )
        m.submodules.adder = adder = SigningAdder(width)
        m.d.comb += [
            adder.a.eq(even),
            adder.b.eq(Mux(zero, odd << 2, Mux(one, odd, odd << 1))),
            adder.adds.eq(1),
            adder.negative.eq(negative),
        ]
        total = Signal(signed(width), name="total", reset_less=True)
        value = Signal(signed(width), name="held", reset_less=True)
        m.d.sync += [
            total.eq(adder.s),
            # Masked by an AND: synthesis would make a multiplexer with 0 a reset that crosses the chip.
            value.eq(Mux(self.plain, self.other, total) & self.step.replicate(width)),
        ]
        m.d.comb += self.value.eq(value)
        return m
