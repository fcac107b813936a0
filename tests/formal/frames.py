"""The frame receiver: what it reports is what came, whatever comes, and silence brings it back to where it began."""

from amaranth.hdl import Mux, Signal

from licgate.gateware.host.hostframe import FrameReceiver
from licgate.target.frames import SYNC, ErrorCode
from tests.formal.kit import Bench, Mutation, Proof

TIMEOUT, MOST = 3, 2  # cycles; bytes of payload


def _receiver(mutant):
    dut = mutant(FrameReceiver)(timeout=TIMEOUT)
    bench = Bench(dut)
    m, byte, report = bench.m, bench.free(8, "byte"), dut.o.payload
    bench.drive(dut.i.valid, dut.o.ready)
    m.d.comb += dut.i.payload.eq(byte)
    bench.keeps_its_word(dut.o, bench.claim)
    taken = dut.i.valid & dut.i.ready
    # Bytes of the frame behind its sync byte, that one counted; its payload's. What the CRC is worth, no solver
    # tells in time; tests do.
    count, kind, length = Signal(4), Signal(8), Signal(8)
    whole = (count > 3) & (count == length + 5)
    written, silent = Signal(4), Signal(4)
    with m.If(taken):
        with m.If(count != 0):
            m.d.sync += count.eq(count + 1)
        with m.Elif(byte == SYNC):
            m.d.sync += [count.eq(1), written.eq(0)]
        with m.If(count == 1):
            m.d.sync += kind.eq(byte)
        with m.If(count == 2):
            m.d.sync += length.eq(byte)
            bench.assume(byte <= MOST)
    with m.If(dut.o.valid & dut.o.ready):
        m.d.sync += count.eq(0)
    m.d.sync += silent.eq(Mux(dut.i.valid | ~dut.o.ready, 0, Mux(silent == 15, 15, silent + 1)))
    with m.If(dut.w_stb):
        m.d.sync += written.eq(written + 1)
    error = report.error
    bench.claim(~dut.o.valid | (error != 0) | (whole & (written == length)))
    bench.claim(~dut.o.valid | ~whole | ((report.type == kind) & (report.length == length)))
    bench.claim(~dut.o.valid | (error != ErrorCode.BAD_CRC) | whole)
    bench.claim(~dut.o.valid | (error == 0) | (error == ErrorCode.BAD_CRC) | ((error == ErrorCode.TRUNCATED) & ~whole))
    inside = taken & (count >= 3) & (count < length + 3)
    bench.claim(dut.w_stb == inside)
    bench.claim(~dut.w_stb | ((dut.w_index == written) & (dut.w_data == byte)))
    # A whole frame is as good as its CRC was found in the cycle before.
    matches = bench.past(bench.peek("crc.match_detected", 1))
    bench.claim(~dut.o.valid | bench.past(dut.o.valid) | ~whole | ((error == 0) == matches))
    # It takes whatever comes but while a frame is whole or reported; after some silence none is begun.
    bench.claim(dut.i.ready | whole | dut.o.valid)
    bench.claim((silent < TIMEOUT + 4) | (count == 0))
    return bench


PROOFS = (
    Proof(
        "the frame receiver",
        "reports a frame as good only if it is whole, writes its payload in order, gives up what stops; of two bytes",
        _receiver,
        (
            Mutation(FrameReceiver, "with m.If(left == 1):", "with m.If(left == 2):"),
            Mutation(FrameReceiver, "idle == self.timeout - 1", "idle == self.timeout + 9"),
            Mutation(FrameReceiver, "index.eq(index + 1)", "index.eq(index + 2)"),
            Mutation(FrameReceiver, "report.error.eq(ErrorCode.TRUNCATED)", "report.error.eq(0)"),
            Mutation(FrameReceiver, "Mux(crc.match_detected, 0, ErrorCode.BAD_CRC)", "0"),
            Mutation(FrameReceiver, 'm.next = "CHECK"', 'm.next = "REPORT"'),
        ),
        14,
    ),
)
