"""Stream buffers and queues: nothing lost, nothing invented, all in order."""

from amaranth.hdl import Array, Mux, Signal, Value

from licgate.gateware.resident.latentqueue import LatentQueue
from licgate.gateware.stream import Queue, SkidBuffer, StreamBuffer
from licgate.gateware.streamed.blockqueue import BlockQueue
from tests.formal.kit import Bench, Mutation, Proof

WIDTH = 2


def delivery(bench, comes, word, goes, given, most):
    """Claim that one word, any of those that come, goes as it came and when its turn is; return how many are inside.

    Parameters
    ----------
    bench : Bench
    comes, goes : Value
        A word comes, a word goes, in this cycle.
    word, given : Value
        Those words.
    most : int
        Words that are inside at once, at most.
    """
    m = bench.m
    marked, value, ahead = Signal(), Signal(len(word)), Signal(range(most + 2))
    inside, mark = Signal(range(most + 2)), bench.free(1, "mark")
    m.d.sync += inside.eq(inside + comes - goes)
    with m.If(comes & mark & ~marked):
        m.d.sync += [marked.eq(1), value.eq(word), ahead.eq(inside - goes)]
    with m.Elif(marked & goes):
        m.d.sync += ahead.eq(ahead - 1)
        with m.If(ahead == 0):
            m.d.sync += marked.eq(0)
    bench.claim(~(marked & goes & (ahead == 0)) | (given == value))
    bench.claim(~goes | (inside != 0))
    bench.claim(inside <= most)
    return inside, marked, value, ahead


def _stream(cls, most, parameters=(WIDTH,), known=None):
    """A component from stream to stream; ``known`` says what is inside of it, for an induction."""

    def make(mutant):
        dut = mutant(cls)(*parameters)
        bench = Bench(dut)
        bench.drive(dut.i.valid, dut.i.payload, dut.o.ready)
        bench.keeps_its_word(dut.i, bench.assume)
        bench.keeps_its_word(dut.o, bench.claim)
        taken, given = dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready
        found = delivery(bench, taken, Value.cast(dut.i.payload), given, Value.cast(dut.o.payload), most)
        # It takes whatever there is room for, and offers what it has.
        bench.claim(dut.i.ready == (found[0] < most))
        bench.claim(dut.o.valid == (found[0] != 0))
        if known is not None:
            known(bench, *found)
        return bench

    return make


def _of_one(bench, inside, marked, value, ahead):
    dut = bench.dut
    bench.claim((inside == dut.o.valid) & (bench.peek("empty", 1) == ~dut.o.valid))
    bench.claim(~marked | (dut.o.valid & (ahead == 0) & (dut.o.payload == value)))


def _of_two(bench, inside, marked, value, ahead):
    dut = bench.dut
    spare, waits = bench.peek("spare", WIDTH), bench.peek("waits", 1)
    bench.claim(inside == dut.o.valid + waits)
    bench.claim((~waits | dut.o.valid) & (bench.peek("empty", 1) == ~dut.o.valid))
    bench.claim(~marked | (ahead < inside))
    bench.claim(~marked | (Mux(ahead == 0, dut.o.payload, spare) == value))


def _of_many(bench, inside, marked, value, ahead):
    depth = bench.dut.depth
    level, at, to = (
        bench.peek(name, range(top)) for name, top in (("level", depth + 1), ("consume", depth), ("produce", depth))
    )
    words = Array(bench.peek(f"storage[{k}]", WIDTH) for k in range(depth))

    def around(place):
        return Mux(place >= depth, place - depth, place)

    bench.claim((level == inside) & (at < depth) & (to == around(at + level)))
    bench.claim(~marked | ((ahead < inside) & (words[around(at + ahead)] == value)))


def _block_queue(mutant):
    depth = 3
    dut = mutant(BlockQueue)(depth, WIDTH)
    bench = Bench(dut)
    bench.drive(dut.enable, dut.word, dut.o.ready)
    bench.keeps_its_word(dut.o, bench.claim)
    inside, *_ = delivery(bench, dut.enable, dut.word, dut.o.valid & dut.o.ready, dut.o.payload, depth)
    bench.assume(~dut.enable | (inside < depth))
    return bench


def _latent_queue(mutant, depth=3):
    dut = mutant(LatentQueue)(WIDTH, depth)
    bench = Bench(dut)
    bench.drive(dut.enable, dut.word, dut.take)
    # The sender has seen room; no word is taken in the cycle behind another one.
    bench.assume(~dut.enable | (bench.past(dut.free) > bench.past(dut.enable)))
    bench.assume(~dut.take | (dut.there & ~bench.past(dut.take)))
    inside, *_ = delivery(bench, dut.enable, dut.word, dut.take, dut.first, depth)
    bench.claim(bench.first | (dut.free + inside <= depth + bench.past(dut.take)))
    return bench


PROOFS = (
    Proof(
        "a stream buffer",
        "gives what it takes, in order, and takes nothing while it holds something",
        _stream(StreamBuffer, 1, known=_of_one),
        (
            Mutation(StreamBuffer, "self.i.ready.eq(empty)", "self.i.ready.eq(empty | self.o.ready)"),
            Mutation(StreamBuffer, "~empty & self.o.ready", "self.o.ready | self.i.valid"),
        ),
        4,
        unbounded=True,
    ),
    Proof(
        "a skid buffer",
        "gives what it takes, in order, two words at most inside",
        _stream(SkidBuffer, 2, known=_of_two),
        (
            Mutation(SkidBuffer, "with m.If(waits):", "with m.If(waits & self.i.valid):"),
            Mutation(SkidBuffer, "self.o.ready | empty", "self.o.ready"),
        ),
        4,
        unbounded=True,
    ),
    *(
        Proof(
            f"a queue of {depth}",
            "gives what it takes, in order, takes a word whenever it has room and offers one whenever it has any",
            _stream(Queue, depth, (WIDTH, depth), known=_of_many if depth > 1 else None),
            (
                Mutation(Queue, "write.en.eq(comes)", "write.en.eq(comes & ~self.o.ready)"),
                Mutation(Queue, "level != depth - 1", "level != depth"),
                # into a single place nothing comes while something goes
                *([Mutation(Queue, "goes & ~comes, level", "goes, level")] if depth > 1 else []),
            ),
            10,
            unbounded=depth > 1,
        )
        for depth in (1, 2, 3, 5, 8)
    ),
    Proof(
        "a queue in block RAM",
        "gives the words that come, in order, where no more come than there is room for",
        _block_queue,
        (
            Mutation(BlockQueue, "_step(m, to, self.enable, self.depth)", "_step(m, to, self.enable, self.depth - 1)"),
            Mutation(BlockQueue, "self.depth, self.enable, self.o)", "self.depth, self.o.ready, self.o)"),
        ),
        12,
    ),
    Proof(
        "a queue of latents",
        "gives the words that come, in order, and never says that it has room which it has not",
        _latent_queue,
        (
            Mutation(LatentQueue, "enable & ~taken", "enable"),
            Mutation(LatentQueue, "taken & (free == depth - 1)", "0"),
            Mutation(LatentQueue, "place == depth - 1", "place == depth"),
        ),
        12,
    ),
)
