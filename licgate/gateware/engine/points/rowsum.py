"""A row's own sums by points: those of its operands' products, which the fast inner product has too much."""

from amaranth.hdl import Module, signed
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.arith import delayed
from licgate.gateware.engine.multiplicands import halves
from licgate.gateware.engine.points.element import PointElement
from licgate.gateware.engine.points.sums import PLACES, PointSums, sum_layout
from licgate.gateware.engine.staged import StagedMultiplier
from licgate.program.collecting import POINT_ADDITIONS, row_sum_wait
from licgate.target.arithmetic import FIP_F4

__all__ = ["PointRowSum"]


class PointRowSum(Component):
    """The sums xi of ``a0 * a1`` over the steps of a row, kept like those of its first element.

    Parameters
    ----------
    a_width : int
        Width of a signed operand, 1 to 18.
    acc_width : int
        Width of the sums, which wrap.

    Members
    -------
    a, step : :py:`In(signed(2 * a_width))`, :py:`In(sum_layout)`
        As of a :class:`~.element.PointElement`.
    sum, place, ends : :py:`Out(...)`
        The sum with the step whose operands came ``latency`` cycles before; which it is; it ends with that step.

    Attributes
    ----------
    wait : int
        Cycles by which sums come behind those in the accumulator of the row's first element: 0 for operands of up to
        12 bits, one more for every four bits beyond.
    latency : int
        ``5 + wait`` cycles. interval is 1.

    Resources: a :class:`~..staged.StagedMultiplier` and :class:`~.sums.PointSums`; no multiplier block.
    """

    interval = 1

    def __init__(self, a_width, acc_width):
        self._multiplier = StagedMultiplier(a_width, a_width, additions=POINT_ADDITIONS)
        self._sums = PointSums(min(2 * a_width, acc_width), acc_width)
        self.wait = row_sum_wait(FIP_F4, a_width)
        self.latency = PointElement.latency + self.wait
        super().__init__(
            {
                "a": In(signed(2 * a_width)),
                "step": In(sum_layout),
                "sum": Out(signed(acc_width)),
                "place": Out(range(PLACES)),
                "ends": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.multiplier, m.submodules.sums = multiplier, sums = self._multiplier, self._sums
        early = self.latency - PointSums.latency + 1 - multiplier.latency
        first, second = halves(delayed(m, self.a, early, name="a", reset_less=True))
        step = delayed(m, self.step, 1 + self.wait, name="step", reset_less=True)
        m.d.comb += [
            multiplier.a.eq(first),
            multiplier.b.eq(second),
            sums.step.eq(step),
            sums.p.eq(multiplier.p[: len(sums.p)]),
            *(getattr(self, name).eq(getattr(sums, name)) for name in ("sum", "place", "ends")),
        ]
        return m
