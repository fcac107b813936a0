"""The range encoder against the golden one: streams, cycles, stalls, resets."""

import pytest
from amaranth.hdl import ResetInserter, Signal

from licgate.gateware.coder.carry import CarryQueue
from licgate.gateware.coder.encoder import RangeEncoder
from licgate.perf.coder import encoder_cycles, encoder_limit
from licgate.target.rangecoder import RangeEncoder as GoldenEncoder
from tests.gateware.coder.kit import encode, symbols, take_stream, words
from tests.gateware.kit import monitor, run_simulation, stream_put_all
from tests.target.hostile import few, hostile, long_runs, random_shares


def flat(lists):
    return [value for one in lists for value in one]


def check(random, precision, streams, p):
    found, watch_i, watch_o = encode(RangeEncoder(precision), streams, p=p)
    for shares, stream in zip(streams, found, strict=True):
        assert stream == words(shares, precision)
    if p:
        return
    given = [[(share["left"], share["share"]) for share in symbols(shares)] for shares in streams]
    taken, left = encoder_cycles(given, precision)
    assert watch_i.transfer_cycles == flat(taken)
    assert watch_o.transfer_cycles == flat(left)


@pytest.mark.parametrize(("precision", "p"), [(20, 0.0), (24, 0.4)])
def test_streams_and_cycles_are_those_of_the_golden_encoder(random, precision, p):
    check(random, precision, list(few(random, precision)), p)


@pytest.mark.regress
@pytest.mark.slow
@pytest.mark.parametrize("precision", [16, 18, 20, 22, 24])
@pytest.mark.parametrize("p", [0.0, 0.5])
def test_more_streams_and_cycles(random, precision, p):
    check(random, precision, list(hostile(random, precision)), p)


def test_no_stream_takes_longer_than_the_bound(random):
    for precision in (16, 20, 24):
        for shares in hostile(random, precision):
            taken, left = encoder_cycles([shares, [(0, 1)]], precision)
            assert taken[1][0] <= encoder_limit(len(shares), precision)
            assert left[0][-1] < taken[1][0] + 40
    # and words of ones are waited for
    taken, _ = encoder_cycles([long_runs(random, 20, 60, carry=True)], 20)
    assert max(b - a for a, b in zip(taken[0], taken[0][1:])) > RangeEncoder(20).interval + 1


def test_the_interval_is_what_it_says(random):
    dut = RangeEncoder(20)
    shares = [(share, share) for share in [1 << 19] * 34]
    _, watch, _ = encode(dut, [shares])
    gaps = {b - a for a, b in zip(watch.transfer_cycles, watch.transfer_cycles[1:])}
    assert gaps == {dut.interval, dut.interval + 1} == {12, 13}


def test_a_reset_in_mid_stream_begins_a_new_one(random):
    dut, reset, found = RangeEncoder(16), Signal(), []
    before, after = random_shares(random, 16, 12), random_shares(random, 16, 5)

    async def host(ctx):
        ctx.set(dut.o.ready, 1)
        await stream_put_all(ctx, dut.i, symbols(before)[:-1])
        ctx.set(dut.o.ready, 0)
        await ctx.tick().repeat(int(random.integers(9)))
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        await stream_put_all(ctx, dut.i, symbols(after))

    async def sink(ctx):
        await ctx.posedge(reset)
        await ctx.negedge(reset)
        found.append(await take_stream(ctx, dut.o))

    watches = [monitor(dut.i, reset=reset), monitor(dut.o, reset=reset)]
    run_simulation(ResetInserter(reset)(dut), host, sink, monitors=watches, limit=3000)
    assert found == [words(after, 16)]


def test_the_golden_encoder_says_what_a_symbol_did():
    encoder = GoldenEncoder(16)
    assert encoder.put(0, 0) == (False, 0)
    assert encoder.put(7, 1) == (False, 0)
    assert encoder.put(7, 1).shifted


@pytest.mark.parametrize("precision", [14, 17, 26, "20", True])
def test_precisions_that_are_none(precision):
    with pytest.raises(ValueError, match=r"^precision must be an even number from 16 to 24, not "):
        RangeEncoder(precision)


@pytest.mark.parametrize(("name", "arguments"), [("width", (0, 3)), ("run_bits", (32, 0)), ("width", (True, 3))])
def test_queues_of_carries_that_are_none(name, arguments):
    with pytest.raises(ValueError, match=f"^{name} must be a positive integer, not "):
        CarryQueue(*arguments)
