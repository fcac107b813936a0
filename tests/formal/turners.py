"""Words of every fourth column, turned: each value comes once, at its place among its neighbours."""

from amaranth.hdl import Array, Mux, Signal

from licgate.gateware.resident.turner import QuadTurner
from licgate.target.points import QUAD
from tests.formal.kit import Bench, Mutation, Proof

WIDTH = 2


def _turner(mutant, rows):
    dut = mutant(QuadTurner)(rows, WIDTH)
    bench = Bench(dut)
    m, enable, clear = bench.m, bench.free(1, "enable"), bench.free(1, "clear")
    bench.drive(*dut.word)
    m.d.comb += [dut.enable.eq(enable), dut.clear.eq(clear)]
    bench.assume(~(enable & bench.past(enable)))
    # One column, any of a channel's: its value comes with the word of its remainder and goes with that of its quotient.
    column = bench.constant(range(QUAD * rows), "column")
    bench.assume(column < QUAD * rows)
    came, went, value, due = Signal(range(QUAD)), Signal(range(QUAD)), Signal(WIDTH), Signal(WIDTH)
    left = Signal(range(QUAD + 1))  # words that are to go
    taken = enable & ~clear
    whole = taken & (came == QUAD - 1)
    arrives = came == column % QUAD
    now = Mux(arrives, Array(dut.word)[column // QUAD], value)
    with m.If(taken):
        m.d.sync += [came.eq(came + 1), value.eq(now)]
    with m.If(dut.o_enable):
        m.d.sync += went.eq(went + 1)
    with m.If(left != 0):
        m.d.sync += left.eq(left - 1)
    with m.If(whole):
        m.d.sync += [left.eq(QUAD), due.eq(now)]
    with m.If(clear):
        m.d.sync += [came.eq(0), left.eq(0)]
    with m.If(bench.past(clear)):
        m.d.sync += went.eq(0)
    # They go as soon as the channel is whole, one a cycle, and none is there before those in front of it have gone.
    bench.claim(dut.o_enable == bench.past(left != 0))
    bench.claim(~(whole & (left > 1)))
    mine = dut.o_enable & (went == column // rows)
    bench.claim(~mine | (Array(dut.o_word)[column % rows] == bench.past(due).as_signed()))
    # Of the state between.
    parts = [bench.peek(f"waiting_{k}", rows * WIDTH) for k in range(QUAD - 1)]
    block = bench.peek("block", QUAD * rows * WIDTH)
    bench.claim((left <= QUAD) & ((left == 0) | (came <= (left < QUAD - 1))))
    bench.claim(went == Mux(dut.o_enable, (QUAD - bench.past(left))[:2], 0))
    bench.claim(bench.peek("came", range(QUAD)) == came)
    bench.claim(bench.peek("gives", 1) == (left != 0))
    bench.claim((left == 0) | (bench.peek("which", range(QUAD)) == (QUAD - left)[:2]))
    word = Array([*parts, 0])[column % QUAD]
    bench.claim((came <= column % QUAD) | (word.word_select(column // QUAD, WIDTH) == value))
    bench.claim((left == 0) | (block.word_select(column, WIDTH) == due))
    return bench


PROOFS = tuple(
    Proof(
        f"a turner of {rows}",
        "gives each value of a channel once, in the order of columns, two cycles behind the last one",
        lambda mutant, rows=rows: _turner(mutant, rows),
        (
            Mutation(QuadTurner, "(c % QUAD) * rows + c // QUAD", "(c // rows) * rows + c % rows"),
            Mutation(QuadTurner, "came.eq(0), gives.eq(0)", "gives.eq(0)"),
            Mutation(QuadTurner, "gives.eq(which != QUAD - 1)", "gives.eq(which != QUAD - 2)"),
        ),
        4,
        unbounded=True,
        reach=14,
    )
    for rows in (2, 3)
)
