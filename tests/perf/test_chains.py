"""The cycle model of every transform against simulation: no difference allowed."""

from dataclasses import replace

import numpy as np
import pytest

from licgate.manifest import IntType, Transform, sealed
from licgate.manifest.synthetic import synthetic_conv2d, synthetic_gdn, synthetic_manifest
from licgate.perf import predict
from licgate.perf.core import CoreModel
from licgate.perf.predict import GAP
from licgate.program.strips import strips
from licgate.sim.simulate import simulate
from licgate.target.config import AcceleratorConfig
from tests.marks import regress


def transform(name, channels, *layers, absolute=False):
    """A random transform; each layer is (kernel, stride, out channels, what follows), stride -2 for a transposed one.

    What follows is "" (nothing), "relu", or the form of an inverse GDN.
    """
    first = kind = IntType(8)
    if absolute:
        kind = IntType(8, signed=False)
    inputs, made = channels, []
    for kernel, stride, out, after in layers:
        form = after if after not in ("", "relu") else ""
        made.append(
            synthetic_conv2d(
                f"{name}.{len(made)}",
                in_channels=inputs,
                out_channels=out,
                kernel=kernel,
                stride=abs(stride),
                transposed=stride < 0,
                output_padding=int(stride < 0),
                input_type=kind,
                output_type=IntType(10 if form else 8, signed=after != "relu"),
                relu=after == "relu",
                seed=len(made),
            )
        )
        kind, inputs = made[-1].output, out
        if form:
            made.append(
                synthetic_gdn(
                    f"{name}.{len(made)}",
                    channels=out,
                    form=form,
                    inverse=True,
                    input_type=kind,
                    output_type=IntType(8),
                    seed=len(made),
                )
            )
            kind = IntType(8)
    return Transform(
        name=name, in_channels=channels, input=first, input_scale=1.0, layers=made, absolute_input=absolute
    )


def model(*transforms):
    """A model of a small g_a (stride 4) and these transforms."""
    manifest = synthetic_manifest(channels=(3, 4, 5), seed=2)
    return sealed(replace(manifest, transforms={**manifest.transforms, **{t.name: t for t in transforms}}, hash=""))


H_A = transform("h_a", 5, (3, 1, 4, "relu"), (5, 2, 3, "relu"), (5, 2, 3, ""), absolute=True)
H_S = transform("h_s", 3, (5, -2, 3, "relu"), (5, -2, 4, "relu"), (3, 1, 5, ""))
THIN = transform("h_s", 2, (3, -2, 2, "relu"), (3, -2, 3, "relu"), (1, 1, 2, ""))
ONE = transform("h_s", 1, (5, -2, 1, "relu"), (1, 1, 1, "relu"), (3, 2, 1, ""))
G_S = transform("g_s", 5, (5, -2, 3, "abs"), (5, -2, 2, "abs"), (5, -2, 3, ""))
ROOT = transform("g_s", 4, (5, -2, 3, "square_root"), (3, -2, 3, ""))
# results that leave more slowly than they are made
ALONE = transform("h_s", 3, (5, -2, 7, ""))
SHORT = transform("h_a", 5, (1, 1, 5, ""))
THIN_END = transform("g_s", 4, (3, -2, 4, "abs"), (3, -2, 3, ""))
ENDS_IN_GDN = transform("h_a", 5, (3, 1, 6, "abs"))
PLAIN = transform("g_s", 3, (3, -2, 5, "relu"), (5, -2, 3, "relu"), (3, 1, 3, ""))

