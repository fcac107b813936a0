"""Credits of the sequencers: no pass goes before what it reads is there, nor without room; none waits for nothing."""

from types import SimpleNamespace

from amaranth.hdl import Cat, Mux, Signal

from licgate.gateware.resident.rowpasses import OutputRoom
from licgate.gateware.sequence.results import ResultCredits
from licgate.gateware.streamed.passcredits import RecordCredits
from licgate.program import IN_FLIGHT
from licgate.target.arithmetic import DIRECT, FIP_F4
from tests.formal.kit import Bench, Mutation, Proof

PASSES = IN_FLIGHT + 1  # under way at most
APART = 5  # cycles from a pass to the next, at least


def passes(bench, room=1, kind=1):
    """Free strobes of passes that are told of a cycle after they went, as sequencers issue them.

    Parameters
    ----------
    bench : Bench
    room : Value
        What allows a pass; seen two cycles before it is told of.
    kind : Value
        What is said of a pass; it stays from three cycles before.

    Returns
    -------
    Signal
        A pass is told of.
    """
    issued = bench.free(1, "issued")
    earlier, seen, recent = issued, room, []
    for _ in range(APART - 1):
        earlier = bench.past(earlier)
        recent.append(earlier)
    for _ in range(2):
        seen = bench.past(seen)
    bench.assume(~issued | seen)
    for before in recent:
        bench.assume(~(issued & before))
    then = kind
    for _ in range(3):
        now, then = then, bench.past(then)
        bench.assume(~issued | (now == then))
    return issued


def _records(mutant, limit=3, arithmetic=DIRECT):
    dut = mutant(RecordCredits)(SimpleNamespace(output_credits=limit, arithmetic=arithmetic))
    bench = Bench(dut)
    bench.drive(dut.leaves, dut.packed)
    kind, records, most = dut.leaves, 1, 1
    if arithmetic.points:
        # four records, or two where pairs have no second ones; those of a GDN one, or none
        bench.drive(dut.is_gdn)
        kind, beyond = Cat(dut.leaves, dut.is_gdn), bench.free(1, "beyond")
        records, most = Mux(dut.is_gdn, ~beyond, Mux(beyond, 2, 4)), Mux(dut.is_gdn, 1, 4)
    issued, unpacked = passes(bench, dut.room, kind), Signal(range(limit + 6))
    bench.m.d.comb += dut.recorded.eq(Mux(issued & dut.leaves, records, 0))
    bench.m.d.sync += unpacked.eq(unpacked + dut.recorded - dut.packed)
    bench.assume(~dut.packed | (unpacked != 0))
    bench.claim(unpacked <= limit)
    bench.claim(bench.first | (dut.room == ~bench.past(dut.leaves & (unpacked + most > limit))))
    return bench


def _quads(mutant):
    return _records(mutant, 6, FIP_F4)


def _room(mutant, words=2, depth=5):
    dut = mutant(OutputRoom)(SimpleNamespace(leaving_words=words, output_words=depth))
    bench = Bench(dut)
    m = bench.m
    leaves, word, taken = (bench.free(1, name) for name in ("leaves", "word", "taken"))
    issued = passes(bench, dut.room, leaves)
    free, under_way, come = Signal(range(depth + 1), init=depth), Signal(range(PASSES + 1)), Signal(range(words + 1))
    goes = issued & leaves
    # The words of passes come one by one; when the last one is there, the pass is written.
    bench.assume(~word | ((under_way != 0) & (come < words)))
    bench.assume(~taken | (free != depth))
    bench.assume(~dut.output_written | (come == words))
    bench.drive(dut.output_written)
    m.d.comb += [dut.issued.eq(issued), dut.to_output.eq(leaves), dut.output_words.eq(free)]
    m.d.sync += [
        free.eq(free - word + taken),
        under_way.eq(under_way + goes - dut.output_written),
        come.eq(Mux(dut.output_written, 0, come) + word),
    ]
    bench.claim(~word | (free != 0))
    # what a pass would need with all that are under way, some of whose words have come already
    enough = free >= (under_way + 1) * words
    bench.claim(bench.first | ~bench.past(~leaves | enough) | dut.room)
    return bench


