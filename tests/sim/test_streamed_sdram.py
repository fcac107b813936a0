"""Transforms with external memory, g_a cut for two cores that share it too: what is simulated is what was predicted."""

import numpy as np
import pytest

from licgate.codec import Codec
from licgate.errors import ConfigError
from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf.streamed.frame import StreamedModel
from licgate.program.cores import core_jobs
from licgate.program.streamed import compile_streamed
from licgate.reference import run_transform
from licgate.sim.chain import engine_run
from licgate.sim.simulate import compare
from licgate.sim.streamedsdram import SdramGateware
from licgate.target.sdram import ULX3S_SDRAM, SdramCycles
from licgate.target.streamed import StreamedConfig
from tests.marks import regress
from tests.sim.kit import tiny_codec


def simulated(manifest, config, x, *, transform="g_a", progress=None, **options):
    gateware = SdramGateware(manifest, config, (transform,), **options)
    return compare(gateware, transform, x, progress=progress)[0]


MANIFEST = synthetic_manifest(channels=(3, 4, 5), seed=5)


@pytest.mark.regress
def test_two_cores_make_the_whole_output_in_the_cycles_predicted():
    config, told = StreamedConfig(rows=4, cols=4, block_rows=2), []
    x = np.random.default_rng(1).integers(0, 256, (3, 13, 41))
    result = simulated(MANIFEST, config, x, cores=2, progress=lambda *cycles: told.append(cycles))
    assert result["bit_exact"]
    assert (result["mismatches"], result["values"]) == (0, 5 * 4 * 11)
    assert result["cores"] == 2
    assert result["cycles_of_cores"] == result["cycles_predicted"]
    assert result["cycles"] == max(result["cycles_predicted"])
    assert result["multipliers"] == 32
    assert result["utilization"] == MANIFEST.g_a.macs(13, 41) / (32 * result["cycles"])
    program = compile_streamed([MANIFEST.g_a], config)
    jobs = core_jobs(program, program.chains[0], 41, 13, 2)
    timing = SdramCycles.at(ULX3S_SDRAM, 100.0)
    model = StreamedModel([job.schedule for job in jobs], timing, start=timing.start + 1)
    for run, counted, moved in zip(model.runs, result["counters"], result["bytes"], strict=True):
        assert counted["steps"] == run.steps
        assert moved == {kind: 2 * beats for kind, beats in run.beats.items()}
    for name in ("misses", "refreshes"):
        assert result["chip"][name] == getattr(model.memory, name)
    assert result["chip"]["write_beats"] == sum(run.beats["results"] for run in model.runs)
    assert result["recompute_factor"] > 1
    assert all(now <= whole == model.done for now, whole in told)


def test_what_no_memory_holds_is_refused_before_anything_is_simulated():
    config = StreamedConfig(rows=4, cols=4, address_bits=12)
    with pytest.raises(ConfigError, match=r"cut the image$"):
        simulated(MANIFEST, config, np.zeros((3, 64, 64), dtype=int))


def test_memory_that_is_late_at_random_changes_cycles_and_no_value():
    config = StreamedConfig(rows=4, cols=4, block_rows=2)
    x = np.random.default_rng(2).integers(0, 256, (3, 9, 11))
    result = simulated(MANIFEST, config, x, faults=7)
    assert result["bit_exact"]
    assert result["cycles"] > 1.5 * result["cycles_predicted"][0]
    for seed in (-1, True, 1 << 32):
        with pytest.raises(ConfigError, match="seed"):
            simulated(MANIFEST, config, x, faults=seed)


@pytest.fixture(scope="module", params=["direct", regress("fip")])
def codec(request):
    """A codec, and an accelerator that has all of its transforms."""
    config = StreamedConfig(rows=4, cols=4, block_rows=2, band_groups=2, arithmetic=request.param)
    manifest = tiny_codec()
    return manifest, SdramGateware(manifest, config, list(manifest.transforms))


@pytest.mark.long_simulation
def test_every_transform_of_a_codec_runs_on_one_accelerator(codec):
    (manifest, gateware), rng = codec, np.random.default_rng(3)
    for name, (width, height) in {"g_a": (9, 6), "h_a": (9, 6), "h_s": (5, 3), "g_s": (7, 3)}.items():
        transform = manifest.transforms[name]
        low, high = transform.input.min, transform.input.max
        x = rng.integers(low, high + 1, (transform.in_channels, height, width))
        result, output = compare(gateware, name, x)
        assert np.array_equal(output, run_transform(transform, x))
        assert result["bit_exact"]
        assert result["cycles_of_cores"] == result["cycles_predicted"]


@pytest.mark.long_simulation
def test_files_are_made_and_decoded_by_one_accelerator(codec):
    manifest, gateware = codec
    run = engine_run(manifest, lambda names: gateware)
    simulated, software = Codec(manifest, run=run), Codec(manifest)
    for width, height in ((19, 10), (8, 16)):
        image = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
        data = simulated.encode(image)
        assert data == software.encode(image)
        assert np.array_equal(simulated.decode(data), software.decode(data))
    assert set(run.cycles) == {"g_a", "h_a", "h_s", "g_s"}