CASES = [
    (H_A, {"rows": 3, "cols": 2}, (3, 9)),
    (H_A, {"rows": 4, "cols": 4, "map_slack": 0}, (1, 1)),
    (H_A, {"rows": 8, "cols": 3, "line_slack": 1}, (3, 18)),
    (H_S, {"rows": 4, "cols": 3}, (1, 3)),
    (H_S, {"rows": 1, "cols": 5}, (1, 1)),
    (H_S, {"rows": 5, "cols": 4, "map_slack": 3}, (1, 1)),
    (THIN, {"rows": 2, "cols": 2}, (2, 3)),
    (THIN, {"rows": 12, "cols": 2}, (2, 6)),
    (ONE, {"rows": 7, "cols": 1}, (3, 6)),
    # one lane is slow, so many tiles are under way, each with its words promised
    (G_S, {"rows": 3, "cols": 5, "lanes": 1, "output_words": 64}, (1, 2)),
    (G_S, {"rows": 8, "cols": 2}, (1, 1)),
    (ROOT, {"rows": 3, "cols": 3, "line_slack": 2}, (2, 4)),
    (PLAIN, {"rows": 6, "cols": 4, "map_slack": 0}, (2, 2)),
    (ALONE, {}, (3, 5)),
    regress(ALONE, {"rows": 16, "cols": 16, "output_words": 16}, (2, 5)),
    (ALONE, {"rows": 3, "cols": 4, "output_words": 4}, (2, 5)),
    regress(ALONE, {"rows": 13, "cols": 28, "output_words": 61}, (2, 9)),
    (SHORT, {"rows": 8, "cols": 2, "output_words": 2}, (2, 19)),
    (SHORT, {"rows": 12, "cols": 3, "output_words": 7, "lanes": 2}, (3, 25)),
    regress(SHORT, {"rows": 12, "cols": 8, "output_words": 8, "lanes": 12}, (3, 25)),
    regress(THIN_END, {"rows": 12, "cols": 12, "output_words": 12}, (2, 7)),
    (THIN_END, {"rows": 5, "cols": 7, "output_words": 33}, (2, 7)),
    regress(ENDS_IN_GDN, {"rows": 8, "cols": 3, "output_words": 3}, (3, 17)),
]


def simulated(manifest, config, tested, names, size):
    low, high = tested.input.min, tested.input.max
    x = np.random.default_rng(1).integers(low, high + 1, (tested.in_channels, *size))
    return simulate(manifest, config, x, transform=tested.name, transforms=names, engine="amaranth")


@pytest.mark.parametrize(("tested", "shape", "size"), CASES)
def test_no_cycle_of_difference(tested, shape, size):
    manifest, config = model(tested), AcceleratorConfig(max_width=256, **shape)
    result = simulated(manifest, config, tested, (tested.name,), size)
    assert result["bit_exact"]
    program = predict(manifest, config, 8, 8, transforms=(tested.name,)).program
    timed = CoreModel(program, program.chains[0], size[1], size[0], start=0, kept=None)
    assert timed.done + GAP == result["cycles"]
    assert sum(timed.op_cycles) == result["counters"]["busy"]


def test_transforms_that_share_an_accelerator():
    manifest, config = model(H_A, H_S, G_S), AcceleratorConfig(rows=4, cols=3, max_width=32)
    names = ("g_a", "h_a", "h_s", "g_s")
    # 4 x 4 latents and one hyper latent, of 16 x 16 pixels
    prediction = predict(manifest, config, 13, 16, transforms=names)
    assert [row["name"] for row in prediction.transforms] == list(names)
    rows = {row["name"]: row for row in prediction.transforms}
    for name, size in (("h_a", (4, 4)), ("h_s", (1, 1))):
        result = simulated(manifest, config, manifest.transforms[name], names, size)
        assert result["bit_exact"]
        assert (rows[name]["cycles"], rows[name]["macs"]) == (result["cycles"], result["macs"])
        assert rows[name]["utilization"] == pytest.approx(result["utilization"])
    for key in ("cycles", "macs"):
        assert getattr(prediction, key) == sum(row[key] for row in prediction.transforms)
    assert prediction.utilization == prediction.macs / (12 * prediction.cycles)
    assert rows["g_a"]["macs"] == manifest.g_a.macs(16, 16)
    assert prediction.recompute_factor == 1
    assert [layer["name"] for layer in prediction.layers if layer["transform"] == "h_s"] == ["h_s.0", "h_s.1", "h_s.2"]


def test_maps_wider_than_the_lines_are_run_in_strips():
    manifest, config = model(H_S), AcceleratorConfig(rows=4, cols=3, max_width=64)
    prediction = predict(manifest, config, 100, 16, transforms=("h_s",))
    (chain,), (row,) = prediction.program.chains, prediction.transforms
    # of 25 latents, the codec makes 25 times one hyper latent where there is no h_a to divide them further
    cut = strips(H_S, 25, chain.max_width)
    assert [strip.width for strip in cut] == [15, 13]
    assert row["runs"] == 2
    times = [CoreModel(prediction.program, chain, s.width, 4, start=0, kept=None).done + GAP for s in cut]
    assert row["cycles"] == sum(times)
    assert row["recompute_factor"] == sum(H_S.macs(4, s.width) for s in cut) / H_S.macs(4, 25) > 1
