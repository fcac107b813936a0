"""The range encoder against the golden one: streams, stalls, cycles, resets."""

import pytest

from licgate.gateware.coder.encoder import RangeEncoder
from tests.gateware.coder.kit import encode, words
from tests.target.hostile import hostile


@pytest.mark.parametrize("precision", [16, 20, 24])
@pytest.mark.parametrize("p", [0.0, 0.6])
def test_streams_are_those_of_the_golden_encoder(random, precision, p):
    streams = list(hostile(random, precision))
    if p:
        streams = streams[::3]
    found, _, _ = encode(RangeEncoder(precision), streams, p=p)
    for shares, stream in zip(streams, found, strict=True):
        assert stream == words(shares, precision)
