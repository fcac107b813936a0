"""Streaming accelerators as compiled C++, with the SDRAM chip that checks its data sheet: bits and cycles."""

import numpy as np
import pytest

from licgate.gateware.streamed.accelerator import SdramAccelerator, SimulatedAccelerator
from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf.streamed.frame import StreamedModel
from licgate.program.schedule import make_schedule
from licgate.program.streamed import compile_streamed
from licgate.reference import run_transform
from licgate.sim.streamedrun import run_streamed
from licgate.target.sdram import ULX3S_SDRAM
from licgate.target.streamed import StreamedConfig

CASES = {
    "mixed": (
        {"channels": (3, 7, 6, 9), "weight_bits": [5, 4, 8], "activation_bits": [6, 8, 10], "gdn": ["abs", "none"]},
        {
            "rows": 5,
            "cols": 6,
            "block_rows": 3,
            "band_groups": 2,
            "prefetch_words": 2,
            "weight_words": 200,
            "packing": True,
        },
        (61, 42),
        1,
    ),
}


@pytest.mark.regress
@pytest.mark.parametrize("name", CASES)
def test_bits_are_those_of_the_reference_and_cycles_those_of_the_model(name):
    model, shape, (width, height), cores = CASES[name]
    manifest = synthetic_manifest(**model, seed=5)
    program = compile_streamed([manifest.g_a], StreamedConfig(**shape))
    accelerator = SdramAccelerator(program, ULX3S_SDRAM, 100.0, cores=cores)
    schedules, inputs, origin = [], [], 0
    for number in range(cores):
        schedules.append(make_schedule(program, program.chains[0], width, height, origin=origin))
        inputs.append(np.random.default_rng(number).integers(0, 256, (3, height, width)))
        origin += schedules[-1].beats
    outcome = run_streamed(SimulatedAccelerator(accelerator), schedules, inputs)
    for output, x in zip(outcome.outputs, inputs, strict=True):
        assert np.array_equal(output, run_transform(manifest.g_a, x))
    timing = accelerator.controller.cycles
    predicted = StreamedModel(schedules, timing, start=timing.start + 1)
    assert outcome.cycles == [run.done - run.start for run in predicted.runs]
    assert [counted["steps"] for counted in outcome.counters] == [run.steps for run in predicted.runs]
    for name in ("misses", "refreshes"):
        assert outcome.memory[name] == getattr(predicted.memory, name)
    assert predicted.memory.late == 0
