"""Places of the array's multipliers on the chip."""

from licgate.synth.floorplan import ecp5_85f_site


def test_every_multiplier_of_the_chip_once():
    sites = {ecp5_85f_site(row, column) for row in range(12) for column in range(13)}
    assert len(sites) == 156
    assert None not in sites


def test_corners():
    assert ecp5_85f_site(0, 0) == "X4/Y10/MULT18_0"
    assert ecp5_85f_site(3, 0) == "X9/Y10/MULT18_5"
    assert ecp5_85f_site(11, 12) == "X119/Y58/MULT18_5"


def test_what_lies_outside_is_left_to_the_placer():
    assert ecp5_85f_site(12, 0) is None
    assert ecp5_85f_site(0, 13) is None
