"""The estimate of a streamed frame against the exact model: its error is bounded, what it counts is equal."""

import pytest

from licgate.errors import ConfigError
from licgate.manifest.catalogue import find_model
from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf.streamed.estimate import estimate_frame, least_frame
from licgate.perf.streamed.frame import StreamedModel
from licgate.perf.streamed.plan import frame_plan
from licgate.program.cores import core_jobs
from licgate.program.schedule import make_schedule
from licgate.program.streamed import compile_streamed
from licgate.target.sdram import ULX3S_SDRAM, SdramCycles
from licgate.target.streamed import StreamedConfig

CYCLES = SdramCycles.at(ULX3S_SDRAM, 100.0)
# by how much an estimate may be off, with one core and with several
BOUND, BOUND_CORES = 0.025, 0.06

# model, shape, image, cores: bound by compute, weights, maps, results, and packed; blocks and bands from 1 up
CASES = {
    "compute": ({"channels": (3, 36, 36, 36, 96)}, {"rows": 4, "cols": 6, "block_rows": 2}, (120, 48), 1),
    "results": (
        {"channels": (3, 36, 36, 36, 96)},
        {"rows": 12, "cols": 12, "block_rows": 6, "output_words": 48},
        (250, 96),
        1,
    ),
    "weights": (
        {"channels": (3, 64, 64, 64, 96)},
        {"rows": 8, "cols": 16, "block_rows": 2, "band_groups": 2, "weight_words": 2048},
        (100, 50),
        1,
    ),
    "maps": (
        {"channels": (3, 12, 12, 12, 20)},
        {"rows": 12, "cols": 12, "block_rows": 1, "band_groups": 1, "prefetch_words": 1},
        (300, 100),
        1,
    ),
    "short ring": (
        {"channels": (3, 48, 48, 48, 96)},
        {"rows": 9, "cols": 16, "band_groups": 3, "prefetch_words": 3, "weight_words": 1500},
        (200, 64),
        1,
    ),
    "packed": (
        {"channels": (3, 36, 36, 36, 96), "weight_bits": 5},
        {"rows": 6, "cols": 9, "band_groups": 3, "packing": True, "output_words": 288},
        (130, 64),
        1,
    ),
    "no GDN, one lane": (
        {"channels": (3, 20, 20, 30), "gdn": "none"},
        {"rows": 8, "cols": 10, "lanes": 1, "block_rows": 3},
        (170, 90),
        1,
    ),
    "fip-f4": (
        {"channels": (3, 36, 36, 36, 96)},
        {"rows": 4, "cols": 6, "block_rows": 2, "band_groups": 2, "arithmetic": "fip-f4"},
        (150, 48),
        1,
    ),
    "two cores": ({"channels": (3, 36, 36, 36, 96)}, {"rows": 6, "cols": 12, "block_rows": 3}, (170, 48), 2),
    "three cores, a busy memory": (
        {"channels": (3, 36, 36, 36, 64)},
        {"rows": 8, "cols": 12, "block_rows": 2, "packing": True},
        (200, 64),
        3,
    ),
}


MODEL = "hyperprior-n36m96-l0067-a10w8"
QUADS = {"rows": 3, "cols": 8, "block_rows": 4, "band_groups": 2, "arithmetic": "fip-f4"}
# its transforms: parities of rows and columns made apart, with GDN and without, one core and two
CODECS = {
    "g_s": ("g_s", {"rows": 12, "cols": 12, "block_rows": 8}, (12, 6), 1),
    "g_s, few words of results": ("g_s", {"rows": 6, "cols": 9, "output_words": 20}, (11, 5), 1),
    "g_s, packed": ("g_s", {"rows": 6, "cols": 8, "packing": True}, (12, 3), 1),
    "h_s, bound by weights": ("h_s", {"rows": 8, "cols": 12, "block_rows": 3}, (9, 6), 1),
    "h_a": ("h_a", {"rows": 8, "cols": 12}, (30, 20), 1),
    "h_s, fip-f4": ("h_s", QUADS, (19, 5), 1),
    "g_s, fip-f4": ("g_s", QUADS, (22, 5), 1),
    "g_s, two cores": ("g_s", {"rows": 8, "cols": 8, "block_rows": 6}, (24, 4), 2),
}


def compiled(model, shape):
    return compile_streamed([synthetic_manifest(**model, seed=3).g_a], StreamedConfig(**shape), weights=False)


