"""LambdaConcept ECPIX-5, LFE5UM5G-85F: 100 MHz oscillator, FTDI serial port, gigabit Ethernet, fastest speed grade."""

from licgate.target.board import Board
from licgate.target.devices import ECP5_85F

# By how much received data and the transmitted clock are delayed, in picoseconds.
RGMII = (0, 2000)


def make_platform():
    """Make the platform of `amaranth_boards`, able to build without a programmer installed."""
    from amaranth_boards.ecpix5 import ECPIX585Platform

    from licgate.synth.platforms import ecp5_platform

    return ecp5_platform(ECPIX585Platform, rgmii=RGMII)


BOARD = Board(
    name="ecpix5-85f",
    title="LambdaConcept ECPIX-5 85F",
    device="LFE5UM5G-85F-8BG554C",
    make_platform=make_platform,
    clock_input=100.0,
    baud=3_000_000,
    rgmii=RGMII,
    # FTDI FT2232H
    usb=((0x0403, 0x6010),),
    loader="ecpix5",
    frequency=100.0,
    rows=8,
    cols=12,
    # Nine columns of 8-bit weights fill the width of block RAMs, of which this mode needs nearly all.
    shapes={"encoder": (8, 9)},
    **ECP5_85F,
)
