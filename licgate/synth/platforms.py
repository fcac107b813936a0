"""What the device families add to Amaranth's platforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.build import Subsignal

from licgate.gateware.engine.accumulator import ccu2c_adder, ccu2c_choosing_adder, ccu2c_signing_adder
from licgate.gateware.engine.multiplier import dsp48e2_multiplier, mult18x18d_multiplier
from licgate.gateware.memory.phy import SdramPads
from licgate.synth.rgmii import Ecp5RgmiiPads

__all__ = ["Ecp5Tools", "UltraScalePlusPlatform", "ecp5_platform"]


class Ecp5Tools:
    """Mix-in for platforms of `amaranth_boards`: DSP blocks for multipliers, no required tool that only programs."""

    required_tools = ("yosys", "nextpnr-ecp5", "ecppack")

    #: Function of a row and a column, and of the array's rows and columns, that names the multiplier's place, or None
    #: to leave it to the placer.
    multiplier_site = None

    def get_multiplier(self, multiplier):
        """Body of a `Multiplier` on this family."""
        place = type(self).multiplier_site
        bel = place(*multiplier.site) if place is not None and multiplier.site is not None else None
        return mult18x18d_multiplier(multiplier, bel=bel)

    def get_restarting_adder(self, adder):
        """Body of a `RestartingAdder` on this family."""
        return ccu2c_adder(adder)

    def get_choosing_adder(self, adder):
        """Body of a `ChoosingAdder` on this family."""
        return ccu2c_choosing_adder(adder)

    def get_signing_adder(self, adder):
        """Body of a `SigningAdder` on this family."""
        return ccu2c_signing_adder(adder)


class _SdramBoard:
    """Mix-in for platforms of `amaranth_boards` with one SDR SDRAM as resource ``sdram``."""

    def get_sdram(self, round_trip=0):
        """Pads of the SDRAM, for the `bus` of an `SdramController`."""
        names = ("clk", "clk_en", "cs", "we", "ras", "cas", "ba", "a", "dq", "dqm")
        return SdramPads(self.request("sdram", dir=dict.fromkeys(names, "-")), round_trip)


class _RgmiiBoard:
    """Mix-in for platforms of `amaranth_boards` with a PHY behind an RGMII as resource ``eth_rgmii``."""

    #: Delays of `Ecp5RgmiiPads`.
    rgmii: tuple[int, int]

    def get_rgmii(self):
        """Pads of the RGMII, for the ``receive`` and ``transmit`` of an `EthernetLink`."""
        pins = [pin.name for pin in self.lookup("eth_rgmii").ios if isinstance(pin, Subsignal)]
        receive, transmit = self.rgmii
        ports = self.request("eth_rgmii", dir=dict.fromkeys(pins, "-"))
        return Ecp5RgmiiPads(ports, receive_ps=receive, transmit_ps=transmit)


def ecp5_platform(
    base: type,
    *,
    sdram: bool = False,
    rgmii: tuple[int, int] | None = None,
    multiplier_site: Callable[[int, int, int, int], str | None] | None = None,
) -> Any:
    """Make a platform of `amaranth_boards` for an ECP5, with what licgate adds.

    Parameters
    ----------
    base : class
        Of `amaranth_boards`, or your own of the same kind, with the resource ``uart``, or ``eth_rgmii``, or both.
    sdram : bool
        The board has an SDR SDRAM, resource ``sdram``.
    rgmii : tuple of (int, int), optional
        The board has a PHY, resource ``eth_rgmii``: delays of received data and of the transmitted clock, ps.
    multiplier_site : callable, optional
        Place of a multiplier, see `Ecp5Tools`.
    """
    bases = (Ecp5Tools, *((_SdramBoard,) if sdram else ()), *((_RgmiiBoard,) if rgmii else ()), base)
    site = staticmethod(multiplier_site) if multiplier_site else None
    return type(base.__name__, bases, {"multiplier_site": site, "rgmii": rgmii})()


class UltraScalePlusPlatform:
    """Stands in for a platform where only synthesis exists: no pins, no constraints."""

    def get_multiplier(self, multiplier):
        """Body of a `Multiplier` on this family."""
        return dsp48e2_multiplier(multiplier)
