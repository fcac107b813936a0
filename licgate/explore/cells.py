"""An estimate of the LUTs of an accelerator, before it is synthesised.

Four terms: the accumulators of the array's elements, what collects their sums in every row, one for every stage (line
buffer, window, addresses, tables of the sequencer), and what is always there. The third was fitted to what Yosys 0.70
made of the default model for the ECP5 in nine shapes of all modes but ``both``, when the array still had shadow
registers; the first and the last to g_a in 4 x 4 and 12 x 12 since, both met within 1 %. What the fast inner product
adds to an array is counted from its parts; the one build of it, g_a on 12 x 12 with six lanes, has 29,903 where this
gives 24,154. For UltraScale+ there was one build, of 24 x 12, from which the factor is.
"""

from licgate.program.collecting import collect_levels
from licgate.program.streamed import StreamedProgram

__all__ = ["estimate_lut"]

# (always, a bit of an element's accumulator, a stage), and the share of a LUT4 that a family's LUT counts
_ALWAYS, _ELEMENT_BIT, _STAGE = 4240, 2.26, 432
# a bit of 16 words of distributed memory
_WORDS, _WORDS_BIT = 16, 1.5
_SHARE = {"ecp5": 1.0, "xcup": 0.88}

# a bit of the second sum of an element that packs: an adder
_PACKED_BIT = 1.0

# loaders, packer, arbiter and controller of a core with external memory: what one build of 9 x 16 had beyond the rest
_STREAMING = 3030

# a product of a lane in logic instead of a multiplier block: a lane of three synthesised both ways, 667 and 3100
_PRODUCT = 811
# the smallest of them, of GDN's table: 11 x 11 bits, synthesised
_SMALL_PRODUCT = 312


def estimate_lut(program, *, family):
    """Return about how many LUTs an accelerator takes.

    Parameters
    ----------
    program : Program
        With external memory: one core.
    family : str
        Of the board; see `licgate.target.board.Board`.
    """
    elements = program.rows * program.cols
    row = program.rows * _collected_bit(program.cols)
    bits = (_ELEMENT_BIT * elements + row) * program.accumulator_width
    bits += (_PACKED_BIT * elements + row) * program.packed_accumulator_width
    count = _ALWAYS + bits + _STAGE * len(program.stages)
    if program.arithmetic.row_sum:
        # two adders in front of every multiplier; a row's own product, its sum, and taking that off
        a_width, w_width = program.activation_width, program.weight_width
        count += elements * sum(program.arithmetic.multiplicand_widths(a_width, w_width))
        count += program.rows * ((a_width + 1) * (a_width + 2) + 2 * program.accumulator_width)
    if isinstance(program, StreamedProgram):
        count += _STREAMING
    gdns = [op.layer for op in program.ops if op.is_gdn]
    if program.lane_multipliers == "fabric":
        count += _PRODUCT * program.lanes * (1 + 2 * bool(gdns) + any(layer.square for layer in gdns))
    elif program.lane_multipliers == "mixed":
        count += _SMALL_PRODUCT * program.lanes * bool(gdns)
    return round(_SHARE[family] * count)


def _collected_bit(cols):
    """LUT4 that bring a bit of a row's sums to its memory, and those of the memory."""
    count = _WORDS_BIT * -(-cols // _WORDS)
    for inputs in collect_levels(cols):
        cols = -(-cols // inputs)
        count += cols
    return count
