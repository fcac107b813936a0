"""PLL dividers: exact where they can be, inside the device's limits always."""

import pytest

from licgate.errors import ConfigError
from licgate.synth.pll import PHASE_DETECTOR_RANGE, TOLERANCE, VCO_RANGE, ecp5_pll


@pytest.mark.parametrize("f_in", [25, 100])
@pytest.mark.parametrize("f_out", [10, 50, 75, 100, 104, 117.3, 133, 150, 210, 400])
def test_limits(f_in, f_out):
    pll = ecp5_pll(f_in, f_out)
    assert pll.f_out == pytest.approx(f_out, rel=TOLERANCE)
    assert VCO_RANGE[0] <= pll.vco <= VCO_RANGE[1]
    assert PHASE_DETECTOR_RANGE[0] <= f_in / pll.input_divider <= PHASE_DETECTOR_RANGE[1]
    for divider in (pll.input_divider, pll.feedback_divider, pll.output_divider):
        assert 1 <= divider <= 128


@pytest.mark.parametrize(
    ("f_out", "dividers"), [(100, (1, 4, 6)), (125, (1, 5, 5)), (150, (1, 6, 4)), (120, (5, 24, 5)), (25, (1, 1, 24))]
)
def test_known(f_out, dividers):
    pll = ecp5_pll(25, f_out)
    assert (pll.input_divider, pll.feedback_divider, pll.output_divider) == dividers
    assert pll.f_out == f_out


@pytest.mark.parametrize(
    ("f_in", "f_out", "message"),
    [
        (25, 401, r"^PLL output of 401 MHz is outside 3\.125 to 400 MHz$"),
        (25, 1, r"^PLL output of 1 MHz is outside 3\.125 to 400 MHz$"),
        (5, 100, r"^PLL input of 5 MHz is outside 8 to 400 MHz$"),
        (12, 10, r"^PLL cannot make 10 MHz from 12 MHz; the nearest is 12 MHz$"),
    ],
)
def test_errors(f_in, f_out, message):
    with pytest.raises(ConfigError, match=message):
        ecp5_pll(f_in, f_out)
