"""Verilator in CXXRTL's place: the same values in the same cycles of each kind of core; what is said without it."""

import subprocess

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out

from licgate.errors import ConfigError, SimulationError, ToolError
from licgate.gateware.streamed.accelerator import SimulatedAccelerator
from licgate.manifest.synthetic import synthetic_manifest
from licgate.resources import simulation_source
from licgate.sim.engine import seed_of
from licgate.sim.simulate import compare, simulate
from licgate.sim.streamedaxi import AxiGateware
from licgate.sim.streamedrun import run_streamed
from licgate.sim.streamedsdram import SdramGateware
from licgate.sim.verilator import find_verilator, verilated_files
from licgate.target.axi import AxiTiming
from licgate.target.config import AcceleratorConfig
from licgate.target.streamed import StreamedConfig
from tests.sim import test_axi, test_cxxrtl, test_streamed_hangs
from tests.sim.kit import tiny_codec

CHIP = AcceleratorConfig(rows=2, cols=2, max_width=24)
ENGINES = ("cxxrtl", "verilator")


def on_chip(transform, x, **options):
    manifest, results = tiny_codec(), []
    for engine in ENGINES:
        results.append(simulate(manifest, CHIP, x, transform=transform, engine=engine, **options))
        assert results[-1].pop("engine") == engine
        assert results[-1]["bit_exact"]
    return results


@pytest.mark.synth
@pytest.mark.slow
@pytest.mark.needs_verilator
def test_both_compiled_engines_agree_on_the_chip():
    x = np.random.default_rng(1).integers(-32, 32, (3, 2, 5))
    cxxrtl, verilator = on_chip("h_s", x)
    assert cxxrtl == verilator


@pytest.mark.synth
@pytest.mark.regress
@pytest.mark.needs_verilator
def test_both_compiled_engines_agree_with_a_late_host():
    x = np.random.default_rng(2).integers(0, 256, (3, 12, 18))
    cxxrtl, verilator = on_chip("g_a", x, patch=8, faults=5)
    assert cxxrtl == verilator


@pytest.mark.synth
@pytest.mark.regress
@pytest.mark.needs_verilator
@pytest.mark.parametrize("cores", [1, 2])
def test_streamed_cores_behind_sdram(cores):
    manifest = synthetic_manifest(channels=(3, 4, 5), seed=5)
    config = StreamedConfig(rows=4, cols=4, block_rows=2)
    x = np.random.default_rng(3).integers(0, 256, (3, 9, 21))
    result, _ = compare(SdramGateware(manifest, config, ("g_a",), cores=cores, engine="verilator"), "g_a", x)
    assert result["bit_exact"]
    assert len(result["cycles_of_cores"]) == cores
    assert result["cycles_of_cores"] == result["cycles_predicted"]


@pytest.mark.synth
@pytest.mark.regress
@pytest.mark.needs_verilator
def test_streamed_cores_behind_axi():
    x = np.random.default_rng(4).integers(0, 256, (3, 7, 13))
    timing = AxiTiming(data_bits=32, read_latency=20)
    gateware = AxiGateware(test_axi.MANIFEST, test_axi.CONFIG, ("g_a",), timing, engine="verilator")
    result, _ = compare(gateware, "g_a", x)
    assert result["bit_exact"]
    assert result["cycles_of_cores"] == result["cycles_predicted"]


@pytest.mark.synth
@pytest.mark.regress
@pytest.mark.needs_verilator
def test_a_hang_is_told_in_the_same_words():
    told = []
    for engine in ENGINES:
        accelerator, *job = test_streamed_hangs.deaf_case()
        with pytest.raises(SimulationError) as caught:
            run_streamed(SimulatedAccelerator(accelerator), *job, patience=2000, engine=engine)
        told.append(str(caught.value))
    assert told[0] == told[1]
    assert told[0].startswith("the accelerator hung")


class Ports(Component):
    a_b__c: In(8)
    d: Out(33)

    def elaborate(self, platform):
        m = Module()
        m.submodules.inner = test_cxxrtl.Inverter()
        m.d.sync += self.d.eq(self.a_b__c)
        return m


def test_ports_have_the_names_that_cxxrtl_gives_them():
    files = verilated_files(rtlil.convert(Ports(), name="top", emit_src=False))
    lines = files["model.cc"].splitlines()
    assert [line for line in lines if "Pin" in line] == [
        "    licgate::Pin<8> p_a__b____c{model.a_b___05Fc};",
        "    licgate::Pin<1> p_clk{model.clk};",
        "    licgate::Pin<1> p_rst{model.rst};",
        "    licgate::Pin<33> p_d{model.d};",
    ]
    assert set(files) == {"model.cc", "pins.hpp", "widths.v"}


PINS = """
#include <cstddef>
#include <cstdint>
using CData = uint8_t; using SData = uint16_t; using IData = uint32_t; using QData = uint64_t;
template<size_t WORDS> struct VlWide { uint32_t words[WORDS]; };
#include "pins.hpp"
int main() {
    CData narrow = 0; IData word = 0; QData two = 0; VlWide<3> wide{};
    licgate::Pin<6>(narrow).set<uint32_t>(0xFFFF);
    if (narrow != 63 || licgate::Pin<6>(narrow).get<uint8_t>() != 63) return 1;
    licgate::Pin<32>(word).set<uint64_t>(~uint64_t(0));
    if (~word) return 2;
    licgate::Pin<64> pair(two);
    pair.data[0] = 1, pair.data[1] = 2;
    if (two != (uint64_t(2) << 32 | 1) || pair.get<uint64_t>() != two) return 3;
    licgate::Pin<96>(wide).data[2] = 7;
    return wide.words[2] == 7 ? 0 : 4;
}
"""


def test_a_pin_keeps_the_bits_that_its_port_has(tmp_path):
    (tmp_path / "main.cpp").write_text(PINS)
    folder = str(simulation_source("pins.hpp").parent)
    flags = ["-std=c++17", "-Wall", "-Werror", "-fno-strict-aliasing", f"-I{folder}"]
    subprocess.run(["g++", *flags, "main.cpp", "-o", "main"], cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "main"]).returncode == 0


def test_what_hardware_leaves_open_is_not_for_verilator():
    with pytest.raises(ConfigError, match=r"^--random goes without --engine verilator"):
        seed_of("verilator", 3)
    assert seed_of("verilator", None) is None


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("Verilator 4.228 2022-10-01", r"/tool is Verilator 4\.228 .*; name Verilator 5 or later in VERILATOR$"),
        ("", r"/tool is no Verilator; name Verilator 5 or later in VERILATOR$"),
    ],
)
def test_an_old_verilator_is_named(said, message, tmp_path, monkeypatch):
    tool = test_cxxrtl.script(tmp_path / "tool", f"print({said!r})\n")
    monkeypatch.setenv("VERILATOR", str(tool))
    with pytest.raises(ToolError, match=message):
        find_verilator()


def test_a_missing_verilator_is_named(monkeypatch):
    monkeypatch.setenv("VERILATOR", "no-such-verilator")
    with pytest.raises(ToolError, match=r"^no-such-verilator is missing; install it \(Debian: apt install verilator\)"):
        find_verilator()


def test_a_newer_verilator_is_taken(tmp_path, monkeypatch):
    tool = test_cxxrtl.script(tmp_path / "tool", "print('Verilator 5.040 2025-08-30')\n")
    monkeypatch.setenv("VERILATOR", str(tool))
    assert find_verilator() == (str(tool), "Verilator 5.040 2025-08-30")
