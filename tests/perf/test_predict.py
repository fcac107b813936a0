"""The cycle model against simulation: no difference allowed."""

import numpy as np
import pytest

from licgate.manifest.patches import patches
from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf import predict
from licgate.sim.simulate import simulate
from licgate.target.config import AcceleratorConfig

CASES = [
    ((3, 4, 5), "abs", {"rows": 3, "cols": 2}, (9, 13), None),
    ((3, 4, 5), "none", {"rows": 4, "cols": 4, "line_slack": 2}, (13, 9), None),
    ((3, 9, 3), "square_root", {"rows": 3, "cols": 5, "input_slack": 0}, (11, 17), None),
    ((3, 3, 3, 3), "abs", {"rows": 2, "cols": 3}, (1, 1), None),
    ((3, 2, 6), "abs", {"rows": 5, "cols": 2, "lanes": 1}, (6, 21), None),
    ((3, 3, 4), "abs", {"rows": 1, "cols": 4}, (8, 12), None),
    ((3, 3, 4), "abs", {"rows": 4, "cols": 4}, (9, 22), 8),
]


@pytest.mark.parametrize(("channels", "gdn", "shape", "size", "patch"), CASES)
def test_no_cycle_of_difference(channels, gdn, shape, size, patch):
    manifest = synthetic_manifest(channels=channels, gdn=gdn, seed=1)
    transform = manifest.transforms["g_a"]
    config = AcceleratorConfig(max_width=24, **shape)
    height, width = size
    image = np.random.default_rng(1).integers(0, 256, (3, height, width))
    result = simulate(manifest, config, image, engine="amaranth", patch=patch)
    assert result["bit_exact"]
    patch_width, patch_height = config.patch_size(transform, width, height, patch)
    windows = patches(width, height, patch_width=patch_width, patch_height=patch_height, transform=transform)
    prediction = predict(manifest, config, width, height, windows=windows)
    assert prediction.cycles == result["cycles"]
    assert sum(layer["cycles"] for layer in prediction.layers) == result["counters"]["busy"]
    assert prediction.macs == result["macs"]
    assert prediction.utilization <= 1
