"""The estimate of a streamed frame: its seconds, and its error against the exact model."""

import random
import statistics
from itertools import pairwise

from licgate.errors import ConfigError
from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf.streamed.estimate import estimate_frame
from licgate.perf.streamed.frame import StreamedModel
from licgate.program.cores import core_jobs
from licgate.program.streamed import compile_streamed
from licgate.target.sdram import ULX3S_SDRAM, SdramCycles
from licgate.target.streamed import StreamedConfig
from tests.bench.kit import processor_seconds
from tests.bench.streamed import CLOCK, FRAMES

SEED, SHAPES, QUICK_SHAPES = 1, 60, 12
MODELS = ((3, 12, 12, 12, 20), (3, 36, 36, 36, 96), (3, 48, 48, 48, 96), (3, 64, 64, 64, 96), (3, 128, 128, 128, 192))


def bench(options):
    """Frames of 1280 x 720 (quick: 640 x 96) of the shapes that docs name, and small ones of random shapes."""
    timing = SdramCycles.at(ULX3S_SDRAM, CLOCK)
    size = (640, 96) if options.quick else (1280, 720)
    frames, shapes = [], []
    for name, (channels, shape, cores) in FRAMES.items():
        frames.append({"model": name} | compared(channels, shape, size, cores, timing))
        options.say(f"{name}: {100 * frames[-1]['error']:+.3f} % in {1e3 * frames[-1]['estimate_s']:.0f} ms")
    draw = random.Random(SEED)
    while len(shapes) < (QUICK_SHAPES if options.quick else SHAPES):
        channels, shape, small, cores = drawn(draw)
        try:
            shapes.append({"channels": channels} | compared(channels, shape, small, cores, timing))
        except ConfigError:
            continue  # a shape that is refused is no shape
    headline = {f"error {row['model']} (%)": round(100 * row["error"], 3) for row in frames}
    headline["slowest estimate (ms)"] = round(1e3 * max(row["estimate_s"] for row in frames), 1)
    for name, some in (("one core", lambda cores: cores == 1), ("several cores", lambda cores: cores > 1)):
        errors = [abs(row["error"]) for row in shapes if some(row["cores"])]
        if errors:
            headline[f"random shapes, {name}: median and largest error (%)"] = [
                round(100 * value, 3) for value in (statistics.median(errors), max(errors))
            ]
    return {
        "headline": headline,
        "configuration": {"clock_mhz": CLOCK, "memory": ULX3S_SDRAM.name, "statistic": "processor time"},
        "seeds": [SEED],
        "frames": frames,
        "random": shapes,
    }


def compared(channels, shape, size, cores, timing):
    """One shape by both models."""
    program = compile_streamed([synthetic_manifest(channels=channels).g_a], StreamedConfig(**shape), weights=False)
    chain = program.chains[0]
    jobs = core_jobs(program, chain, *size, cores)
    found = {}

    def exact():
        model = StreamedModel([job.schedule for job in jobs], timing, start=timing.start + 1)
        found["exact"] = max(run.done - run.start for run in model.runs)

    def estimate():
        found["estimate"] = estimate_frame(program, chain, *size, timing, cores=cores).cycles

    seconds = {"estimate_s": processor_seconds(estimate, 3), "exact_s": processor_seconds(exact, 1)}
    error = found["estimate"] / found["exact"] - 1
    return {"config": shape, "cores": len(jobs), "image": list(size), **found, "error": error, **seconds}


def drawn(draw):
    """A random model, shape, size and number of cores; so large that the exact model takes a second at most."""
    channels, cores = draw.choice(MODELS), draw.choice((1, 1, 1, 2, 3))
    cols = draw.choice((6, 8, 9, 12, 16, 18))
    shape = {
        "rows": draw.choice((4, 6, 8, 9, 12, 13, 16)),
        "cols": cols,
        "block_rows": draw.choice((1, 2, 3, 4, 6, 8)),
        "band_groups": draw.choice((1, 2, 3, 4, 6, 8)),
        "prefetch_words": draw.choice((None, 1, 2, 3, 4, 6)),
        "packing": draw.random() < 0.3,
        "beat_bits": draw.choice((16, 16, 16, 32)),
        "lanes": draw.choice((None, None, 1, 2)),
    }
    if draw.random() < 0.3:
        shape["output_words"] = cols * draw.choice((4, 8, 32, 48))
    if draw.random() < 0.4:
        shape["weight_words"] = round(draw.choice((1, 1.3, 2)) * 25 * max(channels[1:-1]))
    size = (draw.choice((64, 160, 333, 500)), draw.choice((48, 90, 150)))
    while sum(a * b for a, b in pairwise(channels)) * size[0] * size[1] * cores > 1.2e9:
        size = (size[0] * 2 // 3, max(16, size[1] * 3 // 4))
    return channels, shape, size, cores
