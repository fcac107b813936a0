"""A multiplier of logic that can lie anywhere: few additions as wide as an operand between any two registers."""

from amaranth.hdl import Cat, Const, Module, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.engine.accumulator import RestartingAdder

__all__ = ["StagedMultiplier"]


class StagedMultiplier(Component):
    """A product as two sums of shifted operands, bit by bit of ``b``, of its lower and of its upper half.

    An addition takes ``a`` in where a bit is set, in a carry chain without logic in front of it; a stage hands ``a`` on
    to the next one. So no wire crosses more than a stage, which a :class:`~.multiplier.Multiplier` of logic does not
    promise.

    Parameters
    ----------
    a_width, b_width : int
        1 to 18 each.
    additions : int
        Of each half, from one register to the next: 1 or more.

    Members
    -------
    a, b : :py:`In(signed(a_width))`, :py:`In(signed(b_width))`
    p : :py:`Out(signed(a_width + b_width))`
        ``a * b``, exact.

    Attributes
    ----------
    latency : int
        ``ceil(b_width / 2 / additions) + 1`` cycles. interval is 1.

    Resources: ``b_width + 1`` carry chains of ``a_width + 1`` bits, about
    ``b_width * (3 * a_width + b_width) / 2 / additions`` flip-flops.

    Raises
    ------
    ValueError
        A parameter is out of its range.
    """

    interval = 1

    def __init__(self, a_width, b_width, *, additions=1):
        for name, width in (("a_width", a_width), ("b_width", b_width)):
            if not isinstance(width, int) or not 1 <= width <= 18:
                raise ValueError(f"{name} must be an integer from 1 to 18, not {width!r}")
        if not isinstance(additions, int) or additions < 1:
            raise ValueError(f"additions must be a positive integer, not {additions!r}")
        self._additions, self._lower = additions, -(-b_width // 2)
        self._stages = -(-self._lower // additions)
        self.latency = self._stages + 1
        super().__init__({"a": In(signed(a_width)), "b": In(signed(b_width)), "p": Out(signed(a_width + b_width))})

    def elaborate(self, platform):
        m = Module()
        lower, wide = self._lower, self.a
        # The bits are kept inverted: they clear what is added. The highest one of all counts negative.
        halves = [_Half(m, "low", ~self.b[:lower], negative=len(self.b) == 1)]
        if len(self.b) > lower:
            halves.append(_Half(m, "high", ~self.b[lower:], negative=True))
        for stage in range(self._stages):
            for half in halves:
                for _ in range(self._additions):
                    half.add(wide)
                half.register(stage)
            moved = Signal.like(self.a, name=f"a_{stage}", reset_less=True)
            m.d.sync += moved.eq(wide)
            wide = moved
        low, *high = (half.product() for half in halves)
        p = Signal.like(self.p, reset_less=True)
        m.d.sync += p.eq(Cat(low[:lower], low[lower:].as_signed() + (high[0] if high else 0)))
        m.d.comb += self.p.eq(p)
        return m


class _Half:
    """The sum of some bits' parts of a product, bit by bit."""

    def __init__(self, m, name, clears, *, negative):
        self._m, self._name, self._clears, self._negative = m, name, clears, negative
        self._sum, self._below = None, []  # what is still added to, and the bits that are settled

    def add(self, wide):
        """Take ``wide`` in, if there is a bit for it."""
        if not len(self._clears):
            return
        m, total, clear, width = self._m, self._sum, self._clears[0], len(wide) + 1
        before = Const(0, signed(width)) if total is None else total >> 1
        if total is not None:
            self._below = [*self._below, total[0]]
        negative = self._negative and len(self._clears) == 1
        adder = RestartingAdder(width, carries=negative)
        m.submodules[f"{self._name}_{len(self._below)}"] = adder
        m.d.comb += [adder.a.eq(before), adder.b.eq(~wide if negative else wide), adder.restart.eq(clear)]
        if negative:
            m.d.comb += adder.one.eq(~clear)
        self._sum, self._clears = adder.s, self._clears[1:]

    def register(self, stage):
        """Go through a register."""
        name = f"{self._name}_{stage}"
        self._sum = self._registered(self._sum, f"{name}_sum")
        self._below = [self._registered(bit, f"{name}_below_{k}") for k, bit in enumerate(self._below)]
        if len(self._clears):
            self._clears = self._registered(self._clears, f"{name}_clears")

    def product(self):
        """The whole sum."""
        return Cat(*self._below, self._sum).as_signed()

    def _registered(self, value, name):
        register = Signal(value.shape(), name=name, reset_less=True)
        self._m.d.sync += register.eq(value)
        return register
