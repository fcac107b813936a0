"""The whole accelerator by the fast inner product against the reference, and its cycles against the model."""

import pytest

from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf import predict
from licgate.target.config import AcceleratorConfig
from tests.gateware.resident.core import check_picture, check_turns
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


@pytest.mark.parametrize("name", [regress(name) if name in SLOW else name for name in MODELS])
def test_bit_exact_in_the_predicted_cycles(name):
    result, prediction = check_picture("fip", *MODELS[name])
    assert prediction.utilization == pytest.approx(result["utilization"])
    assert {layer["products"] for layer in prediction.layers} == {2}


@pytest.mark.parametrize(
    ("gdn", "kernel", "array", "p"), [("abs", 3, (3, 4, None), 0.3), regress("square_root", 5, (2, 1, None), 0)]
)
def test_transforms_take_turns(gdn, kernel, array, p):
    """Transposed convolutions phase by phase, whose passes have parameters of their own, and in depth form."""
    program = check_turns("fip", array, gdn=gdn, kernel=kernel, stalls=p, last=("g_a", 1, 4))
    assert any(len({kind.params for kind in op.pass_kinds}) == 4 for op in program.ops)


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
