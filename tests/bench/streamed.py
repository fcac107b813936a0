"""Accelerators with external memory: whole g_a of 1280 x 720 by the exact cycle model, every SDRAM stall counted.

The model is held against compiled simulations of small accelerators, one with two cores and packed layers.
"""

import numpy as np

from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf.streamed.frame import StreamedModel
from licgate.program.cores import core_jobs
from licgate.program.streamed import compile_streamed
from licgate.sim.simulate import compare
from licgate.sim.streamedsdram import SdramGateware
from licgate.synth.fit import streamed_fit
from licgate.target.board import find_board
from licgate.target.sdram import ULX3S_SDRAM, SdramCycles
from licgate.target.streamed import StreamedConfig

CLOCK = 100.0
# 8-bit weights and activations; `fits` says which shapes an 85F holds
FRAMES = {
    "N=128 M=192": ((3, 128, 128, 128, 192), {"rows": 9, "cols": 16, "prefetch_words": 3}, 1),
    "N=192 M=320": (
        (3, 192, 192, 192, 320),
        {"rows": 9, "cols": 16, "band_groups": 3, "prefetch_words": 3, "weight_words": 9216},
        1,
    ),
    "N=36 M=96": ((3, 36, 36, 36, 96), {"rows": 12, "cols": 12, "block_rows": 6, "output_words": 576}, 1),
    "N=128 M=192, two cores": ((3, 128, 128, 128, 192), {"rows": 9, "cols": 8, "prefetch_words": 3}, 2),
}
SIMULATED = {
    "three layers": ({"channels": (3, 6, 5, 9)}, {"rows": 3, "cols": 6, "block_rows": 2, "band_groups": 2}, 1),
    "packed, two cores": (
        {"channels": (3, 9, 12, 14), "weight_bits": [5, 4, 8], "gdn": ["abs", "none"]},
        {"rows": 4, "cols": 4, "packing": True},
        2,
    ),
}


def bench(options):
    """Frames by the model, then model against simulation."""
    width, height = (640, 360) if options.quick else (1280, 720)
    timing, board = SdramCycles.at(ULX3S_SDRAM, CLOCK), find_board(options.board)
    frames = []
    for name, (channels, shape, cores) in FRAMES.items():
        manifest, config = synthetic_manifest(channels=channels), StreamedConfig(**shape)
        program = compile_streamed([manifest.g_a], config, weights=False)
        jobs = core_jobs(program, program.chains[0], width, height, cores)
        model = StreamedModel([job.schedule for job in jobs], timing, start=timing.start + 1)
        cycles, macs = max(run.done - run.start for run in model.runs), manifest.g_a.macs(height, width)
        multipliers = config.multipliers * cores
        fit = streamed_fit(program, board, cores)
        frames.append(
            {
                "model": name,
                "config": shape,
                "cores": cores,
                "image": [width, height],
                "clock_mhz": CLOCK,
                "cycles": cycles,
                "fps": CLOCK * 1e6 / cycles,
                "utilization": macs / (multipliers * cycles),
                "multipliers": multipliers,
                "block_rams": fit.needed,
                "fits": fit.fits,
                "steps": sum(run.steps for run in model.runs) / (cores * cycles),
                "waits": [run.waits for run in model.runs],
                "bytes": {kind: 2 * sum(run.beats[kind] for run in model.runs) for kind in model.runs[0].beats},
                "bus": model.memory.beats / cycles,
                "misses": model.memory.misses,
                "refreshes": model.memory.refreshes,
            }
        )
        options.say(f"{name}: {100 * frames[-1]['utilization']:.2f} % of {multipliers} multipliers")
    runs = []
    for name, (model, shape, cores) in ({} if options.quick else SIMULATED).items():
        x = np.random.default_rng(0).integers(0, 256, (3, 52, 75))
        manifest = synthetic_manifest(**model, seed=1)
        ran, _ = compare(SdramGateware(manifest, StreamedConfig(**shape), ("g_a",), cores=cores), "g_a", x)
        apart = [abs(a - b) for a, b in zip(ran["cycles_of_cores"], ran["cycles_predicted"], strict=True)]
        runs.append({"name": name, "bit_exact": ran["bit_exact"], "cycles": ran["cycles"], "difference": max(apart)})
    headline = {f"utilization {row['model']} (%)": round(100 * row["utilization"], 2) for row in frames}
    if runs:
        headline["largest difference in cycles"] = max(run["difference"] for run in runs)
        headline["all bit-exact"] = all(run["bit_exact"] for run in runs)
    return {"headline": headline, "frames": frames, "simulated": runs}
