"""GsD ButterStick, LFE5UM5G-85F: 30 MHz oscillator, gigabit Ethernet, no serial port, fastest speed grade."""

from licgate.target.board import Board
from licgate.target.devices import ECP5_85F

# By how much received data and the transmitted clock are delayed, in picoseconds.
RGMII = (2000, 2000)


def make_platform():
    """Make the platform of `amaranth_boards`, able to build without a programmer installed."""
    from amaranth_boards.butterstick import ButterStickPlatform

    from licgate.synth.floorplan import ecp5_85f_site
    from licgate.synth.platforms import ecp5_platform

    return ecp5_platform(ButterStickPlatform, rgmii=RGMII, multiplier_site=ecp5_85f_site)


BOARD = Board(
    name="butterstick",
    title="GsD ButterStick r1.0",
    device="LFE5UM5G-85F-8BG381C",
    make_platform=make_platform,
    clock_input=30.0,
    rgmii=RGMII,
    frequency=100.0,
    rows=8,
    cols=12,
    # Nine columns of 8-bit weights fill the width of block RAMs, of which this mode needs nearly all.
    shapes={"encoder": (8, 9)},
    **ECP5_85F,
)