def _results(mutant, most=3):
    dut = mutant(ResultCredits)(range(most + 1))
    bench = Bench(dut)
    m, issued = bench.m, passes(bench)
    pixels = bench.constant(range(most + 1), "pixels")
    bench.drive(dut.written, dut.last_reader)
    mark, turns = bench.free(1, "mark"), bench.free(1, "turns")
    outstanding, of_conv, pixel = Signal(range(PASSES + 1)), Signal(range(most + 1)), Signal(range(most + 1))
    # One pass of the convolution's last tile is marked: those behind it in the band, and those in front on their way.
    marked, behind, ahead, gdn = Signal(), Signal(range(most + 1)), Signal(range(PASSES + 1)), Signal()
    bench.assume(pixels != 0)
    bench.assume(~dut.written | (outstanding != 0))
    bench.assume(~issued | (outstanding < PASSES))
    # GDN follows the last of as many passes as the band has pixels.
    bench.assume(~turns | (issued & ~gdn & (of_conv + 1 >= pixels)))
    m.d.comb += [
        dut.issued.eq(issued),
        dut.is_gdn.eq(gdn),
        dut.to_gdn.eq(turns),
        dut.band_pixels.eq(pixels),
    ]
    m.d.sync += outstanding.eq(outstanding + issued - dut.written)
    with m.If(dut.written & marked):
        m.d.sync += ahead.eq(ahead - 1)
        with m.If(ahead == 0):
            m.d.sync += marked.eq(0)
    with m.If(issued & ~gdn):
        m.d.sync += [of_conv.eq(Mux(of_conv == most, most, of_conv + 1)), behind.eq(behind + 1)]
        with m.If(mark):
            m.d.sync += [marked.eq(1), behind.eq(0), ahead.eq(outstanding - dut.written)]
        with m.Elif(behind + 1 == pixels):
            m.d.sync += marked.eq(0)  # of an earlier tile
        with m.If(turns):
            m.d.sync += [gdn.eq(1), pixel.eq(0), of_conv.eq(0)]
    with m.If(issued & gdn & dut.last_reader):
        m.d.sync += pixel.eq(pixel + 1)
        with m.If(pixel + 1 == pixels):
            m.d.sync += [gdn.eq(0), marked.eq(0)]
    settled = bench.past(bench.past(gdn)) & ~bench.past(issued) & ~bench.past(bench.past(issued))
    bench.claim(~(dut.arrived & gdn & settled & marked & bench.past(marked) & (pixel + behind + 1 == pixels)))
    bench.claim(dut.none == (outstanding == 0))
    bench.claim(bench.first | ~bench.past(dut.none | ~gdn) | dut.arrived)
    return bench


PROOFS = (
    Proof(
        "record credits",
        "lets no more passes go than the queue of records has places for, and lets one go whenever it has one",
        _records,
        (
            Mutation(RecordCredits, "unpacked != self._limit", "unpacked <= self._limit"),
            Mutation(RecordCredits, "self.recorded - self.packed", "self.recorded"),
        ),
        24,
    ),
    Proof(
        "record credits by points",
        "lets a pass go whenever the queue of records has places for all records that it may make, and else never",
        _quads,
        (
            Mutation(RecordCredits, "self._limit - self._most", "self._limit - self._most + 1"),
            Mutation(RecordCredits, "self.recorded - self.packed", "self.recorded[0] - self.packed"),
        ),
        24,
    ),
    Proof(
        "room for latents",
        "no word finds the queue full, and a pass goes where there is room with all that are on their way",
        _room,
        (
            Mutation(OutputRoom, "(count + 1) * self._words", "count * self._words"),
            Mutation(OutputRoom, "self.issued & self.to_output", "self.issued"),
        ),
        24,
    ),
    Proof(
        "result credits",
        "GDN reads no pixel whose results are on their way, and does not wait when none are",
        _results,
        (
            Mutation(ResultCredits, "outstanding <= behind", "outstanding <= behind + 1"),
            Mutation(ResultCredits, "self.band_pixels - 1", "self.band_pixels"),
        ),
        26,
    ),
)
