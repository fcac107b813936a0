"""What an ECP5 board at a USB cable has beside the accelerator: a PLL of its own, resets, and the pads of D+ and D-."""

from __future__ import annotations

from amaranth.hdl import ClockDomain, ClockSignal, Signal
from amaranth.lib import io
from amaranth.lib.cdc import ResetSynchronizer

from licgate.errors import ConfigError
from licgate.gateware.top.usbboard import UsbAccelerator
from licgate.synth.pll import USB_CLOCKS, usb_pll

__all__ = ["UsbClocks", "connect_lines", "usb_board"]

#: MHz of the accelerator that takes a byte as quickly as USB's own clock gives it.
_SLOWEST = 12.0


def usb_board(linked, pll, title: str) -> UsbAccelerator:
    """A linked accelerator behind USB.

    Raises
    ------
    ConfigError
        Its clock is slower than USB's.
    ToolError
        LUNA is not installed.
    """
    if pll.f_out < _SLOWEST:
        raise ConfigError(f"behind USB the accelerator needs {_SLOWEST:g} MHz or more, not {pll.f_out:g}: give --clock")
    return UsbAccelerator(linked, board=title)


class UsbClocks:
    """The domains ``usb_io`` and ``usb``, by a second PLL at the board's oscillator.

    Parameters
    ----------
    platform : Platform

    Raises
    ------
    ConfigError
        The PLL cannot make them.
    """

    def __init__(self, platform):
        self._platform = platform
        self._pll = usb_pll(platform.default_clk_frequency / 1e6)

    def make(self, m, oscillator, locked, running):
        """Add them; return when both PLLs have locked.

        Parameters
        ----------
        m : Module
        oscillator, locked : Signal
            The oscillator; the other PLL has locked.
        running : Signal
            The global reset is over. These domains come out of theirs a little later, each in step with its own clock.
        """
        feedback, both, own = Signal(name="usb_feedback"), Signal(), Signal()
        clocks = []
        for name, mhz in zip(("usb_io", "usb"), USB_CLOCKS, strict=True):
            domain = ClockDomain(name)
            m.domains += domain
            clock = Signal(name=f"{name}_clock", attrs={"keep": 1})
            m.d.comb += ClockSignal(name).eq(clock)
            self._platform.add_clock_constraint(clock, mhz * 1e6)
            m.submodules[f"{name}_reset"] = ResetSynchronizer(~running, domain=name)
            clocks.append(clock)
        m.submodules.usb_pll = self._pll.instance(
            clock_in=oscillator, clock_out=feedback, locked=own, further=tuple(clocks)
        )
        m.d.comb += both.eq(locked & own)
        return both


def connect_lines(m, board, platform):
    """Connect D+, D- and the pull-up of D+ to their pads."""
    pads = platform.request("usb", dir={"d_p": "-", "d_n": "-", "pullup": "-"})
    for name, pad in (("d_p", pads.d_p), ("d_n", pads.d_n)):
        m.submodules[f"{name}_pad"] = buffer = io.Buffer("io", pad)
        m.d.comb += [
            getattr(board, f"{name}_i").eq(buffer.i),
            buffer.o.eq(getattr(board, f"{name}_o")),
            buffer.oe.eq(board.oe),
        ]
    m.submodules.pullup_pad = pullup = io.Buffer("o", pads.pullup)
    m.d.comb += pullup.o.eq(board.pullup)
