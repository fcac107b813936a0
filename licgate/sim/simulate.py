"""Run a picture through the gateware and hold every latent against the integer reference."""

import numpy as np

from licgate.errors import ConfigError, SimulationError
from licgate.gateware.ports import Register
from licgate.gateware.top import Accelerator
from licgate.manifest.geometry import patches, recompute_factor
from licgate.reference import run_transform
from licgate.sim.engine import Job, get_engine

__all__ = ["LARGEST_IMAGE", "simulate", "stream_order"]

LARGEST_IMAGE = 65520


def simulate(manifest, config, image, *, engine="cxxrtl", patch=None, independent=False, overlap=0, progress=None):
    """Run an image through the gateware's g_a and compare.

    Parameters
    ----------
    manifest : Manifest
    config : AcceleratorConfig
    image : ndarray of int, shape (C, H, W)
        In the range of g_a's input.
    engine : str
        "cxxrtl" or "amaranth".
    patch : int or None
        Side of the patches in pixels; see ``AcceleratorConfig.patch_size``.
    independent, overlap : bool, int
        Patches are images of their own that share ``overlap`` pixels.
    progress : callable or None
        Called with (latents so far, latents in all).

    Returns
    -------
    dict
        What ``licgate simulate --json`` writes.

    Raises
    ------
    ConfigError, SimulationError
    """
    run = get_engine(engine)
    transform = manifest.transforms["g_a"]
    channels, height, width = image.shape
    if channels != transform.in_channels:
        raise ConfigError(f"the image has {channels} channels, the model takes {transform.in_channels}")
    if max(width, height) > LARGEST_IMAGE:
        raise ConfigError(f"an image of {width} x {height} is too large: each side can have {LARGEST_IMAGE} pixels")
    patch_width, patch_height = config.patch_size(transform, width, height, patch, independent=independent)
    expected_windows = patches(
        width,
        height,
        patch_width=patch_width,
        patch_height=patch_height,
        transform=transform,
        independent=independent,
        overlap=overlap,
    )
    widest = max(p.width for p in expected_windows)
    if widest > config.max_width:
        raise ConfigError(
            f"a patch needs {widest} pixels side by side and the line buffers hold {config.max_width}: "
            "make --patch smaller"
        )
    accelerator = Accelerator(manifest, config)
    registers = (
        (Register.WIDTH, width), (Register.HEIGHT, height),
        (Register.PATCH_WIDTH, patch_width), (Register.PATCH_HEIGHT, patch_height),
        (Register.MODE, int(independent)), (Register.OVERLAP, overlap),
        (Register.CONTROL, 1),
    )  # fmt: skip
    total = transform.out_channels * sum(p.out_width * p.out_height for p in expected_windows)
    outcome = run(
        accelerator, Job(image, transform.input.bits, registers), progress and (lambda done: progress(done, total))
    )

    windows = [(p.x, p.y, p.width, p.height) for p in expected_windows]
    if [tuple(w) for w in outcome.windows.tolist()] != windows:
        raise SimulationError(f"the accelerator asked for other windows than the {len(windows)} expected")
    if len(outcome.latents) != total:
        raise SimulationError(f"the accelerator gave {len(outcome.latents)} latents, expected were {total}")
    mismatches = _mismatches(transform, image, expected_windows, outcome, config.rows, independent)

    nominal = sum(transform.macs(p.height, p.width, strict=False) for p in expected_windows)
    macs = sum(transform.macs(p.height, p.width) for p in expected_windows)
    cycles = outcome.counters["cycles"]
    return {
        "bit_exact": mismatches == 0,
        "mismatches": mismatches,
        "values": total,
        "cycles": cycles,
        "macs": macs,
        "macs_nominal": nominal,
        "multipliers": config.multipliers,
        "utilization": macs / (config.multipliers * cycles),
        "recompute_factor": recompute_factor(transform, expected_windows, width, height),
        "engine": engine,
        "image": [width, height],
        "patches": len(expected_windows),
        "counters": outcome.counters,
        "model": {"name": manifest.name, "hash": manifest.hash},
        "rows": config.rows,
        "cols": config.cols,
    }


def _mismatches(transform, image, windows, outcome, rows, independent):
    """Latents that differ from the reference, and `last` marks out of place."""
    whole = None if independent else run_transform(transform, image)
    wrong, at = 0, 0
    for p in windows:
        if independent:
            expected = run_transform(transform, image[:, p.y : p.y + p.height, p.x : p.x + p.width])
        else:
            expected = whole[:, p.out_y : p.out_y + p.out_height, p.out_x : p.out_x + p.out_width]
        order = stream_order(expected, p.skip_x, rows)
        part = slice(at, at + len(order))
        lasts = np.zeros(len(order), dtype=bool)
        lasts[-1] = True
        wrong += int(np.count_nonzero((outcome.latents[part] != order) | (outcome.lasts[part] != lasts)))
        at += len(order)
    return wrong


def stream_order(latents, skip, rows):
    """Latents (C, H, W) of a patch in the order of the stream: row, group of ``rows`` columns, channel, column."""
    width = latents.shape[2]
    cuts = [c - skip for c in range(0, skip + width, rows) if c > skip]
    parts = np.split(latents, cuts, axis=2)
    return np.concatenate([part[:, y].ravel() for y in range(latents.shape[1]) for part in parts])
