"""What every backend does."""

from __future__ import annotations

import argparse
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

from licgate.backends.options import given
from licgate.errors import ConfigError
from licgate.synth.design import Design, Frame
from licgate.target.board import Board
from licgate.target.config import LANE_MULTIPLIERS, AcceleratorConfig

__all__ = ["Backend", "arithmetic_of", "arrays_first", "needed_transforms", "values_line", "verdict"]


class Backend(ABC):
    """How accelerators whose weights and feature maps lie in one kind of memory are configured, fitted, made and run.

    Options are those of :mod:`licgate.backends.options`, as they were parsed; one that a verb does not have counts as
    not given.

    Attributes
    ----------
    name : str
        What ``--memory`` calls it.
    counts : str
        What its simulators count while they run.
    patches : bool
        Images are cut into patches, of a size that may be asked for.
    """

    name: str
    counts: str
    patches = False

    @abstractmethod
    def config(self, args: argparse.Namespace, board: Board | None = None) -> AcceleratorConfig:
        """The configuration of parsed options; what is not given is the board's, or without one the default.

        Raises
        ------
        ConfigError
            A value is out of range, or an option is for another memory.
        """

    def design(self, args: argparse.Namespace, manifest, board: Board, clock_mhz: float) -> Design:
        """The design of parsed options, not fitted yet.

        Raises
        ------
        ConfigError
            See `config`.
        """
        config = self.config(args, board)
        what = {"manifest": manifest, "board": board, "config": config, "clock_mhz": clock_mhz}
        return Design(**what, mode=args.mode, memory=self.name, **self._asked(args))

    @abstractmethod
    def fit(self, design: Design, *, must_fit: bool = True) -> Design:
        """Settle what a design leaves open, count its block RAMs, and with ``must_fit`` refuse what does not fit.

        Where the device's multipliers do not suffice for arrays and lanes, those of the lanes are made of logic.

        Raises
        ------
        ConfigError
            It does not fit, the board has no such memory, or the array does not run the model.
        """

    @abstractmethod
    def accelerator(self, design: Design):
        """The component for a build of a fitted design, not elaborated yet."""

    @abstractmethod
    def cost(self, design: Design, width: int, height: int) -> Frame:
        """What an image of so many pixels costs on a fitted design, by the exact cycle model.

        Raises
        ------
        ConfigError
            The line buffers hold no strip of the image, or the external memory not its maps.
        """

    @abstractmethod
    def simulate(self, args: argparse.Namespace, manifest, transforms: Sequence[str]):
        """Put an accelerator of some transforms on a simulator, as parsed options want it.

        Returns
        -------
        Gateware or StreamedGateware
            See :mod:`licgate.sim`: for :func:`licgate.sim.simulate.compare`, for a chain of transforms, or for a codec.

        Raises
        ------
        ConfigError
            The array does not run one of the transforms, or an option is for another memory.
        """

    def _asked(self, args: argparse.Namespace) -> dict:
        """Fields of a design that other memories do not know."""
        return {}

    @abstractmethod
    def told(self, design: Design) -> str:
        """A fitted design in words, for the headline of a build."""

    @abstractmethod
    def lines(self, result: dict) -> list[str]:
        """What a comparison in simulation gave, for a person."""

    def check_build(self, design: Design, width: int, height: int, *, synthesis_only: bool) -> None:  # noqa: B027
        """Refuse what is not built with this memory, or does not hold an image of so many pixels.

        Raises
        ------
        ConfigError
        """


def needed_transforms(design: Design) -> list:
    """The transforms of a design.

    Raises
    ------
    ConfigError
        The model lacks one.
    """
    manifest = design.manifest
    if missing := [name for name in design.transforms if name not in manifest.transforms]:
        raise ConfigError(
            f"a build of mode {design.mode} needs {', '.join(missing)}, model {manifest.name} has only "
            f"{', '.join(manifest.transforms)}: take another --mode or model"
        )
    return [manifest.transforms[name] for name in design.transforms]


def arrays_first(design: Design, compiled) -> tuple[Design, object]:
    """A design with its program; where multipliers do not suffice for arrays and lanes, more of lanes is made of logic.

    Parameters
    ----------
    design : Design
    compiled : callable
        Gets a configuration, returns its program.
    """
    program = compiled(design.config)
    for kind in LANE_MULTIPLIERS[LANE_MULTIPLIERS.index(design.config.lane_multipliers) + 1 :]:
        if design.cores * program.multiplier_cells > design.board.multipliers:
            design = replace(design, config=replace(design.config, lane_multipliers=kind))
            program = compiled(design.config)
    return design, program


def arithmetic_of(args: argparse.Namespace, board: Board | None) -> dict:
    """Fields of a configuration that ``--arithmetic``, ``--packing`` and the board come to.

    The board has a default for what lies on the chip, beside which nothing is packed.

    Raises
    ------
    ConfigError
        The option names other multipliers than the board has.
    """
    packing, fields = getattr(args, "packing", None), given(args, "arithmetic")
    if board is None:
        return fields | ({"packing": True, "packed_bits": packing} if packing else {})
    # without a number the option says 0
    if packing and packing != board.packed_bits:
        raise ConfigError(
            f"--packing {packing} is not for board {board.name}, whose multipliers have {board.packed_bits} bits: "
            "leave the number out"
        )
    if packing is None and args.memory == "chip":
        fields = {"arithmetic": board.arithmetic(args.mode)} | fields
    return fields | {"packing": packing is not None, "packed_bits": board.packed_bits}


def values_line(result: dict) -> str:
    """What was run, and whether every value is right."""
    (width, height), name = result["image"], result["transform"]
    place, values = ("pixels", "latents") if name == "g_a" else ("positions", f"values of {name}")
    return f"{width}x{height} {place}, {result['values']} {values}: {verdict(result)}"


def verdict(result: dict) -> str:
    """Whether every value is right."""
    return "bit-exact" if result["bit_exact"] else f"{result['mismatches']} MISMATCHES"
