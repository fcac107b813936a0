"""The model of external memory against the simulated gateware, to the cycle."""

import random
from dataclasses import replace

import pytest

from licgate.gateware.memory.sdram import SdramController
from licgate.perf.memory.axi import AxiModel
from licgate.perf.memory.sdram import MemoryModel
from licgate.target.axi import AxiTiming
from licgate.target.sdram import ULX3S_SDRAM, SdramCycles
from tests.gateware.memory.kit import CHIP, random_jobs
from tests.gateware.memory.traffic import simulate


def predict(cycles, jobs_by_port, eager):
    """Serve the jobs by the model, each port requesting as the test's requesters do."""
    model = (AxiModel if isinstance(cycles, AxiTiming) else MemoryModel)(len(jobs_by_port), cycles)
    served = [[] for _ in jobs_by_port]
    queues = [list(jobs) for jobs in jobs_by_port]

    def ask(port, cycle):
        if queues[port]:
            job = queues[port].pop(0)
            model.request(port, cycle + job.delay, job.write, job.beats, job.address)

    for port in range(len(queues)):
        ask(port, 0)
    while model.decision() is not None:
        one = model.serve()
        served[one.port].append(one)
        ask(one.port, (one.accepted if eager else one.done) + 1)
    return model, served


TRAFFIC = {
    "mixed": {"spread": 1 << 24, "most": 40},
    "one row": {"spread": 400, "most": 12},
    "pages": {"spread": 1 << 13, "most": 512, "delays": (0, 0, 900)},
    "short": {"spread": 1 << 12, "most": 3, "delays": (0, 1, 2, 3)},
}


@pytest.mark.parametrize("traffic", TRAFFIC)
@pytest.mark.parametrize(
    ("ports", "clock", "round_trip", "postpone", "refresh_ns", "eager", "seed"),
    [
        (1, 100, 0, 1, 7812.5, True, 1),
        (3, 143, 1, 4, 7812.5, True, 2),
        (4, 50, 0, 3, 7812.5, False, 3),
        (5, 133, 2, 3, 2050.0, True, 4),
        (6, 143, 0, 1, 2310.0, True, 5),
        (6, 100, 3, 2, 2777.0, False, 6),
    ],
)
def test_every_cycle_is_as_predicted(traffic, ports, clock, round_trip, postpone, refresh_ns, eager, seed):
    controller = SdramController(replace(CHIP, refresh_ns=refresh_ns), clock, round_trip=round_trip, postpone=postpone)
    each = (8 if traffic == "pages" else 48) // ports
    jobs = [random_jobs(100 * seed + port, each, **TRAFFIC[traffic]) for port in range(ports)]
    requesters, chip = simulate(jobs, controller=controller, eager=eager)
    model, predicted = predict(controller.cycles, jobs, eager)
    for port, (requester, expected) in enumerate(zip(requesters, predicted)):
        assert len(requester.events) == len(expected)
        for event, one in zip(requester.events, expected):
            found = (event.valid, event.accepted, event.beats[0], event.beats[-1], event.done)
            assert found == (one.valid, one.accepted, one.first, one.last, one.done), f"port {port}: {one}"
            assert one.write or event.beats == list(range(one.first, one.last + 1))
    assert model.transactions == chip.counts.activations == sum(map(len, jobs))
    assert model.misses == chip.counts.misses
    assert model.refreshes == chip.counts.refreshes_before_last
    assert model.late == 0
    for port, requester in enumerate(requesters):
        assert model.waits[port] == sum(event.accepted - event.valid for event in requester.events)
        assert model.read_beats[port] == sum(len(event.data) for event in requester.events)
    assert model.beats == sum(job.beats for one in jobs for job in one)


def test_every_transaction_and_beat_is_counted():
    model = MemoryModel(7, SdramCycles.at(ULX3S_SDRAM, 133))
    coin = random.Random(1)
    sizes = [(coin.random() < 0.3, coin.choice((72, 512)), coin.randrange(1 << 15) << 9) for _ in range(20_000)]
    for port in range(7):
        model.request(port, 0, *sizes[port])
    served = 0
    for job in sizes:
        one = model.serve()
        served += one.beats
        model.request(one.port, one.done + 20, *job)
    assert (model.transactions, model.beats) == (20_000, served)


def test_a_request_told_too_late_is_counted():
    cycles = SdramCycles.at(ULX3S_SDRAM, 100)
    model, awake = MemoryModel(2, cycles), cycles.start
    model.request(0, awake + 50, False, 1, 0)
    assert model.decision() == awake + 51
    model.serve()
    model.request(1, awake + 51, False, 1, 0)
    model.serve()
    model.request(0, awake + 200, False, 1, 0)
    model.serve()
    assert model.late == 0
    model.request(1, awake + 199, False, 1, 0)
    assert model.late == 1


def test_what_breaks_the_contract_is_refused():
    model = MemoryModel(2, SdramCycles.at(ULX3S_SDRAM, 100))
    with pytest.raises(ValueError, match="nothing is requested"):
        model.serve()
    with pytest.raises(ValueError, match="2 beats from address 511 is empty or crosses a page"):
        model.request(0, 0, False, 2, 511)
    model.request(0, 5, False, 1, 0)
    with pytest.raises(ValueError, match="port 0 requests in cycle 9 and its last request has not been served"):
        model.request(0, 9, False, 1, 0)
    assert model.serve().accepted == 9
    with pytest.raises(ValueError, match="port 0 requests in cycle 9, its last request is accepted in 9"):
        model.request(0, 9, False, 1, 0)
    with pytest.raises(ValueError, match="at least one port, not 0"):
        MemoryModel(0, SdramCycles.at(ULX3S_SDRAM, 100))
