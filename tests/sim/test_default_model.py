"""The shipped model on the compiled gateware."""

import pytest

from licgate.manifest import find_model
from licgate.perf import predict
from licgate.reference import image_to_input
from licgate.sim.simulate import simulate
from licgate.target.config import AcceleratorConfig


@pytest.mark.regress
@pytest.mark.slow
@pytest.mark.synth
def test_default_model_on_a_photograph(photograph):
    manifest, config = find_model(None), AcceleratorConfig()
    image = image_to_input(photograph[100:148, 120:207])
    result = simulate(manifest, config, image, engine="cxxrtl")
    assert result["bit_exact"]
    assert result["values"] == manifest.g_a.out_channels * 3 * 6
    prediction = predict(manifest, config, 87, 48)
    assert result["cycles"] == prediction.cycles
    assert result["macs"] == prediction.macs
    assert result["counters"]["stall_output"] == result["counters"]["stall_memory"] == 0
