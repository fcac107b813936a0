"""A multiplier of logic that can lie anywhere: one addition as wide as an operand between any two registers."""

from amaranth.hdl import Cat, Const, Module, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.engine.accumulator import RestartingAdder

__all__ = ["StagedMultiplier"]


class StagedMultiplier(Component):
    """A product as two sums of shifted operands, bit by bit of ``b``, of its lower and of its upper half.

    A stage adds ``a`` where a bit is set, in a carry chain without logic in front of it, and hands ``a`` on to the next
    one. So no wire crosses more than a stage, which a :class:`~.multiplier.Multiplier` of logic does not promise.

    Parameters
    ----------
    a_width, b_width : int
        1 to 18 each.

    Members
    -------
    a, b : :py:`In(signed(a_width))`, :py:`In(signed(b_width))`
    p : :py:`Out(signed(a_width + b_width))`
        ``a * b``, exact.

    Attributes
    ----------
    latency : int
        ``ceil(b_width / 2) + 1`` cycles. interval is 1.

    Resources: ``b_width + 1`` carry chains of ``a_width + 1`` bits, about ``b_width * (3 * a_width + b_width) / 2``
    flip-flops.

    Raises
    ------
    ValueError
        A width is out of its range.
    """

    interval = 1

    def __init__(self, a_width, b_width):
        for name, width in (("a_width", a_width), ("b_width", b_width)):
            if not isinstance(width, int) or not 1 <= width <= 18:
                raise ValueError(f"{name} must be an integer from 1 to 18, not {width!r}")
        self._stages = -(-b_width // 2)
        self.latency = self._stages + 1
        super().__init__({"a": In(signed(a_width)), "b": In(signed(b_width)), "p": Out(signed(a_width + b_width))})

    def elaborate(self, platform):
        m = Module()
        stages, wide = self._stages, self.a
        # The bits are kept inverted: they clear what is added. The highest one of all counts negative.
        halves = [_Half(m, "low", ~self.b[:stages], negative=len(self.b) == 1)]
        if len(self.b) > stages:
            halves.append(_Half(m, "high", ~self.b[stages:], negative=True))
        for stage in range(stages):
            for half in halves:
                half.step(stage, wide)
            moved = Signal.like(self.a, name=f"a_{stage}", reset_less=True)
            m.d.sync += moved.eq(wide)
            wide = moved
        low, *high = (half.product() for half in halves)
        p = Signal.like(self.p, reset_less=True)
        m.d.sync += p.eq(Cat(low[:stages], low[stages:].as_signed() + (high[0] if high else 0)))
        m.d.comb += self.p.eq(p)
        return m


class _Half:
    """The sum of some bits' parts of a product, a bit a stage."""

    def __init__(self, m, name, clears, *, negative):
        self._m, self._name, self._clears, self._negative = m, name, clears, negative
        self._sum, self._below = None, []  # what is still added to, and the bits that are settled

    def step(self, stage, wide):
        """Take ``wide`` in, if there is a bit for it, and go through a register."""
        m, name, width = self._m, f"{self._name}_{stage}", len(wide) + 1
        total, clears = self._sum, self._clears
        if len(clears):
            clear, last = clears[0], len(clears) == 1
            before = Const(0, signed(width)) if total is None else total >> 1
            if total is not None:
                self._below = [*self._below, total[0]]
            negative = self._negative and last
            m.submodules[name] = adder = RestartingAdder(width, carries=negative)
            m.d.comb += [adder.a.eq(before), adder.b.eq(~wide if negative else wide), adder.restart.eq(clear)]
            if negative:
                m.d.comb += adder.one.eq(~clear)
            total = adder.s
        self._sum = self._register(total, f"{name}_sum")
        self._below = [self._register(bit, f"{name}_below_{k}") for k, bit in enumerate(self._below)]
        self._clears = self._register(clears[1:], f"{name}_clears") if len(clears) > 1 else []

    def product(self):
        """The whole sum."""
        return Cat(*self._below, self._sum).as_signed()

    def _register(self, value, name):
        register = Signal(value.shape(), name=name, reset_less=True)
        self._m.d.sync += register.eq(value)
        return register
