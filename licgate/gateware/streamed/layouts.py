"""Layouts of commands, what units tell each other, and tables of what a stage says of itself."""

from amaranth.hdl import Array, signed, unsigned
from amaranth.lib import data

from licgate.program.commands import command_fields

__all__ = ["command_layout", "of_stage", "record_write_layout", "stage_bits"]


def command_layout(program, kind):
    """Layout of a kind of command, see :func:`licgate.program.commands.command_fields`."""
    fields = command_fields(program)[kind]
    return data.StructLayout({name: signed(-w) if w < 0 else unsigned(w) for name, w in fields.items()})


def stage_bits(program):
    """Bits of a stage's number."""
    return command_fields(program)["band"]["stage"]


def of_stage(stage, values):
    """The integer among ``values``, one for each stage, that belongs to ``stage``."""
    return Array([int(value) for value in values])[stage]


def record_write_layout(program):
    """Where the words of a pass go in external memory, how many they are, and the stage that they come from.

    first, last: of the passes that are written as one, to consecutive addresses. column: the pass makes the odd columns
    of a pair of records. beyond: of this pair the second one, whose descriptor this is, lies outside the image. Of two
    passes that make a pair, the descriptor of the first one says where the first record goes.
    """
    fields = {
        "address": program.address_bits,
        "count": range(program.most_channels + 1),
        "stage": stage_bits(program),
        "first": 1,
        "last": 1,
    }
    return data.StructLayout(fields | ({"column": 1, "beyond": 1} if program.upsampling else {}))
