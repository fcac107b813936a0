"""How busy ports share the memory, against the exact model of the memory."""

import pytest

from licgate.perf.memory.sdram import MemoryModel
from licgate.perf.streamed.share import MemoryShare
from licgate.target.sdram import CHIPS, ULX3S_SDRAM, SdramCycles

PORTS = {
    "weights": (256, 0, 0),
    "maps": (0, 64, 0),
    "results": (0, 0, 512),
    "reads": (256, 64, 0),
    "both ways": (256, 0, 512),
    "all": (256, 64, 512),
    "short": (0, 16, 32),
}
# of two ports that go through the same banks, which short ones feel
SHORT = ("maps", "short")


def exact(cycles, lengths, cores):
    """Mean beats a cycle of each port, which all go through memory as fast as it lets them."""
    ports = [(kind == 2, length) for _ in range(cores) for kind, length in enumerate(lengths) if length]
    memory = MemoryModel(len(ports), cycles)
    places = [port << 19 for port in range(len(ports))]
    for port, (write, length) in enumerate(ports):
        memory.request(port, cycles.start + 2, write, length, places[port])
    ends = []
    for _ in range(150 * len(ports)):
        served = memory.serve()
        ends.append(served.accepted)
        write, length = ports[served.port]
        places[served.port] += length
        memory.request(served.port, served.accepted + 2, write, length, places[served.port])
    turn = (ends[-1] - ends[len(ports) * 20 - 1]) / 130
    return tuple(length / turn for length in lengths)


@pytest.mark.parametrize("name", PORTS)
@pytest.mark.parametrize("cores", [1, 2])
def test_the_rates_are_those_of_the_exact_model(name, cores):
    cycles = SdramCycles.at(ULX3S_SDRAM, 100.0)
    found = MemoryShare(cycles, cores).rates(*PORTS[name])
    assert found == pytest.approx(exact(cycles, PORTS[name], cores), rel=0.05 if name in SHORT else 0.02)
    assert cores * sum(found) < 1


@pytest.mark.parametrize(("chip", "clock"), [("IS42S16160G-7", 133.0), ("MT48LC16M16A2-6A", 60.0)])
def test_other_chips_and_clocks(chip, clock):
    cycles = SdramCycles.at(CHIPS[chip], clock)
    found = MemoryShare(cycles).rates(*PORTS["all"])
    assert found == pytest.approx(exact(cycles, PORTS["all"], 1), rel=0.02)
