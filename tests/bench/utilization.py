"""Whole transforms: multipliers busy with needed products, all loads, drains and layers counted.

Of g_a over the recompute factor, for several shapes and sizes; of the others for the first of them.

By the cycle model for all configurations; the whole photograph is simulated with the first one.
"""

from licgate.images import demo_image
from licgate.manifest import find_model
from licgate.manifest.scaled import scaled_manifest
from licgate.perf import predict
from licgate.reference import image_to_input
from licgate.sim.simulate import simulate
from licgate.target.config import AcceleratorConfig
from tests.bench.kit import Options

#: N and M (None: the default model), array, width and height. Weights lie on the chip: of the larger models, no device
#: of a board here holds them.
CASES = [
    (None, {"rows": 8, "cols": 12}, (768, 512)),
    (None, {"rows": 12, "cols": 12}, (768, 512)),
    (None, {"rows": 8, "cols": 12}, (512, 768)),
    (None, {"rows": 8, "cols": 12}, (1280, 720)),
    ((128, 192), {"rows": 8, "cols": 16}, (1280, 720)),
    ((192, 320), {"rows": 8, "cols": 16}, (1280, 720)),
]
OTHERS = ("h_a", "h_s", "g_s")


def bench(options: Options) -> dict:
    """Predict, and simulate once."""
    default = find_model(None)
    figures, headline = [], {}
    for channels, shape, (width, height) in CASES[: 1 if options.quick else None]:
        manifest = scaled_manifest(default, *channels) if channels else default
        config = AcceleratorConfig(max_width=width, **shape)
        found = predict(manifest, config, width, height)
        name = f"{manifest.name}, {shape['rows']} x {shape['cols']}, {width} x {height}"
        figures.append(
            {
                "model": manifest.name,
                "hash": manifest.hash,
                "image": [width, height],
                **shape,
                "max_width": width,
                "cycles": found.cycles,
                "macs": found.macs,
                "utilization": found.utilization,
                "recompute_factor": found.recompute_factor,
                "layers": found.layers,
                "utilization_over_recompute_factor": found.utilization / found.recompute_factor,
            }
        )
        headline[name] = f"{100 * found.utilization / found.recompute_factor:.2f} %, {found.cycles} cycles, predicted"
        options.say(f"{name}: predicted")
    for name in OTHERS:
        _, shape, (width, height) = CASES[0]
        found = predict(default, AcceleratorConfig(max_width=width, **shape), width, height, transforms=(name,))
        row = {"model": default.name, "transform": name, "image": [width, height], **shape}
        figures.append(row | {"cycles": found.cycles, "macs": found.macs, "utilization": found.utilization})
        headline[f"{name}, {width} x {height}"] = f"{100 * found.utilization:.2f} %, {found.cycles} cycles, predicted"
    if not options.quick:
        row = figures[0]
        pixels = demo_image()[: row["image"][1], : row["image"][0]]
        config = AcceleratorConfig(max_width=row["max_width"], rows=row["rows"], cols=row["cols"])
        options.say(f"{default.name}: a photograph of {pixels.shape[1]} x {pixels.shape[0]} is simulated")
        result = simulate(default, config, image_to_input(pixels))
        predicted = predict(default, config, pixels.shape[1], pixels.shape[0])
        keys = ("image", "cycles", "mismatches", "values", "utilization", "counters")
        figures.append({key: result[key] for key in keys})
        figures[-1] |= {"model": default.name, "simulated": True, "difference": result["cycles"] - predicted.cycles}
        headline[f"{default.name}, photograph simulated"] = (
            f"{result['cycles']} cycles, {result['cycles'] - predicted.cycles} from the prediction, "
            f"{result['mismatches']} of {result['values']} values differ"
        )
    return {
        "headline": headline,
        "configuration": {"transforms": ["g_a", *OTHERS], "weights": "on the chip"},
        "seeds": [],
        "figures": figures,
    }
