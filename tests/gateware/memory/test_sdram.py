"""The SDRAM controller against a chip that checks the data sheet: contents, latency, interval, efficiency, reset."""

from dataclasses import replace

import pytest
from amaranth.hdl import ResetInserter, Signal

from licgate.gateware.memory.sdram import SdramController
from licgate.target.sdram import CHIPS, ULX3S_SDRAM, SdramCycles
from tests.gateware.kit import run_simulation
from tests.gateware.memory.kit import (
    CHIP,
    Job,
    Requester,
    SdramSystem,
    check_memory,
    chip_of,
    chip_process,
    port_monitors,
    random_jobs,
)


def simulate(controller, jobs, contents=None, limit=60_000, **options):
    """Run `jobs` through a controller on its own; return the requester and the chip."""
    system = SdramSystem(controller)
    chip = chip_of(controller, contents)
    requester = Requester(system.port, jobs, pipelined=True, **options)
    run_simulation(
        system,
        requester.run,
        background=[chip_process(chip, system)],
        monitors=port_monitors(system.port, "port"),
        limit=limit,
    )
    return requester, chip


@pytest.mark.parametrize(
    ("clock", "cas", "round_trip", "seed"),
    [(50, None, 0, 1), (100, 2, 1, 2), (143, 3, 2, 3)],
)
@pytest.mark.parametrize("spread", [2000, 1 << 24])
def test_what_is_written_is_read(clock, cas, round_trip, seed, spread):
    controller = SdramController(CHIP, clock, cas=cas, round_trip=round_trip, postpone=1 + seed % 3)
    contents = {address: address * 7 & 0xFFFF for address in range(2000)}
    jobs = random_jobs(seed, 120, spread=spread)
    requester, chip = simulate(controller, jobs, contents, eager=seed % 2 == 0)
    memory = check_memory(zip(jobs, requester.events), contents)
    assert {address: word for address, word in chip.contents.items() if word} == {
        address: word for address, word in memory.items() if word
    }
    assert chip.counts.activations == len(jobs)
    assert chip.counts.read_beats >= sum(job.beats for job in jobs if not job.write)
    assert chip.counts.write_beats == sum(job.beats for job in jobs if job.write)
    assert chip.counts.refreshes >= (chip.edge - controller.cycles.start) // controller.cycles.refresh - 2


@pytest.mark.parametrize(("clock", "round_trip"), [(50, 0), (100, 1), (143, 0)])
def test_latency_and_interval(clock, round_trip):
    """Alone: the first beat comes `first_beat` after the acceptance. In a row: the interval of the doc string."""
    controller = SdramController(CHIP, clock, round_trip=round_trip)
    cycles = controller.cycles
    start = cycles.start + 5
    same = Job(False, 4 << 9, 64)  # in the bank of the first one
    jobs = [
        Job(False, 0, 64, delay=start),
        Job(False, 1 << 9, 64),
        Job(True, 2 << 9, 64, [1] * 64),
        Job(True, 3 << 9, 64, [2] * 64),
        same,
        same,
    ]
    requester, _ = simulate(controller, jobs)
    events = requester.events
    first = [event.beats[0] for event in events]
    assert all(event.beats == list(range(event.beats[0], event.beats[0] + 64)) for event in events)
    assert first[0] - events[0].accepted == controller.first_beat
    assert first[1] - first[0] == 64 + 1
    assert first[3] - first[2] == 64 + cycles.wr
    returned = cycles.cas + 3 + round_trip  # from a column command to its beat
    assert first[2] - (first[1] - returned) == 64 + 1 + cycles.cas + round_trip
    assert first[4] - returned - first[3] == 64 + cycles.wr
    # The same bank has to be closed and opened.
    assert first[5] - first[4] == 64 + cycles.rp + cycles.rcd
    assert events[2].done == events[2].beats[-1] + 2


@pytest.mark.parametrize(("clock", "postpone"), [(100, 1), (143, 1), (143, 4)])
def test_long_reads_reach_98_percent_of_the_peak_with_refreshes(clock, postpone):
    controller = SdramController(CHIP, clock, postpone=postpone)
    jobs = [Job(False, page << 9, 512) for page in range(16)]
    requester, chip = simulate(controller, jobs)
    beats = [beat for event in requester.events for beat in event.beats]
    assert chip.counts.refreshes >= 4
    assert len(beats) / (beats[-1] - beats[0] + 1) > (0.985 if postpone == 4 else 0.98)


