"""Memory that answers late: what is read and written stays the same, and every port's contract is kept."""

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.memory.arbiter import Arbiter
from licgate.gateware.memory.port import MemoryPort
from licgate.gateware.memory.sdram import ADDRESS_BITS, BEAT_BITS, SdramController
from licgate.sim.faultymemory import FaultyMemory
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


class FaultyArbiter(Component):
    """An arbiter with faults at its ports, before its memory, or nowhere."""

    def __init__(self, count, where, seed):
        self.arbiter = Arbiter(count, BEAT_BITS, ADDRESS_BITS)
        make = lambda n: FaultyMemory(BEAT_BITS, ADDRESS_BITS, seed=seed + n)  # noqa: E731
        self.faults = [make(n) for n in range({"ports": count, "memory": 1, "nowhere": 0}[where])]
        self.where = where
        port = MemoryPort(BEAT_BITS, ADDRESS_BITS)
        super().__init__({"i": In(port).array(count), "o": Out(port)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.arbiter = arbiter = self.arbiter
        ports, memory = list(arbiter.i), arbiter.o
        for n, fault in enumerate(self.faults):
            m.submodules[f"fault_{n}"] = fault
            if self.where == "memory":
                wiring.connect(m, memory, fault.i)
                memory = fault.o
            else:
                wiring.connect(m, fault.o, ports[n])
                ports[n] = fault.i
        for outer, inner in zip(self.i, ports):
            wiring.connect(m, wiring.flipped(outer), inner)
        wiring.connect(m, wiring.flipped(self.o), memory)
        return m


def simulate(where, jobs_by_port, seed=1):
    controller = SdramController(CHIP, 100)
    front = FaultyArbiter(len(jobs_by_port), where, seed)
    system = SdramSystem(controller, front)
    chip = chip_of(controller)
    requesters = [Requester(port, jobs) for port, jobs in zip(front.i, jobs_by_port)]
    monitors = [one for n, port in enumerate(front.i) for one in port_monitors(port, f"i[{n}]")]
    monitors += port_monitors(front.o, "o") + port_monitors(front.arbiter.o, "arbiter.o")
    benches = [requester.run for requester in requesters]
    run_simulation(system, *benches, monitors=monitors, background=[chip_process(chip, system)], limit=100_000)
    return requesters, chip


def own_jobs(ports, seed, each=12):
    """Jobs of ports which share no address, so that late answers leave one result."""
    jobs = [random_jobs(seed + port, each, spread=1024, delays=(0, 0, 9)) for port in range(ports)]
    for port, own in enumerate(jobs):
        for job in own:
            job.address += port * 1024
    return jobs


@pytest.mark.parametrize(("where", "seed"), [("ports", 1), ("ports", 1 << 31), ("memory", 7)])
def test_cycles_change_and_no_bit(where, seed):
    plain, plain_chip = simulate("nowhere", own_jobs(3, 5))
    late, late_chip = simulate(where, own_jobs(3, 5), seed)
    for one, other in zip(plain, late):
        assert [event.data for event in one.events] == [event.data for event in other.events]
    assert plain_chip.contents == late_chip.contents
    gaps = [b - a for one in late for event in one.events for a, b in zip(event.beats, event.beats[1:])]
    if where == "ports":
        assert max(gaps) > 10, "no beat was late"
    under_way = [sum(event.done - event.accepted for one in found for event in one.events) for found in (plain, late)]
    assert under_way[1] > 1.2 * under_way[0]


def test_a_write_that_is_done_is_seen_by_others():
    """Shared addresses, with the faults before the memory: what is done first is what is read."""
    jobs = [random_jobs(50 + port, 8, spread=300) for port in range(4)]
    requesters, _ = simulate("memory", jobs, seed=3)
    check_memory([(job, event) for one in requesters for job, event in zip(one.jobs, one.events)])


def test_seeds_differ_and_repeat():
    ends = [
        max(event.done for event in simulate("ports", [[Job(False, 0, 50)]], seed)[0][0].events) for seed in (1, 2, 2)
    ]
    assert ends[0] != ends[1] == ends[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 0}, "the seed must be 1 to 2.32 - 1, not 0"),
        ({"page_beats": 0}, "page_beats must be a positive integer, not 0"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        FaultyMemory(16, 24, **options)
