"""Requests to external memory: they cover a stretch."""

from amaranth.hdl import Signal

from licgate.gateware.streamed.burst import PageCutter
from tests.formal.kit import Bench, Mutation, Proof


def _requests(mutant, page=4, most=11):
    dut = mutant(PageCutter)(8, 6, page_beats=page, most_beats=most)
    bench = Bench(dut)
    m, stretch, request = bench.m, dut.i.payload, dut.request.payload
    bench.drive(dut.i.valid, stretch, dut.request.ready)
    bench.keeps_its_word(dut.i, bench.assume)
    bench.keeps_its_word(dut.request, bench.claim)
    bench.assume(~dut.i.valid | ((stretch.beats != 0) & (stretch.beats <= most)))
    # What is left of the stretch, from where on.
    place, rest, asked = Signal.like(stretch.address), Signal.like(stretch.beats), dut.request.valid & dut.request.ready
    with m.If(asked):
        m.d.sync += [place.eq(place + request.beats), rest.eq(rest - request.beats)]
    with m.If(dut.i.valid & dut.i.ready):
        m.d.sync += [place.eq(stretch.address), rest.eq(stretch.beats)]
    bench.claim(dut.i.ready == (rest == 0))
    bench.claim(~dut.request.valid | ((request.address == place) & (request.beats != 0) & (request.beats <= rest)))
    bench.claim(~dut.request.valid | (place[: (page - 1).bit_length()] + request.beats <= page))
    bench.claim(~dut.request.valid | (dut.ends == (request.beats == rest)))
    # Of the state between.
    idle, cuts, asks = bench.states("IDLE", "CUT", "ASK")
    bench.claim((idle | cuts | asks) & (idle == (rest == 0)) & (rest <= most))
    at = {name: bench.peek(name, rest.shape()) for name in ("left", "last")}
    bench.claim(idle | ((bench.peek("address", place.shape()) == place) & (at["left"] == rest)))
    bench.claim(idle | (at["last"] == rest - 1))
    return bench


PROOFS = (
    Proof(
        "requests of a stretch",
        "cover it once, in order, none beyond it, none across a page",
        _requests,
        (
            Mutation(PageCutter, "room.eq(page - within)", "room.eq(page)"),
            Mutation(PageCutter, "last - length", "last"),
            Mutation(PageCutter, "self.ends.eq(fits)", "self.ends.eq(0)"),
        ),
        2,
        unbounded=True,
        reach=12,
    ),
)
