"""A design: an accelerator for a board, and what one image costs on it. Build, report, plan and explore pass it on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from licgate.manifest.architectures import MODES
from licgate.perf.causes import FrameCost
from licgate.perf.predict import Prediction
from licgate.synth.fit import Fit
from licgate.target.axi import AxiTiming
from licgate.target.board import Board
from licgate.target.build import BuildFacts
from licgate.target.config import AcceleratorConfig
from licgate.target.ethernet import LINE_BANDWIDTH, EthernetFacts
from licgate.target.registers import Kind
from licgate.target.sdram import SdramCycles
from licgate.target.usb import BYTES_PER_SECOND

__all__ = ["Design", "Frame"]

#: Accelerators behind the host link, by their memory.
_LINKED = {"chip": Kind.RESIDENT, "sdram": Kind.SDRAM}


@dataclass(frozen=True, kw_only=True)
class Design:
    """An accelerator for a board: what is asked for, and once it is fitted what that comes to.

    Attributes
    ----------
    manifest : Manifest
    board : Board
    config : AcceleratorConfig
        A StreamedConfig where maps and weights lie in external memory.
    clock_mhz : float
    mode : str
        One of `MODES`: which transforms the accelerator contains.
    memory : str
        Name of the backend, see :mod:`licgate.backends`.
    cores : int
        Arrays on the device, each of ``config.multipliers``.
    copies : int
        How often the accelerator stands on the device, each with a frame of its own; its cores are divided among them.
    fixed_width : bool
        The width of the line buffers was asked for; else it is the widest that fits, up to the one of ``config``.
    timing : SdramCycles or AxiTiming or None
        Of the external memory.
    program : Program or None
        None until it is fitted; then without weights.
    fit : Fit or None
        Its block RAMs.
    external : dict or None
        How external memory is used, for the report.
    link : str
        The way to the host: one of the board's ``links``.
    ethernet : EthernetFacts or None
        Of the link ``udp``.
    """

    manifest: object
    board: Board
    config: AcceleratorConfig
    clock_mhz: float
    mode: str = "analysis"
    memory: str = "chip"
    cores: int = 1
    copies: int = 1
    fixed_width: bool = False
    timing: SdramCycles | AxiTiming | None = None
    program: object = None
    fit: Fit | None = None
    external: Mapping | None = None
    link: str = "serial"
    ethernet: EthernetFacts | None = None

    @property
    def transforms(self) -> tuple[str, ...]:
        """Names of the transforms that it contains."""
        return MODES[self.mode]

    @property
    def facts(self) -> BuildFacts | None:
        """What a host has to know of its build; None where the host is a processor beside it."""
        if self.memory not in _LINKED:
            return None
        return BuildFacts(
            kind=_LINKED[self.memory],
            board=self.board.name,
            model=self.manifest.name,
            hash=self.manifest.hash,
            transforms=self.transforms,
            config=self.config,
            clock_khz=round(self.clock_mhz * 1e3),
            cores=self.cores,
            link=self.link,
        )

    @property
    def link_bandwidth(self) -> float | None:
        """Bytes a second of the way to the host, in each direction; None where there is none."""
        if self.link == "usb":
            return float(BYTES_PER_SECOND)
        if self.link == "udp":
            return LINE_BANDWIDTH
        return self.board.baud / 10 if self.board.baud else None

    @property
    def link_block_rams(self) -> int:
        """Block RAMs of the link to the host."""
        return self.board.link_block_rams(self.ethernet)

    @property
    def multipliers(self) -> int:
        """Multipliers of all arrays."""
        return self.cores * self.config.multipliers


@dataclass(frozen=True)
class Frame:
    """What one image costs on a design.

    Attributes
    ----------
    image : tuple of int
        Width and height in pixels.
    prediction : Prediction
    cost : FrameCost or None
        What its cycles are spent on, and the bytes that it moves.
    """

    image: tuple[int, int]
    prediction: Prediction
    cost: FrameCost | None = None

    @property
    def work(self) -> float:
        """Cycles of one multiplier that its products take: two products of a packed layer are one unit of the work."""
        return sum(row["macs"] / row.get("products", 1) for row in self.prediction.layers)

    def fps(self, design: Design, clock_mhz: float | None = None) -> float:
        """Frames a second of all copies, at the design's clock if no other is given."""
        clock = design.clock_mhz if clock_mhz is None else clock_mhz
        return design.copies * clock * 1e6 / self.prediction.cycles
