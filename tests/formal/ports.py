"""Memory ports: a gate that stops them and an arbiter that shares a memory keep the port's contract."""

from functools import partial

from amaranth.hdl import Cat, Mux, Signal, Value

from licgate.gateware.memory.arbiter import Arbiter
from licgate.gateware.memory.port import BEATS_BITS
from licgate.gateware.streamed.gate import PortGate
from tests.formal.kit import Bench, Mutation, Proof

BEAT, ADDRESS = 1, 2


def requester(bench, port, name):
    """Assume a requester at a port: one transaction at a time, its beats there from the acceptance on.

    Returns
    -------
    Signal
        A transaction is under way.
    """
    m = bench.m
    busy, left = Signal(name=f"{name}_busy"), Signal(BEATS_BITS, name=f"{name}_left")
    accepted = port.request.valid & port.request.ready
    bench.drive(port.request.valid, port.request.payload, port.w.payload)
    bench.keeps_its_word(port.request, bench.assume)
    beats = port.request.payload.beats
    bench.assume(~port.request.valid | ((beats != 0) & (beats <= 2)))
    m.d.comb += port.w.valid.eq(left != 0)
    with m.If(accepted):
        m.d.sync += [busy.eq(1), left.eq(Mux(port.request.payload.write, port.request.payload.beats, 0))]
    with m.Else():
        with m.If(port.done):
            m.d.sync += busy.eq(0)
        with m.If(port.w.valid & port.w.ready):
            m.d.sync += left.eq(left - 1)
    return busy


def memory(bench, port, deep):
    """Assume a memory behind a port: up to two transactions accepted, served in order, one ``done`` each.

    A write is done when its beats have been taken. As in a real memory, ``done`` comes some cycles after an acceptance
    that finds it idle, and after the ``done`` before.

    Returns
    -------
    Signal
        Transactions under way.
    """
    m = bench.m
    flying, accepted = Signal(range(3), name="flying"), port.request.valid & port.request.ready
    bench.drive(port.request.ready, port.w.ready, port.done, port.r_valid, port.r_data)
    bench.assume(~port.request.ready | (flying < deep))
    m.d.sync += flying.eq(flying + accepted - port.done)
    # beats that are still to be taken, of the transaction at work and of the one behind it
    first, second = Signal(BEATS_BITS, name="first_left"), Signal(BEATS_BITS, name="second_left")
    asked = Mux(port.request.payload.write, port.request.payload.beats, 0)
    taken = port.w.valid & port.w.ready
    bench.assume(~taken | (first != 0))
    with m.If(taken):
        m.d.sync += first.eq(first - 1)
    with m.If(port.done):
        m.d.sync += first.eq(second)
    with m.If(accepted):
        with m.If(flying - port.done == 0):
            m.d.sync += first.eq(asked)
        with m.Else():
            m.d.sync += second.eq(asked)
    rest = Signal(2, name="rest")
    with m.If(port.done | (accepted & (flying == 0))):
        m.d.sync += rest.eq(3 if deep > 1 else 0)
    with m.Elif(rest != 0):
        m.d.sync += rest.eq(rest - 1)
    bench.assume(~port.done | ((flying != 0) & (first == 0) & (rest == 0)))
    return flying


def _gate(mutant):
    dut = mutant(PortGate)(BEAT, ADDRESS)
    bench = Bench(dut)
    busy = requester(bench, dut.i, "requester")
    flying = memory(bench, dut.o, 1)
    bench.drive(dut.stop)
    bench.keeps_its_word(dut.o.request, bench.claim)
    # One transaction is accepted on either side at once, or none.
    bench.claim((dut.i.request.valid & dut.i.request.ready) == (dut.o.request.valid & dut.o.request.ready))
    bench.claim(busy == flying)
    bench.claim(~dut.quiet | ~busy)
    bench.claim(~dut.quiet | ~dut.o.request.valid)
    # It stops only when told, and goes on when it is not.
    bench.claim(~bench.past(dut.stop & dut.quiet) | ~dut.o.request.valid | bench.first)
    bench.claim(bench.first | bench.past(dut.stop) | ~dut.i.request.valid | dut.o.request.valid)
    blocked, known = bench.peek("blocked", 1), bench.peek("flying", 1)
    bench.claim(known == flying)
    bench.claim(blocked == (dut.quiet | (blocked & flying)))
    return bench


def _arbiter(mutant, count=2):
    dut = mutant(Arbiter)(count, BEAT, ADDRESS)
    bench = Bench(dut)
    busy = [requester(bench, port, f"port_{k}") for k, port in enumerate(dut.i)]
    memory(bench, dut.o, 2)
    bench.keeps_its_word(dut.o.request, bench.claim)
    accepted = [port.request.valid & port.request.ready for port in dut.i]
    # A port is answered only while its transaction is under way, and one port at a time.
    for port, at_work in zip(dut.i, busy, strict=True):
        bench.claim(~port.done | at_work)
        bench.claim(~port.w.ready | port.w.valid)
    bench.claim(~(Cat(port.done for port in dut.i).all()))
    bench.claim(~(Cat(accepted).all()))
    # It has been offered to the memory as the port asked for it.
    for port, yes in zip(dut.i, accepted, strict=True):
        bench.claim(~yes | (Value.cast(port.request.payload) == Value.cast(dut.o.request.payload)))
    return bench


PROOFS = (
    Proof(
        "a port gate",
        "accepts on both sides at once, breaks off nothing, and is quiet only with nothing under way",
        _gate,
        (
            Mutation(PortGate, "m.Elif(~o.request.valid | o.request.ready)", "m.Else()"),
            Mutation(PortGate, "self.quiet.eq(blocked & ~flying)", "self.quiet.eq(blocked)"),
            Mutation(PortGate, "with m.Elif(o.done):", "with m.Elif(i.r_valid):"),
        ),
        3,
        unbounded=True,
    ),
    Proof(
        "an arbiter of two ports",
        "accepts one port at a time with what it asked for, and answers none but who is under way; one or two beats",
        partial(_arbiter, count=2),
        (
            Mutation(Arbiter, "m.d.sync += owner.eq(second)", "pass"),
            Mutation(Arbiter, "candidates & (~candidates + 1)[:count]", "candidates"),
        ),
        16,
    ),
)
