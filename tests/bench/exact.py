"""The cycle model against simulation: the largest difference in cycles, of whole images and of every layer.

A layer's cycles are not a counter of the gateware. But a model cut off behind its k-th stage (a convolution and what
follows it) is a model, too; if all of these agree, so does what each stage adds, its overlap with the others included.
"""

import math
from dataclasses import replace

import numpy as np

from licgate.manifest.store import sealed
from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf import predict
from licgate.sim.simulate import simulate
from licgate.target.config import AcceleratorConfig
from tests.bench.kit import Options

SEED = 5

#: model, array, and width and height of the image
CASES = [
    ({"channels": (3, 4, 5)}, {"rows": 3, "cols": 2}, (13, 9)),
    ({"channels": (3, 4, 5), "gdn": "none"}, {"rows": 4, "cols": 4, "line_slack": 2}, (9, 13)),
    ({"channels": (3, 9, 3), "gdn": "square_root"}, {"rows": 3, "cols": 5, "input_slack": 0}, (17, 11)),
    ({"channels": (3, 3, 3, 3)}, {"rows": 2, "cols": 3}, (20, 16)),
    ({"channels": (3, 2, 6)}, {"rows": 5, "cols": 2, "lanes": 1}, (21, 6)),
    ({"channels": (3, 3, 4)}, {"rows": 1, "cols": 4}, (12, 8)),
    ({"channels": (3, 6, 4), "kernel": 3}, {"rows": 4, "cols": 3, "lanes": 2}, (18, 12)),
    ({"channels": (3, 5, 4), "kernel": (5, 3), "stride": (2, 1)}, {"rows": 6, "cols": 5}, (14, 10)),
    ({"channels": (3, 8, 8), "activation_bits": 10, "gdn_bits": 12}, {"rows": 8, "cols": 4, "lanes": 2}, (24, 16)),
    ({"channels": (3, 4, 4), "weight_bits": (8, 4), "activation_bits": (6, 8)}, {"rows": 2, "cols": 4}, (15, 9)),
    ({"channels": (3, 7, 5), "weight_bits": 4, "gdn": "abs_root"}, {"rows": 3, "cols": 7, "lanes": 3}, (16, 10)),
    ({"channels": (1, 6, 2), "gdn": "square"}, {"rows": 7, "cols": 3}, (22, 11)),
    ({"channels": (3, 4, 4, 4), "kernel": (5, 3, 5), "stride": (2, 1, 2)}, {"rows": 4, "cols": 2}, (16, 12)),
    ({"channels": (4, 12, 6), "kernel": 3, "stride": 1}, {"rows": 4, "cols": 6, "lanes": 4}, (10, 7)),
]
QUICK = 3


def bench(options: Options) -> dict:
    """Compare cycles in all and cycles of array steps."""
    cases = CASES[:QUICK] if options.quick else CASES
    figures = []
    for index, (model, shape, (width, height)) in enumerate(cases):
        manifest = synthetic_manifest(seed=SEED, **model)
        config = AcceleratorConfig(max_width=32, **shape)
        image = np.random.default_rng(SEED).integers(0, 256, (manifest.g_a.in_channels, height, width))
        stages = [compared(part, config, image) for part in parts_of(manifest)]
        figures.append({"model": model, "array": shape, "image": [width, height], "stages": stages})
        options.say(
            f"{index + 1} of {len(cases)}: {len(stages)} stages, {stages[-1]['simulated']} cycles, "
            f"difference {largest(stages)}"
        )
    every = [stage for case in figures for stage in case["stages"]]
    return {
        "headline": {
            "largest difference, cycles": largest(every),
            "configurations": len(figures),
            "stages": len(every),
            "values that differ": sum(stage["mismatches"] for stage in every),
        },
        "configuration": {"engine": "amaranth", "max_width": 32},
        "seeds": [SEED],
        "figures": figures,
    }


def parts_of(manifest) -> list:
    """The model cut off behind each of its stages, the whole one last."""
    layers = manifest.g_a.layers
    ends = [k for k in range(1, len(layers) + 1) if k == len(layers) or layers[k].kind == "conv2d"]
    return [part_of(manifest, end) for end in ends]


def part_of(manifest, end: int):
    """The model of the first ``end`` layers."""
    layers = manifest.g_a.layers[:end]
    return sealed(
        replace(
            manifest,
            transforms={"g_a": replace(manifest.g_a, layers=layers)},
            hash="",
            latent_fraction_bits=-round(math.log2(layers[-1].output_scale)),
        )
    )


def compared(manifest, config, image) -> dict:
    """Predicted and simulated cycles of a model."""
    _, height, width = image.shape
    result = simulate(manifest, config, image, engine="amaranth")
    predicted = predict(manifest, config, width, height)
    steps = [layer["cycles"] for layer in predicted.layers]
    return {
        "layers": [layer["name"] for layer in predicted.layers],
        "predicted": predicted.cycles,
        "simulated": result["cycles"],
        "predicted_steps": steps,
        "simulated_steps": result["counters"]["busy"],
        "difference": max(abs(predicted.cycles - result["cycles"]), abs(sum(steps) - result["counters"]["busy"])),
        "mismatches": result["mismatches"],
    }


def largest(stages) -> int:
    """Largest difference."""
    return max(stage["difference"] for stage in stages)
