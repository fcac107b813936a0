"""The weight of a column at a point."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.arith import delayed
from licgate.gateware.engine.accumulator import SigningAdder
from licgate.target.points import INFINITY, POINTS

__all__ = ["WeightPoint", "evaluation_of", "take_layout", "tap_layout"]

#: What the registers take in a cycle: x, y, z the word; third: x what z has.
take_layout = data.StructLayout({"x": 1, "third": 1, "y": 1, "z": 1})
#: What is added to x: nothing, z, 4 z or 2 x; and nothing, y or 2 y, or less of it.
tap_layout = data.StructLayout({"more": 2, "second": 2, "negative": 1})

_NOTHING, _THIRD, _FOUR_THIRDS, _TWICE = range(4)


def evaluation_of(step):
    """How the registers are put together for a step of a tap row; x alone where there is none."""
    if step is None or step.point is None:
        return {"more": _NOTHING, "second": 0, "negative": 0}
    value = 0 if step.point == INFINITY else POINTS[step.point]
    if not value:
        return {"more": _TWICE, "second": 0, "negative": 0}
    more = _NOTHING if len(step.taps) < 3 else _THIRD if abs(value) == 1 else _FOUR_THIRDS
    return {"more": more, "second": abs(value), "negative": int(value < 0)}


class WeightPoint(Component):
    """Keep up to three taps of a column, x, y and z, and evaluate them at a point: a row of
    :data:`licgate.target.points.TAPS` times them.

    Parameters
    ----------
    bits, width : int
        Width of a signed weight, and of the result, which holds seven times one.

    Members
    -------
    word : :py:`In(signed(bits))`
    take : :py:`In(take_layout)`
        Of the word beside it. The taps are there in the next cycle.
    taps : :py:`In(tap_layout)`
        How the taps of this cycle are to be evaluated.
    step : :py:`In(1)`
        A cycle later: without it the result is 0.
    value : :py:`Out(signed(width))`

    Attributes
    ----------
    latency : int
        2 cycles from ``taps``. interval is 1.

    Resources: about ``6 * width`` LUT4, carries included, ``3 * bits + 3 * width`` flip-flops.

    Raises
    ------
    ValueError
        A width is not an integer in its range.
    """

    latency = 2
    interval = 1

    def __init__(self, bits, width):
        for name, value, low, high in (("bits", bits, 1, 16), ("width", width, bits, 18)):
            if not isinstance(value, int) or not low <= value <= high:
                raise ValueError(f"{name} must be an integer from {low} to {high}, not {value!r}")
        super().__init__(
            {
                "word": In(signed(bits)),
                "take": In(take_layout),
                "taps": In(tap_layout),
                "step": In(1),
                "value": Out(signed(width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        x, y, z = (Signal.like(self.word, name=name, reset_less=True) for name in "xyz")
        with m.If(self.take.x | self.take.third):
            m.d.sync += x.eq(Mux(self.take.third, z, self.word))
        for register, taken in ((y, self.take.y), (z, self.take.z)):
            with m.If(taken):
                m.d.sync += register.eq(self.word)
        width, more = len(self.value), self.taps.more
        first, second = (Signal(signed(width), name=name, reset_less=True) for name in ("first", "second"))
        added = Mux(more[1], Mux(more[0], x << 1, z << 2), Mux(more[0], z, 0))
        m.d.sync += [
            first.eq(x + added),
            second.eq(Mux(self.taps.second[1], y << 1, Mux(self.taps.second[0], y, 0))),
        ]
        m.submodules.adder = adder = SigningAdder(width)
        m.d.comb += [
            adder.a.eq(first),
            adder.b.eq(second),
            adder.adds.eq(1),
            adder.negative.eq(delayed(m, self.taps.negative, 1, name="negative", reset_less=True)),
        ]
        value = Signal(signed(width), name="held", reset_less=True)
        # The registers' reset: of a column's own flag, so that it crosses nothing.
        m.d.sync += value.eq(Mux(self.step, adder.s, 0))
        m.d.comb += self.value.eq(value)
        return m
