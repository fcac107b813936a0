"""Each arithmetic against the direct form: cycles of the default model and of a layer; a small model simulated.

On one array; the direct form with the fewest lanes that keep up, the others with as many as 156 multipliers leave.
"""

import numpy as np

from licgate.manifest import find_model
from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf import predict
from licgate.perf.streamed.frame import StreamedModel
from licgate.program.cores import core_jobs
from licgate.program.streamed import compile_streamed
from licgate.sim.simulate import simulate
from licgate.synth.fit import streamed_fit
from licgate.target.board import find_board
from licgate.target.config import AcceleratorConfig
from licgate.target.sdram import ULX3S_SDRAM, SdramCycles
from licgate.target.streamed import StreamedConfig
from tests.bench.kit import Options

SIZE, ARRAY, LANES = (768, 512), {"rows": 12, "cols": 12}, {"direct": None, "fip": 6, "fip-f4": 6}
TRANSFORMS = ("g_a", "g_s", "h_a", "h_s")
#: one layer of stride 2: channels, side of its input, arrays of 96 multipliers
LAYER = {"channels": (32, 32), "side": 64, "arrays": {"direct": (32, 3), "fip": (32, 3), "fip-f4": (8, 12)}}
#: g_a from SDRAM, 8-bit weights and activations: channels, image, MHz, array, and what suits each arithmetic
STREAMED = {"channels": (3, 128, 128, 128, 192), "size": (1280, 720), "clock": 100.0, "rows": 9, "cols": 16}
BUFFERS = {
    "direct": {"block_rows": 6, "band_groups": 4, "prefetch_words": 1, "weight_words": 7680},
    "fip": {"block_rows": 10, "band_groups": 2, "prefetch_words": 3, "weight_words": 3456, "output_words": 528},
}
#: what is simulated, to the bit: small, since all of it is
SIMULATED = {"channels": (3, 7, 5), "size": (17, 9), "rows": 3, "cols": 2}
SEED = 0
GOALS = {"fip": 1.8, "fip-f4": 2.8}


def bench(options: Options) -> dict:
    """Count cycles of both, transform by transform, and simulate a small model with both."""
    model = find_model(None)
    rows = [compared(model, name, **LANES) for name in TRANSFORMS[: 1 if options.quick else None]]
    rows.append({**compared(model, "g_a", direct=None, fip=4), "what": "g_a, four lanes"})
    rows.append(layer())
    behind = {} if options.quick else {name: streamed(name, find_board(options.board)) for name in BUFFERS}
    small = {name: simulated(name) for name in LANES}
    headline = {
        "multiply-accumulates a multiplier and cycle": {
            name: round(value, 4) for name, value in rows[0]["macs_per_multiplier_cycle"].items()
        },
        "goals": GOALS,
        "cycles": {row["what"]: list(row["cycles"].values()) for row in rows},
        "from SDRAM, cycles": {name: row["cycles"] for name, row in behind.items()},
        "largest difference to the model, cycles": max(row["difference"] for row in small.values()),
        "values that differ": sum(row["mismatches"] for row in small.values()),
    }
    return {
        "headline": headline,
        "configuration": {"image": SIZE, "array": ARRAY, "lanes": LANES, "layer": LAYER, "simulated": SIMULATED}
        | {"streamed": STREAMED, "buffers": BUFFERS},
        "seeds": [SEED],
        "figures": {"predicted": rows, "streamed": behind, "simulated": small},
    }


def compared(model, transform: str, **lanes) -> dict:
    """Cycles of a transform in each arithmetic, with its lanes."""
    found = {name: predict(model, config(name, count), *SIZE, transforms=(transform,)) for name, count in lanes.items()}
    return figures(transform, found, ARRAY["rows"] * ARRAY["cols"])


def layer() -> dict:
    """The same of one layer."""
    manifest, side = synthetic_manifest(channels=LAYER["channels"], seed=SEED), LAYER["side"]
    found = {
        name: predict(manifest, AcceleratorConfig(rows=rows, cols=cols, max_width=side, arithmetic=name), side, side)
        for name, (rows, cols) in LAYER["arrays"].items()
    }
    return figures("layer", found, np.prod(LAYER["arrays"]["direct"]))


def streamed(arithmetic: str, board) -> dict:
    """Count a frame from SDRAM by the exact model, and the block RAMs that it takes of a board."""
    shape = StreamedConfig(rows=STREAMED["rows"], cols=STREAMED["cols"], arithmetic=arithmetic, **BUFFERS[arithmetic])
    transform = synthetic_manifest(channels=STREAMED["channels"]).g_a
    program = compile_streamed([transform], shape, weights=False)
    jobs = core_jobs(program, program.chains[0], *STREAMED["size"], 1)
    timing = SdramCycles.at(ULX3S_SDRAM, STREAMED["clock"])
    model = StreamedModel([job.schedule for job in jobs], timing, start=timing.start + 1)
    (run,) = model.runs
    cycles = run.done - run.start
    return {
        "cycles": cycles,
        "steps": run.steps / cycles,
        "bus": model.memory.beats / cycles,
        "block_rams": streamed_fit(program, board, 1).needed,
    }


def figures(what: str, found: dict, multipliers: int) -> dict:
    """Cycles side by side."""
    return {
        "what": what,
        "cycles": {name: one.cycles for name, one in found.items()},
        "macs_per_multiplier_cycle": {name: one.macs / float(multipliers * one.cycles) for name, one in found.items()},
        "speedup": {name: found["direct"].cycles / one.cycles for name, one in found.items()},
    }


def config(arithmetic: str, lanes: int | None) -> AcceleratorConfig:
    """The array."""
    return AcceleratorConfig(**ARRAY, max_width=SIZE[0], lanes=lanes, arithmetic=arithmetic)


def simulated(arithmetic: str) -> dict:
    """Simulate a small model and hold it against reference and cycle model."""
    width, height = SIMULATED["size"]
    manifest = synthetic_manifest(channels=SIMULATED["channels"], seed=SEED)
    array = AcceleratorConfig(rows=SIMULATED["rows"], cols=SIMULATED["cols"], max_width=width, arithmetic=arithmetic)
    image = np.random.default_rng(SEED).integers(0, 256, (3, height, width))
    result = simulate(manifest, array, image, engine="amaranth")
    difference = abs(result["cycles"] - predict(manifest, array, width, height).cycles)
    return {"cycles": result["cycles"], "difference": difference, "mismatches": result["mismatches"]}
