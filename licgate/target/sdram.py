"""Timing of SDR SDRAM: the data sheet's nanoseconds, and the cycles that the controller keeps. Plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

from licgate.target.pages import SDRAM_PAGE_BEATS

__all__ = ["CHIPS", "IS42S16160G_7", "MT48LC16M16A2_6A", "ULX3S_SDRAM", "W9825G6_6", "SdramCycles", "SdramTiming"]


@dataclass(frozen=True)
class SdramTiming:
    """What a data sheet says of a chip of 4 banks, 8192 rows, 512 columns and 16 bits.

    Attributes
    ----------
    name : str
    rcd, rp, ras, rc, rfc, rrd, wr : float
        Least nanoseconds: activation to column command, precharge to activation, activation to precharge, activation to
        activation of a bank, refresh to any command, activation to activation of another bank, last datum to precharge.
    cl2_mhz, cl3_mhz : float
        Fastest clock at a CAS latency of 2 and of 3.
    wr_cycles, mrd_cycles : int
        Least cycles of ``wr``, and from the mode register's command to any other.
    refresh_ns : float
        Longest average time between refresh commands: 64 ms for 8192 of them.
    ras_max_ns : float
        Longest time that a row stays open.
    power_up_us : float
        Time with a stable clock before the first command.
    """

    name: str
    rcd: float
    rp: float
    ras: float
    rc: float
    rfc: float
    rrd: float
    wr: float
    cl2_mhz: float
    cl3_mhz: float
    wr_cycles: int = 2
    mrd_cycles: int = 2
    refresh_ns: float = 64e6 / 8192
    ras_max_ns: float = 100e3
    power_up_us: float = 200.0

    def words(self, clock_mhz: float) -> list[int]:
        """Clock and timing as the chip of ``sim/sdram.hpp`` takes them: picoseconds, kHz, cycles."""
        times = (self.rcd, self.rp, self.ras, self.rc, self.rfc, self.rrd, self.wr)
        return [
            round(clock_mhz * 1000),
            *(round(ns * 1000) for ns in times),
            round(self.cl2_mhz * 1000),
            round(self.cl3_mhz * 1000),
            self.wr_cycles,
            self.mrd_cycles,
            round(self.refresh_ns * 1000),
            round(self.ras_max_ns * 1000),
            round(self.power_up_us * 1e6),
        ]


#: ISSI IS42S16160G, speed grade 7.
IS42S16160G_7 = SdramTiming(
    "IS42S16160G-7", rcd=15, rp=15, ras=37, rc=60, rfc=60, rrd=14, wr=14, cl2_mhz=100, cl3_mhz=143
)
#: Micron MT48LC16M16A2, speed grade 6A.
MT48LC16M16A2_6A = SdramTiming(
    "MT48LC16M16A2-6A", rcd=18, rp=18, ras=42, rc=60, rfc=60, rrd=12, wr=12, cl2_mhz=100, cl3_mhz=167
)
#: Winbond W9825G6, speed grade 6.
W9825G6_6 = SdramTiming("W9825G6-6", rcd=15, rp=15, ras=42, rc=60, rfc=60, rrd=12, wr=12, cl2_mhz=133, cl3_mhz=166)
#: ULX3S boards were made with any of those; this satisfies them all, with the longer refresh of other makers.
ULX3S_SDRAM = SdramTiming("ULX3S", rcd=18, rp=18, ras=42, rc=60, rfc=70, rrd=15, wr=15, cl2_mhz=100, cl3_mhz=143)

CHIPS = {chip.name: chip for chip in (ULX3S_SDRAM, IS42S16160G_7, MT48LC16M16A2_6A, W9825G6_6)}


@dataclass(frozen=True)
class SdramCycles:
    """Cycles between commands which the controller keeps; see :class:`SdramTiming`.

    Attributes
    ----------
    cas : int
        CAS latency, 2 or 3.
    rcd : int
        At least 2, and ``rrd``, so that two activations need no timer of their own.
    rp, rfc, wr : int
    hold : int
        From a column command to the precharge: with ``rcd`` before and ``rp`` after, ``ras`` and ``rc`` are kept.
    turn : int
        From the precharge that ends a read to a write command: the chip lets go of the data pins for a cycle.
    refresh : int
        Of the refresh timer.
    power_up, gap : int
        Before the first command, and after each of the power-up commands.
    round_trip : int
        Extra cycles from the pins and back.
    postpone : int
        Refreshes that are owed when they go before the next activation.
    """

    cas: int
    rcd: int
    rp: int
    rfc: int
    wr: int
    hold: int
    turn: int
    refresh: int
    power_up: int
    gap: int
    round_trip: int
    postpone: int

    #: Commands of the power-up: precharge, eight refreshes, mode register.
    STEPS = 10

    @property
    def start(self) -> int:
        """First cycle after the reset in which the chip is ready."""
        return self.power_up + self.STEPS * self.gap

    def pace(self, beat: int) -> int:
        """Cycles from a read's first beat to its beat number ``beat``: one a cycle."""
        return beat

    @classmethod
    def at(
        cls,
        timing: SdramTiming,
        clock_mhz: float,
        *,
        cas: int | None = None,
        round_trip: int = 0,
        postpone: int | None = None,
    ) -> SdramCycles:
        """Cycles of ``timing`` at a clock.

        Parameters
        ----------
        timing : SdramTiming
        clock_mhz : float
        cas : int or None
            CAS latency; by default the least that the clock allows.
        round_trip : int
            Extra cycles from the pins and back, 0 to 3.
        postpone : int or None
            Refreshes that may be owed before they go before the next activation, all of them in a row. By default 4, or
            as many as leave the chip's limit of eight alone.

        Raises
        ------
        ValueError
            The clock is too fast for the chip or the CAS latency, too slow to refresh it, or a number is out of range.
        """
        fastest = {2: timing.cl2_mhz, 3: timing.cl3_mhz}
        if cas is None:
            cas = 2 if clock_mhz <= timing.cl2_mhz else 3
        if cas not in fastest:
            raise ValueError(f"the CAS latency must be 2 or 3, not {cas!r}")
        if not 1 <= clock_mhz <= fastest[cas]:
            raise ValueError(
                f"{timing.name} runs at 1 to {fastest[cas]:g} MHz with a CAS latency of {cas}, not at {clock_mhz:g} MHz"
            )
        if round_trip not in range(4):
            raise ValueError(f"round_trip must be 0 to 3 cycles, not {round_trip!r}")

        def cycles(ns: float, least: int = 1) -> int:
            return max(least, ceil(ns * clock_mhz / 1000 - 1e-9))

        rcd = max(cycles(timing.rcd, 2), cycles(timing.rrd))
        rp, rfc = cycles(timing.rp, 2), cycles(timing.rfc, 4)
        refresh = floor(timing.refresh_ns * clock_mhz / 1000)
        if refresh < 4 * rfc:
            raise ValueError(f"{timing.name} is busy with refreshing at {clock_mhz:g} MHz: one every {refresh} cycles")
        # The chip allows eight. More come while two whole pages go before them: the one under way, and an open row's.
        most = 8 - ceil((2 * SDRAM_PAGE_BEATS + 80) / refresh)
        if most < 1:
            raise ValueError(f"at {clock_mhz:g} MHz refreshes of {timing.name} cannot wait for whole pages")
        if postpone is None:
            postpone = min(4, most)
        if postpone not in range(1, most + 1):
            raise ValueError(f"postpone must be 1 to {most} refreshes at {clock_mhz:g} MHz, not {postpone!r}")
        return cls(
            cas=cas,
            rcd=rcd,
            rp=rp,
            rfc=rfc,
            wr=cycles(timing.wr, timing.wr_cycles),
            hold=max(0, cycles(timing.ras) - rcd, cycles(timing.rc) - rp - rcd),
            turn=cas + 1 + round_trip,
            refresh=refresh,
            power_up=cycles(timing.power_up_us * 1000),
            gap=max(rp, rfc, timing.mrd_cycles),
            round_trip=round_trip,
            postpone=postpone,
        )
