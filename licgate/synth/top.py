"""The shell of an ECP5 board: PLL, reset and pads around a board that knows nothing of them."""

from __future__ import annotations

from amaranth.build import Platform, Subsignal
from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Instance, Module, Signal
from amaranth.lib import io, wiring

from licgate.errors import ConfigError
from licgate.gateware.host.uart import uart_divisor
from licgate.gateware.top.board import LinkedAccelerator, SerialAccelerator
from licgate.synth.pll import Ecp5Pll
from licgate.synth.usbtop import UsbClocks, connect_lines, usb_board
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
    baud : int or None
        Rate of the serial port; None for USB.
    build : int
        What the register BUILD says.
    title : str
        Of the board, where it is a USB device.

    Raises
    ------
    ConfigError
        The clock is no multiple of the rate, nor near one; or USB needs a faster one.
    ToolError
        USB needs LUNA, which is not installed.
    """

    def __init__(self, accelerator, *, pll: Ecp5Pll, baud: int | None, build: int = 0, title: str = ""):
        self.accelerator, self.pll, self._usb = accelerator, pll, baud is None
        clock_hz = pll.f_out * 1e6
        timeout = round(FRAME_TIMEOUT_SECONDS * clock_hz)
        if baud is None:
            facts = LinkFacts(build=build, clock_khz=round(clock_hz / 1e3), stream=True)
            self.board = usb_board(LinkedAccelerator(accelerator, timeout=timeout, facts=facts), pll, title)
            return
        try:
            divisor = uart_divisor(clock_hz=clock_hz, baud=baud)
        except ValueError as error:
            raise ConfigError(f"{error}, of the board's serial port: give another --clock") from None
        facts = LinkFacts(build=build, clock_khz=round(clock_hz / 1e3), serial=True)
        linked = LinkedAccelerator(accelerator, timeout=timeout, facts=facts)
        self.board = SerialAccelerator(linked, divisor=divisor)

    def elaborate(self, platform: Platform):
        m = Module()
        locks = UsbClocks(platform) if self._usb else None
        self._clock(m, platform, locks)
        m.submodules.board = board = self.board
        if "bus" in board.signature.members:
            m.submodules.sdram = pads = platform.get_sdram(self.accelerator.round_trip)
            wiring.connect(m, board.bus, pads.bus)
        if locks:
            connect_lines(m, board, platform)
        else:
            self._serial_port(m, board, platform)
        return m

    def _serial_port(self, m, board, platform):
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
