"""Delays of the gateware that follow from a program's shape; components and cycle model take them from here."""

from licgate.program.program import Program
from licgate.target.arithmetic import DIRECT, Arithmetic

__all__ = [
    "COLLECTED",
    "FINISHED",
    "array_latency",
    "collect_levels",
    "lane_latency",
    "program_latency",
    "row_sum_wait",
    "settling",
]

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


def row_sum_wait(arithmetic: Arithmetic, a_width: int) -> int:
    """Cycles by which a row's own sum comes behind those of its elements."""
    # a stage for every two bits, and a product's register, where an element has its lead, three and one
    return max(0, -(-a_width // 2) + 1 - (arithmetic.lead + 4)) if arithmetic.row_sum else 0


def settling(cols: int, arithmetic: Arithmetic, a_width: int) -> int:
    """Cycles from a row's elements to its memory: the trees, and taking the row's own sum off, which is held first."""
    levels = len(collect_levels(cols))
    return max(levels, 1) + 1 + row_sum_wait(arithmetic, a_width) if arithmetic.row_sum else levels


def array_latency(cols: int, arithmetic: Arithmetic = DIRECT, a_width: int = 1) -> int:
    """Cycles from the last step of a sum to the first of the array's results, for activations of ``a_width`` bits."""
    return arithmetic.lead + FINISHED + settling(cols, arithmetic, a_width) + COLLECTED


def program_latency(program: Program) -> int:
    """The same of a program's array."""
    return array_latency(program.cols, program.arithmetic, program.activation_width)


def lane_latency(program: Program) -> int:
    """Cycles from a sum to its result in a post-processing lane."""
    return 39 if any(op.layer.kind == "gdn" and op.layer.square for op in program.ops) else 35
