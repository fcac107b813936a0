"""The whole accelerator by the fast inner product against the reference, and its cycles against the model."""

import numpy as np
import pytest

from licgate.gateware.top.resident import Accelerator
from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf import predict
from licgate.perf.core import CoreModel
from licgate.perf.predict import GAP
from licgate.sim.simulate import simulate
from licgate.target.config import AcceleratorConfig
from tests.gateware.accelerator import check_accelerator
from tests.gateware.kit import random_stalls
from tests.manifest.kit import four_transforms
from tests.marks import regress

# model; array rows, columns and lanes; height and width
MODELS = {
    "odd channels": ({"channels": (3, 5, 4), "gdn": "abs"}, (4, 3, None), (7, 9)),
    "a wider picture": ({"channels": (3, 5, 4), "gdn": "abs_root"}, (4, 3, None), (17, 33)),
    "one pixel": ({"channels": (1, 3, 2), "gdn": "square_root"}, (2, 3, None), (1, 1)),
    "pruned": ({"channels": (3, 29, 37), "kernel": 3, "gdn": "none"}, (4, 8, None), (3, 5)),
    "forms of GDN": (
        {"channels": (2, 3, 1, 3), "gdn": ("abs_root", "square"), "gdn_bits": (9, 12)},
        (4, 2, 1),
        (6, 11),
    ),
    "sums that wrap": (
        {"channels": (3, 4, 3), "weight_bits": (5, 12), "activation_bits": (3, 8), "gdn": "none"},
        (1, 1, None),
        (4, 5),
    ),
    "pruned, GDN": ({"channels": (3, 29, 37), "gdn": "square_root"}, (3, 5, 2), (9, 7)),
}
SLOW = {"a wider picture", "pruned, GDN"}
NAMES = ("g_a", "h_a", "h_s", "g_s")
STREAMS = {"window": 1, "pixel": 2, "latent": 3}


def configured(array, **options):
    rows, cols, lanes = array
    return AcceleratorConfig(rows=rows, cols=cols, lanes=lanes, arithmetic="fip", **options)


@pytest.mark.parametrize("name", [regress(name) if name in SLOW else name for name in MODELS])
def test_bit_exact_in_the_predicted_cycles(name):
    model, array, (height, width) = MODELS[name]
    manifest, config = synthetic_manifest(**model, seed=height), configured(array, max_width=width)
    image = np.random.default_rng(1).integers(0, 256, (model["channels"][0], height, width))
    result = simulate(manifest, config, image, engine="amaranth")
    prediction = predict(manifest, config, width, height)
    assert result["bit_exact"]
    assert prediction.cycles == result["cycles"]
    assert sum(layer["cycles"] for layer in prediction.layers) == result["counters"]["busy"]
    assert prediction.macs == result["macs"]
    assert prediction.utilization == pytest.approx(result["utilization"])
    assert {layer["products"] for layer in prediction.layers} == {2}
    assert max(layer["utilization"] for layer in prediction.layers) <= 1


@pytest.mark.parametrize(
    ("gdn", "kernel", "array", "p"), [("abs", 3, (3, 4, None), 0.3), regress("square_root", 5, (2, 1, None), 0)]
)
def test_transforms_take_turns(gdn, kernel, array, p):
    """Transposed convolutions phase by phase, whose passes have parameters of their own, and in depth form."""
    manifest, config = four_transforms(gdn=gdn, kernel=kernel), configured(array, max_width=16, map_slack=1)
    program = Accelerator(manifest, config, transforms=NAMES).program
    assert program.ops[-1].depth_form
    assert any(len({kind.params for kind in op.pass_kinds}) == 4 for op in program.ops)
    rng, jobs = np.random.default_rng(kernel), []
    for name, *size in (("g_s", 1, 2), ("g_a", 3, 7), ("h_a", 2, 3), ("h_s", 1, 1), ("g_a", 1, 4)):
        transform = manifest.transforms[name]
        shape = (transform.in_channels, *size)
        jobs.append((name, rng.integers(transform.input.min, transform.input.max + 1, shape)))
    stalls = (lambda name: random_stalls(STREAMS[name], p)) if p else None
    cycles = check_accelerator(manifest, config, jobs, transforms=NAMES, stalls=stalls)
    if not p:
        assert CoreModel(program, program.chains[0], 4, 1, start=0, kept=(0, 0, 1, 1)).done + GAP == cycles


def test_whole_pictures_by_the_model():
    """Half as many cycles, but for rows of zeros at the image's edges, and for what fills the picture's three channels.

    A layer of three channels takes two steps for three.
    """
    manifest, made = synthetic_manifest(channels=(3, 48, 48, 96), seed=1), {}
    for arithmetic in ("direct", "fip"):
        config = AcceleratorConfig(rows=12, cols=12, max_width=768, arithmetic=arithmetic)
        made[arithmetic] = predict(manifest, config, 192, 128)
    ratios = [plain["cycles"] / fast["cycles"] for plain, fast in zip(made["direct"].layers, made["fip"].layers)]
    assert ratios[0] < 1.5
    assert all(1.9 < ratio <= 2 for ratio in ratios[1:])
    assert made["fip"].macs == made["direct"].macs
    assert made["fip"].utilization <= 1
