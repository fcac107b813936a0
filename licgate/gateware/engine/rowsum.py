"""A row's own sum: that of its activations' products, which the fast inner product has too much."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.arith import delayed
from licgate.gateware.engine.accumulator import RestartingAdder
from licgate.gateware.engine.multiplicands import halves
from licgate.gateware.engine.multiplier import Multiplier
from licgate.gateware.engine.staged import StagedMultiplier
from licgate.program.collecting import row_sum_wait
from licgate.target.arithmetic import FIP

__all__ = ["RowSum"]


class RowSum(Component):
    """The sum xi of ``a0 * a1`` over the steps of a row, as its first element would hand it out.

    Parameters
    ----------
    a_width : int
        Width of a signed activation, 1 to 17.
    acc_width : int
        Width of the sum, which wraps.

    Members
    -------
    a : :py:`In(signed(2 * a_width))`
    restart, quiet : :py:`In(1)`
        As of a :class:`~.pe.ProcessingElement` of the fast inner product.
    sum : :py:`Out(signed(acc_width))`
        The finished sum, ``wait`` cycles behind that element's; 0 in all other cycles.
    ends : :py:`Out(1)`
        ``sum`` is one.

    Attributes
    ----------
    wait : int
        0 for activations of up to 10 bits, one more for every two bits beyond. interval is 1.

    Resources: a :class:`~.staged.StagedMultiplier`, ``acc_width`` carry cells and three times as many flip-flops; no
    multiplier block.
    """

    interval = 1

    def __init__(self, a_width, acc_width):
        self._multiplier = StagedMultiplier(a_width, a_width)
        self.wait = row_sum_wait(FIP, a_width)
        super().__init__(
            {
                "a": In(signed(2 * a_width)),
                "restart": In(1),
                "quiet": In(1, init=1),
                "sum": Out(signed(acc_width)),
                "ends": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.multiplier = multiplier = self._multiplier
        # The product comes when the element's own stands by its adder, or later.
        early = FIP.lead + Multiplier.latency + 1 + self.wait - multiplier.latency
        first, second = halves(delayed(m, self.a, early, name="a", reset_less=True))
        m.d.comb += [multiplier.a.eq(first), multiplier.b.eq(second)]
        restart = delayed(m, self.restart, 1 + self.wait, name="restart")
        quiet = delayed(m, self.quiet, 1 + self.wait, name="quiet", init=1)
        m.submodules.adder = adder = RestartingAdder(len(self.sum))
        acc = Signal.like(self.sum)
        m.d.comb += [adder.a.eq(multiplier.p), adder.b.eq(acc), adder.restart.eq(restart)]
        m.d.sync += [acc.eq(adder.s), self.sum.eq(Mux(quiet, 0, acc)), self.ends.eq(~quiet)]
        return m
