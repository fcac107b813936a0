"""How sums leave an array: trees and memories behind its rows, and what they take in cycles."""

from licgate.target.arithmetic import FIP_F4, Arithmetic
from licgate.target.points import QUAD, SUMS

__all__ = [
    "DIVISION",
    "FINISHED",
    "POINT_ADDITIONS",
    "POINT_FINISHED",
    "POINT_SHOWN",
    "collect_levels",
    "point_gap",
    "point_reads",
    "point_trees",
    "row_sum_wait",
    "settling",
]

#: Cycles from a multiplier's operands at a sum's last step to the sum in its element's output register: three in the
#: multiplier, one to the adder, one to the accumulator, one there.
FINISHED = 6
#: The same by points, where an element adds up the product from the multiplier's own register, and the trees have the
#: register of its sum.
POINT_FINISHED = FINISHED - 2
#: Of each half of a row's own products by points, from one register to the next: such arrays are big, and slower.
POINT_ADDITIONS = 2
#: Cycles from 24 times a result, without its bias, to the result: taken off the bias, a third of an eighth, chosen.
DIVISION = 7
_OR_INPUTS = 4

# Of a row's end that makes quads, from the read of a quad's first sum: its last read; the last cycle in which its
# second adder works, its registers in front not counted; when a result is read at the earliest, so that it and those
# that follow are there; and from a single sum's write to its read.
_POINT_READS = 7
_POINT_ADDS = 11
POINT_SHOWN = 13
_POINT_LAG = 9


def collect_levels(cols: int) -> list[int]:
    """Columns that each level of the trees behind a row's elements brings down to one, a register behind each."""
    levels = []
    while cols > 1:
        cols = -(-cols // _OR_INPUTS)
        levels.append(_OR_INPUTS)
    return levels


def row_sum_wait(arithmetic: Arithmetic, a_width: int) -> int:
    """Cycles by which a row's own sum comes behind those of its elements."""
    if not arithmetic.row_sum:
        return 0
    # stages, and a product's register, where an element has its lead and what comes in front of its accumulator
    additions, finished = (POINT_ADDITIONS, POINT_FINISHED) if arithmetic.outputs > 1 else (1, FINISHED - 1)
    return max(0, -(-a_width // (2 * additions)) + 1 - (arithmetic.lead + finished - 1))


def settling(cols: int, arithmetic: Arithmetic, a_width: int) -> int:
    """Cycles from a row's elements to its memory: the trees, and taking the row's own sum off, which is held first."""
    levels = len(collect_levels(cols))
    return max(levels, 1) + 1 + row_sum_wait(arithmetic, a_width) if arithmetic.row_sum else levels


def point_trees(cols: int) -> int:
    """Registers of the trees behind a row's elements that sum by points: every sixth column is in the same one."""
    return len(collect_levels(-(-cols // SUMS)))


def point_reads(cols: int, a_width: int) -> int:
    """Cycles from the last step of sums by points to the read of the first one in the memories behind the trees."""
    return FIP_F4.lead + POINT_FINISHED + 1 + max(point_trees(cols), row_sum_wait(FIP_F4, a_width))


def point_gap(cols: int, interval: int, a_width: int, *, single: bool) -> int:
    """Least cycles from the last step of a pass by points to that of the next one.

    Parameters
    ----------
    cols : int
    interval : int
        Cycles of a result on its way out.
    a_width : int
        Bits of what elements are fed.
    single : bool
        The pass has one sum a column, not a quad.
    """
    pace = interval if single else QUAD * interval
    read = point_reads(cols, a_width) - FIP_F4.lead - POINT_FINISHED - point_trees(cols)
    # The next sums come up to five cycles before their last step, and must not overtake reads of the last column.
    overtaken = (pace - 1) * (cols - 1) + (_POINT_READS if not single else 0) + read + SUMS - 1
    # Results take their places from the first one on again; the second adder is busy beyond a quad's reads.
    lags = _POINT_LAG + 16 * interval * ((cols - 1) // 16)
    behind = lags if single else pace * (cols - 1) + _POINT_ADDS
    return max(pace * cols, overtaken, behind)
