"""The page cutter against the plain Python that models and compilers use."""

import random

import pytest

from licgate.gateware.streamed.burst import PageCutter
from licgate.target.pages import split
from tests.gateware.kit import monitor, random_stalls, run_simulation, stream_get, stream_put_all
from tests.gateware.waves import trace

# Bits of a beat and of an address, beats of a page, of the longest stretch.
SHAPES = [(16, 24, 512, 1500), (8, 10, 64, 130), (64, 12, 1, 5), (16, 9, 16, 3)]


def stretches(shape, count=12, seed=1):
    """Random ones, and those that begin or end at a page."""
    _, address_bits, page, most = shape
    coin = random.Random(seed)
    found = [(0, 1), (page - 1, min(2, most)), (page, min(page, most)), (1, most)]
    for _ in range(count):
        beats = coin.randint(1, most)
        found.append((coin.randrange((1 << address_bits) - beats), beats))
    return found


def cut(shape, jobs, *, write=False, stalls=(None, None)):
    """Requests with their ends, and the cycles in which stretches and requests moved."""
    beat_bits, address_bits, page, most = shape
    dut = PageCutter(beat_bits, address_bits, page_beats=page, most_beats=most, write=write)
    count = sum(len(list(split(*job, page))) for job in jobs)
    monitors, got = [monitor(dut.i, "i"), monitor(dut.request, "request")], []

    async def source(ctx):
        payloads = ({"address": address, "beats": beats} for address, beats in jobs)
        await stream_put_all(ctx, dut.i, payloads, stalls=stalls[0])

    async def sink(ctx):
        for _ in range(count):
            one = await stream_get(ctx, dut.request, stalls=stalls[1])
            got.append((one.write, one.address, one.beats))

    ends = []

    async def watch(ctx):
        async for _clk, _rst, valid, ready, end in ctx.tick().sample(dut.request.valid, dut.request.ready, dut.ends):
            if valid and ready:
                ends.append(end)

    run_simulation(dut, source, sink, monitors=monitors, background=[watch], limit=20_000)
    return got, ends, *(one.transfer_cycles for one in monitors)


def expected(shape, jobs, write):
    parts = [list(split(*job, shape[2])) for job in jobs]
    requests = [(int(write), *request) for part in parts for request in part]
    return requests, [int(k == len(part) - 1) for part in parts for k in range(len(part))]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("write", [False, True])
def test_requests_cross_no_page_and_come_when_they_should(shape, write):
    jobs = stretches(shape)
    got, ends, taken, asked = cut(shape, jobs, write=write)
    assert (got, ends) == expected(shape, jobs, write)
    cycle, requests = taken[0], iter(asked)
    for (address, beats), now in zip(jobs, taken, strict=True):
        assert now == cycle
        cycle += PageCutter.latency
        for _ in split(address, beats, shape[2]):
            assert next(requests) == cycle
            cycle += PageCutter.interval
        cycle -= 1  # the next stretch is taken right after the last request


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("shape", SHAPES)
def test_late_partners_change_no_request(shape, seed):
    jobs = stretches(shape, seed=seed)
    stalls = random_stalls(seed, 0.5), random_stalls(seed + 10, 0.6)
    assert cut(shape, jobs, stalls=stalls)[:2] == expected(shape, jobs, False)


def test_it_begins_anew_after_a_reset():
    dut = PageCutter(16, 24, page_beats=8, most_beats=100)
    first, second = {"address": 3, "beats": 90}, {"address": 1000, "beats": 2}
    steps = [{"i.valid": 1, "i.payload": first, "request.ready": 1}, {"i.valid": 0}, {}, {}, {}]
    steps += [{"i.valid": 1, "i.payload": second}, {"i.valid": 0}, *[{}] * 6]
    seen = trace(dut, steps, ("request.valid", "request.payload"), resets={4})
    asked = [(cycle, now.request_payload.address) for cycle, now in enumerate(seen) if now.request_valid]
    assert asked == [(2, 3), (4, 8), (7, 1000)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"page_beats": 12, "most_beats": 4}, "page_beats must be a power of two, not 12"),
        ({"page_beats": 0, "most_beats": 4}, "page_beats must be a power of two, not 0"),
        ({"page_beats": 8, "most_beats": 0}, "most_beats must be a positive integer, not 0"),
        ({"page_beats": 8, "most_beats": 2.5}, "most_beats must be a positive integer, not 2.5"),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        PageCutter(16, 24, **options)
