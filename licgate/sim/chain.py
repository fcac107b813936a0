"""The codec's chain of transforms on the gateware: from a picture to what a decoder makes of it."""

from collections import Counter

import numpy as np

from licgate.errors import ConfigError, SimulationError
from licgate.reference import code_latents, image_to_input, run_transform
from licgate.sim.simulate import compare, described

__all__ = ["EngineRun", "engine_run", "simulate_codec", "summed", "transform_input"]


def simulate_codec(manifest, make, pixels, *, progress=None):
    """Run every transform of the codec on the gateware, each on what those before it gave, and compare.

    What lies between the transforms, levels, means and symbols, is the reference's. So are context and parameters where
    the context is raster, one position at a time, and where the array does not run them.

    Parameters
    ----------
    manifest : Manifest
        With all transforms of its architecture.
    make : callable
        Gets names of transforms, returns simulated gateware of them; a ConfigError if the array does not run one.
    pixels : ndarray of uint8, shape (H, W, 3)
    progress : callable or None
        Called with (transform, so far, in all), of what the gateware counts.

    Returns
    -------
    dict
        What ``licgate simulate --transform all --json`` writes; ``runs`` are results of `compare`.

    Raises
    ------
    ConfigError, ManifestError, SimulationError, ToolError
    """
    _check_complete(manifest)
    host = _host(manifest, make)
    gateware = make([name for name in manifest.kind.parts if name not in host])
    runs = []

    def run(transform, x):
        if transform.name in host:
            return run_transform(transform, x)
        report = progress and (lambda done, total: progress(transform.name, done, total))
        result, output = compare(gateware, transform.name, x, progress=report)
        runs.append(result)
        return output

    _walk(manifest, pixels, run)
    return described(summed(runs, gateware, "all", pixels) | {"host": host}, gateware, manifest)


def summed(runs, gateware, name, pixels):
    """Results of `compare` as one result called ``name``, for a picture of which they are parts."""
    cycles, macs, busy = (sum(run[key] for run in runs) for key in ("cycles", "macs", "multiplier_cycles"))
    return {
        "transform": name,
        "bit_exact": all(run["bit_exact"] for run in runs),
        "mismatches": sum(run["mismatches"] for run in runs),
        "values": sum(run["values"] for run in runs),
        "cycles": cycles,
        "macs": macs,
        "multipliers": gateware.multipliers,
        "multiplier_cycles": busy,
        "utilization": busy / (gateware.multipliers * cycles),
        "image": [pixels.shape[1], pixels.shape[0]],
        "runs": runs,
        "host": [],
    }


class EngineRun:
    """Simulated gateware as the codec wants it: ``run(transform, x) -> ndarray``; see `engine_run`.

    Attributes
    ----------
    host : tuple of str
        Transforms that the reference runs.
    cycles : dict of str to int
        Cycles that each of the others has taken so far.
    """

    def __init__(self, manifest, make, transforms, progress, host):
        self.host = tuple(name for name in host if name in manifest.transforms and name not in (transforms or ()))
        self.cycles = Counter()
        self._transforms, self._progress = manifest.transforms, progress
        names = [n for n in manifest.transforms if n not in self.host] if transforms is None else transforms
        self._gateware = make(names)

    def __call__(self, transform, x):
        """Run a transform of the model on x, (C, H, W); int64 of shape (C', H', W')."""
        name = transform.name
        if self._transforms.get(name) is not transform:
            raise ConfigError(f"{name} is not the one of the model that the accelerator was made for")
        if name in self.host:
            return run_transform(transform, x)
        report = self._progress and (lambda done, total: self._progress(name, done, total))
        ran = self._gateware.run(name, np.asarray(x), progress=report)
        if wrong := sum(p.misplaced for p in ran.patches):
            raise SimulationError(f"{name}: {wrong} marks of the last value are out of place")
        self.cycles[name] += ran.counters["cycles"]
        return ran.output()


def engine_run(manifest, make, transforms=None, progress=None, *, host=("context", "parameters")):
    """Make a function that runs transforms on simulated gateware, and takes nothing from the reference.

    Parameters
    ----------
    manifest : Manifest
    make : callable
        Gets names of transforms, returns simulated gateware of them.
    transforms : sequence of str or None
        Those that the accelerator contains; all of the model but those in ``host`` if left out.
    progress : callable or None
        Called with (transform, so far, in all), of what the gateware counts.
    host : sequence of str
        Transforms that a codec's host runs, here the integer reference, but for those named in ``transforms``.

    Returns
    -------
    EngineRun
        ``run(transform, x)``; `EngineRun.host` says what the reference does.

    Raises
    ------
    ConfigError
        The array does not run a transform that ``host`` does not name.
    """
    return EngineRun(manifest, make, transforms, progress, host)


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


def _host(manifest, make):
    """Names of the transforms that stay with the reference."""
    names = [name for name in ("context", "parameters") if name in manifest.kind.parts]
    if manifest.kind.context == "raster":
        return names
    found = []
    for name in names:
        try:
            make([name])
        except ConfigError:
            found.append(name)
    return found
