"""What sums point by point: every sum has its place, an element its steps, and a third of an eighth is exact."""

from amaranth.hdl import Array, Mux, ResetSignal, Signal

from licgate.gateware.engine.multiplicands import halves
from licgate.gateware.engine.points.divider import QuadDivider
from licgate.gateware.engine.points.element import PointElement
from licgate.gateware.engine.points.sums import PLACES, PointSums, sum_layout
from licgate.target.points import DIVISOR_SHIFT
from tests.formal.kit import Bench, Mutation, Proof


def _late(bench, value, cycles):
    for _ in range(cycles):
        value = bench.past(value)
    return value


def _definition(bench, step, value):
    """The sum behind each of free steps, of those that it belongs to, and all sums; steps are apart as the array's are.

    Parameters
    ----------
    bench : Bench
    step : View
        Of `sum_layout`.
    value : Value
        What is added, in the cycle of the step.
    """
    m, width = bench.m, len(value)
    before, earlier = bench.past(step.place), _late(bench, step.place, 2)
    bench.assume(step.first | step.chain | ((step.place != before) & (step.place != earlier)))
    kept = [Signal(width, name=f"kept_{k}") for k in range(PLACES)]
    last, total = Signal(width, name="last"), Signal(width, name="total")
    m.d.comb += total.eq(Mux(step.chain, last, Mux(step.first, 0, Array(kept)[step.place])) + value)
    m.d.sync += [Array(kept)[step.place].eq(total), last.eq(total)]
    return total, kept


def _sums(mutant, width=4):
    dut = mutant(PointSums)(width, width)
    bench = Bench(dut)
    # Nothing has a reset: one is held until it has drained away.
    bench.assume(~ResetSignal())
    bench.drive(dut.step)
    value = bench.free(width, "value")
    bench.m.d.comb += dut.p.eq(bench.past(value))
    total, kept = _definition(bench, dut.step, value)
    began = ~bench.first & ~bench.past(bench.first)
    bench.claim(~began | (dut.sum == _late(bench, total, 2).as_signed()))
    bench.claim(~began | (dut.place == _late(bench, dut.step.place, 2)))
    bench.claim(~began | (dut.ends == _late(bench, dut.step.ends, 2)))
    # Of the state between: what is not on its way stands in the memory.
    for place, sum_there in enumerate(kept):
        on_its_way = (bench.past(dut.step.place) == place) | (_late(bench, dut.step.place, 2) == place)
        bench.claim(on_its_way | (bench.peek(f"memory[{place}]", width) == sum_there))
    return bench


def _element(mutant, a_width=2, w_width=2, width=4):
    dut = mutant(PointElement)(a_width, w_width, 1 + max(a_width, w_width), width)
    bench = Bench(dut)
    bench.assume(~ResetSignal())
    bench.drive(dut.a, dut.w)
    # Of the operands of this cycle; the array tells an element later.
    step = Signal(sum_layout, name="step")
    bench.drive(step)
    bench.m.d.comb += dut.step.eq(_late(bench, step, dut.lead))
    (a0, a1), (w0, w1) = halves(dut.a), halves(dut.w)
    # what is asked for, and what is taken off elsewhere: xi and eta
    product = Signal(width, name="product")
    bench.m.d.comb += product.eq(a0 * w0 + a1 * w1 + a0 * a1 + w0 * w1)
    total, _ = _definition(bench, step, product)
    sums = bench.past(Mux(step.ends, total.as_signed(), 0))
    bench.claim(dut.sum == _late(bench, sums, dut.latency - 1))
    return bench


def _divider(mutant, width, single):
    dut = mutant(QuadDivider)(width)
    bench = Bench(dut)
    bench.assume(~ResetSignal())
    wide = width + DIVISOR_SHIFT
    result, output = bench.free(width, "result"), bench.free(wide, "output")
    # What compiler and rows make of a result: so much is left of the bias, which comes in the cycle behind.
    left = -2 * result.as_signed() - 2 if single else -24 * result.as_signed()
    bench.m.d.comb += [
        dut.output.eq(output),
        dut.single.eq(int(single)),
        dut.bias.eq(bench.past((output + left)[:wide])),
    ]
    # The operand of the second cycle, between any others.
    cycle = Signal(range(dut.latency + 3))
    bench.m.d.sync += cycle.eq(cycle + (cycle != dut.latency + 2))
    late = [result]
    for _ in range(dut.latency):
        late.append(bench.past(late[-1]))
    # Without its lowest bits it is -3 times the result; each addition takes more of what is too much.
    doublings = [shift for shift in (2, 4, 8, 16) if shift < width]
    for stage, shift in enumerate(() if single else doublings, 3):
        missing = (late[stage] - (late[stage] << 2 * shift))[:width]
        bench.claim((cycle != 1 + stage) | (bench.peek(f"times_{shift}", width) == missing))
    bench.claim((cycle != 1 + dut.latency) | (dut.result == late[dut.latency].as_signed()))
    return bench


PROOFS = (
    Proof(
        "sums point by point",
        "are those of the steps of their place, or of the chain that a step goes on with, whatever comes between",
        lambda mutant: _sums(mutant, 28),
        (
            Mutation(PointSums, "Mux(self.step.first, 0, read.data)", "read.data"),
            Mutation(PointSums, "self.step.chain, 1,", "self.step.chain, 2,"),
            Mutation(PointSums, "write.en.eq(1)", "write.en.eq(~chain)"),
        ),
        4,
        unbounded=True,
    ),
    Proof(
        "an element, fip-f4",
        "hands out the sums of its steps as they end, each in one cycle, 0 in all others",
        _element,
        (
            Mutation(PointElement, "Mux(sums.ends, sums.sum, 0)", "sums.sum"),
            Mutation(PointElement, "multiplier.a.eq(a0 + w1)", "multiplier.a.eq(a0 + w0)"),
            Mutation(PointElement, "sums.step.eq(step)", "sums.step.eq(self.step)"),
        ),
        11,
    ),
    *(
        Proof(
            f"a divider of {width} bits, {name}",
            f"gives every result, from its bias less {times}, between any others",
            lambda mutant, width=width, single=single: _divider(mutant, width, single),
            (mutation, Mutation(QuadDivider, "left.eq(self.bias - output)", "left.eq(self.bias - self.output)")),
            10,
        )
        for width in (25, 32)
        for name, single, times, mutation in (
            ("quads", False, "24 times what is summed", Mutation(QuadDivider, "value << shift", "value << shift + 1")),
            ("single", True, "twice what is summed", Mutation(QuadDivider, "Mux(single, ~half, value)", "~value")),
        )
    ),
)
