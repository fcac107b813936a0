"""Radiona ULX3S with the LFE5U-12F, which is a 25F under another name."""

from dataclasses import replace

from licgate.target.board import find_board


def make_platform():
    """Make the platform of `amaranth_boards`, able to build without a programmer installed."""
    from amaranth_boards.ulx3s import ULX3S_12F_Platform

    from licgate.synth.platforms import ecp5_platform

    return ecp5_platform(ULX3S_12F_Platform, sdram=True)


BOARD = replace(
    find_board("ulx3s-25f"),
    name="ulx3s-12f",
    title="Radiona ULX3S 12F",
    device="LFE5U-12F-6BG381C",
    make_platform=make_platform,
)