def test_refreshes_come_at_once_while_nothing_is_requested():
    controller = SdramController(CHIP, 100, postpone=6)
    cycles = controller.cycles
    _, chip = simulate(controller, [Job(False, 0, 1, delay=cycles.start + 6 * cycles.refresh + 5)])
    assert chip.counts.refreshes == 6


def test_a_timer_of_the_chip_that_is_broken_is_seen():
    """The chip is not blind: with each time of the data sheet 25 ns longer than the controller believes, it objects."""
    jobs = [Job(True, 0, 1, [5]), Job(False, 1, 1), Job(False, 5 << 9, 2), Job(True, 4 << 9, 1, [1])] * 6
    for name in ("rcd", "rp", "ras", "rc", "rfc", "wr"):
        controller = SdramController(CHIP, 143, postpone=1)
        controller.timing = replace(CHIP, **{name: getattr(CHIP, name) + 25})
        rule = {"rfc": "tRFC", "wr": "tWR"}.get(name, f"t{name.upper()}")
        with pytest.raises(AssertionError, match=f"cycle [0-9]+: {rule}"):
            simulate(controller, jobs)
    controller = SdramController(CHIP, 143)
    controller.timing = replace(CHIP, refresh_ns=CHIP.refresh_ns / 20)
    with pytest.raises(AssertionError, match=r"cycle [0-9]+: refresh"):
        simulate(controller, [Job(False, page << 9, 512) for page in range(20)])


def test_a_reset_in_mid_stream_starts_over():
    reset = Signal()
    controller = SdramController(CHIP, 100)
    system = SdramSystem(controller)
    dut = ResetInserter(reset)(system)
    chip = chip_of(controller, {5: 55, 6: 66})
    seen = []

    async def host(ctx):
        for _ in range(2):
            ctx.set(system.port.request.payload, {"write": 0, "address": 5, "beats": 400})
            ctx.set(system.port.request.valid, 1)
            await ctx.tick().until(system.port.request.ready)
            ctx.set(system.port.request.valid, 0)
            await ctx.tick().until(system.port.r_valid)
            await ctx.tick().repeat(50)
            ctx.set(reset, 1)
            await ctx.tick()
            ctx.set(reset, 0)
            for _ in range(controller.cycles.start):
                _clk, _rst, r_valid, done = await ctx.tick().sample(system.port.r_valid, system.port.done)
                seen.append(r_valid | done)
        assert not any(seen)
        requester = Requester(system.port, [Job(False, 5, 2)], pipelined=True)
        await requester.run(ctx)
        assert requester.events[0].data == [55, 66]

    run_simulation(dut, host, background=[chip_process(chip, system)], limit=10_000)


def test_cycles_follow_from_nanoseconds():
    at = SdramCycles.at(ULX3S_SDRAM, 143)
    assert (at.cas, at.rcd, at.rp, at.rfc, at.wr, at.refresh) == (3, 3, 3, 11, 3, 1117)
    at = SdramCycles.at(ULX3S_SDRAM, 50)
    assert (at.cas, at.rcd, at.rp, at.rfc, at.wr, at.refresh) == (2, 2, 2, 4, 2, 390)
    for chip in CHIPS.values():
        for mhz in (40, 75, 100, 120, 143):
            at = SdramCycles.at(chip, mhz)
            period = 1000 / mhz
            assert (at.rcd + at.hold + at.rp) * period >= chip.rc - 1e-6
            assert (at.rcd + at.hold) * period >= chip.ras - 1e-6
            assert at.rcd * period >= max(chip.rcd, chip.rrd) - 1e-6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"clock_mhz": 150}, "ULX3S runs at 1 to 143 MHz with a CAS latency of 3, not at 150 MHz"),
        ({"clock_mhz": 120, "cas": 2}, "1 to 100 MHz with a CAS latency of 2, not at 120 MHz"),
        ({"clock_mhz": 100, "cas": 4}, "the CAS latency must be 2 or 3, not 4"),
        ({"clock_mhz": 100, "round_trip": 4}, "round_trip must be 0 to 3 cycles, not 4"),
        ({"clock_mhz": 100, "postpone": 0}, "postpone must be 1 to 6 refreshes at 100 MHz, not 0"),
        ({"clock_mhz": 50, "postpone": 6}, "postpone must be 1 to 5 refreshes at 50 MHz, not 6"),
        ({"clock_mhz": 10}, "at 10 MHz refreshes of ULX3S cannot wait for whole pages"),
        ({"clock_mhz": 1}, "busy with refreshing at 1 MHz: one every 7 cycles"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SdramController(ULX3S_SDRAM, **arguments)
