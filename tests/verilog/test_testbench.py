"""The testbench of a delivered accelerator passes in Icarus and in Verilator, and fails where something is wrong."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from licgate.resources import simulation_source
from tests.marks import regress
from tests.verilog.kit import delivered, make

pytestmark = [pytest.mark.synth]

STATUS_OF_FAILURE = 2  # of make


def passed(said):
    """Cycles, payloads and cycles of waiting of a testbench that passes."""
    (line,) = re.findall(r"^PASS: (\d+) cycles, (\d+) moved, (\d+) cycles of offers that waited$", said, re.MULTILINE)
    return tuple(map(int, line))


def failed(folder, target="icarus", **variables):
    """What a testbench says that fails."""
    status, said = make(folder, target, **variables)
    assert status == STATUS_OF_FAILURE, said
    assert "PASS" not in said
    assert re.search(r"^FAIL: \d+ differences$", said, re.MULTILINE)
    return said


def changed(path, old, new, count=1):
    text = path.read_text()
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, count))


def other(path, line):
    """Flip the lowest bit of a line of a file of vectors."""
    lines = path.read_text().splitlines()
    lines[line] = lines[line][:-1] + f"{int(lines[line][-1], 16) ^ 1:x}"
    path.write_text("\n".join([*lines, ""]))


@pytest.mark.slow
@pytest.mark.needs_iverilog
@pytest.mark.parametrize(
    "kind",
    ["plain", *map(regress, ("memory-encoder", "encoder", "decoder", "memory-decoder", "fip", "ecp5"))],
)
def test_it_passes_in_icarus(kind, tmp_path):
    folder = delivered(kind, tmp_path / "out")
    found = []
    for seed, stalls in ((1, 50), (2, 90), (1, 0)):
        status, said = make(folder, "icarus", SEED=seed, STALLS=stalls)
        assert status == 0, said
        found.append(passed(said))
    cycles, moved, waited = zip(*found)
    assert len(set(moved)) == 1
    # without stalls the cycles have been compared with the model's
    assert waited[2] == 0 < waited[0]
    assert cycles[2] < cycles[0] < cycles[1]


@pytest.mark.slow
@pytest.mark.regress
@pytest.mark.needs_iverilog
def test_multipliers_of_ultrascale_give_the_same(tmp_path):
    folder = delivered("ultrascale", tmp_path / "out")
    assert "DSP48E2" in (folder / "licgate.v").read_text()
    status, said = make(folder, "icarus", CELLS=Path(__file__).with_name("dsp48e2.v"))
    assert status == 0, said
    passed(said)


@pytest.mark.slow
@pytest.mark.needs_iverilog
@pytest.mark.needs_verilator
@pytest.mark.parametrize(
    "kind", ["chip", regress("memory"), regress("encoder"), regress("decoder"), regress("memory-encoder")]
)
def test_it_passes_in_verilator_in_the_same_cycles(kind, tmp_path):
    folder = delivered(kind, tmp_path / "out")
    for options in ({"SEED": 3, "STALLS": 60}, {"STALLS": 0}):
        status, said = make(folder, "verilator", FLAGS="-MAKEFLAGS OPT_FAST=-O0", **options)
        assert status == 0, said
        assert passed(said) == passed(make(folder, "icarus", **options)[1])
    other(folder / "vectors" / ("expected.hex" if "memory" in kind else "golden.hex"), 0)
    failed(folder, "verilator", FLAGS="-MAKEFLAGS OPT_FAST=-O0")


@pytest.mark.needs_verilator
@pytest.mark.parametrize("kind", ["encoder", "decoder", "plain", "fip", "memory-encoder"])
def test_lint_finds_nothing(kind, tmp_path):
    status, said = make(delivered(kind, tmp_path / "out"), "lint")
    assert (status, said) == (0, "")


@pytest.mark.needs_iverilog
def test_a_wrong_golden_value_is_told(tmp_path):
    folder = delivered("chip", tmp_path / "out")
    golden = folder / "vectors" / "golden.hex"
    other(golden, 7)
    said = failed(folder)
    assert re.search(r"^results 7: [0-9a-f]{5}, expected " + golden.read_text().splitlines()[7], said, re.MULTILINE)


@pytest.mark.needs_iverilog
def test_a_changed_weight_is_told(tmp_path):
    folder = delivered("chip", tmp_path / "out")
    module = folder / "licgate.v"
    # the memory of weights, and its word 5
    text = module.read_text()
    at = text.index("    bank_0[5] = 16'h", re.search(r"^module \S*weights_0 ", text, re.MULTILINE).start())
    word = re.match(r" +bank_0\[5\] = 16'h([0-9a-f]{4});", text[at:])
    other_word = word[0].replace(word[1], f"{int(word[1], 16) ^ 1:04x}")
    module.write_text(text[:at] + other_word + text[at + len(word[0]) :])
    assert "results" in failed(folder)


@pytest.mark.needs_iverilog
@pytest.mark.parametrize("mark", ["last", "first"])
def test_a_mark_that_is_missing_is_told(mark, tmp_path):
    folder = delivered("chip", tmp_path / "out")
    changed(
        folder / "testbench" / "testbench.v",
        f"t{'last' if mark == 'last' else 'user'}(o_{mark})",
        f"t{'last' if mark == 'last' else 'user'}()",
    )
    failed(folder)


@pytest.mark.needs_iverilog
def test_a_result_too_many_and_one_that_does_not_come_are_told(tmp_path):
    folder = delivered("chip", tmp_path / "out")
    changed(folder / "vectors" / "job.vh", "LICGATE_OUTPUTS 384", "LICGATE_OUTPUTS 383")
    assert "comes behind the last of 383" in failed(folder)
    changed(folder / "vectors" / "job.vh", "LICGATE_OUTPUTS 383", "LICGATE_OUTPUTS 385")
    assert "of 385 results 384 came" in failed(folder, ARGUMENTS="+patience=3000")


@pytest.mark.needs_iverilog
def test_inputs_that_do_not_come_are_a_hang(tmp_path):
    folder = delivered("chip", tmp_path / "out")
    changed(folder / "vectors" / "job.vh", "LICGATE_INPUTS 384", "LICGATE_INPUTS 380")
    said = failed(folder, ARGUMENTS="+patience=3000")
    assert "nothing moves for 3000 cycles: the host is at line 12" in said


@pytest.mark.needs_iverilog
def test_other_cycles_than_the_models_are_told(tmp_path):
    folder = delivered("chip", tmp_path / "out")
    other(folder / "vectors" / "program.hex", 14)
    status, said = make(folder, "icarus", STALLS=50)
    assert status == 0, said
    assert re.search(r"^register 16: 0000\w{4}, expected 0000\w{4}$", failed(folder, STALLS=0), re.MULTILINE)


@pytest.mark.needs_iverilog
@pytest.mark.parametrize(
    ("file", "line", "told"),
    [
        ("expected.hex", 0, "memory, byte 0000000000:"),
        ("memory.hex", 3, "memory, byte 000000000c:"),
        ("program.hex", 1, "register 1: "),
    ],
)
def test_a_memory_that_differs_is_told(file, line, told, tmp_path):
    folder = delivered("memory", tmp_path / "out")
    other(folder / "vectors" / file, line)
    assert told in failed(folder)


@pytest.mark.needs_iverilog
def test_every_bit_of_the_output_is_held_against_the_memory(tmp_path):
    folder = delivered("memory", tmp_path / "out")
    vectors = folder / "vectors"
    expected, mask = ((vectors / f"{name}.hex").read_text().split() for name in ("expected", "mask"))
    before = (vectors / "memory.hex").read_text().split()
    written = [k for k, (a, b) in enumerate(zip(expected, before, strict=True)) if a != b]
    assert len(written) > 20
    assert all(int(mask[k], 16) for k in written)
    other(vectors / "expected.hex", written[-1])
    assert f"memory, byte {4 * written[-1]:010x}:" in failed(folder)


@pytest.mark.needs_iverilog
@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (".araddr(m_axi_araddr)", ".araddr(m_axi_araddr + 40'd2)", "not aligned"),
        (".araddr(m_axi_araddr)", ".araddr(m_axi_araddr | 40'd4092)", "crosses 4 KB"),
        (".araddr(m_axi_araddr)", ".araddr(m_axi_araddr | 40'd1 << 30)", "outside of the memory"),
        (".arburst(m_axi_arburst)", ".arburst(2'd0)", "not incrementing, or not of whole beats"),
        (".wlast(m_axi_wlast)", ".wlast(1'b0)", "last beat not where it belongs"),
        (".wstrb(m_axi_wstrb)", ".wstrb(4'd7)", "a byte is masked"),
    ],
)
def test_a_bus_that_breaks_a_rule_is_told(old, new, rule, tmp_path):
    folder = delivered("memory", tmp_path / "out")
    bench = folder / "testbench" / "testbench.v"
    # the memory's port, not the module's
    head, _, tail = bench.read_text().partition("    licgate dut (")
    bench.write_text(head.replace(old, new) + "    licgate dut (" + tail)
    assert rule in failed(folder, ARGUMENTS="+patience=3000 +stalls=0")


RULES = """
`define LICGATE_JOB
module testbench;
    reg clk = 0, resetn = 0, valid = 0, ready = 0;
    reg [3:0] payload = 0;
    wire [31:0] stalled, failures;
    licgate_rules #(.WIDTH(4), .NAME("it")) rules (clk, resetn, valid, ready, payload, stalled, failures);
    task cycle (input v, input r, input [3:0] p);
        begin
            valid = v; ready = r; payload = p;
            #1 clk = 1;
            #1 clk = 0;
        end
    endtask
    initial begin
        cycle(0, 0, 0);
        resetn = 1;
        %s
        $display("%%0d", failures);
    end
endmodule
"""


@pytest.mark.needs_iverilog
@pytest.mark.parametrize(
    ("cycles", "failures", "said"),
    [
        ("1,0,5 1,0,5 1,1,5 0,0,6 1,1,7 1,0,8 1,1,8", 0, ""),
        ("1,0,5 0,0,5", 1, "it: valid fell before 5 was taken"),
        ("1,0,5 1,1,6", 1, "it: 5 became 6 before it was taken"),
        ("1,1,4'b1x01", 1, "it: valid 1, payload X is not known"),
        ("1'bz,0,0", 1, "it: valid z, payload"),
    ],
)
def test_the_rules_of_a_stream(cycles, failures, said, tmp_path):
    calls = " ".join(f"cycle({one});" for one in cycles.split())
    (tmp_path / "rules.v").write_text(RULES % calls)
    parts = simulation_source("verilog/testbench/parts.v")
    command = ["iverilog", "-g2005", "-s", "testbench", "-o", "rules.vvp", str(parts), "rules.v"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run(["vvp", "rules.vvp"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[-1]) == failures
    assert said in done.stdout


@pytest.mark.slow
@pytest.mark.needs_iverilog
@pytest.mark.needs_cocotb
@pytest.mark.parametrize("kind", [regress("chip"), "memory", regress("encoder"), regress("memory-decoder")])
def test_cocotb_agrees(kind, tmp_path):
    folder, words = delivered(kind, tmp_path / "out"), [sys.executable, "test_licgate.py"]
    # beneath pytest cocotb's runner ends the program itself
    alone = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, env=alone)
    assert done.returncode == 0, done.stdout[-4000:]
    assert done.stdout.splitlines()[-1] == "PASS"
    other(folder / "vectors" / ("expected.hex" if "memory" in kind else "golden.hex"), 3)
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, env=alone)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "FAIL"


def test_the_registers_are_those_of_this_kind(tmp_path):
    folder = delivered("chip", tmp_path / "out")
    (kind,) = json.loads((folder / "registers.json").read_text())["accelerators"]
    assert kind == "resident"
    assert "#define LICGATE_REG_CONTROL 2u" in (folder / "registers.h").read_text()
