"""The arbiter before the SDRAM controller: contents, contract of every port, fairness, latency, interval, reset."""

import pytest
from amaranth.hdl import ResetInserter, Signal

from licgate.gateware.memory.arbiter import DEPTH, Arbiter
from licgate.gateware.memory.sdram import ADDRESS_BITS, BEAT_BITS, SdramController
from tests.gateware.kit import run_simulation
from tests.gateware.memory.kit import (
    CHIP,
    Job,
    Requester,
    SdramSystem,
    check_memory,
    chip_of,
    chip_process,
    random_jobs,
)
from tests.gateware.memory.traffic import simulate


def in_order(requesters):
    """All transactions by their acceptance: (port, job, events)."""
    found = [(n, job, event) for n, one in enumerate(requesters) for job, event in zip(one.jobs, one.events)]
    return sorted(found, key=lambda item: item[2].accepted)


@pytest.mark.parametrize(
    ("count", "seed", "eager", "early"), [(1, 1, True, True), (3, 2, False, False), (6, 3, True, False)]
)
def test_every_port_reads_what_was_written(count, seed, eager, early):
    contents = {address: address * 11 & 0xFFFF for address in range(3000)}
    jobs = [random_jobs(10 * seed + n, 90 // count, spread=3000) for n in range(count)]
    requesters, chip = simulate(jobs, contents=contents, eager=eager, early=early)
    pairs = [(job, event) for _, job, event in in_order(requesters)]
    memory = check_memory(pairs, contents)
    assert {a: w for a, w in chip.contents.items() if w} == {a: w for a, w in memory.items() if w}


def test_a_port_that_always_asks_is_served_in_turn():
    ports = 5
    jobs = [[Job(False, (port * 8 + n) << 9, 20 + port) for n in range(8)] for port in range(ports)]
    requesters, _ = simulate(jobs)
    served = [port for port, _, _ in in_order(requesters)]
    assert served == [0, 1, 2, 3, 4] * 8


@pytest.mark.parametrize("clock", [50, 143])
def test_latency_and_interval(clock):
    """Every port through the same registers: the documented cycles, for reads and writes."""
    controller = SdramController(CHIP, clock)
    start = controller.cycles.start + 5
    jobs = [
        [Job(False, 0, 40, delay=start), Job(False, 1 << 9, 40)],
        [Job(True, 2 << 9, 40, [3] * 40, delay=start + 300)],
    ]
    requesters, _ = simulate(jobs, clock=clock)
    one, two = requesters[0].events
    assert one.accepted - one.valid == Arbiter.acceptance
    assert one.beats[0] - one.valid == Arbiter.decision + controller.first_beat + Arbiter.latency
    assert one.done == one.beats[-1] == one.beats[0] + 39
    assert two.accepted == one.done + 1
    assert two.beats[0] == one.beats[-1] + 2, "the next row was not opened while the first one burst"
    write = requesters[1].events[0]
    assert write.accepted - write.valid == Arbiter.acceptance
    first = write.beats[0]
    assert first == write.accepted + 1
    assert write.beats[:DEPTH] == list(range(first, first + DEPTH))
    column = first + 3
    assert write.done == column + 40 + 2
    assert write.beats[-1] == max(first + 39, column + 40 - DEPTH)


def test_one_port_that_streams_keeps_the_memory_busy():
    requesters, _ = simulate([[Job(False, page << 9, 512) for page in range(6)]], clock=143)
    beats = [beat for event in requesters[0].events for beat in event.beats]
    assert len(beats) / (beats[-1] - beats[0] + 1) > 0.985


def test_waits_are_counted():
    controller = SdramController(CHIP, 100)
    arbiter = Arbiter(2, BEAT_BITS, ADDRESS_BITS, count_waits=True)
    system = SdramSystem(controller, arbiter)
    chip = chip_of(controller)
    requesters = [Requester(port, [Job(False, 0, 30 * (n + 1))] * 3) for n, port in enumerate(arbiter.i)]
    benches = [requester.run for requester in requesters]
    counted = []

    async def watch(ctx):
        async for _ in ctx.tick():
            counted[:] = [ctx.get(waits) for waits in arbiter.waits]

    run_simulation(system, *benches, background=[chip_process(chip, system), watch], limit=5000)
    assert counted == [sum(event.accepted - event.valid for event in one.events) for one in requesters]
    assert counted[0] != counted[1] > 0


def test_a_reset_in_mid_stream_starts_over():
    reset = Signal()
    controller = SdramController(CHIP, 100)
    arbiter = Arbiter(2, BEAT_BITS, ADDRESS_BITS)
    system = SdramSystem(controller, arbiter)
    chip = chip_of(controller)

    async def host(ctx):
        for port in arbiter.i:
            ctx.set(port.request.payload, {"write": 1, "address": 7, "beats": 300})
            ctx.set(port.request.valid, 1)
            ctx.set(port.w.valid, 1)
        await ctx.tick().until(arbiter.i[1].w.ready)
        await ctx.tick().repeat(3)
        for port in arbiter.i:
            ctx.set(port.request.valid, 0)
            ctx.set(port.w.valid, 0)
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        jobs = [Job(True, 9, 3, [4, 5, 6]), Job(False, 8, 5)]
        requester = Requester(arbiter.i[0], jobs)
        await requester.run(ctx)
        assert requester.events[1].data == [0, 4, 5, 6, 0]

    run_simulation(ResetInserter(reset)(system), host, background=[chip_process(chip, system)], limit=10_000)


@pytest.mark.parametrize("count", [0, -1, 1.5])
def test_an_arbiter_of_no_ports_is_refused(count):
    with pytest.raises(ValueError, match=f"at least one port, not {count}"):
        Arbiter(count, 16, 24)


def test_widths_are_checked():
    with pytest.raises(ValueError, match="beat_bits must be a positive integer, not 0"):
        Arbiter(2, 0, 24)
