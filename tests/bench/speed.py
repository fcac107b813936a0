"""Milliseconds that the cycle model takes for a frame."""

from licgate.explore.cycles import CycleCounter
from licgate.manifest import find_model
from licgate.perf import predict
from licgate.program import compile_program, input_widths
from licgate.target.config import AcceleratorConfig
from tests.bench.kit import Options, processor_seconds

FRAMES = ((768, 512), (1280, 720))
REPEAT = 3


def bench(options: Options) -> dict:
    """Time both ways to count: every row walked, with the figures of all layers, and periodic rows counted once."""
    manifest = find_model(None)
    figures, headline = {}, {}
    for width, height in FRAMES:
        config = AcceleratorConfig(max_width=width)
        chains = [manifest.g_a]
        program = compile_program(chains, config, input_widths(manifest, ("g_a",), width), weights=False)
        count = lambda c=config, p=program, w=width, h=height: CycleCounter().cycles(p, manifest, c, w, h)  # noqa: E731
        walked = predict(manifest, config, width, height).cycles
        if count() != walked:
            raise AssertionError(f"counted {count()} cycles, walked {walked}")
        name = f"{width}x{height}"
        walk = lambda c=config, w=width, h=height: predict(manifest, c, w, h)  # noqa: E731
        figures[name] = {
            "cycles": walked,
            "walked_ms": 1e3 * processor_seconds(walk, REPEAT),
            "counted_ms": 1e3 * processor_seconds(count, REPEAT),
        }
        headline[f"{name}, every row walked"] = f"{figures[name]['walked_ms']:.1f} ms"
        headline[f"{name}, periodic rows counted once"] = f"{figures[name]['counted_ms']:.1f} ms"
    return {
        "headline": headline,
        "configuration": {
            "model": manifest.name,
            "hash": manifest.hash,
            "transforms": ["g_a"],
            "rows": config.rows,
            "cols": config.cols,
            "repeat": REPEAT,
            "statistic": "median of processor time",
        },
        "seeds": [],
        "figures": figures,
    }
