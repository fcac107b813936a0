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
from licgate.target.points import SUMS

__all__ = ["estimate_lut"]

# (always, a bit of an element's accumulator, a stage), and the share of a LUT4 that a family's LUT counts
_ALWAYS, _ELEMENT_BIT, _STAGE = 4240, 2.26, 432
# a bit of 16 words of distributed memory
_WORDS, _WORDS_BIT = 16, 1.5
_SHARE = {"ecp5": 1.0, "xcup": 0.88}

# a bit of the second sum of an element that packs: an adder
_PACKED_BIT = 1.0

# by points, each of a part that was synthesised alone: an adder and 8 words of memory; at a row's end its own sums, a
# choice, the outputs, and results; pixels and weights at points; a third
_POINT_SUM_BIT, _POINT_END_BIT = 2.5, 19.0
_POINT_PIXEL_BIT, _POINT_WEIGHT_BIT, _POINT_RESULT_BIT = 9.0, 5.7, 5.0

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
    count = _ALWAYS + _STAGE * len(program.stages) + (_by_points(program) if program.arithmetic.points else bits)
    if program.arithmetic.row_sum and not program.arithmetic.points:
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


def _by_points(program):
    """LUTs of an array by points and of what evaluates its operands."""
    element = _POINT_SUM_BIT * program.sum_width + 2 * program.multiplicand_width
    own = (program.activation_width + 1) * (program.activation_width + 2) + _POINT_SUM_BIT * program.sum_width
    memories = SUMS * _WORDS_BIT * -(-8 * -(-program.cols // SUMS) // _WORDS)
    end = program.sum_width * (memories + max(0, program.cols - SUMS) + _POINT_END_BIT)
    row = own + end + 2 * _POINT_PIXEL_BIT * program.activation_width
    column = 2 * _POINT_WEIGHT_BIT * program.weight_width
    lanes = program.lanes * (program.sum_width + _POINT_RESULT_BIT * program.accumulator_width)
    return program.rows * program.cols * element + program.rows * row + program.cols * column + lanes


def _collected_bit(cols):
    """LUT4 that bring a bit of a row's sums to its memory, and those of the memory."""
    count = _WORDS_BIT * -(-cols // _WORDS)
    for inputs in collect_levels(cols):
        cols = -(-cols // inputs)
        count += cols
    return count
