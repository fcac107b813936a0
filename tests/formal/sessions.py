"""Buffers of a session over Ethernet: accepted bytes come out once, bytes that are kept can be sent again."""

from amaranth.hdl import Mux, Signal

from licgate.gateware.ethernet.buffers import ReceiveBuffer, SendBuffer
from tests.formal.kit import Bench, Mutation, Proof

DEPTH = 4
COUNT = 5  # bits of running counts; they wrap


def _receives(mutant):
    dut = mutant(ReceiveBuffer)(DEPTH)
    bench = Bench(dut)
    m = bench.m
    bench.drive(dut.begin, dut.data, dut.strobe, dut.accept, dut.clear, dut.o.ready)
    # A datagram begins, its bytes come, and it is accepted once, behind the last of them, if it was whole.
    settled, taken = Signal(init=1), Signal(init=1)
    bench.assume(dut.begin + dut.strobe + dut.accept <= 1)
    bench.assume(~dut.accept | (dut.whole & ~settled))
    bench.assume(~dut.strobe | ~taken)
    m.d.sync += settled.eq(Mux(dut.begin, 0, settled | dut.accept))
    m.d.sync += taken.eq(Mux(dut.begin, 0, taken | dut.accept))
    # One byte is marked: what it is, its number in the datagram, then how many are in front of it.
    mark, value = bench.free(1, "mark"), Signal(8)
    marked, accepted, number, front = Signal(), Signal(), Signal(COUNT), Signal(range(DEPTH + 2))
    came, level = Signal(COUNT), Signal(range(DEPTH + 2))
    goes = dut.o.valid & dut.o.ready
    m.d.sync += came.eq(Mux(dut.begin, 0, came + dut.strobe))
    with m.If(dut.strobe & mark & ~marked & (came < DEPTH)):
        m.d.sync += [marked.eq(1), accepted.eq(0), number.eq(came), value.eq(dut.data)]
    with m.If(dut.accept & marked & ~accepted):
        m.d.sync += [accepted.eq(1), front.eq(level - goes + number)]
    with m.If(accepted & goes):
        m.d.sync += front.eq(front - 1)
        with m.If(front == 0):
            m.d.sync += [marked.eq(0), accepted.eq(0)]
    with m.If((dut.begin & ~accepted) | dut.clear):
        m.d.sync += [marked.eq(0), accepted.eq(0)]
    m.d.sync += level.eq(Mux(dut.clear, 0, level + Mux(dut.accept, dut.count, 0) - goes))
    bench.assume(came != 2**COUNT - 1)
    bench.claim(~(accepted & dut.o.valid & (front == 0)) | (dut.o.payload == value))
    bench.claim(~dut.o.valid | (level != 0))
    # no byte of a datagram is lost that seemed to be whole
    bench.claim(~dut.whole | (dut.count == came) | taken)
    # what is in the ring and what has room are all there is, but for a byte that is offered
    bench.claim(bench.first | (dut.room + level - dut.o.valid == DEPTH))
    return bench


