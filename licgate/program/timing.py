"""Delays of the gateware that follow from a program's shape; components and cycle model take them from here."""

from licgate.program.program import Program
from licgate.target.arithmetic import DIRECT, Arithmetic

__all__ = ["COLLECTED", "FINISHED", "array_latency", "collect_levels", "lane_latency", "settling"]

#: Cycles from a multiplier's operands at a sum's last step to the sum in its element's output register: three in the
#: multiplier, one to the adder, one to the accumulator, one there.
FINISHED = 6
#: Cycles from a row's collected sums to its results: into the row's memory, and out of it.
COLLECTED = 2

_OR_INPUTS = 4


def collect_levels(cols: int) -> list[int]:
    """Columns that each level of the trees behind a row's elements brings down to one, a register behind each."""
    levels = []
    while cols > 1:
        cols = -(-cols // _OR_INPUTS)
        levels.append(_OR_INPUTS)
    return levels


def settling(cols: int, arithmetic: Arithmetic) -> int:
    """Cycles from a row's elements to its memory: the trees, and taking the row's own sum off, which is held first."""
    levels = len(collect_levels(cols))
    return max(levels, 1) + 1 if arithmetic.row_sum else levels


def array_latency(cols: int, arithmetic: Arithmetic = DIRECT) -> int:
    """Cycles from the last step of a sum to the first of the array's results."""
    return arithmetic.lead + FINISHED + settling(cols, arithmetic) + COLLECTED


def lane_latency(program: Program) -> int:
    """Cycles from a sum to its result in a post-processing lane."""
    return 39 if any(op.layer.kind == "gdn" and op.layer.square for op in program.ops) else 35
