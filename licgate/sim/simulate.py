"""Run a transform through the gateware and hold every value against the integer reference."""

import numpy as np

from licgate.perf.predict import multiplier_cycles
from licgate.reference import run_transform
from licgate.sim.transforms import Gateware

__all__ = ["compare", "simulate"]


def simulate(
    manifest,
    config,
    x,
    *,
    transform="g_a",
    transforms=None,
    engine="cxxrtl",
    patch=None,
    independent=False,
    overlap=0,
    faults=None,
    progress=None,
):
    """Run a transform on the gateware and compare.

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
        "cxxrtl" or "amaranth".
    patch : int or None
        Side of the patches in pixels; see ``AcceleratorConfig.patch_size``.
    independent, overlap : bool, int
        Patches are images of their own that share ``overlap`` pixels.
    faults : int or None
        Seed of a host that sends late and takes when it likes, which must not change a value.
    progress : callable or None
        Called with (values so far, values in all).

    Returns
    -------
    dict
        What ``licgate simulate --json`` writes.

    Raises
    ------
    ConfigError, SimulationError, ToolError
    """
    gateware = Gateware(manifest, config, transforms or (transform,), engine, faults=faults)
    result, _ = compare(
        gateware, transform, np.asarray(x), patch=patch, independent=independent, overlap=overlap, progress=progress
    )
    return {
        **result,
        "engine": engine,
        "faults": faults,
        "model": {"name": manifest.name, "hash": manifest.hash},
        "rows": config.rows,
        "cols": config.cols,
    }


def compare(gateware, name, x, *, independent=False, **options):
    """Run a transform on both sides.

    Parameters
    ----------
    gateware : Gateware
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
    transform, config = gateware.program.chain_of(name).transform, gateware.config
    whole = None if independent else run_transform(transform, x)
    mismatches = values = 0
    for p in ran.pieces:
        _, height, width = p.values.shape
        if independent:
            expected = run_transform(transform, x[:, p.y : p.y + p.height, p.x : p.x + p.width])
        else:
            expected = whole[:, p.out_y : p.out_y + height, p.out_x : p.out_x + width]
        mismatches += int(np.count_nonzero(p.values != expected)) + p.misplaced
        values += p.values.size
    macs = sum(transform.macs(p.height, p.width) for p in ran.pieces)
    chain = gateware.program.chain_of(name)
    busy = sum(multiplier_cycles(gateware.program, chain, p.width, p.height) for p in ran.pieces)
    cycles = ran.counters["cycles"]
    result = {
        "transform": name,
        "bit_exact": mismatches == 0,
        "mismatches": mismatches,
        "values": values,
        "cycles": cycles,
        "macs": macs,
        "macs_nominal": sum(transform.macs(p.height, p.width, strict=False) for p in ran.pieces),
        "multipliers": config.multipliers,
        "multiplier_cycles": busy,
        "utilization": busy / (config.multipliers * cycles),
        "recompute_factor": macs / transform.macs(*x.shape[1:]),
        "image": [x.shape[2], x.shape[1]],
        "patches": len(ran.pieces),
        "counters": ran.counters,
    }
    return result, None if independent else ran.output()
