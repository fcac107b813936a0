"""Jobs of cores: what they keep is the whole output, each row and column once."""

import numpy as np
import pytest

from licgate.errors import ConfigError
from licgate.manifest.synthetic import synthetic_manifest
from licgate.program.cores import core_jobs
from licgate.program.streamed import compile_streamed
from licgate.reference import run_transform
from licgate.target.streamed import StreamedConfig
from tests.gateware.streamed.interpreter import Interpreter
from tests.manifest.kit import four_transforms

MODELS = {
    "two": {"channels": (3, 5, 7)},
    "kernels": {"channels": (3, 4, 6, 5), "kernel": [5, 3, 5], "stride": [2, 1, 2], "gdn": "none"},
}


def make_program(manifest, **options):
    return compile_streamed([manifest.g_a], StreamedConfig(**({"rows": 4, "cols": 4, "block_rows": 2} | options)))


@pytest.mark.parametrize("width", [48, 61, 7])
@pytest.mark.parametrize("cores", [1, 2, 3])
@pytest.mark.parametrize("name", MODELS)
def test_kept_parts_make_the_whole(name, cores, width):
    manifest, height = synthetic_manifest(**MODELS[name], seed=3), 19
    program = make_program(manifest)
    jobs = core_jobs(program, program.chains[0], width, height, cores)
    x = np.random.default_rng(cores).integers(0, 256, (3, height, width))
    whole = run_transform(manifest.g_a, x)
    got, times = np.zeros_like(whole), np.zeros(whole.shape, dtype=int)
    for job in jobs:
        memory = Interpreter(job.schedule, job.schedule.memory(job.input(x))).run()
        p = job.patch
        place = np.s_[:, p.out_y : p.out_y + p.out_height, p.out_x : p.out_x + p.out_width]
        got[place] = job.kept(job.schedule.output(memory))
        times[place] += 1
    assert np.array_equal(got, whole)
    assert (times == 1).all()
    assert len(jobs) == min(cores, -(-width // 4)) or len(jobs) < cores


@pytest.mark.parametrize("width", [1, 6, 13])
@pytest.mark.parametrize("cores", [1, 2, 3])
@pytest.mark.parametrize("name", ["h_s", "g_s"])
def test_kept_parts_make_the_whole_behind_transposed_convolutions(name, cores, width):
    transform, height = four_transforms().transforms[name], 5
    program = compile_streamed([transform], StreamedConfig(rows=3, cols=4, block_rows=2))
    x = np.random.default_rng(cores).integers(-30, 30, (transform.in_channels, height, width))
    whole = run_transform(transform, x)
    got, times = np.zeros_like(whole), np.zeros(whole.shape, dtype=int)
    for job in core_jobs(program, program.chains[0], width, height, cores):
        memory = Interpreter(job.schedule, job.schedule.memory(job.input(x))).run()
        p = job.patch
        place = np.s_[:, p.out_y : p.out_y + p.out_height, p.out_x : p.out_x + p.out_width]
        got[place] = job.kept(job.schedule.output(memory))
        times[place] += 1
    assert np.array_equal(got, whole)
    assert (times == 1).all()


@pytest.mark.parametrize("cores", [2, 3])
def test_memories_of_cores_are_apart_and_begin_with_a_page(cores):
    program = make_program(synthetic_manifest(**MODELS["two"], seed=3))
    jobs = core_jobs(program, program.chains[0], 61, 19, cores)
    assert len(jobs) == cores
    ends = 0
    for job in jobs:
        assert job.schedule.origin >= ends
        ends = job.schedule.origin + job.schedule.beats
    assert all(job.schedule.origin % program.page_beats == 0 for job in jobs)


def test_the_memory_is_for_all_of_them():
    program = make_program(synthetic_manifest(**MODELS["two"], seed=3), address_bits=15)
    chain = program.chains[0]
    assert len(core_jobs(program, chain, 64, 128, 1)) == 1
    with pytest.raises(ConfigError, match=r"of external memory; there are \d+: cut the image$"):
        core_jobs(program, chain, 192, 128, 3)
