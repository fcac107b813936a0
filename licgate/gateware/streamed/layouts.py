"""Layouts of commands, what loaders have in common, and where records lie in a group."""

from amaranth.hdl import Array, signed, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from licgate.gateware.memory.port import MemoryPort
from licgate.program.commands import command_fields

__all__ = ["command_layout", "loader_members", "record_offset", "stride_width"]


def command_layout(program, kind):
    """Layout of a kind of command, see :func:`licgate.program.commands.command_fields`."""
    fields = command_fields(program)[kind]
    return data.StructLayout({name: signed(-w) if w < 0 else unsigned(w) for name, w in fields.items()})


def stride_width(program):
    """Bits of the input words from a group to the next: as many as the stride, 1 or 2, or four times as many."""
    return (2 * program.arithmetic.outputs).bit_length()


def loader_members(program, kind, *, room, depth, bits):
    """Members of what carries out commands of a kind by writing to a memory of the chip: ``depth`` words of ``bits``.

    Returns
    -------
    dict
        ``start`` says that the memory is empty, ``i`` takes commands, ``released`` says how much of ``room`` becomes
        free in this cycle; ``port`` goes to external memory, ``write_enable``, ``write_address`` and ``write_data`` to
        the memory; ``loaded`` says that a tile or a word column is complete, ``waits`` that there is no room.
    """
    return {
        "start": In(1),
        "i": In(stream.Signature(command_layout(program, kind))),
        "released": In(range(room + 1)),
        "port": Out(MemoryPort(program.beat_bits, program.address_bits)),
        "write_enable": Out(1),
        "write_address": Out(range(depth)),
        "write_data": Out(bits),
        "loaded": Out(1),
        "waits": Out(1),
    }


def record_offset(program, stage, number):
    """Beats from the first record that a group makes of the output of ``stage`` to record ``number``."""
    beats = (program.record_beats(s.last_op.channels_out, s.last_op.layer.output.bits) for s in program.stages)
    return Array(Array(size * k for k in range(1 << len(number))) for size in beats)[stage][number]
