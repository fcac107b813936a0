"""Radiona ULX3S with the LFE5U-25F: 25 MHz oscillator, FTDI serial port over USB, slowest speed grade."""

from licgate.target.board import Board
from licgate.target.devices import ECP5_25F
from licgate.target.sdram import ULX3S_SDRAM


def make_platform():
    """Make the platform of `amaranth_boards`, able to build without a programmer installed."""
    from amaranth_boards.ulx3s import ULX3S_25F_Platform

    from licgate.synth.platforms import ecp5_platform

    return ecp5_platform(ULX3S_25F_Platform, sdram=True)


BOARD = Board(
    name="ulx3s-25f",
    title="Radiona ULX3S 25F",
    device="LFE5U-25F-6BG381C",
    make_platform=make_platform,
    clock_input=25.0,
    baud=3_000_000,
    # FTDI FT231X
    usb=((0x0403, 0x6015),),
    # US2 goes to the FPGA itself.
    usb_lines=True,
    loader="ulx3s",
    frequency=100.0,
    rows=7,
    cols=4,
    streamed=(7, 4),
    # 32 MiB and 16 bits wide.
    sdram=ULX3S_SDRAM,
    **ECP5_25F,
)
