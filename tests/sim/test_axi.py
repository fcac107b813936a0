"""Whole small frames on a core behind AXI4, compiled: every bit as the reference, every cycle as the model."""

from dataclasses import replace

import numpy as np
import pytest

from licgate.cli import main
from licgate.errors import SimulationError
from licgate.gateware.streamed.axisystem import AxiSystem
from licgate.manifest.synthetic import synthetic_manifest
from licgate.program.schedule import make_schedule
from licgate.program.streamed import compile_streamed
from licgate.sim.simulate import compare
from licgate.sim.streamedaxi import AxiGateware, SimulatedAxi, run_axi
from licgate.target.axi import AxiTiming
from licgate.target.streamed import StreamedConfig
from tests.marks import regress

MANIFEST = synthetic_manifest(channels=(3, 12, 9), seed=1)
CONFIG = StreamedConfig(
    rows=4,
    cols=4,
    beat_bits=32,
    page_beats=256,
    burst_beats=128,
    weight_burst=256,
    address_bits=29,
    packing=True,
    packed_bits=27,
    block_rows=2,
    band_groups=2,
)
FAST = replace(CONFIG, packing=False, arithmetic="fip")
TIMINGS = [
    AxiTiming(data_bits=32, read_latency=60),
    AxiTiming(data_bits=32, read_latency=200, write_latency=80),
    AxiTiming(data_bits=32, read_latency=3, write_latency=300, beats=5, per=8),
]


def name_of(value):
    return "-".join(map(str, value.words())) if isinstance(value, AxiTiming) else None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("timing", "config"),
    [(TIMINGS[0], CONFIG), *(regress(timing, CONFIG) for timing in TIMINGS[1:]), regress(TIMINGS[0], FAST)],
    ids=name_of,
)
def test_a_frame_is_as_predicted(timing, config):
    x = np.random.default_rng(0).integers(0, 256, (3, 26, 75))
    ran = compare(AxiGateware(MANIFEST, config, ("g_a",), timing), "g_a", x)[0]
    assert ran["bit_exact"]
    assert ran["values"] == 9 * 7 * 19
    assert ran["cycles_of_cores"] == ran["cycles_predicted"]
    (moved,) = ran["bytes"]
    assert 4 * ran["axi"]["write_beats"] == moved["results"]
    assert 4 * ran["axi"]["read_beats"] == sum(moved.values()) - moved["results"]
    assert 0 < ran["utilization"] < ran["macs"] / (ran["multipliers"] * ran["cycles"]) < 2
    assert ran["counters"][0]["busy"] == ran["cycles"] - 1


@pytest.mark.slow
def test_a_memory_that_never_answers_is_told():
    program = compile_streamed([MANIFEST.g_a], CONFIG)
    schedule = make_schedule(program, program.chains[0], 20, 10)
    x = np.zeros((3, 10, 20), dtype=np.int64)
    simulated, timing = SimulatedAxi(AxiSystem(program)), AxiTiming(data_bits=32, read_latency=10_000)
    with pytest.raises(SimulationError, match=r"no progress for 500 cycles; core 0 after \d+ cycles: .*the memory"):
        run_axi(simulated, schedule, x, timing, patience=500)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cores", "2"], "--memory axi goes with one of --cores, which have nothing in common, and no --faults"),
        (["--faults", "3"], "--memory axi goes with one of --cores, which have nothing in common, and no --faults"),
        (["--patch", "64"], "--memory axi goes without --patch, --independent and --overlap: it takes images of any"),
        (["--engine", "amaranth"], "--memory axi goes with the engine cxxrtl or verilator, not amaranth"),
        (["--rows", "4"], "a word of the input of g_a.0 has 32 bits, a beat of the memory 64: take more rows"),
        (["--axi-latency", "0,1"], "read_latency must be 1 to 10000 cycles, not 0: give another --axi-latency or "),
    ],
)
def test_refused_in_one_line(words, message, capsys):
    assert main(["simulate", "--memory", "axi", "--crop", "16x16", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"licgate: error: {message}")
