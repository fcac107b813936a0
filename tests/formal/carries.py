"""The queue of words that a carry may reach: none lost, none invented, each with its carry."""

from amaranth.hdl import Mux, Signal

from licgate.gateware.coder.carry import CarryQueue
from tests.formal.kit import Bench, Mutation, Proof

WIDTH, RUN_BITS = 2, 2
ONES = (1 << WIDTH) - 1
MOST = 12


def _carries(mutant):
    dut = mutant(CarryQueue)(WIDTH, RUN_BITS)
    bench = Bench(dut)
    bench.drive(dut.shift, dut.word, dut.carry, dut.end, dut.again, dut.o.ready)
    bench.keeps_its_word(dut.o, bench.claim)
    out = dut.o.payload
    comes, ends, leaves = dut.ready & dut.shift, dut.ready & dut.end, dut.o.valid & dut.o.ready
    goes = leaves & ~out.empty
    inside, ended, done = Signal(range(MOST)), Signal(), Signal()
    # words that a carry may reach: the one that takes it, and ones behind that
    top, reached = Signal(WIDTH), Signal(range(MOST))
    _stream(bench, comes, ends, (ended, top, reached))
    bench.m.d.sync += [
        inside.eq(inside + comes + (ends & dut.again) - goes),
        ended.eq(ended | ends),
        done.eq(done | (leaves & out.last)),
    ]
    _marked(bench, comes, (ends, goes, inside))
    bench.claim(~goes | (inside != 0))
    bench.claim(~out.empty | ~dut.o.valid | (out.last & (inside == 0)))
    bench.claim(~(leaves & out.last) | (ended & (inside == goes)))
    # what has no last word yet goes on going, and of a stream that goes on nothing is held back that could go
    bench.claim(dut.o.valid | ~ended | done)
    bench.claim(~dut.ready | dut.o.valid | ended | (inside == reached))
    return bench


def _stream(bench, comes, ends, known):
    """One stream, that keeps to what a range encoder does."""
    dut, m, (ended, top, reached) = bench.dut, bench.m, known
    bench.assume(~(dut.shift & dut.end))
    bench.assume(~ended | ~(dut.shift | dut.end))
    # no carry that the words before have no room for; no more ones than are counted
    bench.assume(~(dut.shift & dut.carry) | ((reached != 0) & (top != ONES)))
    bench.assume(~dut.end | (~dut.carry & (~dut.again | (reached != 0))))
    bench.assume(~dut.shift | (reached <= (1 << RUN_BITS) - 1))
    with m.If(comes & (dut.word == ONES) & ~dut.carry & (reached != 0)):
        m.d.sync += reached.eq(reached + 1)
    with m.Elif(comes):
        m.d.sync += [reached.eq(1), top.eq(dut.word)]


def _marked(bench, comes, known):
    """Any one word goes when its turn is, with what carries made of it."""
    dut, m, (ends, goes, inside) = bench.dut, bench.m, known
    marked, value, ahead, mark = Signal(), Signal(WIDTH), Signal(range(MOST)), bench.free(1, "mark")
    # a carry may reach it yet: only ones are behind it, and none has come
    chain = Signal()
    with m.If(comes & mark & ~marked):
        m.d.sync += [marked.eq(1), value.eq(dut.word), ahead.eq(inside - goes), chain.eq(1)]
    with m.Else():
        with m.If(marked & goes):
            m.d.sync += [ahead.eq(ahead - 1), marked.eq(ahead != 0)]
        with m.If(comes):
            m.d.sync += value.eq(value + (chain & dut.carry))
            m.d.sync += chain.eq(chain & (dut.word == ONES) & ~dut.carry)
        with m.If(ends):
            m.d.sync += chain.eq(0)
    bench.claim(~(marked & goes & (ahead == 0)) | (dut.o.payload.data == Mux(chain, ~value, value)))


PROOFS = (
    Proof(
        "a queue of carries",
        "gives all words in order, each with its carry, and holds none back that no carry can reach",
        _carries,
        (
            Mutation(CarryQueue, "run.eq(run + 1)", "run.eq(run)"),
            Mutation(CarryQueue, "held + self.carry", "held"),
            Mutation(CarryQueue, "(some & ~carried)", "some"),
            Mutation(CarryQueue, "self.word.all() & ~self.carry", "self.word.all()"),
            Mutation(CarryQueue, "sending.eq(more)", "sending.eq(some)"),
            Mutation(CarryQueue, "(run != 1) | zero", "run != 1"),
            Mutation(CarryQueue, "self.ready.eq(room & ~sending)", "self.ready.eq(room)"),
        ),
        9,
    ),
)
