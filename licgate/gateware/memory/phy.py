"""Between the SDRAM controller and the pins: flip-flops, and nothing but flip-flops."""

from __future__ import annotations

from amaranth.hdl import Const, Elaboratable, Module
from amaranth.lib import io
from amaranth.lib.wiring import Component, In, Out, Signature

from licgate.gateware.arith import delayed

__all__ = ["SdramPads", "SdramPhy", "sdram_bus"]

#: What the controller drives and the chip sees, all active high; ``dq_oe`` is high while the controller drives ``dq``.
#: In a reset the data is masked, so that a burst that goes on writes nothing.
sdram_bus = Signature(
    {
        "cke": Out(1, init=1),
        "cs": Out(1),
        "ras": Out(1),
        "cas": Out(1),
        "we": Out(1),
        "ba": Out(2),
        "a": Out(13),
        "dqm": Out(2, init=3),
        "dq_o": Out(16),
        "dq_oe": Out(1),
        "dq_i": In(16),
    }
)

_OUTPUTS = ("cke", "cs", "ras", "cas", "we", "ba", "a", "dqm", "dq_o", "dq_oe")


class SdramPhy(Component):
    """Registers without pads, for simulations and for tops that bring their own pads.

    Parameters
    ----------
    round_trip : int
        Extra cycles by which what is read arrives late, 0 to 3; the controller is told the same.

    Members
    -------
    bus : :py:`In(sdram_bus)`
        From the controller.
    pins : :py:`Out(sdram_bus)`

    Attributes
    ----------
    latency : int
        1 cycle to the pins; 1 and ``round_trip`` back.
    """

    latency = 1

    def __init__(self, round_trip: int = 0):
        if round_trip not in range(4):
            raise ValueError(f"round_trip must be 0 to 3 cycles, not {round_trip!r}")
        self.round_trip = round_trip
        super().__init__({"bus": In(sdram_bus), "pins": Out(sdram_bus)})

    def elaborate(self, platform):
        m = Module()
        m.d.sync += [getattr(self.pins, name).eq(getattr(self.bus, name)) for name in _OUTPUTS]
        m.d.comb += self.bus.dq_i.eq(delayed(m, self.pins.dq_i, 1 + self.round_trip, name="captured", reset_less=True))
        return m


class SdramPads(Elaboratable):
    """The same at the pads of a board, in the flip-flops of the pads, with the chip's clock.

    The chip's clock is the design's turned by half a period, from a DDR pad. So commands and data have half a period of
    set-up and of hold at the chip, and what it drives ``tAC`` after an edge is caught by the design's second edge after
    that one: at 143 MHz 10.5 ns later, at a ``round_trip`` of 0.

    Parameters
    ----------
    ports : object
        With the ports of `amaranth.lib.io` as attributes ``clk``, ``clk_en``, ``cs``, ``ras``, ``cas``, ``we``, ``ba``,
        ``a``, ``dqm`` and ``dq``: ``platform.request("sdram", dir=...)`` with every direction ``-``.
    round_trip : int
        As of :class:`SdramPhy`.

    Attributes
    ----------
    bus : interface of ``sdram_bus``, from the controller
    """

    def __init__(self, ports, round_trip: int = 0):
        if round_trip not in range(4):
            raise ValueError(f"round_trip must be 0 to 3 cycles, not {round_trip!r}")
        self.ports, self.round_trip = ports, round_trip
        self.bus = sdram_bus.flip().create(path=("bus",))

    def elaborate(self, platform):
        m = Module()
        names = {
            "clk_en": "cke",
            "cs": "cs",
            "ras": "ras",
            "cas": "cas",
            "we": "we",
            "ba": "ba",
            "a": "a",
            "dqm": "dqm",
        }
        for port, name in names.items():
            m.submodules[port] = buffer = io.FFBuffer("o", getattr(self.ports, port))
            m.d.comb += buffer.o.eq(getattr(self.bus, name))
        m.submodules.dq = dq = io.FFBuffer("io", self.ports.dq)
        m.d.comb += [dq.o.eq(self.bus.dq_o), dq.oe.eq(self.bus.dq_oe)]
        m.d.comb += self.bus.dq_i.eq(delayed(m, dq.i, self.round_trip, name="captured", reset_less=True))
        m.submodules.clk = clock = io.DDRBuffer("o", self.ports.clk)
        m.d.comb += [clock.o[0].eq(Const(0)), clock.o[1].eq(Const(1))]
        return m
