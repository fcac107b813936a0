"""What ``licgate plan`` does with every model, for each memory in a way of its own: a row of figures, and a line."""

from __future__ import annotations

import argparse
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict

from licgate.backends import get_backend
from licgate.backends.base import arithmetic_of
from licgate.explore.exact import frame_figures
from licgate.synth.design import Design, Frame
from licgate.target.arithmetic import DIRECT
from licgate.target.board import Board

__all__ = ["Planner", "StreamedPlanner", "arithmetic_note", "streamed_row", "sums_of", "widest"]


class Planner(ABC):
    """Plans of models on one board, with one kind of memory.

    Parameters
    ----------
    args : Namespace
        Options of ``licgate plan``.
    board : Board
    clock_mhz : float
        Assumed.

    Attributes
    ----------
    headline : str
    sums : dict
        How the array sums, see `sums_of`.
    facts : dict
        What JSON says of this memory.

    Raises
    ------
    ConfigError
        An option is for another memory, or out of range.
    """

    headline: str
    sums: dict
    facts: dict

    def __init__(self, args: argparse.Namespace, board: Board, clock_mhz: float):
        self.args, self.board, self.clock_mhz = args, board, clock_mhz
        self.sums = sums_of(args, board)
        self.facts = dict(self.sums)

    def prepared(self, manifest):
        """What is to be planned; a ConfigError if the array does not run the model."""
        return manifest

    @abstractmethod
    def plan(self, prepared) -> dict:
        """A row of figures for JSON: ``model``, ``fits``, and where it fits ``macs`` and ``fps``."""

    @abstractmethod
    def line(self, row: dict) -> str:
        """A row for a person."""

    @abstractmethod
    def verdict(self, found: dict | None, rows: Sequence[dict]) -> str:
        """Whether a model reaches the frames a second that are wanted; ``found`` is the one of most work that does."""


class StreamedPlanner(Planner):
    """Plans with external memory, by the exact cycle model."""

    reaches = "reaches", "reaches"

    def __init__(self, args, board, clock_mhz):
        super().__init__(args, board, clock_mhz)
        self.backend = get_backend(args.memory)
        self.facts |= {"memory": args.memory}
        config = self.backend.config(args, board)
        self.shape = f"{args.cores} x {config.rows} x {config.cols}"

    def design(self, manifest) -> Design:
        """The design of the options, not fitted yet."""
        return self.backend.design(self.args, manifest, self.board, self.clock_mhz)

    def verdict(self, found, rows):
        """See `Planner.verdict`."""
        one, none = self.reaches
        if found is None:
            return f"no model that fits {none} {self.args.fps:g} frames/s"
        return f"the widest model {one} {self.args.fps:g} frames/s is {found['model']}, with {found['fps']:.3f}"


def streamed_row(design: Design, size: tuple[int, int]) -> tuple[Design, Frame, dict]:
    """Fit a design with external memory, which may be too large; return it with what an image costs, and its row."""
    backend = get_backend(design.memory)
    design = backend.fit(design, must_fit=False)
    frame = backend.cost(design, *size)
    return (
        design,
        frame,
        {
            "model": design.manifest.name,
            "config": asdict(design.config),
            "cores": design.cores,
            "multipliers": design.multipliers,
            "block_rams": design.fit.needed,
            "fits": design.fit.fits,
            **frame_figures(design, frame),
        },
    )


def widest(rows: Sequence[dict], fps: float) -> dict | None:
    """The row of the model of most work that reaches a frame rate; of equal ones the faster."""
    reached = [row for row in rows if row["fits"] and row["fps"] >= fps]
    return max(reached, key=lambda row: (row["macs"], row["fps"]), default=None)


def sums_of(args: argparse.Namespace, board: Board) -> dict:
    """How the array sums, as a space of shapes takes it: ``arithmetic`` and ``packing``."""
    fields = {"arithmetic": DIRECT.name} | arithmetic_of(args, board)
    return {name: fields[name] for name in ("arithmetic", "packing")}


def arithmetic_note(*, arithmetic: str, packing: bool) -> str:
    """What a headline says of how the array sums."""
    if arithmetic != "direct":
        return f", arithmetic {arithmetic}"
    return ", two products a multiplier where widths allow it" if packing else ""