@pytest.mark.parametrize("name", [*CASES, *CODECS])
def test_the_error_is_bounded_and_what_moves_is_counted(name):
    if name in CASES:
        model, shape, (width, height), cores = CASES[name]
        program = compiled(model, shape)
    else:
        wanted, shape, (width, height), cores = CODECS[name]
        program = compile_streamed([find_model(MODEL).transforms[wanted]], StreamedConfig(**shape), weights=False)
    chain = program.chains[0]
    jobs = core_jobs(program, chain, width, height, cores)
    exact = StreamedModel([job.schedule for job in jobs], CYCLES, start=CYCLES.start + 1)
    cycles = max(run.done - run.start for run in exact.runs)
    found = estimate_frame(program, chain, width, height, CYCLES, cores=cores)
    assert found.cycles == pytest.approx(cycles, rel=BOUND if cores == 1 else BOUND_CORES)
    assert found.steps == max(run.steps for run in exact.runs)
    for kind in ("weights", "maps", "results"):
        assert found.beats[kind] == sum(run.beats[kind] for run in exact.runs)
    # neither peak is ever exceeded, nor by the bound
    moved = sum(found.beats.values())
    assert max(found.steps, moved) <= found.cycles
    assert least_frame(program, chain, width, height, cores=cores) <= min(cycles, found.cycles)


def test_a_tall_frame_takes_hardly_longer_and_is_no_less_exact():
    program = compiled({"channels": (3, 12, 12, 12, 20)}, {"rows": 6, "cols": 6, "block_rows": 2, "band_groups": 2})
    chain = program.chains[0]
    schedule = make_schedule(program, chain, 100, 400)
    (run,) = StreamedModel([schedule], CYCLES, start=CYCLES.start + 1).runs
    found = estimate_frame(program, chain, 100, 400, CYCLES)
    assert found.cycles == pytest.approx(run.done - run.start, rel=0.015)
    assert (found.steps, found.beats["results"]) == (run.steps, run.beats["results"])


def test_the_plan_has_the_bands_of_the_schedule():
    program = compiled(
        {"channels": (3, 12, 12, 20)}, {"rows": 5, "cols": 7, "block_rows": 3, "band_groups": 3, "weight_words": 700}
    )
    check_plan(program, 133, 61)


@pytest.mark.parametrize(("arithmetic", "width"), [("direct", 33), ("fip-f4", 133)])
def test_the_plan_has_the_bands_of_a_schedule_with_transposed_convolutions(arithmetic, width):
    shape = {"rows": 5, "cols": 7, "block_rows": 3, "band_groups": 3, "arithmetic": arithmetic}
    program = compile_streamed([find_model(MODEL).transforms["g_s"]], StreamedConfig(**shape), weights=False)
    check_plan(program, width, 21)


def check_plan(program, width, height):
    chain = program.chains[0]
    schedule = make_schedule(program, chain, width, height)
    plan = frame_plan(program, chain, width, height)
    bands = [fields for kind, fields in schedule.commands if kind == "band"]
    kinds = [plan.kinds[number] for number, _ in plan.bands]
    assert len(plan.kinds) < len(kinds) / 2
    assert [(kind.stage, kind.groups, kind.rows) for kind in kinds] == [
        (band["stage"], band["groups"], band["rows"]) for band in bands
    ]
    assert [(sum(kind.loads), kind.loads[0], kind.keep, sum(kind.release)) for kind in kinds] == [
        (band["loads"], band["loads_first"], bool(band["keep"]), released(program, band)) for band in bands
    ]
    assert sum(kind.weights for kind in kinds) == sum(kind == "weights" for kind, _ in schedule.commands)
    waits = [fields["after"] for kind, fields in schedule.commands if kind == "load"]
    assert [after for kind, (_, after) in zip(kinds, plan.bands, strict=True) for _ in range(sum(kind.loads))] == waits
    assert (plan.end, plan.beats["maps"]) == (schedule.origin + schedule.beats, maps_read(schedule))


def released(program, band):
    middle = max(0, band["groups"] - 2) * program.group_step(program.stages[band["stage"]])
    return band["release_first"] + middle + band["release"]


def maps_read(schedule):
    records = {k: layout.record for k, layout in enumerate(schedule.maps)}
    return sum(f["rows"] * records[f["stage"]] for kind, f in schedule.commands if kind == "load")


def test_an_image_that_external_memory_does_not_hold_is_refused_as_by_the_schedule():
    program = compiled({"channels": (3, 5, 7)}, {"rows": 4, "cols": 4, "output_words": 8, "address_bits": 12})
    with pytest.raises(ConfigError) as exact:
        make_schedule(program, program.chains[0], 100, 400)
    with pytest.raises(ConfigError, match=r"^g_a of 100 x 400 needs \d+ words .*: cut the image$") as found:
        estimate_frame(program, program.chains[0], 100, 400, CYCLES)
    assert str(found.value).rpartition("memory;")[2] == str(exact.value).rpartition("memory;")[2]
    with pytest.raises(ConfigError, match="both must be at least 1"):
        frame_plan(program, program.chains[0], 0, 4)


def test_a_ring_that_holds_no_gdn_is_refused():
    # its tiles stay until the last group of a band has gone through all of them
    model, shape = {"channels": (3, 60, 5)}, {"rows": 4, "cols": 2, "output_words": 8}
    with pytest.raises(ConfigError, match=r"^weight_words is 1700: the tiles of the largest GDN have 1800$"):
        compiled(model, shape | {"weight_words": 1700})
    assert compiled(model, shape | {"weight_words": 1800}).weight_words == 1800
