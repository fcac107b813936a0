"""The processing element: multiply, accumulate, hold the finished sum while the next one grows."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.multiplier import Multiplier

__all__ = ["ProcessingElement", "shift_layout"]

shift_layout = data.StructLayout({"enable": 1, "parity": 1})


class ProcessingElement(Component):
    """Output-stationary processing element.

    A step is a pair (``a``, ``w``); the sum of the steps up to and including the one that ``last`` marks moves to the
    shadow register, and the next step begins a new sum. Bubbles are steps with ``a = 0`` or ``w = 0``: nothing is ever
    stalled, so there is no clock enable.

    With packing a second sum takes the products' part above ``pack_shift`` alone, one more where the part below is
    negative; see :mod:`licgate.program.packing`. It moves with the first one and is of no meaning in a step whose
    weight is a single one.

    Parameters
    ----------
    a_width, w_width : int
        Widths of the signed activation and weight, 1 to 18.
    acc_width : int
        Width of the accumulator; the manifest proves that no partial sum leaves it.
    pack_shift : int or None
        Bits between the two weights of a packed step, 2 to ``a_width + w_width - 2``; None for an element with one sum.
    high_width : int
        Width of the second sum, 2 to ``acc_width``; only with ``pack_shift``.
    site : (int, int) or None
        Row and column in the array, see :class:`~licgate.gateware.multiplier.Multiplier`.

    Members
    -------
    a, w : :py:`In(signed(...))`
        Operands of this cycle's step.
    last : :py:`In(1)`
        Marks the last step of a sum; it comes ``multiplier.latency`` cycles after the operands it belongs to.
    shift : :py:`In(shift_layout)`
        When ``enable``, load the shadow register from ``shadow_in``, unless a finished sum arrives in the same cycle or
        one has arrived since the sum that ``parity`` stands for: the first sum after reset is of parity 1, and it
        alternates. So a shift that belongs to an older sum does no harm to a newer one.
    clear : :py:`In(1)`
        Forget the sum and the parity. Held while a reset drains the pipelines, and passed on like ``last``, so that a
        reset needs no wire across the array.
    a_out, w_out, last_out, clear_out, shift_out
        The inputs one cycle later, for the neighbours.
    shadow_in, shadow : :py:`In(signed(acc_width))`, :py:`Out(signed(acc_width))`
    high_in, high : :py:`In(signed(high_width))`, :py:`Out(signed(high_width))`
        The second sum's, with packing.

    Attributes
    ----------
    latency : int
        Cycles from the operands of the last step to the sum in ``shadow``: 4. interval is 1.

    Resources: one DSP; ``acc_width`` carry cells and as many LUT4 (shadow multiplexer), about
    ``2 * acc_width + a_width + w_width + 2`` flip-flops; with packing as much again for ``high_width``.

    Raises
    ------
    ValueError
        A parameter is not an integer in its range.
    """

    latency = Multiplier.latency + 1
    interval = 1

    def __init__(self, a_width, w_width, acc_width, *, pack_shift=None, high_width=None, site=None):
        self._multiplier = Multiplier(a_width, w_width, site=site)
        limits = [("acc_width", acc_width, 2, 48)]
        if pack_shift is not None:
            limits += [("pack_shift", pack_shift, 2, a_width + w_width - 2), ("high_width", high_width, 2, acc_width)]
        for name, value, low, high in limits:
            if not isinstance(value, int) or not low <= value <= high:
                raise ValueError(f"{name} must be an integer from {low} to {high}, not {value!r}")
        self.pack_shift = pack_shift
        a, w, acc = signed(a_width), signed(w_width), signed(acc_width)
        second = {} if pack_shift is None else {"high_in": In(signed(high_width)), "high": Out(signed(high_width))}
        super().__init__({
            "a": In(a), "w": In(w), "last": In(1), "clear": In(1), "shift": In(shift_layout), "shadow_in": In(acc),
            "a_out": Out(a), "w_out": Out(w), "last_out": Out(1), "clear_out": Out(1),
            "shift_out": Out(shift_layout), "shadow": Out(acc), **second,
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        m.submodules.multiplier = multiplier = self._multiplier
        m.d.comb += [multiplier.a.eq(self.a), multiplier.b.eq(self.w)]
        p, parity = multiplier.p, Signal()
        # Data needs no reset: a reset is held until it has drained away.
        a, w = (Signal.like(s, reset_less=True) for s in (self.a, self.w))
        self._sum(m, parity, self.shadow, self.shadow_in, lambda acc: acc + p)
        if self.pack_shift is not None:
            # The sign of what lies below comes in as the carry.
            upper, carry = p[self.pack_shift :].as_signed(), p[self.pack_shift - 1]
            one_more = Cat(carry, upper).as_signed()
            self._sum(m, parity, self.high, self.high_in, lambda acc: (Cat(1, acc).as_signed() + one_more)[1:])
        m.d.sync += [
            parity.eq((parity ^ self.last) & ~self.clear),
            self.clear_out.eq(self.clear),
            a.eq(self.a),
            w.eq(self.w),
            self.last_out.eq(self.last),
            self.shift_out.eq(self.shift),
        ]
        m.d.comb += [self.a_out.eq(a), self.w_out.eq(w)]
        return m

    def _sum(self, m, parity, shadow, shadow_in, plus):
        """An accumulator, to which ``plus`` adds a step, and its shadow register."""
        acc, total, held = Signal.like(shadow), Signal.like(shadow), Signal.like(shadow, reset_less=True)
        m.d.comb += [total.eq(plus(acc)), shadow.eq(held)]
        m.d.sync += acc.eq(Mux(self.last | self.clear, 0, total))
        with m.If(self.last | (self.shift.enable & (self.shift.parity == parity))):
            m.d.sync += held.eq(Mux(self.last, total, shadow_in))
