"""The table of registers for others than Python: JSON, a C header, and the page docs/registers.md."""

from __future__ import annotations

from typing import Any

from licgate.target.registers import IDS, Field, Kind, RegisterEntry
from licgate.target.registertable import TABLE, entries

__all__ = ["c_header", "json_map", "markdown"]

_INTRODUCTION = """\
# Registers

What `licgate registers` prints: the table of `licgate/target/registertable.py`; with `--json` it comes as JSON, with
`--header` for C.

Registers have 32 bits. Behind the host link ([hostlink.md](hostlink.md)) an address is the number of a register, behind
AXI4-Lite ([zynq.md](zynq.md)) register n lies at byte 4n. An address without a register reads 0, and a write to it does
nothing. There are three kinds of accelerators: with all memories on the chip (*resident*), with cores at an SDRAM
(*sdram*), and with a core at an AXI4 bus (*axi*). Registers marked *core* exist for each core; with an SDRAM the
register CORE says which one is meant.
"""


def json_map() -> dict[str, Any]:
    """Every accelerator's registers as JSON has them.

    Returns
    -------
    dict
        ``accelerators``: by kind, ``id`` and ``registers``. Of each register name, address, byte_address, access, bits,
        count, of_core, reset (null where it is open), meaning, and fields (name, low, width, meaning).
    """
    return {"accelerators": {kind.value: {"id": IDS[kind], "registers": _registers(kind)} for kind in Kind}}


def _registers(kind: Kind) -> list[dict[str, Any]]:
    return [
        {
            "name": row.register.name,
            "address": int(row.register),
            "byte_address": 4 * row.register,
            "access": row.access.value,
            "bits": row.bits,
            "count": row.count,
            "of_core": row.of_core,
            "reset": row.reset,
            "meaning": row.meaning,
            "fields": [
                {"name": field.name, "low": field.low, "width": field.width, "meaning": field.meaning}
                for field in row.fields_of(kind)
            ],
        }
        for row in entries(kind)
    ]


def c_header() -> str:
    """Constants for C and C++: addresses ``LICGATE_REG_name``, masks ``LICGATE_name_field``, with a ``_SHIFT`` each."""
    lines = [
        "/* Registers of licgate's accelerators; by: licgate registers --header */",
        "#ifndef LICGATE_REGISTERS_H",
        "#define LICGATE_REGISTERS_H",
        "",
        *(f"#define LICGATE_ID_{kind.name} {IDS[kind]:#010x}u" for kind in Kind),
    ]
    for row in TABLE:
        name = row.register.name
        lines += ["", f"/* {row.access.value}: {row.meaning} */", f"#define LICGATE_REG_{name} {row.register:d}u"]
        if row.count > 1:
            lines.append(f"#define LICGATE_REG_{name}_COUNT {row.count}u")
        for field in {field.name: field for field in row.fields}.values():
            macro = f"LICGATE_{name}_{field.name.upper()}"
            lines += [f"#define {macro} {field.mask:#x}u", f"#define {macro}_SHIFT {field.low}"]
    return "\n".join([*lines, "", "#endif", ""])


def markdown() -> str:
    """The page docs/registers.md."""
    ids = ", ".join(f"{kind.value} `{number:08X}`" for kind, number in IDS.items())
    rows = [_row(row) for row in TABLE]
    fields = [_field(row, field) for row in TABLE for field in row.fields]
    return "\n".join(
        [
            _INTRODUCTION,
            f"ID reads: {ids}.",
            "",
            *_table(("address", "name", "access", "bits", "accelerators", "meaning"), rows),
            "",
            "## Fields",
            "",
            *_table(("register", "bits", "field", "accelerators", "meaning"), fields),
            "",
        ]
    )


def _row(row: RegisterEntry) -> tuple[str, ...]:
    last = row.register + row.count - 1
    meaning = row.meaning + (f"; after power-up {row.reset:,}" if row.reset else "")
    kinds = _kinds(row.kinds) + ("; core" if row.of_core and row.kinds - {Kind.RESIDENT} else "")
    return (_range(row.register, last), row.register.name, row.access.value, str(row.bits), kinds, meaning)


def _field(row: RegisterEntry, field: Field) -> tuple[str, ...]:
    place = _range(field.low, field.low + field.width - 1)
    return (row.register.name, place, field.name, _kinds(row.kinds & field.kinds), field.meaning)


def _range(first: int, last: int) -> str:
    return f"{first:d}" if first == last else f"{first:d} to {last:d}"


def _kinds(kinds: frozenset[Kind]) -> str:
    return "all" if kinds == frozenset(Kind) else ", ".join(kind.value for kind in Kind if kind in kinds)


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    head, *body = ("| " + " | ".join(cells) + " |" for cells in (header, *rows))
    return [head, "|" + "---|" * len(header), *body]