def _sends(mutant):
    dut = mutant(SendBuffer)(DEPTH)
    bench = Bench(dut)
    m = bench.m
    bench.drive(dut.i.valid, dut.i.payload, dut.acknowledge, dut.number, dut.window, dut.back, dut.r_next, dut.clear)
    send, length = bench.free(1, "sends"), bench.free(3, "length")
    m.d.comb += [dut.send.eq(send), dut.length.eq(length)]
    held = bench.peek("held", range(DEPTH + 1))
    comes = dut.i.valid & dut.i.ready
    # Acknowledgements are of bytes that were sent, and come apart; nothing is sent while one is under way.
    busy = dut.acknowledge | bench.past(dut.acknowledge) | bench.past(bench.past(dut.acknowledge))
    bench.assume(~(dut.acknowledge & bench.past(dut.acknowledge)))
    bench.assume(~(send & (busy | dut.back | dut.clear)))
    bench.assume(~dut.clear | ~dut.acknowledge)
    bench.assume(~send | (length <= held - dut.sent))
    # A byte is marked by its number from the first that is kept on.
    mark, value, marked, place = bench.free(1, "mark"), Signal(8), Signal(), Signal(range(DEPTH + 1))
    distance, told = bench.past((dut.number - dut.first)[:32]), Signal(16)
    valid = bench.past(dut.acknowledge & ~dut.clear) & (distance <= held)
    took, offered = Mux(valid, distance, 0), bench.past(dut.window)
    with m.If(valid):
        m.d.sync += told.eq(offered)
    with m.If(dut.clear):
        m.d.sync += told.eq(0)
    with m.If(comes & mark & ~marked):
        m.d.sync += [marked.eq(1), place.eq(held - took), value.eq(dut.i.payload)]
    with m.If(marked):
        m.d.sync += place.eq(place - took)
        with m.If(place < took):
            m.d.sync += marked.eq(0)
    with m.If(dut.clear):
        m.d.sync += marked.eq(0)
    # Which byte is being read, counted like the marked one.
    reading, reads = Signal(range(-DEPTH, 2 * DEPTH)), Signal(range(DEPTH + 1))
    bench.assume(~dut.r_next | (reads != 0))
    with m.If(send):
        m.d.sync += [reading.eq(dut.sent - took), reads.eq(length)]
    with m.Else():
        m.d.sync += [reading.eq(reading + dut.r_next - took), reads.eq(reads - dut.r_next)]
    read = bench.past(dut.r_next)
    # what was acknowledged before it is read again may be anything
    fresh = Signal()
    m.d.sync += fresh.eq(marked & dut.r_next & (reading == place) & (place >= took) & ~dut.clear)
    bench.assume(~dut.clear | (reads == 0))
    bench.claim(~(read & fresh) | (dut.r_data == value))
    bench.claim((held <= DEPTH) & (dut.sent <= held))
    bench.claim(dut.i.ready == (held != DEPTH))
    # what waits has come, and has room
    moved = bench.past(send | dut.back | dut.clear | comes)
    still = ~busy & ~bench.past(bench.past(bench.past(dut.acknowledge))) & ~moved & ~bench.past(moved)
    limit = Mux(told < held, told, held)
    bench.claim(~(still & ~bench.first) | (dut.waiting == Mux(limit > dut.sent, limit - dut.sent, 0)) | _young(bench))
    return bench


def _young(bench):
    """In the first cycles, in which nothing has settled yet."""
    age = Signal(range(4))
    bench.m.d.sync += age.eq(Mux(age == 3, 3, age + 1))
    return age != 3


PROOFS = (
    Proof(
        "a receive buffer",
        "gives the bytes of accepted datagrams in their order, no others, and tells its room to the byte",
        _receives,
        (
            Mutation(ReceiveBuffer, "fits.eq(self.count != self.room)", "fits.eq(1)"),
            Mutation(ReceiveBuffer, "lost.eq(lost | ~fits)", "lost.eq(~fits)"),
            Mutation(ReceiveBuffer, "self.room - accepted + goes", "self.room - accepted + self.taken"),
            Mutation(ReceiveBuffer, "end.eq(end + accepted)", "end.eq(end + self.count)"),
            Mutation(ReceiveBuffer, "goes.eq(read.en & (level != 0))", "goes.eq(read.en)"),
        ),
        depth=11,
    ),
    Proof(
        "a send buffer",
        "keeps every byte until it is acknowledged, and lets be sent what has come and has room, no more",
        _sends,
        (
            Mutation(SendBuffer, "self.i.ready.eq(~held[bits])", "self.i.ready.eq(1)"),
            Mutation(SendBuffer, "distance <= held", "distance <= self.depth"),
            Mutation(SendBuffer, "took > sent", "took > self.depth"),
            Mutation(SendBuffer, "reading.eq((self.first + self.sent)[:bits])", "reading.eq(self.first[:bits])"),
            Mutation(SendBuffer, "Mux(window < held, window, held)", "held"),
            Mutation(SendBuffer, "window.eq(room)", "window.eq(room + 1)"),
        ),
        depth=8,
    ),
)
