"""The processing element that sums point by point."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.engine.multiplicands import halves
from licgate.gateware.engine.multiplier import Multiplier
from licgate.gateware.engine.points.sums import PointSums, sum_layout
from licgate.program.collecting import POINT_FINISHED
from licgate.target.arithmetic import FIP_F4

__all__ = ["PointElement"]


class PointElement(Component):
    """Output-stationary processing element with a sum for each point.

    A step is one of the fast inner product, of two reduction indices, and belongs to one of several sums. A sum is
    handed out for one cycle behind its last step; in others the output is 0, so that those of several elements can be
    combined by OR. It has the row's xi and the weights' eta too much, modulo ``2**acc_width``.

    Parameters
    ----------
    a_width, w_width : int
        Widths of the signed operands.
    width : int
        Width of the multiplier's operands, which holds ``a0 + w1`` and ``a1 + w0``: up to 18.
    acc_width : int
        Width of the sums.
    site : (int, int, int, int) or None
        Row and column in the array, and its rows and columns, see :class:`~..multiplier.Multiplier`.

    Members
    -------
    a, w : :py:`In(signed(2 * width))`
        Operands of this cycle's step, the first reduction index in the low bits.
    step : :py:`In(sum_layout)`
        Of the step whose operands came ``lead`` cycles before. A bubble needs ``a = 0`` and ``w = 0`` where a chain of
        steps goes on behind it, else a place that no sum has.
    a_out, w_out, step_out
        The inputs one cycle later, for the neighbours.
    sum : :py:`Out(signed(acc_width))`
        The sum that ended, 0 where none did: not from a register, since a gate and an OR are one LUT4.

    Attributes
    ----------
    lead : int
        Cycles from operands to their ``step``: 2.
    latency : int
        Cycles from the operands of a last step to ``sum``: 5. interval is 1.

    Resources: one DSP; two adders as wide as its operands and one as wide as a sum, a memory of 8 sums; about
    ``2 * (a_width + w_width) + 2 * acc_width + 15`` flip-flops: the multiplier's operands are added up in front of its
    own registers, its product right behind them, since flip-flops are what a device has too few of.

    Raises
    ------
    ValueError
        A width is not an integer in its range, or ``width`` cannot hold the sums of operands.
    """

    lead = FIP_F4.lead + Multiplier.latency - PointSums.latency
    latency = FIP_F4.lead + POINT_FINISHED
    interval = 1

    def __init__(self, a_width, w_width, width, acc_width, *, site=None):
        self._multiplier = Multiplier(width, width, site=site)
        if not max(a_width, w_width) <= width:
            raise ValueError(f"operands of {a_width} and {w_width} bits do not fit into {width}")
        self._sums = PointSums(min(2 * width, acc_width), acc_width)
        a, w = (signed(2 * bits) for bits in (a_width, w_width))
        super().__init__(
            {
                "a": In(a),
                "w": In(w),
                "step": In(sum_layout),
                "a_out": Out(a),
                "w_out": Out(w),
                "step_out": Out(sum_layout),
                "sum": Out(signed(acc_width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.multiplier, m.submodules.sums = multiplier, sums = self._multiplier, self._sums
        # Data needs no reset: a reset is held until it has drained away.
        a, w = (Signal.like(s, reset_less=True) for s in (self.a, self.w))
        step = Signal(sum_layout, reset_less=True)
        (a0, a1), (w0, w1) = halves(a), halves(w)
        m.d.sync += [a.eq(self.a), w.eq(self.w), step.eq(self.step)]
        m.d.comb += [
            self.a_out.eq(a),
            self.w_out.eq(w),
            self.step_out.eq(step),
            multiplier.a.eq(a0 + w1),
            multiplier.b.eq(a1 + w0),
            sums.step.eq(step),
            sums.p.eq(multiplier.p[: len(sums.p)]),
            self.sum.eq(Mux(sums.ends, sums.sum, 0)),
        ]
        return m
