"""From the sums of six points to a quad of outputs."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.engine.accumulator import SigningAdder
from licgate.target.points import INFINITY

__all__ = ["ORDER", "SLOTS", "QuadOutputs", "output_controls", "output_layout"]

#: Points in the order in which their sums come, those of a pair with the first one once more.
ORDER = (1, 2, 1, 3, 4, 3, 0, INFINITY)
#: Cycles of a quad, at least.
SLOTS = len(ORDER)

# What the second adder adds: of A's four kept values, of A itself, and of what it made in the cycle before.
_SUM_2, _A_2, _A_8, _DIFFERENCE_8, _SUM_8, _DIFFERENCE_2 = range(6)
_NONE, _BEFORE, _SUM_1, _DIFFERENCE_1 = range(4)

#: What happens in a cycle. adds, negative: of the first adder: the sum that came before is added, or taken off. keep:
#: what it made is kept as one of four. wide, narrow: operands of the second adder.
output_layout = data.StructLayout({"adds": 1, "negative": 1, "keep": 4, "wide": 3, "narrow": 2})

_IDLE = {"adds": 0, "negative": 0, "keep": 0, "wide": 0, "narrow": _NONE}

# By the cycle behind a quad's first sum: what is there of it, and the output that the second adder makes.
_FIRST = {1: {"adds": 1}, 2: {"adds": 1, "negative": 1}, 4: {"adds": 1}, 5: {"adds": 1, "negative": 1}}
_KEPT = {2: 0, 3: 1, 5: 2, 6: 3}
_SECOND = {
    6: (_SUM_2, _SUM_1, None),
    7: (_A_2, _BEFORE, 0),
    8: (_A_8, _DIFFERENCE_1, None),
    9: (_DIFFERENCE_8, _BEFORE, 3),
    10: (_SUM_8, _SUM_1, 2),
    11: (_DIFFERENCE_2, _DIFFERENCE_1, 1),
}


def output_controls(single=False):
    """Controls of a quad's cycles, from that of its first sum on, and {cycle: output} of when outputs are there.

    A ``single`` sum comes out as it is, twofold; it is output 0.

    Returns
    -------
    list of dict, dict
    """
    if single:
        return [_IDLE, {**_IDLE, "wide": _A_2}], {2: 0}
    cycles = [dict(_IDLE) for _ in range(1 + max(_SECOND))]
    for cycle, first in _FIRST.items():
        cycles[cycle] |= first
    for cycle, kept in _KEPT.items():
        cycles[cycle]["keep"] = 1 << kept
    for cycle, (wide, narrow, _) in _SECOND.items():
        cycles[cycle] |= {"wide": wide, "narrow": narrow}
    return cycles, {cycle + 1: output for cycle, (*_, output) in _SECOND.items() if output is not None}


class QuadOutputs(Component):
    """24 times the outputs of a quad, from sums that come one a cycle in :data:`ORDER`.

    One adder makes sums and differences of the pairs of points, a second one puts them together; quads may follow each
    other after ``SLOTS`` cycles.

    Parameters
    ----------
    width : int
        Of sums and outputs, which wrap: 2 to 48.

    Members
    -------
    sum : :py:`In(signed(width))`
    control : :py:`In(output_layout)`
        See :func:`output_controls`.
    output : :py:`Out(signed(width))`

    Attributes
    ----------
    latency : int
        Cycles from a quad's first sum to its last output, which is the second one; of a single sum 2.

    Resources: two adders, about ``9 * width`` LUT4, carries included, and ``7 * width`` flip-flops.

    Raises
    ------
    ValueError
        ``width`` is not an integer in its range.
    """

    latency = 12
    interval = SLOTS

    def __init__(self, width):
        if not isinstance(width, int) or not 2 <= width <= 48:
            raise ValueError(f"width must be an integer from 2 to 48, not {width!r}")
        word = signed(width)
        super().__init__({"sum": In(word), "control": In(output_layout), "output": Out(word)})

    def elaborate(self, platform):
        m = Module()
        word, control = self.sum.shape(), self.control
        before, made, out = (Signal(word, name=name, reset_less=True) for name in ("before", "made", "out"))
        m.submodules.adder = adder = SigningAdder(len(self.sum))
        m.d.comb += [
            adder.a.eq(self.sum),
            adder.b.eq(before),
            adder.adds.eq(control.adds),
            adder.negative.eq(control.negative),
        ]
        m.d.sync += [before.eq(self.sum), made.eq(adder.s)]
        # Kept: s1 and d1 of the points 1 and -1, s2 and d2 of 2 and -2.
        s1, d1, s2, d2 = kept = [Signal(word, name=name, reset_less=True) for name in ("s1", "d1", "s2", "d2")]
        for index, register in enumerate(kept):
            with m.If(control.keep[index]):
                m.d.sync += register.eq(made)
        wide, narrow, low = Signal(word), Signal(word), Signal()
        with m.Switch(control.wide):
            for case, value in (
                (_SUM_2, s2),
                (_A_2, made << 1),
                (_A_8, made << 3),
                (_DIFFERENCE_8, d2 << 3),
                (_SUM_8, s2 << 2),
                (_DIFFERENCE_2, d2 << 1),
            ):
                with m.Case(case):
                    m.d.comb += wide.eq(value)
        m.d.comb += [
            narrow.eq(
                Mux(
                    control.narrow[1],
                    Mux(control.narrow[0], ~(d1 << 2), ~(s1 << 2)),
                    out & control.narrow[0].replicate(len(out)),
                )
            ),
            low.eq(control.narrow[1]),
            self.output.eq(out),
        ]
        m.d.sync += out.eq(wide + narrow + low)
        return m
