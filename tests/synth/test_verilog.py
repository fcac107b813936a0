"""How Verilog is printed: explicit widths, the same values."""

import random
import re
import subprocess

import pytest
from amaranth.hdl import Array, Module, Mux, Signal, signed, unsigned
from amaranth.lib.wiring import Component, In, Out
from amaranth.sim import Simulator

from licgate.sim.verilator import find_verilator
from licgate.synth.verilog import print_verilog

pytestmark = [pytest.mark.synth]

#: Every operator on operands of these shapes.
SHAPES = [(unsigned(3), unsigned(5)), (signed(4), signed(7)), (unsigned(6), signed(3)), (signed(5), unsigned(0))]


def results(a, b):
    """What is computed of two operands."""
    yield from (a + b, a - b, b - a, a * b, a & b, a | b, a ^ b, ~a, -b, a < b, a <= b, a > b, a >= b, a == b, a != b)
    yield from (a << 2, a >> 1, (a + b) >> 2, a << b.as_unsigned()[:2], a >> b.as_unsigned()[:2], Mux(a > b, a, b))
    yield from (a.any(), ~a.any(), b == 0, a.bool(), Array([a, b, a + b])[a.as_unsigned()[:2]])


class Operators(Component):
    """Results of every pair of shapes, in a register each."""

    def __init__(self):
        members, self.made = {}, []
        for k, (left, right) in enumerate(SHAPES):
            members |= {f"a{k}": In(left), f"b{k}": In(right)}
            made = [value.shape() for value in results(Signal(left), Signal(right))]
            members |= {f"y{k}_{n}": Out(shape) for n, shape in enumerate(made)}
            self.made.append(made)
        super().__init__(members)
        self.inputs = [name for name in members if name[0] in "ab" and len(getattr(self, name))]
        self.outputs = [name for name in members if name[0] == "y"]
        self.clk = None

    @property
    def ports(self):
        return [getattr(self, name) for name in (*self.inputs, *self.outputs)]

    def elaborate(self, platform):
        m = Module()
        for k, made in enumerate(self.made):
            values = results(getattr(self, f"a{k}"), getattr(self, f"b{k}"))
            state = Signal(range(5), name=f"state{k}")
            with m.Switch(getattr(self, f"a{k}")[:2]):
                with m.Case(1):
                    m.d.sync += state.eq(state + 1)
                with m.Case(2):
                    m.d.sync += state.eq(0)
            for n, (_, value) in enumerate(zip(made, values, strict=True)):
                m.d.comb += getattr(self, f"y{k}_{n}").eq(value)
        return m


def drawn(component, count):
    coin = random.Random(7)
    return [[coin.getrandbits(len(getattr(component, name))) for name in component.inputs] for _ in range(count)]


def simulated(vectors):
    component, found = Operators(), []

    async def bench(ctx):
        for vector in vectors:
            for name, value in zip(component.inputs, vector, strict=True):
                signal = getattr(component, name)
                ctx.set(signal, value - (1 << len(signal)) * (signal.shape().signed and value >> len(signal) - 1))
            await ctx.delay(1e-9)
            found.append(
                [ctx.get(getattr(component, n)) & (1 << len(getattr(component, n))) - 1 for n in component.outputs]
            )

    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found


@pytest.mark.needs_iverilog
def test_values_are_those_of_the_design(tmp_path):
    component = Operators()
    vectors = drawn(component, 200)
    (tmp_path / "design.v").write_text(print_verilog(component, "operators"))
    widths = {name: len(getattr(component, name)) for name in (*component.inputs, *component.outputs)}
    declared = [f"    reg [{widths[n] - 1}:0] {n};" for n in component.inputs]
    declared += [f"    wire [{widths[n] - 1}:0] {n};" for n in component.outputs]
    pins = ", ".join(f".{name}({name})" for name in widths)
    form = " ".join(["%0d"] * len(component.outputs))
    steps = []
    for vector in vectors:
        sets = " ".join(f"{name} = {value};" for name, value in zip(component.inputs, vector, strict=True))
        steps.append(f'        {sets} #1 $display("{form}", {", ".join(component.outputs)});')
    lines = ["module bench;", *declared, f"    operators dut ({pins}, .clk(1'b0), .rst(1'b0));", "    initial begin"]
    (tmp_path / "bench.v").write_text("\n".join([*lines, *steps, "    end", "endmodule", ""]))
    command = ["iverilog", "-g2005", "-s", "bench", "-o", "bench.vvp", "design.v", "bench.v"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run(["vvp", "bench.vvp"], cwd=tmp_path, capture_output=True, text=True, check=True)
    found = [list(map(int, line.split())) for line in done.stdout.splitlines()]
    assert found == simulated(vectors)


@pytest.mark.needs_verilator
def test_no_operand_is_extended_unseen(tmp_path):
    text = print_verilog(Operators(), "operators")
    (tmp_path / "design.v").write_text(text)
    command = [find_verilator()[0], "--lint-only", "-Wall", "-Wno-fatal", "--top-module", "operators", "design.v"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    classes = set(re.findall(r"^%Warning-(\w+)", done.stderr, re.MULTILINE))
    assert classes <= {"DECLFILENAME", "UNOPTFLAT", "UNUSEDSIGNAL"}


def test_processes_and_widths_of_nothing_are_not_printed():
    text = print_verilog(Operators(), "operators")
    assert "always @*" not in text
    assert "[-1:0]" not in text
    assert "module operators(" in text
