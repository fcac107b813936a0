"""Registers before the pins and pads with registers: the same cycles, the right cells."""

import re
from collections import Counter
from types import SimpleNamespace

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module
from amaranth.lib import io, wiring
from amaranth.lib.wiring import Component, In

from licgate.gateware.memory.phy import SdramPads, SdramPhy, sdram_bus
from licgate.gateware.memory.sdram import SdramController
from licgate.target.board import find_board
from licgate.target.sdram import ULX3S_SDRAM
from tests.gateware.kit import run_simulation
from tests.gateware.memory.kit import CHIP

WIDTHS = {"clk": 1, "clk_en": 1, "cs": 1, "ras": 1, "cas": 1, "we": 1, "ba": 2, "a": 13, "dqm": 2}


class Both(Component):
    """The same bus through a PHY and through pads."""

    def __init__(self, round_trip):
        super().__init__({"bus": In(sdram_bus)})
        self.phy, self.ports = SdramPhy(round_trip), SimpleNamespace()
        for name, width in WIDTHS.items():
            setattr(self.ports, name, io.SimulationPort("o", width))
        self.ports.dq = io.SimulationPort("io", 16)
        self.pads = SdramPads(self.ports, round_trip)

    def elaborate(self, platform):
        m = Module()
        m.submodules.phy, m.submodules.pads = self.phy, self.pads
        for name in sdram_bus.members:
            if name != "dq_i":
                m.d.comb += getattr(self.phy.bus, name).eq(getattr(self.bus, name))
                m.d.comb += getattr(self.pads.bus, name).eq(getattr(self.bus, name))
        m.d.comb += self.bus.dq_i.eq(self.phy.bus.dq_i)
        return m


class NoClock(Component):
    """Amaranth simulates no DDR pads: this one shows what it is given."""

    def __init__(self, direction, port):
        port.driver = self
        super().__init__({"o": In(1).array(2)})

    def elaborate(self, platform):
        return Module()


@pytest.mark.parametrize("round_trip", [0, 2])
def test_pads_and_phy_are_equal(round_trip, monkeypatch):
    monkeypatch.setattr(io, "DDRBuffer", NoClock)
    dut = Both(round_trip)
    pins, ports = dut.phy.pins, dut.ports
    outputs = {
        "cke": ports.clk_en.o,
        "ba": ports.ba.o,
        "a": ports.a.o,
        "dqm": ports.dqm.o,
        "dq_o": ports.dq.o,
        "ras": ports.ras.o,
        "cas": ports.cas.o,
        "we": ports.we.o,
        "cs": ports.cs.o,
    }
    sent, back = [], []

    async def host(ctx):
        for n in range(1, 40):
            for index, name in enumerate(outputs):
                signal = getattr(dut.bus, name)
                ctx.set(signal, (n * 2654435761 >> index + 7) % (1 << len(signal)))
            ctx.set(dut.bus.dq_oe, n % 3 == 0 and n < 20)
            sent.append(ctx.get(dut.bus.a))
            ctx.set(pins.dq_i, n)
            ctx.set(ports.dq.i, n)
            await ctx.tick()
            for name, port in outputs.items():
                assert ctx.get(port) == ctx.get(getattr(pins, name)), name
            assert ctx.get(ports.dq.oe) == (0xFFFF if ctx.get(pins.dq_oe) else 0)
            assert ctx.get(pins.a) == sent[-1]
            # While the pads are driven they hear themselves.
            assert n < 25 or ctx.get(dut.pads.bus.dq_i) == ctx.get(dut.phy.bus.dq_i)
            back.append(ctx.get(dut.bus.dq_i))
            # The chip's clock rises in the middle of the design's cycle.
            assert [ctx.get(half) for half in ports.clk.driver.o] == [0, 1]

    run_simulation(dut, host, limit=100)
    assert back[round_trip:] == list(range(1, 40 - round_trip))


def test_every_output_of_the_board_is_a_flip_flop_of_its_pad():
    platform = find_board("ulx3s-85f").make_platform()

    class Top(Component):
        def __init__(self):
            super().__init__({})

        def elaborate(self, platform):
            m = Module()
            m.submodules.controller = controller = SdramController(ULX3S_SDRAM, 133)
            m.submodules.pads = pads = platform.get_sdram()
            wiring.connect(m, controller.bus, pads.bus)
            return m

    text = platform.prepare(Top(), emit_src=False).files["top.il"]
    text = text.decode() if isinstance(text, bytes) else text
    cells = Counter(line.split()[1] for line in text.splitlines() if line.strip().startswith("cell "))
    assert cells["\\ODDRX1F"] == 1
    assert cells["\\IFS1P3DX"] == 16
    # Command, clock enable, bank, address, mask and data, and the enable of every pad's driver, that of the clock too.
    outputs = 4 + 1 + 2 + 13 + 2 + 16
    assert cells["\\OFS1P3DX"] == 2 * outputs + 1


def test_the_controllers_outputs_are_registers():
    """Between the controller and the pads there is a whole cycle for the way."""
    text = rtlil.convert(SdramController(CHIP, 100), emit_src=False)
    cells = re.findall(r"^  cell (\S+) .*?^  end$", text, re.MULTILINE | re.DOTALL)
    flops = re.findall(r"^  cell \$dff .*?^    connect \\Q \\(\S+)$.*?^  end$", text, re.MULTILINE | re.DOTALL)
    assert 0 < len(flops) < len(cells)
    assert {f"bus__{name}" for name in sdram_bus.members if name != "dq_i"} <= set(flops)


@pytest.mark.parametrize("kind", [SdramPhy, lambda round_trip: SdramPads(None, round_trip)])
def test_a_round_trip_out_of_range_is_refused(kind):
    with pytest.raises(ValueError, match="round_trip must be 0 to 3 cycles, not 4"):
        kind(4)
