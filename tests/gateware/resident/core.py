"""What tests of resident cores share: designs against the reference and the cycle model, whatever the arithmetic."""

import numpy as np

from licgate.gateware.top.resident import Accelerator
from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf import predict
from licgate.perf.core import CoreModel
from licgate.perf.predict import GAP
from licgate.sim.simulate import simulate
from licgate.target.config import AcceleratorConfig
from tests.gateware.accelerator import check_accelerator
from tests.gateware.kit import random_stalls
from tests.manifest.kit import four_transforms

__all__ = ["STREAMS", "check_picture", "check_turns", "configured"]

NAMES = ("g_a", "h_a", "h_s", "g_s")
#: Streams that stall, each with a seed.
STREAMS = {"window": 1, "pixel": 2, "latent": 3}


def configured(arithmetic, array, **options):
    """Configure an array of so many rows, columns and lanes."""
    rows, cols, lanes = array
    return AcceleratorConfig(rows=rows, cols=cols, lanes=lanes, arithmetic=arithmetic, **options)


def check_picture(arithmetic, model, array, size):
    """Simulate a picture; assert values, cycles and what is counted. Return what came of it, and what was predicted.

    Parameters
    ----------
    arithmetic : str
    model : dict
        For `synthetic_manifest`.
    array, size : tuple
        Rows, columns and lanes; height and width.
    """
    height, width = size
    manifest, config = synthetic_manifest(**model, seed=height), configured(arithmetic, array, max_width=width)
    image = np.random.default_rng(1).integers(0, 256, (model["channels"][0], height, width))
    result = simulate(manifest, config, image, engine="amaranth")
    prediction = predict(manifest, config, width, height)
    assert result["bit_exact"]
    assert prediction.cycles == result["cycles"]
    assert sum(layer["cycles"] for layer in prediction.layers) == result["counters"]["busy"]
    assert prediction.macs == result["macs"]
    assert max(layer["utilization"] for layer in prediction.layers) <= 1
    return result, prediction


def check_turns(arithmetic, array, *, gdn, kernel, stalls, last):
    """Run a model's four transforms in turn; assert values, and, without stalls, the last one's cycles.

    Parameters
    ----------
    arithmetic, array
        As of `configured`.
    gdn, kernel
        Of the transforms.
    stalls : float
        How likely a stream stalls in a cycle.
    last : (str, int, int)
        The last transform to run, and the height and width of what it takes.

    Returns
    -------
    Program
    """
    manifest, config = four_transforms(gdn=gdn, kernel=kernel), configured(arithmetic, array, max_width=16, map_slack=1)
    program = Accelerator(manifest, config, transforms=NAMES).program
    assert program.ops[-1].depth_form
    rng, jobs = np.random.default_rng(kernel), []
    for name, *size in (("g_s", 1, 2), ("g_a", 3, 7), ("h_a", 2, 3), ("h_s", 1, 1), last):
        transform = manifest.transforms[name]
        shape = (transform.in_channels, *size)
        jobs.append((name, rng.integers(transform.input.min, transform.input.max + 1, shape)))
    stalled = (lambda name: random_stalls(STREAMS[name], stalls)) if stalls else None
    cycles = check_accelerator(manifest, config, jobs, transforms=NAMES, stalls=stalled)
    if not stalls:
        name, height, width = last
        (chain,) = (one for one in program.chains if one.transform.name == name)
        assert CoreModel(program, chain, width, height, start=0, kept=None).done + GAP == cycles
    return program
