"""The parameters of an accelerator: ranges, and the patches that they mean."""

import pytest

from licgate.errors import ConfigError
from licgate.manifest.synthetic import synthetic_manifest
from licgate.target.config import AcceleratorConfig


@pytest.mark.parametrize(
    ("name", "value", "low", "high"),
    [
        ("rows", 0, 1, 64),
        ("rows", 65, 1, 64),
        ("rows", 2.0, 1, 64),
        ("rows", True, 1, 64),
        ("cols", 0, 1, 64),
        ("cols", "4", 1, 64),
        ("cols", None, 1, 64),
        ("max_width", 0, 1, 16384),
        ("max_width", 16385, 1, 16384),
        ("line_slack", -1, 0, 16),
        ("input_slack", 65, 0, 64),
        ("map_slack", -1, 0, 64),
        ("output_words", 11, 12, 4096),
        ("lanes", 0, 1, 8),
        ("lanes", 9, 1, 8),
        ("lanes", "2", 1, 8),
    ],
)
def test_config_names_the_parameter_its_value_and_its_range(name, value, low, high):
    with pytest.raises(ConfigError, match=f"^{name} is {value!r}: give an integer from {low} to {high}$"):
        AcceleratorConfig(**{name: value})


def test_config_names_the_kinds_of_multipliers():
    assert AcceleratorConfig(lane_multipliers="fabric").lane_multipliers == "fabric"
    with pytest.raises(ConfigError, match=r"^lane_multipliers is 'lut': choose dsp, mixed, fabric$"):
        AcceleratorConfig(lane_multipliers="lut")


def test_config_takes_the_ends_of_its_ranges():
    low = {
        "rows": 1,
        "cols": 1,
        "lanes": 1,
        "max_width": 1,
        "line_slack": 0,
        "input_slack": 0,
        "map_slack": 0,
        "output_words": 1,
    }
    high = {
        "rows": 64,
        "cols": 64,
        "lanes": 64,
        "max_width": 16384,
        "line_slack": 16,
        "input_slack": 64,
        "map_slack": 64,
    }
    for options in (low, {**high, "output_words": 4096}):
        config = AcceleratorConfig(**options)
        assert config.multipliers == options["rows"] * options["cols"]


@pytest.mark.parametrize(
    ("image", "options", "expected"),
    [
        ((768, 512), {}, (768, 512)),
        ((37, 21), {}, (48, 32)),
        ((800, 33), {}, (720, 48)),
        ((800, 33), {"patch": 64}, (64, 64)),
        ((500, 20), {"independent": True}, (512, 32)),
    ],
)
def test_patch_size(image, options, expected):
    g_a = synthetic_manifest(channels=(1,) * 5, gdn="none").g_a
    # four 5x5 convolutions: a margin of 2 + 1 latents of 16 pixels
    assert AcceleratorConfig(max_width=768).patch_size(g_a, *image, **options) == expected


def test_patch_size_that_does_not_exist():
    g_a = synthetic_manifest(channels=(1,) * 5, gdn="none").g_a
    with pytest.raises(ConfigError, match="800 pixels wide, the line buffers 768: give independent patches a size"):
        AcceleratorConfig().patch_size(g_a, 800, 40, independent=True)
    with pytest.raises(ConfigError, match="max_width 63 leaves no pixel beside the margin: give 64 or more"):
        AcceleratorConfig(max_width=63).patch_size(g_a, 80, 40)
    assert AcceleratorConfig(max_width=64).patch_size(g_a, 80, 40) == (16, 48)


def test_the_latent_fifo_holds_a_tile_of_any_array():
    assert [AcceleratorConfig(cols=cols).output_words for cols in (1, 32, 33, 64)] == [32, 32, 33, 64]
