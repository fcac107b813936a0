"""The projection of a ZCU102: whole g_a of 1280 x 720 by the exact cycle model, four cores with a frame each.

A projection: the clock and the memory's latency and rate are assumed, nothing is placed or routed. The model is held
against compiled simulations of a small core behind the same memories.
"""

from dataclasses import replace

import numpy as np

from licgate.explore.planaxi import project
from licgate.manifest.synthetic import synthetic_manifest
from licgate.sim.simulate import compare
from licgate.sim.streamedaxi import AxiGateware
from licgate.synth.design import Design
from licgate.target.axi import AxiTiming
from licgate.target.board import find_board
from licgate.target.streamed import StreamedConfig
from tests.bench.kit import Options

CLOCK, CORES = 300.0, 4
BOARD, MANIFEST = find_board("zcu102"), synthetic_manifest(channels=(3, 128, 128, 128, 192))
MULTIPLIER = BOARD.multiplier
BUS = {"beat_bits": 64, "page_beats": 256, "burst_beats": 128, "weight_burst": 256, "address_bits": 28}
PACKED = {"packing": True, "packed_bits": 27}
CONFIGS = {
    "direct": StreamedConfig(rows=32, cols=16, band_groups=2, lanes=11, lane_multipliers="mixed", **PACKED, **BUS),
    "fip-f4": StreamedConfig(
        rows=20, cols=16, band_groups=1, lanes=10, lane_multipliers="mixed", arithmetic="fip-f4", **BUS
    ),
}
TIMINGS = [AxiTiming(read_latency=read, write_latency=read // 2) for read in (60, 120, 240)]
SIMULATED = {
    "direct": StreamedConfig(rows=8, cols=8, block_rows=2, band_groups=2, **PACKED, **BUS),
    "fip-f4": StreamedConfig(rows=8, cols=4, block_rows=2, band_groups=2, arithmetic="fip-f4", **BUS),
}


def bench(options: Options) -> dict:
    """Frames by the model, then model against simulation."""
    size = (640, 360) if options.quick else (1280, 720)
    frames = {}
    for name, config in CONFIGS.items():
        frames[name] = [
            frame(name, config, timing, size, options) for timing in TIMINGS[: 1 if options.quick else None]
        ]
    headline = {
        f"{name}, {row['read_latency']} cycles of latency": round(row["fps"], 2)
        for name, rows in frames.items()
        for row in rows
    }
    for name, (row, *_) in frames.items():
        headline |= {
            f"{name}, roofline": round(row["roofline_fps"], 2),
            f"{name}, {MULTIPLIER}": row["multiplier_blocks"],
        }
    runs = [] if options.quick else [run for name in SIMULATED for run in simulated(name)]
    if runs:
        headline["largest difference in cycles"] = max(run["difference"] for run in runs)
        headline["all bit-exact"] = all(run["bit_exact"] for run in runs)
    return {
        "headline": headline,
        "projection": True,
        "seeds": [0, 1],
        "frames": frames,
        "simulated": runs,
        "configuration": {"clock_mhz": CLOCK, "clock": "assumed", "cores": CORES, "image": list(size)},
    }


def frame(name, config, timing, size, options) -> dict:
    """Project frames behind one memory."""
    design = Design(manifest=MANIFEST, board=BOARD, config=config, clock_mhz=CLOCK, memory="axi")
    row = project(replace(design, timing=timing, cores=CORES, copies=CORES), size)
    options.say(f"{name}, {timing.read_latency} cycles of latency: {row['fps']:.2f} frames/s, a projection")
    return row | {"read_latency": timing.read_latency, "write_latency": timing.write_latency}


def simulated(name) -> list[dict]:
    """Simulate a small core behind each memory, and hold it against the model."""
    small, runs = synthetic_manifest(channels=(3, 20, 18, 9), seed=1), []
    x = np.random.default_rng(0).integers(0, 256, (3, 50, 75))
    for timing in TIMINGS:
        ran, _ = compare(AxiGateware(small, SIMULATED[name], ("g_a",), timing), "g_a", x)
        apart = abs(ran["cycles"] - ran["cycles_predicted"][0])
        facts = {"timing": timing.words(), "bit_exact": ran["bit_exact"], "cycles": ran["cycles"], "difference": apart}
        runs.append({"arithmetic": name} | facts)
    return runs
