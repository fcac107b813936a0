"""The model of a memory behind AXI4 against the simulated arbiter, master and memory, to the cycle."""

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.memory.arbiter import Arbiter
from licgate.gateware.memory.axi import Axi4Master, axi4_signature
from licgate.gateware.memory.port import MemoryPort
from licgate.perf.memory.axi import AxiModel
from licgate.target.axi import AxiTiming
from tests.gateware.kit import monitor, run_simulation
from tests.gateware.memory.axipaced import PacedSlave
from tests.gateware.memory.kit import Requester, check_memory, port_monitors, random_jobs
from tests.marks import regress
from tests.perf.test_memory import predict


class System(Component):
    """An arbiter before an AXI4 master."""

    def __init__(self, count, bits):
        self.arbiter, self.master = Arbiter(count, bits, 16), Axi4Master(bits, 16)
        super().__init__(
            {
                "i": In(MemoryPort(bits, 16)).array(count),
                "bus": Out(axi4_signature(bits, self.master.bus_address_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.arbiter, m.submodules.master = self.arbiter, self.master
        for outer, inner in zip(self.i, self.arbiter.i):
            wiring.connect(m, wiring.flipped(outer), inner)
        wiring.connect(m, self.arbiter.o, self.master.port)
        wiring.connect(m, self.master.bus, wiring.flipped(self.bus))
        return m


def simulate(jobs_by_port, timing, *, eager):
    system = System(len(jobs_by_port), timing.data_bits)
    slave = PacedSlave(system.bus, timing)
    requesters = [Requester(port, jobs, eager=eager) for port, jobs in zip(system.i, jobs_by_port)]
    monitors = [monitor(getattr(system.bus, name), name) for name in ("ar", "r", "aw", "w", "b")]
    monitors += [one for n, port in enumerate(system.i) for one in port_monitors(port, f"i[{n}]")]
    benches = [requester.run for requester in requesters]
    run_simulation(system, *benches, monitors=monitors, background=[slave.process], limit=200_000)
    return requesters, slave


TRAFFIC = {
    "mixed": {"spread": 1 << 16, "most": 40},
    "one page": {"spread": 200, "most": 12},
    "pages": {"spread": 1 << 13, "most": 256, "delays": (0, 0, 900)},
    "short": {"spread": 1 << 12, "most": 3, "delays": (0, 1, 2, 3)},
}


@pytest.mark.parametrize("traffic", TRAFFIC)
@pytest.mark.parametrize(
    ("ports", "bits", "latencies", "rate", "eager", "seed"),
    [
        (1, 64, (1, 1), (1, 1), True, 1),
        (3, 64, (60, 30), (1, 1), True, 2),
        regress(4, 128, (7, 90), (5, 8), False, 3),
        regress(4, 64, (120, 2), (3, 4), True, 4),
        (5, 128, (33, 12), (1, 5), True, 5),
        regress(6, 512, (2, 5), (1, 16), False, 6),
        (2, 32, (3, 3), (60, 61), True, 7),
    ],
)
def test_every_cycle_is_as_predicted(traffic, ports, bits, latencies, rate, eager, seed):
    timing = AxiTiming(
        data_bits=bits, read_latency=latencies[0], write_latency=latencies[1], beats=rate[0], per=rate[1]
    )
    each, page = (8 if traffic == "pages" else 48) // ports, timing.page_beats
    options = TRAFFIC[traffic] | {"page": page, "bits": bits, "most": min(page, TRAFFIC[traffic]["most"])}
    jobs = [random_jobs(100 * seed + port, each, **options) for port in range(ports)]
    requesters, slave = simulate(jobs, timing, eager=eager)
    model, predicted = predict(timing, jobs, eager)
    assert isinstance(model, AxiModel)
    for port, (requester, expected) in enumerate(zip(requesters, predicted)):
        assert len(requester.events) == len(expected)
        for event, one in zip(requester.events, expected):
            found = (event.valid, event.accepted, event.beats[0], event.beats[-1], event.done)
            assert found == (one.valid, one.accepted, one.first, one.last, one.done), f"port {port}: {one}"
            if not one.write:
                assert event.beats == [one.first + timing.pace(k) for k in range(one.beats)]
    assert (model.transactions, model.late) == (sum(map(len, jobs)), 0)
    assert model.beats == sum(job.beats for one in jobs for job in one)
    pairs = [(job, event) for one in requesters for job, event in zip(one.jobs, one.events)]
    assert slave.contents == check_memory(pairs)


def test_pages_are_those_of_the_master():
    for bits in (32, 64, 128, 256, 512):
        assert AxiModel(1, AxiTiming(data_bits=bits)).page_beats == Axi4Master(bits, 16).page_beats
    model = AxiModel(2, AxiTiming(data_bits=128))
    with pytest.raises(ValueError, match="2 beats from address 255 is empty or crosses a page"):
        model.request(0, 0, False, 2, 255)
    with pytest.raises(ValueError, match="nothing is requested"):
        model.serve()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data_bits": 16}, "data_bits must be 32, 64, 128, 256 or 512, not 16"),
        ({"read_latency": 0}, "read_latency must be 1 to 10000 cycles, not 0"),
        ({"write_latency": 2.5}, "write_latency must be 1 to 10000 cycles, not 2.5"),
        ({"beats": 3, "per": 2}, "a rate of 3 beats in 2 cycles makes no sense"),
        ({"beats": 1, "per": 65}, "a rate of 1 beats in 65 cycles makes no sense"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        AxiTiming(**arguments)
