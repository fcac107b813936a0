"""Schedules: carried out by the golden interpreter, their outputs are the reference's."""

import numpy as np
import pytest

from licgate.errors import ConfigError
from licgate.manifest.synthetic import synthetic_manifest
from licgate.program.schedule import make_schedule
from licgate.program.streamed import compile_streamed
from licgate.reference import run_transform
from licgate.target.streamed import StreamedConfig
from tests.gateware.streamed.interpreter import Interpreter
from tests.manifest.kit import four_transforms

CASES = {
    "plain": ({"channels": (3, 5, 7)}, {"rows": 4, "cols": 4}, (37, 23)),
    "three": ({"channels": (3, 6, 5, 9)}, {"rows": 3, "cols": 6, "block_rows": 2, "band_groups": 3}, (64, 48)),
    "relu": ({"channels": (3, 8, 8, 8), "gdn": "none"}, {"rows": 4, "cols": 4, "block_rows": 3}, (50, 41)),
    "kernels": (
        {"channels": (3, 6, 7, 4), "kernel": [5, 3, 1], "stride": [2, 1, 1], "activation_bits": [6, 9, 10]},
        {"rows": 4, "cols": 4, "block_rows": 2, "band_groups": 2, "prefetch_words": 1},
        (45, 31),
    ),
    "narrow": ({"channels": (3, 5, 7)}, {"rows": 8, "cols": 12}, (1, 1)),
    "fip": ({"channels": (3, 5, 7)}, {"rows": 4, "cols": 4, "block_rows": 2, "arithmetic": "fip"}, (37, 23)),
    "fip-f4": ({"channels": (3, 5, 7)}, {"rows": 4, "cols": 4, "block_rows": 2, "arithmetic": "fip-f4"}, (77, 23)),
    "fip-f4, three": (
        {"channels": (3, 6, 5, 9)},
        {"rows": 3, "cols": 6, "block_rows": 2, "band_groups": 3, "arithmetic": "fip-f4"},
        (164, 48),
    ),
    "fip-f4, kernels": (
        {"channels": (3, 6, 7, 4), "kernel": [5, 3, 1], "stride": [2, 1, 1], "activation_bits": [6, 9, 10]},
        {"rows": 4, "cols": 4, "block_rows": 2, "band_groups": 2, "prefetch_words": 1, "arithmetic": "fip-f4"},
        (45, 31),
    ),
    "fip-f4, narrow": ({"channels": (3, 5, 7)}, {"rows": 8, "cols": 12, "arithmetic": "fip-f4"}, (1, 1)),
}


# transforms of a codec in one program, with an array shape: all kernels, parities, GDN and ReLU, ends in depth form
CODECS = {
    "gdn": ({}, {"rows": 4, "cols": 4}),
    "relu": ({"gdn": "relu", "kernel": 3}, {"rows": 3, "cols": 2, "block_rows": 3, "band_groups": 2}),
    "even": ({"kernel": 5, "up": 4}, {"rows": 5, "cols": 3, "block_rows": 1, "band_groups": 1}),
    "wide": ({"gdn": "square", "kernel": 7, "up": 2}, {"rows": 3, "cols": 8, "block_rows": 6, "band_groups": 3}),
    "packed": ({"weight_bits": 4}, {"rows": 4, "cols": 2, "packing": True, "beat_bits": 8}),
    "fip": ({"gdn": "abs_root"}, {"rows": 3, "cols": 2, "block_rows": 3, "arithmetic": "fip"}),
    "fip-f4": ({"gdn": "abs_root"}, {"rows": 3, "cols": 2, "block_rows": 3, "arithmetic": "fip-f4"}),
    "fip-f4, relu": ({"gdn": "relu", "kernel": 3}, {"rows": 4, "cols": 2, "band_groups": 2, "arithmetic": "fip-f4"}),
    "fip-f4, even": ({"up": 4}, {"rows": 3, "cols": 3, "block_rows": 1, "band_groups": 1, "arithmetic": "fip-f4"}),
}
SIZES = [(1, 1), (7, 5), (12, 9), (3, 14), (29, 3)]


@pytest.mark.parametrize("name", CODECS)
def test_carried_out_the_schedules_of_a_codec_give_what_the_reference_gives(name):
    model, shape = CODECS[name]
    manifest = four_transforms(**model)
    program = compile_streamed(list(manifest.transforms.values()), StreamedConfig(**shape))
    assert {stage.parities for stage in program.stages} == {1, 2}
    assert any(stage.conv.depth_form for stage in program.stages)
    for chain in program.chains:
        transform, rng = chain.transform, np.random.default_rng(1)
        for width, height in SIZES:
            low, high = transform.input.min, transform.input.max
            x = rng.integers(low, high + 1, (transform.in_channels, height, width))
            schedule = make_schedule(program, chain, width, height, origin=100)
            memory = Interpreter(schedule, schedule.memory(x)).run()
            assert np.array_equal(schedule.output(memory), run_transform(transform, x))


def test_a_map_behind_a_transposed_convolution_is_a_ring_too():
    program = compile_streamed([four_transforms().g_s], StreamedConfig(rows=4, cols=4, block_rows=2))
    schedules = [make_schedule(program, program.chains[0], 8, height) for height in (400, 800)]
    rings = [[layout.ring for layout in schedule.maps[1:-1]] for schedule in schedules]
    assert rings[0] == rings[1]
    assert max(rings[0]) < 100


@pytest.mark.parametrize("name", CASES)
def test_carried_out_a_schedule_gives_what_the_reference_gives(name):
    model, shape, (width, height) = CASES[name]
    manifest = synthetic_manifest(**model, seed=3)
    program = compile_streamed([manifest.g_a], StreamedConfig(**shape))
    schedule = make_schedule(program, program.chains[0], width, height, origin=1000)
    x = np.random.default_rng(1).integers(0, 256, (3, height, width))
    memory = Interpreter(schedule, schedule.memory(x)).run()
    assert np.array_equal(schedule.output(memory), run_transform(manifest.g_a, x))


def test_maps_between_layers_are_rings_of_a_few_rows():
    manifest = synthetic_manifest(channels=(3, 5, 6, 7))
    program = compile_streamed([manifest.g_a], StreamedConfig(rows=4, cols=4))
    schedules = [make_schedule(program, program.chains[0], 64, height) for height in (1024, 2048)]
    rings = [[layout.ring for layout in schedule.maps[1:-1]] for schedule in schedules]
    assert rings[0] == rings[1]
    assert max(rings[0]) < 256


def test_blocks_read_what_blocks_before_the_latest_one_made():
    manifest = synthetic_manifest(channels=(3, 5, 6, 7))
    program = compile_streamed([manifest.g_a], StreamedConfig(rows=4, cols=4))
    schedule = make_schedule(program, program.chains[0], 64, 512)
    waiting = sum(
        earlier[0] == later[0] - 1 and program.stages[later[0]].span(later[1])[1] > earlier[1]
        for earlier, later in zip(schedule.blocks, schedule.blocks[1:], strict=False)
    )
    assert waiting <= 3, "but for the last rows, no block waits for the one before it"


def test_too_large_an_image_is_refused():
    manifest = synthetic_manifest(channels=(3, 5, 7))
    program = compile_streamed([manifest.g_a], StreamedConfig(rows=4, cols=4))
    with pytest.raises(ConfigError, match="cut the image"):
        make_schedule(program, program.chains[0], 64, 64, beats=1000)
    with pytest.raises(ConfigError, match="0 x 5"):
        make_schedule(program, program.chains[0], 0, 5)
