"""Boards at a USB cable: clocks, pads, what a build of them is called, and that it changes nothing of others."""

import warnings
from dataclasses import replace

import pytest
from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Module

from licgate.cli import main
from licgate.errors import ConfigError
from licgate.gateware.host.usb import UsbDevice
from licgate.gateware.top.resident import Accelerator
from licgate.manifest.synthetic import synthetic_manifest
from licgate.synth.buildplan import make_plan
from licgate.synth.pll import MAX_DIVIDER, PHASE_DETECTOR_RANGE, VCO_RANGE, usb_pll
from licgate.target.board import find_board
from licgate.target.build import BuildFacts, read_facts
from licgate.target.config import AcceleratorConfig
from licgate.target.registers import Kind

CONFIG = AcceleratorConfig(rows=2, cols=3, max_width=16)
FACTS = BuildFacts(
    kind=Kind.RESIDENT,
    board="ulx3s-85f",
    model="tiny",
    hash="0" * 64,
    transforms=("g_a",),
    config=CONFIG,
    clock_khz=60_000,
)


@pytest.mark.parametrize("f_in", [12, 25, 27, 50, 100])
def test_clocks_of_usb_are_exact(f_in):
    pll = usb_pll(f_in)
    assert pll.outputs == (48.0, 12.0)
    assert VCO_RANGE[0] <= pll.vco <= VCO_RANGE[1]
    assert PHASE_DETECTOR_RANGE[0] <= f_in / pll.input_divider <= PHASE_DETECTOR_RANGE[1]
    assert pll.further[1] == 4 * pll.further[0]
    for divider in (pll.input_divider, pll.feedback_divider, pll.output_divider, *pll.further):
        assert 1 <= divider <= MAX_DIVIDER


@pytest.mark.parametrize("f_in", [8.1, 11.3, 31.3, 211.7, 397])
def test_clocks_of_usb_are_near_enough(f_in):
    io, usb = usb_pll(f_in).outputs
    assert io == pytest.approx(48, rel=0.0025)
    assert io == pytest.approx(4 * usb)


def test_clocks_of_usb_that_cannot_be_made(monkeypatch):
    with pytest.raises(ConfigError, match=r"^PLL input of 5 MHz is outside 8 to 400 MHz$"):
        usb_pll(5)
    monkeypatch.setattr("licgate.synth.pll.USB_TOLERANCE", 0.0)
    with pytest.raises(
        ConfigError, match=r"^PLL cannot make the 48 MHz of USB from 8\.1 MHz; the nearest is 4[78]\.\d+ MHz$"
    ):
        usb_pll(8.1)


@pytest.mark.needs_usb
def test_the_plan_of_a_board_at_a_usb_cable():
    def plan(link):
        accelerator = Accelerator(synthetic_manifest(channels=(3, 3), seed=2), CONFIG)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return make_plan(accelerator, board=find_board("ulx3s-85f"), frequency=60.0, link=link)

    files = plan("usb").files.files
    constraints = files["top.lpf"]
    for net, hertz in (("design_clock", 60e6), ("usb_io_clock", 48e6), ("usb_clock", 12e6)):
        assert f'FREQUENCY NET "{net}" {hertz} HZ;' in constraints
    for pad, site in (("d_p", "D15"), ("d_n", "E15"), ("pullup", "B12")):
        assert f'LOCATE COMP "usb_0__{pad}__io" SITE "{site}";' in constraints
    assert "uart" not in constraints
    assert files["top.il"].count("cell \\EHXPLLL ") == 2
    serial = plan("serial").files.files
    assert "usb" not in serial["top.lpf"]
    assert serial["top.il"].count("cell \\EHXPLLL ") == 1


@pytest.mark.needs_usb
def test_a_usb_device_is_described_the_same_each_time():
    """LUNA would name endpoints by where they lie in memory."""
    devices = [UsbDevice(board="ULX3S", build=5) for _ in range(2)]
    texts = [rtlil.convert(_with_domains(device), ports=[device.oe], emit_src=False) for device in devices]
    assert texts[0] == texts[1]


def _with_domains(device):
    m = Module()
    m.domains += [ClockDomain(name) for name in ("sync", "usb", "usb_io")]
    m.submodules.device = device
    return m


def test_boards_without_such_a_connector(capsys, tmp_path):
    assert main(["build", "--board", "ecpix5-85f", "--link", "usb", "--out", str(tmp_path)]) == 2
    assert "board ecpix5-85f has no --link usb; it has: serial, udp" in capsys.readouterr().err


def test_builds_for_the_serial_port_keep_their_number(tmp_path):
    assert "link" not in FACTS.document()
    other = replace(FACTS, link="usb")
    assert other.build != FACTS.build
    for facts in (FACTS, other):
        (tmp_path / "device.json").write_text(facts.text())
        assert read_facts(tmp_path) == facts
