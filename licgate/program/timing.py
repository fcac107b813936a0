"""Delays of the gateware that follow from a program's shape; components and cycle model take them from here."""

from licgate.program.collecting import FINISHED, POINT_SHOWN, point_reads, settling
from licgate.program.program import Program
from licgate.target.arithmetic import DIRECT, Arithmetic

__all__ = ["COLLECTED", "array_latency", "lane_latency", "program_latency"]

#: Cycles from a row's collected sums to its results: into the row's memory, and out of it.
COLLECTED = 2


def array_latency(cols: int, arithmetic: Arithmetic = DIRECT, a_width: int = 1) -> int:
    """Cycles from the last step of a sum to the first of the array's results, for activations of ``a_width`` bits."""
    if arithmetic.points:
        return point_reads(cols, a_width) + POINT_SHOWN + 1
    return arithmetic.lead + FINISHED + settling(cols, arithmetic, a_width) + COLLECTED


def program_latency(program: Program) -> int:
    """The same of a program's array."""
    return array_latency(program.cols, program.arithmetic, program.activation_width)


def lane_latency(program: Program) -> int:
    """Cycles from a sum to its result in a post-processing lane."""
    return 39 if any(op.layer.kind == "gdn" and op.layer.square for op in program.ops) else 35
