"""Run a transform through the gateware and hold every value against the integer reference."""

import numpy as np

from licgate.reference import run_transform
from licgate.sim.transforms import Gateware

__all__ = ["compare", "described", "simulate"]


def simulate(manifest, config, x, *, transform="g_a", transforms=None, engine="cxxrtl", **options):
    """Run a transform on resident gateware and compare.

    Parameters
    ----------
    manifest : Manifest
    config : AcceleratorConfig
    x : ndarray of int, shape (C, H, W)
        In the range of the transform's input: for g_a an image.
    transform : str
        The one to run.
    transforms : sequence of str or None
        Those that the accelerator contains; only that one if left out.
    engine : str
        See `Gateware`.
    options
        ``faults`` and ``random`` of `Gateware`, which must not change a value, and what `Gateware.run` takes.

    Returns
    -------
    dict
        What ``licgate simulate --json`` writes.

    Raises
    ------
    ConfigError, SimulationError, ToolError
    """
    seeds = {key: options.pop(key, None) for key in ("faults", "random")}
    gateware = Gateware(manifest, config, transforms or (transform,), engine, **seeds)
    result, _ = compare(gateware, transform, np.asarray(x), **options)
    return described(result, gateware, manifest)


def described(result, gateware, manifest):
    """A result with what it was made on: the simulation, the model and the array."""
    return {
        **result,
        **gateware.facts,
        "model": {"name": manifest.name, "hash": manifest.hash},
        "rows": gateware.config.rows,
        "cols": gateware.config.cols,
    }


def compare(gateware, name, x, *, independent=False, **options):
    """Run a transform on both sides.

    Parameters
    ----------
    gateware : Gateware or StreamedGateware
    name : str
    x : ndarray of int, shape (C, H, W)
    independent, options
        As for `Gateware.run`.

    Returns
    -------
    result : dict
        Figures of the run.
    output : ndarray or None
        What the gateware gave; None for independent patches, which make no whole.
    """
    ran = gateware.run(name, x, independent=independent, **options)
    transform = gateware.program.chain_of(name).transform
    whole = None if independent else run_transform(transform, x)
    mismatches = values = 0
    for p in ran.patches:
        _, height, width = p.values.shape
        if independent:
            expected = run_transform(transform, x[:, p.y : p.y + p.height, p.x : p.x + p.width])
        else:
            expected = whole[:, p.out_y : p.out_y + height, p.out_x : p.out_x + width]
        mismatches += int(np.count_nonzero(p.values != expected)) + p.misplaced
        values += p.values.size
    cycles, size = ran.counters["cycles"], (x.shape[2], x.shape[1])
    figures = gateware.figures(name, size, ran)
    result = {
        "transform": name,
        "bit_exact": mismatches == 0,
        "mismatches": mismatches,
        "values": values,
        "cycles": cycles,
        "multipliers": gateware.multipliers,
        "utilization": figures["multiplier_cycles"] / (gateware.multipliers * cycles),
        "image": list(size),
        **figures,
    }
    return result, None if independent else ran.output()
