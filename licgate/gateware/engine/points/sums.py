"""Sums of several kinds at once, in distributed memory: what every step says of its sum, and the accumulator."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.arith import delayed
from licgate.gateware.engine.accumulator import ChoosingAdder

__all__ = ["NOWHERE", "PLACES", "PointSums", "sum_layout"]

#: Places of sums: those of six points, one that nobody asks for, and one for steps that count for nothing.
PLACES, NOWHERE = 8, 7

#: Which sum a step belongs to. place: where it is kept. first: it begins with this step. chain: it goes on with the
#: sum of the step before, which is not read back from its place, and so needs no time. ends: the step is its last one.
sum_layout = data.StructLayout({"place": range(PLACES), "first": 1, "chain": 1, "ends": 1})


class PointSums(Component):
    """Add each product to the sum that its step belongs to.

    Steps of one place are three cycles apart at least, unless they are chained.

    Parameters
    ----------
    step_width, width : int
        Of the products, and of the sums, which wrap: 2 to 48, the products' at most the sums'.

    Members
    -------
    step : :py:`In(sum_layout)`
        Of the product that comes a cycle later.
    p : :py:`In(signed(step_width))`
        The product, from a register.
    sum : :py:`Out(signed(width))`
        The sum with the product of the cycle before, whichever it is.
    place, ends : :py:`Out(...)`
        Of that sum's step.

    Attributes
    ----------
    latency : int
        Cycles from ``step`` to ``sum``: 2. interval is 1.

    Resources: ``width`` bits of carry chain and of memory of 8 words, twice as many flip-flops.

    Raises
    ------
    ValueError
        A width is not an integer in its range.
    """

    latency = 2
    interval = 1

    def __init__(self, step_width, width):
        for name, value, low, high in (("width", width, 2, 48), ("step_width", step_width, 2, width)):
            if not isinstance(value, int) or not low <= value <= high:
                raise ValueError(f"{name} must be an integer from {low} to {high}, not {value!r}")
        super().__init__(
            {
                "step": In(sum_layout),
                "p": In(signed(step_width)),
                "sum": Out(signed(width)),
                "place": Out(range(PLACES)),
                "ends": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        width = len(self.sum)
        memory = Memory(shape=width, depth=PLACES, init=[], attrs={"ram_style": "distributed"})
        m.submodules.memory = memory
        read, write = memory.read_port(domain="comb"), memory.write_port()
        # Nothing has a reset: whatever is kept, a sum begins with its first step.
        kept = Signal(signed(width), name="kept", reset_less=True)
        acc = Signal(signed(width), name="acc", reset_less=True)
        chain = delayed(m, self.step.chain, 1, name="chain", reset_less=True)
        place = delayed(m, self.step.place, 2, name="place", reset_less=True)
        m.submodules.adder = adder = ChoosingAdder(width)
        m.d.comb += [
            read.addr.eq(self.step.place),
            adder.a.eq(self.p),
            adder.b.eq(kept),
            adder.c.eq(acc),
            adder.first.eq(~chain),
            write.addr.eq(place),
            write.data.eq(acc),
            write.en.eq(1),
            self.sum.eq(acc),
            self.place.eq(place),
            self.ends.eq(delayed(m, self.step.ends, 2, name="ends", reset_less=True)),
        ]
        m.d.sync += [kept.eq(Mux(self.step.first, 0, read.data)), acc.eq(adder.s)]
        return m
