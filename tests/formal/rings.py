"""Rings of the streamed core: every word released once, every tile at its place, every column there when it is read."""

from types import SimpleNamespace

from amaranth.hdl import Cat, Mux, Signal

from licgate.gateware.streamed.passcredits import ColumnCredits
from licgate.gateware.streamed.release import StepRelease
from licgate.gateware.streamed.tilering import TileRing
from tests.formal.addresses import DOWN, streamed
from tests.formal.credits import passes
from tests.formal.kit import Bench, Mutation, Proof

COUNT = 5  # bits of running counts; they wrap


def _release(mutant):
    dut = mutant(StepRelease)(SimpleNamespace(ring_words=1, slots=3, weight_ring=5))
    bench = Bench(dut)
    m, ends = bench.m, bench.free(1, "ends")
    words, slots = bench.free(3, "words"), bench.free(2, "slots")
    taken, due, given = Signal(3), Signal(COUNT), Signal(COUNT)
    fresh = bench.past(ends) | bench.first
    bench.drive(dut.step)
    # What a pass releases is said all along, and it takes no more steps than there are words.
    bench.assume(words <= 5)
    bench.assume(fresh | ((words == bench.past(words)) & (slots == bench.past(slots))))
    bench.assume(~dut.step | (words == 0) | (taken < words))
    m.d.comb += [dut.release.words.eq(words), dut.release.slots.eq(slots)]
    with m.If(ends):
        m.d.comb += [dut.ended.words.eq(words), dut.ended.slots.eq(slots)]
        m.d.sync += [taken.eq(0), due.eq(due + words)]
    with m.Elif(dut.step & (words != 0)):
        m.d.sync += taken.eq(taken + 1)
    m.d.sync += given.eq(given + dut.released.words)
    # With a step comes a word, with the end come all that are left; two cycles later.
    owed = (due + taken)[:COUNT]
    bench.claim(given == bench.past(bench.past(owed)))
    bench.claim(dut.released.slots == bench.past(bench.past(dut.ended.slots)))
    return bench


def _tiles(mutant, ring=5, sizes=(5, 3, 1)):
    conv, gdn, alone = (SimpleNamespace(weights=size, tiles=2) for size in sizes)
    stages = (SimpleNamespace(conv=conv, last_op=gdn), SimpleNamespace(conv=alone, last_op=alone))
    memories = (SimpleNamespace(depth=ring),)
    program = SimpleNamespace(weight_ring=ring, weight_memories=memories, ops=(conv, gdn, alone), stages=stages)
    dut = mutant(TileRing)(program)
    bench = Bench(dut)
    m = bench.m
    begin, moves, turns, again, home, consumed, loaded = (
        bench.free(1, name) for name in ("begin", "moves", "turns", "again", "home", "consumed", "loaded")
    )
    bench.drive(dut.stage, dut.skip)
    bench.assume(dut.stage < 2)
    # One thing at a time, as far apart as passes are; GDN begins, or begins again, with a tile.
    earlier = begin | moves | home
    for _ in range(4):
        earlier = bench.past(earlier)
        bench.assume(~((begin | moves | home) & earlier))
    bench.assume(begin + moves + home <= 1)
    bench.assume(turns + again <= moves)
    place, gdn_place, home_place = (Signal(range(2 * ring), name=n) for n in ("place", "gdn_place", "home_place"))
    tile, gdn_tile, home_tile, came, used = (Signal(COUNT, name=f"number_{k}") for k in range(5))
    words, in_gdn = Signal(range(ring + 1)), Signal()
    bench.assume(~again | in_gdn)
    bench.assume(~turns | ~in_gdn)
    # Tiles are consumed in their order, by passes that go on to the next one; a band begins with the first that is not.
    bench.assume(~consumed | (moves & ~again & (tile == used) & (came != used)))
    bench.assume(~begin | (tile == used))
    bench.assume(~loaded | ((came - used)[:COUNT] < 3))
    bench.assume((tile - used)[:COUNT] < 4)
    m.d.comb += [
        dut.begin.eq(begin),
        dut.next_tile.eq(moves),
        dut.to_gdn.eq(turns),
        dut.again.eq(again),
        dut.home.eq(home),
        dut.consumed.eq(consumed),
        dut.tile_loaded.eq(loaded),
    ]
    m.d.sync += [came.eq(came + loaded), used.eq(used + consumed)]
    behind = Mux(place + words >= ring, place + words - ring, place + words)
    with m.If(begin):
        m.d.sync += [words.eq(Mux(dut.stage == 0, sizes[0], sizes[2])), in_gdn.eq(0)]
        m.d.sync += [home_place.eq(place), home_tile.eq(tile)]
    with m.If(moves):
        m.d.sync += [place.eq(behind), tile.eq(tile + 1)]
    with m.If(turns):
        m.d.sync += [words.eq(Mux(dut.stage == 0, sizes[1], sizes[2])), in_gdn.eq(1)]
        m.d.sync += [gdn_place.eq(behind), gdn_tile.eq(tile + 1)]
    with m.If(again):
        m.d.sync += [place.eq(gdn_place), tile.eq(gdn_tile)]
    with m.If(home):
        m.d.sync += [place.eq(home_place), tile.eq(home_tile), in_gdn.eq(0)]
    still = ~bench.past(begin | moves | home)
    same = still & bench.past(still) & bench.past(bench.past(still))
    skip = bench.past(dut.skip)
    inside = (skip < words) & (bench.past(skip) == skip)
    expected = Mux(place + skip >= ring, place + skip - ring, place + skip)
    bench.claim(~(same & inside) | ((dut.weight == expected) & (dut.weight < ring)))
    # Of the tile at hand, a cycle behind; between bands nobody asks.
    begun = Signal()
    with m.If(begin | home):
        m.d.sync += begun.eq(begin)
    bench.claim(~(same & begun) | (dut.there == bench.past(_later(came, tile))))
    return bench


