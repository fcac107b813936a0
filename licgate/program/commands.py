"""Commands of a streamed accelerator, as they lie in external memory."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from licgate.program.streamed import StreamedProgram

__all__ = ["COMMANDS_READ", "KINDS", "Command", "command_beats", "command_fields", "encode"]

#: Kinds of commands, by their number.
KINDS = ("end", "weights", "load", "band")

#: Commands that are fetched at a time; twice as many may be read beyond the last one.
COMMANDS_READ = 16

#: Kind and fields, see `command_fields`.
Command: TypeAlias = tuple[str, Mapping[str, int]]


def command_fields(program: StreamedProgram) -> dict[str, dict[str, int]]:
    """Fields of each kind and their widths in bits, negative where signed, lowest bits first; all begin with ``kind``.

    weights: stream all weight tiles of ``stage`` from ``address``.

    load: fetch a word column of the input of ``stage`` into ``slot``, ``rows`` rows from ``row`` of the slot on, the
    first at ``address``, ``pitch`` beats apart, the one after ``before`` rows at ``wrapped``; once ``after`` writes of
    this run are done.

    band: compute ``groups`` × ``rows`` groups of ``stage``, for which ``loads`` columns come: ``loads_first`` that the
    first group waits for, then those of a group for each of the others, while there are: as many as the stride, four
    times as many where words have every fourth column. The first group's window
    begins with input word ``word``, in ``slot``; the row has ``words`` input words. In a slot, the image begins with
    row ``top`` and ends before row ``height``. The first result is written to ``target``, rows are ``pitch`` beats
    apart; the last group has ``pixels`` pixels inside the image. An upsampling stage makes two records of a group, of
    twice as many pixels, the second one only where it lies inside the image; or two times four of them. While the last
    tile of the convolution is made, slots become free: ``release_first`` behind the first group, ``release`` behind the
    last, which may be the first, and those of a group behind the others. The weights become free tile by tile unless
    ``keep``.
    """
    address = program.address_bits
    rows = max(program.in_rows(stage) for stage in program.stages).bit_length()
    slot = program.slots.bit_length()
    stage, kind = max(1, (len(program.stages) - 1).bit_length()), 2
    groups = program.band_groups.bit_length()
    block = max(program.stage_rows(stage) for stage in program.stages).bit_length()
    return {
        "end": {"kind": kind},
        "weights": {"kind": kind, "stage": stage, "address": address},
        "load": {
            "kind": kind,
            "stage": stage,
            "slot": slot,
            "row": rows,
            "rows": rows,
            "before": rows,
            "address": address,
            "wrapped": address,
            "pitch": address,
            "after": 24,
        },
        "band": {
            "kind": kind,
            "stage": stage,
            "groups": groups,
            "rows": block,
            "slot": slot,
            "word": -13,
            "words": 12,
            "top": rows,
            "height": rows,
            "target": address,
            "pitch": address,
            "loads": slot,
            "loads_first": slot,
            "release_first": slot,
            "release": slot,
            "keep": 1,
            "pixels": program.group_columns.bit_length(),
        },
    }


def command_beats(program: StreamedProgram) -> int:
    """Beats of a command, the same for all kinds."""
    widths = [sum(abs(width) for width in fields.values()) for fields in command_fields(program).values()]
    return program.beats(max(widths))


def encode(program: StreamedProgram, commands: Iterable[Command]) -> list[int]:
    """Beats of a list of commands, (kind, values of its fields) each.

    Raises
    ------
    OverflowError
        A value does not fit its field.
    """
    fields, beats = command_fields(program), command_beats(program)
    mask = (1 << program.beat_bits) - 1
    made: list[int] = []
    for kind, values in commands:
        number, place = 0, 0
        for name, width in fields[kind].items():
            value = KINDS.index(kind) if name == "kind" else int(values[name])
            low, high = (-(1 << (-width - 1)), (1 << (-width - 1)) - 1) if width < 0 else (0, (1 << width) - 1)
            if not low <= value <= high:
                raise OverflowError(f"{name} of a {kind} command is {value}, beyond {low} to {high}")
            number |= (value & ((1 << abs(width)) - 1)) << place
            place += abs(width)
        made += [number >> (program.beat_bits * k) & mask for k in range(beats)]
    return made
