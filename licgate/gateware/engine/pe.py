"""The processing element: multiply, accumulate, hand the finished sum out while the next one grows."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.engine.accumulator import RestartingAdder
from licgate.gateware.engine.multiplicands import multiplicands
from licgate.gateware.engine.multiplier import Multiplier
from licgate.program.collecting import FINISHED
from licgate.target.arithmetic import DIRECT

__all__ = ["ProcessingElement"]


class ProcessingElement(Component):
    """Output-stationary processing element.

    A step is a pair (``a``, ``w``); the sum of the steps up to and including the one that ``last`` marks is handed out
    for one cycle, and the next step begins a new sum. Bubbles are steps with ``a = 0`` or ``w = 0``: nothing is ever
    stalled, so there is no clock enable. Between sums the outputs are 0, so that those of several elements can be
    combined by OR: no element spends logic on a choice.

    With the fast inner product a step has two reduction indices, and the sum has the row's xi and the weights' eta too
    much, modulo ``2**acc_width``, see :mod:`licgate.target.arithmetic`. A bubble then needs ``w = 0``.

    With packing a second sum takes the products' part above ``pack_shift`` alone, one more where the part below is
    negative; see :mod:`licgate.program.packing`. It moves with the first one and is of no meaning in a step whose
    weight is a single one.

    Parameters
    ----------
    a_width, w_width : int
        Widths of the signed activation and weight: 1 to 18; 1 to 17 for the fast inner product.
    acc_width : int
        Width of the accumulator; the manifest proves that no partial sum leaves it.
    pack_shift : int or None
        Bits between the two weights of a packed step, 2 to ``a_width + w_width - 2``; None for an element with one sum.
    high_width : int
        Width of the second sum, 2 to ``acc_width``; only with ``pack_shift``.
    arithmetic : Arithmetic
        What a step is. Only the direct one packs.
    site : (int, int, int, int) or None
        Row and column in the array, and its rows and columns, see :class:`~.multiplier.Multiplier`.

    Members
    -------
    a, w : :py:`In(signed(arithmetic.indices * width))`
        Operands of this cycle's step, the first reduction index in the low bits.
    restart : :py:`In(1)`
        The sum ends with the step whose operands came ``arithmetic.lead + multiplier.latency + 1`` cycles before, or a
        reset drains the pipelines: the next step begins at zero.
    quiet : :py:`In(1)`
        No sum ends with that step. Neither costs logic: one is an input that the adder has left, the other the
        register's synchronous reset. Both are passed on: neither ends of sums nor a reset need a wire across the array.
    a_out, w_out, restart_out, quiet_out
        The inputs one cycle later, for the neighbours.
    sum : :py:`Out(signed(acc_width))`
        The finished sum in the cycle after its end, 0 in all others.
    high : :py:`Out(signed(high_width))`
        The second sum beside it, with packing.

    Attributes
    ----------
    latency : int
        Cycles from the operands of the last step to ``sum``: 6, or 8 for the fast inner product. interval is 1.

    Resources: one DSP; ``acc_width`` carry cells, no other logic, about ``2 * acc_width + 2 * (a_width + w_width) + 2``
    flip-flops; with packing as many carry cells and flip-flops again for ``high_width``;
    with the fast inner product twice the operands' flip-flops, and two adders and registers as wide as the multiplier's
    operands.

    Raises
    ------
    ValueError
        A parameter is not an integer in its range, or an arithmetic that does not pack is to pack.
    """

    interval = 1

    def __init__(
        self,
        a_width,
        w_width,
        acc_width,
        *,
        pack_shift=None,
        high_width=None,
        arithmetic=DIRECT,
        site=None,
    ):
        self._multiplier = Multiplier(*arithmetic.multiplicand_widths(a_width, w_width), site=site)
        self.arithmetic = arithmetic
        self.latency = arithmetic.lead + FINISHED
        limits = [("acc_width", acc_width, 2, 48)]
        if pack_shift is not None:
            limits += [("pack_shift", pack_shift, 2, a_width + w_width - 2), ("high_width", high_width, 2, acc_width)]
        for name, value, low, high in limits:
            if not isinstance(value, int) or not low <= value <= high:
                raise ValueError(f"{name} must be an integer from {low} to {high}, not {value!r}")
        if pack_shift is not None and arithmetic is not DIRECT:
            raise ValueError(f"arithmetic {arithmetic.name} does not pack two weights into an operand")
        self.pack_shift = pack_shift
        a, w = (signed(arithmetic.indices * width) for width in (a_width, w_width))
        second = {} if pack_shift is None else {"high": Out(signed(high_width))}
        super().__init__(
            {
                "a": In(a),
                "w": In(w),
                "restart": In(1),
                "quiet": In(1, init=1),
                "a_out": Out(a),
                "w_out": Out(w),
                "restart_out": Out(1),
                "quiet_out": Out(1, init=1),
                "sum": Out(signed(acc_width)),
                **second,
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.multiplier = multiplier = self._multiplier
        # Data needs no reset: a reset is held until it has drained away. The product's register stands by the adder.
        a, w, p = (Signal.like(s, reset_less=True) for s in (self.a, self.w, multiplier.p))
        x, y = multiplicands(m, self.arithmetic, (self.a, self.w), (a, w))
        m.d.comb += [multiplier.a.eq(x), multiplier.b.eq(y)]
        m.d.sync += [
            a.eq(self.a),
            w.eq(self.w),
            p.eq(multiplier.p),
            self.restart_out.eq(self.restart),
            self.quiet_out.eq(self.quiet),
        ]
        m.d.comb += [self.a_out.eq(a), self.w_out.eq(w)]
        self._accumulate(m, "adder", self.sum, p)
        if self.pack_shift is not None:
            # The sign of what lies below comes in as the carry.
            self._accumulate(m, "high_adder", self.high, p[self.pack_shift :].as_signed(), p[self.pack_shift - 1])
        return m

    def _accumulate(self, m, name, out, step, one=None):
        """An accumulator, and the register that hands its sum out."""
        m.submodules[name] = adder = RestartingAdder(len(out), carries=one is not None)
        acc = Signal.like(out)
        m.d.comb += [adder.a.eq(step), adder.b.eq(acc), adder.restart.eq(self.restart_out)]
        if one is not None:
            m.d.comb += adder.one.eq(one)
        m.d.sync += [acc.eq(adder.s), out.eq(Mux(self.quiet_out, 0, acc))]
