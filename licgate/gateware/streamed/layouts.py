"""Layouts of commands."""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from licgate.program.commands import command_fields

__all__ = ["command_layout"]


def command_layout(program, kind):
    """Layout of a kind of command, see :func:`licgate.program.commands.command_fields`."""
    fields = command_fields(program)[kind]
    return data.StructLayout({name: signed(-w) if w < 0 else unsigned(w) for name, w in fields.items()})
