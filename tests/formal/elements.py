"""The processing element: its sums are those of its definition, whatever the arithmetic."""

from amaranth.hdl import Mux, ResetSignal, Signal

from licgate.gateware.arith import delayed
from licgate.gateware.engine.multiplier import Multiplier
from licgate.gateware.engine.pe import ProcessingElement
from licgate.target.arithmetic import DIRECT, FIP
from tests.formal.kit import Bench, Mutation, Proof

_A, _W, _SUM = 2, 2, 5


def _element(arithmetic):
    def make(mutant):
        dut = mutant(ProcessingElement)(_A, _W, _SUM, arithmetic=arithmetic)
        bench = Bench(dut)
        m, last = bench.m, bench.free(1, "last")
        bench.drive(dut.a, dut.w)
        # Data has no reset: one is held until it has drained away.
        bench.assume(~ResetSignal())
        # As the array tells it: the step behind a last one begins a sum, and the last one's is handed out.
        late = delayed(m, last, arithmetic.lead + Multiplier.latency, name="late")
        restart, quiet = Signal(), Signal(init=1)
        m.d.sync += [restart.eq(late), quiet.eq(~late)]
        m.d.comb += [dut.restart.eq(restart), dut.quiet.eq(quiet)]
        activations, weights = (
            [word[k * width : (k + 1) * width].as_signed() for k in range(arithmetic.indices)]
            for word, width in ((dut.a, _A), (dut.w, _W))
        )
        step = sum(x * y for x, y in zip(activations, weights, strict=True))
        if arithmetic.row_sum:  # what is taken off elsewhere: xi and eta
            step += activations[0] * activations[1] + weights[0] * weights[1]
        total, ended = Signal(_SUM), Signal()
        m.d.sync += [total.eq(Mux(ended, 0, total) + step), ended.eq(last)]
        wait = dut.latency - 1
        expected, ends = (delayed(m, value, wait, name=f"{value.name}_late") for value in (total, ended))
        bench.claim(dut.sum == Mux(ends, expected.as_signed(), 0))
        return bench

    return make


_FAULTS = (
    Mutation(ProcessingElement, "adder.restart.eq(self.restart_out)", "adder.restart.eq(self.restart)"),
    Mutation(ProcessingElement, "Mux(self.quiet_out, 0, acc)", "acc"),
    Mutation(ProcessingElement, "multiplier.b.eq(y)", "multiplier.b.eq(x)"),
)

PROOFS = tuple(
    Proof(
        f"an element, {arithmetic.name}",
        "hands out the sums of its steps, each in one cycle, 0 in all others",
        _element(arithmetic),
        _FAULTS,
        depth,
    )
    for arithmetic, depth in ((DIRECT, 11), (FIP, 13))
)
