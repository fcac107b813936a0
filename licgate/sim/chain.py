"""The codec's chain of transforms on the gateware: from a picture to what a decoder makes of it."""

import numpy as np

from licgate.errors import ConfigError
from licgate.program import compile_program
from licgate.reference import code_latents, image_to_input, run_transform
from licgate.sim.simulate import compare
from licgate.sim.transforms import Gateware

__all__ = ["simulate_codec", "transform_input"]


def simulate_codec(manifest, config, pixels, *, engine="cxxrtl", faults=None, progress=None):
    """Run every transform of the codec on the gateware, each on what those before it gave, and compare.

    What lies between the transforms, levels, means and symbols, is the reference's. So are context and parameters where
    the context is raster, one position at a time, and where the array does not run them.

    Parameters
    ----------
    manifest : Manifest
        With all transforms of its architecture.
    config : AcceleratorConfig
    pixels : ndarray of uint8, shape (H, W, 3)
    engine : str
        "cxxrtl" or "amaranth".
    faults : int or None
        As for :func:`licgate.sim.simulate.simulate`.
    progress : callable or None
        Called with (transform, values so far, values in all).

    Returns
    -------
    dict
        What ``licgate simulate --transform all --json`` writes; ``runs`` are results of `compare`.

    Raises
    ------
    ConfigError, ManifestError, SimulationError, ToolError
    """
    _check_complete(manifest)
    host = _host(manifest, config)
    names = [name for name in manifest.kind.parts if name not in host]
    gateware = Gateware(manifest, config, names, engine, faults=faults)
    runs = []

    def run(transform, x):
        if transform.name in host:
            return run_transform(transform, x)
        report = progress and (lambda done, total: progress(transform.name, done, total))
        result, output = compare(gateware, transform.name, x, progress=report)
        runs.append(result)
        return output

    _walk(manifest, pixels, run)
    cycles, macs, busy = (sum(result[key] for result in runs) for key in ("cycles", "macs", "multiplier_cycles"))
    return {
        "transform": "all",
        "bit_exact": all(result["bit_exact"] for result in runs),
        "mismatches": sum(result["mismatches"] for result in runs),
        "values": sum(result["values"] for result in runs),
        "cycles": cycles,
        "macs": macs,
        "multipliers": config.multipliers,
        "multiplier_cycles": busy,
        "utilization": busy / (config.multipliers * cycles),
        "image": [pixels.shape[1], pixels.shape[0]],
        "runs": runs,
        "host": host,
        "engine": engine,
        "faults": faults,
        "model": {"name": manifest.name, "hash": manifest.hash},
        "rows": config.rows,
        "cols": config.cols,
    }


def transform_input(manifest, name, pixels):
    """What a transform reads when the codec codes a picture, from the reference.

    Parameters
    ----------
    manifest : Manifest
    name : str
    pixels : ndarray of uint8, shape (H, W, 3)

    Returns
    -------
    ndarray of int, shape (C, H', W')
        For g_a the picture as it is, else of the picture padded as `simulate_codec` does.

    Raises
    ------
    ConfigError, ManifestError
        The model lacks the transform, or one on the way to it.
    """
    if name == "g_a":
        return image_to_input(pixels)
    _check_complete(manifest, name)
    inputs = {}

    def run(transform, x):
        # the last one: of context and parameters that for the positions that have a context
        inputs[transform.name] = x
        return run_transform(transform, x)

    decoded = _walk(manifest, pixels, run)
    # a raster context reads a position at a time; as one convolution it would read this
    return inputs.get(name, decoded)


def _walk(manifest, pixels, run):
    """Code a picture and decode it; return what g_s reads."""
    y = run(manifest.g_a, image_to_input(_padded(manifest, pixels)))
    low, high = manifest.h_s.input.min, manifest.h_s.input.max
    z = np.clip(run(manifest.h_a, y), low, high)
    symbols, _, _, y_hat = code_latents(manifest, y, z, run=run)
    decoded = y_hat if manifest.kind.means else np.clip(symbols, manifest.g_s.input.min, manifest.g_s.input.max)
    run(manifest.g_s, decoded)
    return decoded


def _padded(manifest, pixels):
    """Repeat the last row and column until the hyper latents have whole positions."""
    unit = manifest.g_a.stride * manifest.h_a.stride
    height, width = pixels.shape[:2]
    return np.pad(pixels, ((0, -height % unit), (0, -width % unit), (0, 0)), mode="edge")


def _check_complete(manifest, *names):
    missing = [name for name in (*names, *manifest.kind.parts) if name not in manifest.transforms]
    if missing:
        there = ", ".join(manifest.transforms)
        raise ConfigError(f"model {manifest.name} has no {missing[0]}, only {there}")


def _host(manifest, config):
    """Names of the transforms that stay with the reference."""
    names = [name for name in ("context", "parameters") if name in manifest.kind.parts]
    if manifest.kind.context == "raster":
        return names
    found = []
    for name in names:
        try:
            compile_program(manifest.transforms[name], config)
        except ConfigError:
            found.append(name)
    return found
