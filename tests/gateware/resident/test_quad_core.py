"""The whole accelerator by points against the reference, and its cycles against the model."""

import numpy as np
import pytest

from licgate.errors import ConfigError
from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf import predict
from licgate.program import compile_program
from licgate.target.config import AcceleratorConfig
from tests.gateware.accelerator import check_accelerator
from tests.gateware.kit import random_stalls
from tests.gateware.resident.core import STREAMS, check_picture, check_turns, configured
from tests.manifest.kit import chain
from tests.marks import regress

# model; array rows, columns and lanes; height and width
MODELS = {
    "one pixel": ({"channels": (1, 3, 2), "gdn": "square_root"}, (2, 3, None), (1, 1)),
    "odd channels": ({"channels": (3, 5, 4), "gdn": "abs"}, (2, 3, None), (7, 9)),
    "sums that wrap": (
        {"channels": (2, 4, 3), "weight_bits": (5, 12), "activation_bits": (3, 8), "gdn": "none"},
        (1, 1, None),
        (3, 5),
    ),
    "pruned, 3 x 3": ({"channels": (3, 9, 7), "kernel": 3, "gdn": "none"}, (3, 4, None), (3, 26)),
    "7 x 7": ({"channels": (2, 3, 2), "kernel": 7, "gdn": "abs"}, (2, 8, 1), (6, 19)),
    "a wider picture": ({"channels": (3, 5, 4), "gdn": "abs_root"}, (4, 3, None), (17, 33)),
    "tiles behind each other": ({"channels": (2, 5, 3), "gdn": "abs"}, (1, 5, None), (1, 3)),
    "forms of GDN": (
        {"channels": (2, 3, 1, 3), "gdn": ("abs_root", "square"), "gdn_bits": (9, 12)},
        (4, 2, 1),
        (6, 11),
    ),
}
SLOW = {"7 x 7", "a wider picture", "forms of GDN"}


@pytest.mark.parametrize("name", [regress(name) if name in SLOW else name for name in MODELS])
def test_bit_exact_in_the_predicted_cycles(name):
    check_picture("fip-f4", *MODELS[name])


@pytest.mark.parametrize("patch", [regress(None), 16])
def test_pictures_one_after_the_other_with_stalls(patch):
    """Whole, and in patches whose margins are dropped: the kept columns begin and end anywhere in a group."""
    manifest, config = (
        synthetic_manifest(channels=(2, 3, 3), gdn="none"),
        configured("fip-f4", (1, 2, None), max_width=20),
    )
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (2, *size)) for size in ((5, 18), (2, 3))]
    stalls = (lambda name: random_stalls(STREAMS[name], 0.3)) if patch is None else None
    check_accelerator(manifest, config, images, patch=patch, stalls=stalls)


def test_whole_pictures_by_the_model():
    """A layer of 5 x 5 takes 11 products for 20, in half as many steps; but for what fills a picture's three channels.

    Of the default model's shape, and as wide a picture; of one so low many rows have kernel rows beyond it, which are
    zeros here and left out in the direct form.
    """
    manifest, made = synthetic_manifest(channels=(3, 36, 36, 36, 96), gdn="abs", seed=1), {}
    for arithmetic in ("direct", "fip-f4"):
        config = AcceleratorConfig(rows=12, cols=12, lanes=6, max_width=768, arithmetic=arithmetic)
        made[arithmetic] = predict(manifest, config, 768, 64)
    layers = {name: [layer for layer in one.layers if layer["kind"] != "gdn"] for name, one in made.items()}
    ratios = [plain["cycles"] / fast["cycles"] for plain, fast in zip(layers["direct"], layers["fip-f4"], strict=True)]
    assert 2.6 < ratios[0] < 2.8
    assert all(3 < ratio <= 40 / 11 for ratio in ratios[1:])
    assert made["fip-f4"].macs == made["direct"].macs
    assert made["fip-f4"].utilization <= 1
    assert made["fip-f4"].cycles < 0.36 * made["direct"].cycles


def test_a_layer_of_32_channels():
    """5 x 5, stride 2, 32 to 32 channels, 64 x 64, on 96 multipliers: below 100,000 cycles."""
    manifest = synthetic_manifest(channels=(32, 32), gdn="none")
    config = AcceleratorConfig(rows=8, cols=12, lanes=4, max_width=64, arithmetic="fip-f4")
    prediction = predict(manifest, config, 64, 64)
    assert prediction.cycles < 100_000
    assert prediction.macs / prediction.cycles / 96 > 2.7


@pytest.mark.regress
@pytest.mark.parametrize(
    ("gdn", "kernel", "array", "p"), [("abs", 3, (1, 4, None), 0.3), ("square_root", 5, (2, 1, None), 0)]
)
def test_transforms_take_turns(gdn, kernel, array, p):
    """Transposed convolutions phase by phase, GDN behind them, and in depth form; maps that come from the host."""
    check_turns("fip-f4", array, gdn=gdn, kernel=kernel, stalls=p, last=("g_s", 2, 4))


def test_what_the_arithmetic_does_not_run():
    config = configured("fip-f4", (2, 2, None), max_width=16)
    ends = chain("h_a", 2, (3, 1, 2, "abs"))
    with pytest.raises(ConfigError, match=r"^h_a: arithmetic fip-f4 ends no transform with a GDN: choose fip$"):
        compile_program(ends, config)
    with pytest.raises(ConfigError, match=r"^packing needs arithmetic direct, not fip-f4: leave one of them out$"):
        AcceleratorConfig(packing=True, arithmetic="fip-f4")
    wide = synthetic_manifest(channels=(3, 3, 2), gdn="none", activation_bits=16)
    with pytest.raises(
        ConfigError, match=r"^arithmetic fip-f4 multiplies 21 bits by as many here, a multiplier has 18:"
    ):
        predict(wide, config, 16, 16)
