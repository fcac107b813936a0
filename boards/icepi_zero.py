"""IcePi Zero 1.3 with the LFE5U-25F: 50 MHz oscillator, FTDI serial port over USB, slowest speed grade."""

from licgate.target.board import Board
from licgate.target.devices import ECP5_25F
from licgate.target.sdram import W9825G6_6


def make_platform():
    """Make the platform of `amaranth_boards`, able to build without a programmer installed."""
    from amaranth_boards.icepi_zero import IcepiZero1_3Platform

    from licgate.synth.platforms import ecp5_platform

    return ecp5_platform(IcepiZero1_3Platform, sdram=True)


BOARD = Board(
    name="icepi-zero",
    title="IcePi Zero 1.3",
    device="LFE5U-25F-6BG256C",
    make_platform=make_platform,
    clock_input=50.0,
    baud=3_000_000,
    # FTDI FT231X
    usb=((0x0403, 0x6015),),
    loader="icepi-zero",
    frequency=100.0,
    rows=7,
    cols=4,
    streamed=(7, 4),
    # 32 MiB and 16 bits wide.
    sdram=W9825G6_6,
    **ECP5_25F,
)
