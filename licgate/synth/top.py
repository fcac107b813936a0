"""The shell of an ECP5 board: PLL, reset and pads around a board that knows nothing of them."""

from __future__ import annotations

from amaranth.build import Platform, Subsignal
from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Instance, Module, Signal
from amaranth.lib import io, wiring

from licgate.errors import ConfigError
from licgate.gateware.host.uart import uart_divisor
from licgate.gateware.top.board import LinkedAccelerator, SerialAccelerator
from licgate.gateware.top.ethernet import EthernetAccelerator
from licgate.synth.pll import Ecp5Pll
from licgate.synth.rgmii import connect_rgmii
from licgate.synth.usbtop import UsbClocks, connect_lines, usb_board
from licgate.target.board import Board
from licgate.target.ethernet import EthernetFacts
from licgate.target.link import FRAME_TIMEOUT_SECONDS, LinkFacts

__all__ = ["Ecp5Top"]


class Ecp5Top(Elaboratable):
    """Connect an accelerator to the pins of a board.

    Parameters
    ----------
    accelerator : Component
        With members ``i``, ``o``, ``o_patch`` and ``csr``; one with a ``bus`` gets the pads of the board's SDRAM.
    pll : Ecp5Pll
        Makes the accelerator's clock from the platform's default clock.
    board : Board
        Of whose ``links`` the next one is.
    link : str
        The way to the host.
    build : int
        What the register BUILD says.
    ethernet : EthernetFacts, optional
        Of the link ``udp``.

    Raises
    ------
    ConfigError
        The clock is no multiple of the serial port's rate, nor near one; or USB needs a faster one.
    ToolError
        USB needs LUNA, which is not installed.
    """

    def __init__(
        self,
        accelerator,
        *,
        pll: Ecp5Pll,
        board: Board,
        link: str,
        build: int = 0,
        ethernet: EthernetFacts | None = None,
    ):
        self.accelerator, self.pll, self.link = accelerator, pll, link
        clock_hz = pll.f_out * 1e6
        facts = LinkFacts(build=build, clock_khz=round(clock_hz / 1e3), serial=link == "serial", stream=link == "usb")
        linked = LinkedAccelerator(accelerator, timeout=round(FRAME_TIMEOUT_SECONDS * clock_hz), facts=facts)
        if link == "usb":
            self.board = usb_board(linked, pll, board.title)
        elif link == "udp":
            self.board = EthernetAccelerator(linked, ethernet or EthernetFacts())
        else:
            try:
                divisor = uart_divisor(clock_hz=clock_hz, baud=board.baud)
            except ValueError as error:
                raise ConfigError(f"{error}, of the board's serial port: give another --clock") from None
            self.board = SerialAccelerator(linked, divisor=divisor)

    def elaborate(self, platform: Platform):
        m = Module()
        self._clock(m, platform, UsbClocks(platform) if self.link == "usb" else None)
        m.submodules.board = board = self.board
        if "bus" in board.signature.members:
            m.submodules.sdram = pads = platform.get_sdram(self.accelerator.round_trip)
            wiring.connect(m, board.bus, pads.bus)
        if self.link == "usb":
            connect_lines(m, board, platform)
        elif self.link == "udp":
            connect_rgmii(m, board, platform, self.pll.f_out)
        else:
            self._serial(m, board, platform)
        return m

    @staticmethod
    def _serial(m, board, platform):
        """Pads of the serial port."""
        pins = [pin for pin in platform.lookup("uart").ios if isinstance(pin, Subsignal)]
        uart = platform.request("uart", dir={pin.name: "-" for pin in pins})
        m.submodules.rx_input = rx_input = io.Buffer("i", uart.rx)
        m.submodules.tx_output = tx_output = io.Buffer("o", uart.tx)
        m.d.comb += [board.rx.eq(rx_input.i), tx_output.o.eq(board.tx)]

    def _clock(self, m, platform, usb):
        """Make the clock, and hold everything in reset until it runs."""
        m.domains.sync = ClockDomain(reset_less=True)
        clock = Signal(name="design_clock", attrs={"keep": 1})  # by this name the constraint finds it in the netlist
        locked = Signal()
        early = Signal()
        late = Signal()
        m.submodules.clock_input = clock_input = io.Buffer("i", platform.request(platform.default_clk, dir="-"))
        m.submodules.pll = self.pll.instance(clock_in=clock_input.i, clock_out=clock, locked=locked)
        m.d.comb += ClockSignal().eq(clock)
        platform.add_clock_constraint(clock, self.pll.f_out * 1e6)
        if usb:
            locked = usb.make(m, clock_input.i, locked, late)
        # The global set/reset holds every register until the PLL has locked, at no cost in routing.
        m.submodules.lock_early = Instance("FD1S3AX", p_GSR="DISABLED", i_CK=clock, i_D=locked, o_Q=early)
        m.submodules.lock_late = Instance("FD1S3AX", p_GSR="DISABLED", i_CK=clock, i_D=early, o_Q=late)
        m.submodules.global_reset = Instance("SGSR", i_CLK=clock, i_GSR=late)
