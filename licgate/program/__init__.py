"""The compiler: transforms and an array shape become the list of operations that everybody reads."""

from licgate.program.compile import compile_program
from licgate.program.ops import IN_FLIGHT, LINE_LATENCY, Op, PassKind, Shape
from licgate.program.program import Chain, Memory, Program
from licgate.program.stages import Stage
from licgate.program.widths import input_widths

__all__ = [
    "IN_FLIGHT",
    "LINE_LATENCY",
    "Chain",
    "Memory",
    "Op",
    "PassKind",
    "Program",
    "Shape",
    "Stage",
    "compile_program",
    "input_widths",
]
