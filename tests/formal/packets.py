"""Ends of packets: every byte goes on, and the last one before a pause is marked, as it is found to be that."""

from amaranth.hdl import Mux, Signal

from licgate.gateware.host.usbbridge import PacketEnds
from tests.formal.kit import Bench, Mutation, Proof
from tests.formal.streams import delivery


def _ends(pause):
    def make(mutant):
        dut = mutant(PacketEnds)(pause=pause)
        bench = Bench(dut)
        bench.drive(dut.i.valid, dut.i.payload, dut.o.ready)
        bench.keeps_its_word(dut.i, bench.assume)
        bench.keeps_its_word(dut.o, bench.claim)
        taken, given = dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready
        inside, marked, value, ahead = delivery(bench, taken, dut.i.payload, given, dut.o.payload, 2)
        # Cycles since the last byte has come, as far as they matter.
        since, waits = Signal(range(pause + 2), init=pause + 1), bench.past(dut.o.valid & ~dut.o.ready)
        bench.m.d.sync += since.eq(Mux(taken, 0, Mux(since == pause + 1, since, since + 1)))
        fresh = dut.o.valid & ~waits
        bench.claim(~waits | (dut.last == bench.past(dut.last)))
        bench.claim(~fresh | (dut.last == (inside == 1)))
        bench.claim(~(fresh & dut.last) | (since > pause))
        # None is held back for longer, and none when another one has come.
        bench.claim((inside == 0) | dut.o.valid | (since <= pause))
        bench.claim(~dut.i.valid | (dut.i.ready == ((inside != 2) | dut.o.ready)))
        # what is known of the inside, for the induction
        held, full, left = bench.peek("held", 8), bench.peek("full", 1), bench.peek("left", range(pause + 1))
        bench.claim((inside == dut.o.valid + full) & (left == Mux(since > pause, 0, pause - since)))
        bench.claim(~marked | ((ahead < inside) & (Mux(dut.o.valid & (ahead == 0), dut.o.payload, held) == value)))
        return bench

    return make


PROOFS = tuple(
    Proof(
        f"packets that end behind {pause} cycles",
        "give every byte as it came, in order, and mark the one that nothing follows, as soon as that is known",
        _ends(pause),
        (
            Mutation(PacketEnds, "full & free &", "full &"),
            Mutation(PacketEnds, "(self.i.valid | (left == 0))", "(left == 0)"),
            Mutation(PacketEnds, "self.last.eq(~self.i.valid)", "self.last.eq(left == 0)"),
            Mutation(PacketEnds, "left.eq(self.pause)", "left.eq(self.pause - 1)"),
            Mutation(PacketEnds, "self.i.ready.eq(~full | goes)", "self.i.ready.eq(1)"),
        ),
        4,
        unbounded=True,
        reach=12,
    )
    for pause in (1, 5)
)
