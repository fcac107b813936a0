"""The table of registers: nothing overlaps, and documents, JSON and the C header say what it says."""

import json
import random
import shutil
import subprocess
from itertools import combinations, pairwise
from pathlib import Path

import pytest

from licgate.cli import main
from licgate.target.registers import ADDRESS_WIDTH, COUNTERS, IDS, Access, Control, Kind, Register, Status
from licgate.target.registertable import TABLE, decode, encode, entries, entry

ROOT = Path(__file__).resolve().parents[2]


def test_every_register_has_one_row_and_no_two_share_an_address():
    assert [row.register for row in TABLE] == sorted(Register)
    taken = [(row.register, row.register + row.count) for row in TABLE]
    assert all(end <= begin for (_, end), (begin, _) in pairwise(taken))
    assert taken[-1][1] <= 1 << ADDRESS_WIDTH


@pytest.mark.parametrize("kind", Kind)
def test_fields_do_not_overlap_and_fit(kind):
    rows = entries(kind)
    assert {Register.ID, Register.MODEL, Register.CONTROL, Register.STATUS, *COUNTERS.values()} <= {
        row.register for row in rows
    }
    for row in rows:
        assert row.kinds
        assert 1 <= row.bits <= 32
        fields = row.fields_of(kind)
        assert not any(a.mask & b.mask for a, b in combinations(fields, 2))
        assert all(0 < field.mask < 1 << row.bits for field in fields)
        assert len({field.name for field in fields}) == len(fields)
        assert (row.access is not Access.BOTH) or row.reset is None or 0 <= row.reset < 1 << row.bits


@pytest.mark.parametrize(("register", "flags"), [(Register.CONTROL, Control), (Register.STATUS, Status)])
def test_flags_are_the_fields_of_their_register(register, flags):
    named = {field.name.upper(): field.mask for field in entry(register).fields if field.width == 1}
    assert named == {name: int(flag) for name, flag in flags.__members__.items()}


@pytest.mark.parametrize("kind", Kind)
def test_encode_and_decode(kind):
    coin = random.Random(1)
    for row in entries(kind):
        for _ in range(5):
            values = {field.name: coin.randrange(1 << field.width) for field in row.fields_of(kind)}
            assert decode(row.register, kind, encode(row.register, kind, **values)) == values


@pytest.mark.parametrize(
    ("register", "values", "message"),
    [
        (Register.SHAPE, {"max_width": 1}, "SHAPE has no field 'max_width' in accelerators of kind sdram"),
        (Register.SHAPE, {"rows": 256}, "rows of SHAPE has 8 bits, 256 does not fit"),
        (Register.MEMORY_SHAPE, {"cores": -1}, "cores of MEMORY_SHAPE has 8 bits, -1 does not fit"),
        (Register.MODEL, {"rows": 1}, "MODEL has no field 'rows' in accelerators of kind sdram"),
    ],
)
def test_what_does_not_fit_is_refused(register, values, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        encode(register, Kind.SDRAM, **values)


def printed(capsys, *options):
    assert main(["registers", *options]) == 0
    return capsys.readouterr().out


def test_the_page_is_up_to_date(capsys):
    page = printed(capsys)
    assert page == printed(capsys, "--markdown")
    assert page == (ROOT / "docs" / "registers.md").read_text(encoding="utf-8"), (
        "docs/registers.md is out of date: licgate registers > docs/registers.md"
    )
    assert all(f"| {register.name} |" in page for register in Register)


def test_json_says_what_the_table_says(capsys):
    found = json.loads(printed(capsys, "--json"))["accelerators"]
    for kind in Kind:
        assert found[kind.value]["id"] == IDS[kind]
        registers = {row["name"]: row for row in found[kind.value]["registers"]}
        assert {name: row["address"] for name, row in registers.items()} == {
            row.register.name: row.register for row in entries(kind)
        }
        assert all(row["byte_address"] == 4 * row["address"] for row in registers.values())
        for row in entries(kind):
            fields = {f["name"]: ((1 << f["width"]) - 1) << f["low"] for f in registers[row.register.name]["fields"]}
            assert fields == {field.name: field.mask for field in row.fields_of(kind)}
    status = {row["name"]: row for row in found["axi"]["registers"]}["STATUS"]
    assert [field["name"] for field in status["fields"]] == ["busy", "done", "refused", "hung", "failed"]


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is missing")
@pytest.mark.parametrize("language", ["c", "c++"])
def test_the_header_compiles_and_agrees(language, capsys, tmp_path):
    (tmp_path / "registers.h").write_text(printed(capsys, "--header"))
    expected = {f"LICGATE_ID_{kind.name}": number for kind, number in IDS.items()}
    for row in TABLE:
        expected[f"LICGATE_REG_{row.register.name}"] = int(row.register)
        for field in row.fields:
            expected[f"LICGATE_{row.register.name}_{field.name.upper()}"] = field.mask
            expected[f"LICGATE_{row.register.name}_{field.name.upper()}_SHIFT"] = field.low
    asserts = [f"char check_{name}[{name} == {value}u ? 1 : -1];" for name, value in expected.items()]
    source = tmp_path / "check"
    source.write_text("\n".join(['#include "registers.h"', '#include "registers.h"', *asserts, ""]))
    command = ["g++", "-x", language, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    # and the check can fail
    source.write_text(source.read_text().replace("LICGATE_REG_STATUS == 3u", "LICGATE_REG_STATUS == 4u"))
    assert subprocess.run(command, capture_output=True).returncode
