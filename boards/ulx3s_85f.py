"""Radiona ULX3S with the LFE5U-85F: 25 MHz oscillator, FTDI serial port over USB, slowest speed grade."""

from licgate.target.board import Board
from licgate.target.devices import ECP5_85F
from licgate.target.sdram import ULX3S_SDRAM


def make_platform():
    """Make the platform of `amaranth_boards`, able to build without a programmer installed."""
    from amaranth_boards.ulx3s import ULX3S_85F_Platform

    from licgate.synth.floorplan import ecp5_85f_site
    from licgate.synth.platforms import ecp5_platform

    return ecp5_platform(ULX3S_85F_Platform, sdram=True, multiplier_site=ecp5_85f_site)


BOARD = Board(
    name="ulx3s-85f",
    title="Radiona ULX3S 85F",
    device="LFE5U-85F-6BG381C",
    make_platform=make_platform,
    clock_input=25.0,
    baud=3_000_000,
    # FTDI FT231X
    usb=((0x0403, 0x6015),),
    # US2 goes to the FPGA itself.
    usb_lines=True,
    loader="ulx3s",
    frequency=100.0,
    rows=8,
    cols=12,
    # Nearly all multipliers for g_a alone. Nine columns of 8-bit weights fill the width of block RAMs, of which an
    # encoder needs nearly all.
    shapes={"analysis": (12, 12), "encoder": (8, 9)},
    # Twice the products for g_a, whose memories leave room for words of two parts.
    arithmetics={"analysis": "fip"},
    # 128 and 192 channels are multiples of 16; nine pixels of 8 bits fill the width of block RAMs.
    streamed=(9, 16),
    # 32 MiB and 16 bits wide.
    sdram=ULX3S_SDRAM,
    **ECP5_85F,
)
