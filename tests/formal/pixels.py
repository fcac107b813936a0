"""The ring of received pixels: those of committed frames come out, each once and in order, and their ends are told."""

from amaranth.hdl import Mux, Signal

from licgate.gateware.host.pixelbuffer import PixelBuffer
from tests.formal.kit import Bench, Mutation, Proof

COUNT = 3  # bits of running counts of frames; they wrap
FRAMES, SIZE, MOST = 2, 16, 5  # MOST pixels in SIZE bytes


def _ring(mutant):
    dut = mutant(PixelBuffer)(frames=FRAMES, streaming=True, size=SIZE)
    bench = Bench(dut)
    m = bench.m
    # bytes of a bit, which are moved like all others, and are fewer to think of
    m.d.comb += dut.w_data.eq(bench.free(1, "w_data"))
    bench.drive(dut.w_index, dut.w_stb, dut.commit, dut.pixels, dut.quiet, dut.flush, dut.o.ready)
    committed = bench.past(dut.commit & ~dut.flush)
    told, counted = dut.drained | dut.released, committed & ~dut.flush
    came, gone, at = Signal(COUNT, name="came"), Signal(COUNT, name="gone"), Signal(3, name="at")
    # What a link keeps to: one frame stays open, a size stands for a cycle more, and bytes are far from commits.
    outstanding = Signal(range(FRAMES + 1), name="outstanding")
    m.d.sync += outstanding.eq(Mux(dut.flush, 0, outstanding + dut.commit - told))
    bench.assume(~dut.commit | (outstanding - told < FRAMES - 1))
    bench.assume(~(dut.commit & dut.flush) & ~(committed & (dut.w_stb | dut.commit)) & ~(dut.commit & dut.w_stb))
    bench.assume((dut.pixels >= 1) & (dut.pixels <= MOST))
    bench.assume(~committed | ((dut.pixels == bench.past(dut.pixels)) & (dut.quiet == bench.past(dut.quiet))))

    # One pixel of one frame, any: its bytes, and how long and how quiet its frame is.
    frame, place = bench.constant(COUNT, "frame"), bench.constant(3, "place")
    bench.assume(place < MOST)
    value, written = Signal(24, name="value"), Signal(3, name="written")
    size, quiet = Signal(3, name="size"), Signal(name="quiet")
    for byte in range(3):
        with m.If(dut.w_stb & (came == frame) & (dut.w_index == 3 * place + byte)):
            m.d.sync += [value.word_select(byte, 8).eq(dut.w_data), written[byte].eq(1)]
    with m.If(counted):
        m.d.sync += came.eq(came + 1)
        with m.If(came == frame):
            m.d.sync += [size.eq(dut.pixels), quiet.eq(dut.quiet)]
        with m.If((came + 1)[:COUNT] == frame):
            m.d.sync += written.eq(0)
    taken = dut.o.valid & dut.o.ready & ~dut.flush
    ours = (gone == frame) & (gone != came)
    ends = ours & (at == size - 1)
    bench.claim(~dut.o.valid | (gone != came) | told)
    with m.If(taken):
        bench.claim(~(ours & ~told & (at == place) & written.all()) | (dut.o.payload == value))
        m.d.sync += at.eq(at + 1)
    # The end is told in the cycle behind, so a pixel that is taken then is the next frame's first one.
    bench.claim(~bench.past(taken & ours & ~told) | (told == bench.past(ends)))
    bench.claim(~bench.past(taken & ours & ~told & ends) | (dut.released == bench.past(quiet)))
    bench.claim(~told | bench.past(taken))
    with m.If(told):
        m.d.sync += [gone.eq(gone + 1), at.eq(taken)]
    with m.If(dut.flush):
        m.d.sync += [gone.eq(Mux(counted, came + 1, came)), at.eq(0), written.eq(0)]

    waits, same = bench.past(dut.o.valid & ~dut.o.ready & ~dut.flush), bench.past(dut.o.payload)
    bench.claim(~waits | (dut.o.valid & (dut.o.payload == same)))
    # What has been committed is offered, in time.
    patience = Signal(range(16), name="patience")
    m.d.sync += patience.eq(Mux((gone == came) | dut.o.valid | dut.flush | told, 0, patience + 1))
    bench.claim(patience <= dut.latency)
    return bench


PROOFS = (
    Proof(
        "the ring of pixels",
        "gives the pixels of committed frames, each once and in order, tells their ends, and forgets them when asked",
        _ring,
        (
            Mutation(PixelBuffer, "for start in (4, 3, 2, 1)", "for start in (4, 3, 2, 2)"),
            Mutation(PixelBuffer, "step.last.eq(left == 2)", "step.last.eq(left == 3)"),
            Mutation(PixelBuffer, "with m.If(step.phase != 3):", "with m.If(step.phase != 1):"),
            Mutation(PixelBuffer, "m.d.sync += tail.eq(head)", "m.d.sync += tail.eq(tail)"),
            Mutation(PixelBuffer, "coming.eq(goes & ~self.flush)", "coming.eq(goes)"),
            Mutation(PixelBuffer, "takes & offered.last & quiet", "takes & offered.last"),
        ),
        16,
    ),
)
