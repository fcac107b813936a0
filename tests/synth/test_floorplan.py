"""Places of the array's multipliers on the chip."""

import pytest

from licgate.synth.floorplan import ecp5_85f_site


def sites(rows, columns):
    return [ecp5_85f_site(r, c, rows, columns) for r in range(rows) for c in range(columns)]


@pytest.mark.parametrize("shape", [(12, 13), (12, 12), (8, 12), (2, 2), (13, 12), (9, 16), (8, 16), (3, 52), (26, 6)])
def test_every_multiplier_has_a_place_of_its_own(shape):
    found = sites(*shape)
    assert None not in found
    assert len(set(found)) == shape[0] * shape[1]


def test_corners():
    assert ecp5_85f_site(0, 0) == "X4/Y10/MULT18_0"
    assert ecp5_85f_site(3, 0) == "X9/Y10/MULT18_5"
    assert ecp5_85f_site(11, 12) == "X119/Y58/MULT18_5"
    assert ecp5_85f_site(0, 0, 9, 16) == "X4/Y10/MULT18_0"
    # the next column begins where the last one ended, a new row of blocks with every third row
    assert ecp5_85f_site(2, 0, 9, 16) == "X8/Y10/MULT18_4"
    assert ecp5_85f_site(0, 1, 9, 16) == "X9/Y10/MULT18_5"
    assert ecp5_85f_site(8, 15, 9, 16) == "X110/Y58/MULT18_5"
    assert ecp5_85f_site(25, 5, 26, 6) == "X119/Y58/MULT18_5"


@pytest.mark.parametrize("place", [(12, 0), (0, 13), (9, 0, 9, 16), (0, 16, 9, 16), (0, 0, 13, 13), (0, 0, 14, 11)])
def test_what_lies_outside_is_left_to_the_placer(place):
    assert ecp5_85f_site(*place) is None