def _later(one, other):
    """Whether one running count is beyond another, by less than half of what they count."""
    ahead = (one - other)[:COUNT]
    return (ahead != 0) & ~ahead[-1]


def _columns(mutant):
    program = streamed(DOWN)
    dut, slots = mutant(ColumnCredits)(program), min(program.slots, 5)
    bench = Bench(dut)
    m, begin, moves = bench.m, bench.free(1, "begin"), bench.free(1, "moves")
    loads, first, stride = bench.free(3, "loads"), bench.free(3, "first"), bench.free(2, "stride")
    issued = passes(bench, dut.loaded, Cat(loads, first, stride, moves))
    came, read, done, left, waits = (Signal(COUNT, name=f"count_{k}") for k in range(5))
    gone = Signal(init=1)  # the last group's pass
    bench.drive(dut.column_loaded)
    # Bands come one after the other; what they say stays, and the first pass follows some cycles later.
    bench.assume((first <= loads) & (loads <= slots) & (stride != 0))
    # none is wider than the command's field
    bench.assume((dut.band.loads == loads) & (dut.band.loads_first == first))
    bench.assume(~begin | ((left == 0) & (waits == 0) & ~issued & gone))
    bench.assume(~issued | (waits == 0))
    bench.assume(begin | (Cat(loads, first, stride) == bench.past(Cat(loads, first, stride))))
    # Columns have a place each, from when they come until the first pass that reads them has gone.
    bench.assume(~dut.column_loaded | ((came - done)[:COUNT] < slots))
    m.d.comb += [
        dut.begin.eq(begin),
        dut.issued.eq(issued),
        dut.moves_group.eq(moves),
        dut.stride.eq(stride),
        dut.band.loads.eq(loads),
        dut.band.loads_first.eq(first),
    ]
    m.d.sync += [came.eq(came + dut.column_loaded), waits.eq(Mux(waits != 0, waits - 1, 0))]
    more = Mux(left < stride, left, stride)
    with m.If(begin):
        m.d.sync += [read.eq(read + first), left.eq(loads - first), waits.eq(4), gone.eq(0)]
    with m.If(issued):
        m.d.sync += [done.eq(read), gone.eq(~moves)]
    with m.If(issued & moves):
        m.d.sync += [read.eq(read + more), left.eq(left - more)]
    # Up to ``read`` the next pass reads.
    bench.claim(~issued | ~_later(read, came))
    still = ~bench.past(begin | issued) & ~bench.past(bench.past(begin | issued))
    bench.claim(bench.first | ~still | ~bench.past(~_later(read, came)) | dut.loaded)
    return bench


PROOFS = (
    Proof(
        "release by steps",
        "gives back each word and slot of a pass once, a word with each step and the rest with the end",
        _release,
        (
            Mutation(StepRelease, "ended.words - given", "ended.words"),
            Mutation(StepRelease, "with m.Elif(stepped):", "with m.Elif(self.step):"),
        ),
        12,
    ),
    Proof(
        "the ring of tiles",
        "points into the ring, to the word of the tile that is meant, and says whether that tile has come",
        _tiles,
        (
            Mutation(TileRing, "Mux(sum_pointer >= ring,", "Mux(sum_pointer >= 2 * ring,"),
            Mutation(TileRing, "pointer.eq(gdn_pointer)", "pointer.eq(home)"),
            Mutation(TileRing, "held + ~self.consumed", "held + 1"),
            Mutation(TileRing, "sum_back >= 0", "sum_back > 0"),
        ),
        16,
    ),
    Proof(
        "column credits",
        "no pass goes before the word columns that it reads have come, and none waits when they have",
        _columns,
        (
            Mutation(ColumnCredits, "there >= needed", "there + 1 >= needed"),
            Mutation(ColumnCredits, "Mux(self.issued, needed, 0)", "0"),
        ),
        12,
    ),
)
