"""Layouts of commands, and what units tell each other."""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from licgate.program.commands import command_fields

__all__ = ["command_layout", "map_kinds", "output_kinds", "stage_bits", "weight_kinds"]


def command_layout(program, kind):
    """Layout of a kind of command, see :func:`licgate.program.commands.command_fields`."""
    fields = command_fields(program)[kind]
    return data.StructLayout({name: signed(-w) if w < 0 else unsigned(w) for name, w in fields.items()})


def stage_bits(program):
    """Bits of a stage's number."""
    return command_fields(program)["band"]["stage"]


def map_kinds(program):
    """Bits of a line memory word of each line memory."""
    return [program.rows * memory.bits for memory in program.line_memories]


def weight_kinds(program):
    """Bits of a weight word of each weight memory."""
    return [program.cols * memory.field for memory in program.weight_memories]


def output_kinds(program):
    """Bits of a word of results, by stage."""
    return [program.rows * stage.last_op.layer.output.bits for stage in program.stages]
