"""The ring of received pixels: what is committed is offered once, in order and in time, and nothing else is."""

from amaranth.hdl import Array, Mux, ResetSignal, Signal

from licgate.gateware.host.pixelbuffer import PixelBuffer
from tests.formal.kit import Bench, Mutation, Proof

AHEAD = 5  # the fewest that hold nothing up


def _buffer(frames, size, *, data):
    def make(mutant):
        dut = mutant(PixelBuffer)(frames=frames, streaming=True, size=size)
        dut.ahead = AHEAD
        bench = Bench(dut)
        most, shape = size // 3, range(frames)
        # A reset in between leaves nothing that another cycle from the first one on would not show.
        bench.assume(~ResetSignal())
        commit, flush, pixels = (bench.free(width, n) for n, width in (("commit", 1), ("flush", 1), ("pixels", 3)))
        bench.drive(dut.quiet, dut.o.ready)
        bench.m.d.comb += [dut.commit.eq(commit), dut.flush.eq(flush), dut.pixels.eq(pixels)]
        opened, first, waiting = (Signal(shape, name=name) for name in ("opened", "first", "waiting"))
        at, late = Signal(range(most)), bench.past(commit & ~flush)
        bench.assume(~late | (~commit & (pixels == bench.past(pixels)) & (dut.quiet == bench.past(dut.quiet))))
        bench.assume(~commit | ((pixels != 0) & (pixels <= most) & (waiting != frames - 1)))
        ends = _in_time(bench, commit, pixels, opened, first, waiting, at)
        with bench.m.If(late & ~flush):
            bench.m.d.sync += opened.eq(opened + 1)
        with bench.m.If(dut.o.valid & dut.o.ready):
            bench.m.d.sync += [at.eq(Mux(ends, 0, at + 1)), first.eq(first + ends)]
        bench.m.d.sync += waiting.eq(waiting + commit - ends)
        with bench.m.If(flush):
            bench.m.d.sync += [waiting.eq(0), at.eq(0), first.eq(opened)]
        if data:
            _as_written(bench, late, opened, first, at)
        return bench

    return make


def _in_time(bench, commit, pixels, opened, first, waiting, at):
    """Claim which pixels are offered when, and what is told of their ends; return that a frame ends."""
    m, dut, frames = bench.m, bench.dut, range(bench.dut.frames)
    sizes, quiets = [Signal(3, name=f"size_{n}") for n in frames], [Signal(name=f"quiet_{n}") for n in frames]
    ages = [Signal(range(dut.latency + 1), name=f"age_{n}") for n in frames]
    for n in frames:
        with m.If(ages[n] != dut.latency):
            m.d.sync += ages[n].eq(ages[n] + 1)
        with m.If(commit & (opened == n)):
            m.d.sync += [sizes[n].eq(pixels), quiets[n].eq(dut.quiet), ages[n].eq(1)]
    # A pixel is offered once its frame is old enough, and no sooner: so frames come without a gap, too.
    bench.claim(dut.o.valid == ((waiting != 0) & (Array(ages)[first] == dut.latency)))
    # what is read finds room
    bench.claim(~bench.peek("came", 1) | bench.peek("queue.room", 1))
    ends = Signal()
    m.d.comb += ends.eq(dut.o.valid & dut.o.ready & ~dut.flush & (at + 1 == Array(sizes)[first]))
    bench.claim(dut.drained == bench.past(ends & ~Array(quiets)[first]))
    bench.claim(dut.released == bench.past(ends & Array(quiets)[first]))
    return ends


def _as_written(bench, late, opened, first, at):
    """Claim that one byte, wherever it is, comes as it was written there last; others need not be written at all."""
    m, dut, most = bench.m, bench.dut, bench.dut.size // 3
    # All bits of a byte go the same way, and one of them is looked at.
    write, bit, index = (bench.free(width, n) for n, width in (("write", 1), ("bit", 1), ("index", len(dut.w_index))))
    m.d.comb += [dut.w_index.eq(index), dut.w_data.eq(bit), dut.w_stb.eq(write)]
    bench.assume(~late | ~write)
    frame, place, part = (bench.constant(range(n), name) for n, name in ((dut.frames, "frame"), (most, "p"), (3, "b")))
    bench.assume((place < most) & (part < 3))
    known, written = Signal(), Signal()
    with m.If(write & (opened == frame) & (index == 3 * place + part)):
        m.d.sync += [known.eq(1), written.eq(bit)]
    looked_at = dut.o.valid & known & (first == frame) & (at == place)
    bench.claim(~looked_at | (dut.o.payload.word_select(part, 8) == written))
    waits, same = bench.past(dut.o.valid & ~dut.o.ready & ~dut.flush), bench.past(dut.o.payload)
    bench.claim(~waits | (dut.o.payload == same))


PROOFS = (
    Proof(
        "the ring of pixels",
        "offers what is committed in order, each pixel in its cycle, and tells ends; 4 frames of up to 2 pixels",
        _buffer(4, 8, data=False),
        (
            Mutation(PixelBuffer, "left == 2", "left == 1"),
            Mutation(PixelBuffer, "size.pixels == 1", "size.pixels == 0"),
            Mutation(PixelBuffer, "~there | (steps & step.last)", "~there"),
            Mutation(PixelBuffer, "came.eq(comes & ~self.flush)", "came.eq(comes)"),
            Mutation(PixelBuffer, "comes.eq(steps & ~self.flush)", "comes.eq(steps)"),
            Mutation(PixelBuffer, "self.commit & ~self.flush", "self.commit"),
            Mutation(PixelBuffer, "free != 1", "free != 0"),
            Mutation(PixelBuffer, "room | taken", "room"),
            Mutation(PixelBuffer, "self.o.ready & ~self.flush", "self.o.ready"),
            Mutation(PixelBuffer, "takes & offered.last & ~quiet", "takes & offered.last"),
        ),
        13,
    ),
    Proof(
        "pixels of frames",
        "gives each byte of a frame as it was written, frame behind frame; 4 frames of up to 2 pixels",
        _buffer(4, 8, data=True),
        (
            Mutation(PixelBuffer, "index.eq(0), tail.eq(tail + 1)", "tail.eq(tail + 1)"),
            Mutation(PixelBuffer, "step.phase.eq(0), index.eq(0), tail", "index.eq(0), tail"),
            Mutation(PixelBuffer, "with m.If(committed & ~self.flush)", "with m.If(committed)"),
        ),
        11,
    ),
    Proof(
        "pixels in words",
        "gives each byte as it was written, wherever it lies in words; a flush in between; 2 frames of up to 5 pixels",
        _buffer(2, 16, data=True),
        (
            Mutation(PixelBuffer, "tail.eq(head)", "tail.eq(tail)"),
            Mutation(PixelBuffer, "step.phase != 2", "step.phase != 3"),
            Mutation(PixelBuffer, "step.phase.eq(step.phase + 1)", "step.phase.eq(step.phase + 2)"),
            Mutation(PixelBuffer, "before.eq(captured[16:])", "before.eq(word[16:])"),
            Mutation(PixelBuffer, "Cat(before[8:], captured)", "Cat(before, captured)"),
            Mutation(PixelBuffer, "self.w_stb << self.w_index[:2]", "self.w_stb.replicate(4)"),
        ),
        12,
    ),
)
