"""An estimate of the LUTs of an accelerator, before it is synthesised.

Three terms: the array's (accumulators and shadow registers of every element), one for every stage (line buffer,
window, addresses, tables of the sequencer), and what is always there. They were fitted to what Yosys 0.70 made of the
default model for the ECP5, in nine shapes from 4 x 4 to 16 x 9 of all modes but ``both``: within 7 % of each. A shape
that is left out of the fit is missed by 4 % in the mean, by 12 % at most (4 x 4). For UltraScale+ there was one build,
of 24 x 12, from which the factor is. The second sum of packed elements was counted in three synthesised arrays.
"""

__all__ = ["estimate_lut"]

# (always, a bit of an element's accumulator, a stage), and the share of a LUT4 that a family's LUT counts
_ALWAYS, _ELEMENT_BIT, _STAGE = 4763, 3.13, 432
_SHARE = {"ecp5": 1.0, "xcup": 0.88}

# a bit of the second sum of an element that packs: an adder and a shadow register
_PACKED_BIT = 2.0

# a product of a lane in logic instead of a multiplier block: a lane of three synthesised both ways, 667 and 3100
_PRODUCT = 811


def estimate_lut(program, *, family):
    """Return about how many LUTs an accelerator takes.

    Parameters
    ----------
    program : Program
    family : str
        Of the board; see `licgate.synth.board.Board`.
    """
    elements = program.rows * program.cols
    bits = _ELEMENT_BIT * program.accumulator_width + _PACKED_BIT * program.packed_accumulator_width
    count = _ALWAYS + elements * bits + _STAGE * len(program.stages)
    if program.lane_multipliers == "fabric":
        gdns = [op.layer for op in program.ops if op.is_gdn]
        count += _PRODUCT * program.lanes * (1 + 2 * bool(gdns) + any(layer.square for layer in gdns))
    return round(_SHARE[family] * count)
