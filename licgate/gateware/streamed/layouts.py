"""Layouts of commands, and tables of what a stage says of itself."""

from amaranth.hdl import Array, signed, unsigned
from amaranth.lib import data

from licgate.program.commands import command_fields

__all__ = ["command_layout", "of_stage"]


def command_layout(program, kind):
    """Layout of a kind of command, see :func:`licgate.program.commands.command_fields`."""
    fields = command_fields(program)[kind]
    return data.StructLayout({name: signed(-w) if w < 0 else unsigned(w) for name, w in fields.items()})


def of_stage(stage, values):
    """The integer among ``values``, one for each stage, that belongs to ``stage``."""
    return Array([int(value) for value in values])[stage]
