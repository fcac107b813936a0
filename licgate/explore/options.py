"""Options that ``licgate plan`` and ``licgate explore`` share."""

from __future__ import annotations

import argparse
from pathlib import Path

from licgate.errors import ConfigError
from licgate.manifest.architectures import MODES

__all__ = ["add_shared_arguments", "channels", "clock_of", "packing_note", "positive"]


def positive(text: str) -> int:
    """A positive integer, for argparse."""
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


def channels(text: str) -> tuple[int, int]:
    """N,M, for argparse."""
    inner, _, latents = text.partition(",")
    return positive(inner), positive(latents)


def size(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT, for argparse."""
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT")
    if int(width) > 16384 or int(height) > 16384:
        raise argparse.ArgumentTypeError(f"{text} is larger than 16384x16384")
    return int(width), int(height)


def add_shared_arguments(parser: argparse.ArgumentParser) -> None:
    """Add board, mode, size, clock and JSON."""
    parser.add_argument("--board", required=True, help="name (see: licgate boards) or path of a board file")
    parser.add_argument(
        "--mode",
        choices=tuple(MODES),
        default="analysis",
        help="which transforms the accelerator contains, as in licgate build (default: %(default)s)",
    )
    parser.add_argument("--size", type=size, default=(768, 512), metavar="WxH", help="image (default: 768x512)")
    parser.add_argument("--clock", type=float, metavar="MHZ", help="clock assumed (default: the board's)")
    parser.add_argument(
        "--packing", action="store_true", help="two products a multiplier where a layer's widths allow it"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON as well")


def clock_of(args: argparse.Namespace, board) -> float:
    """Clock that is assumed.

    Raises
    ------
    ConfigError
        It makes no sense.
    """
    clock = board.frequency if args.clock is None else args.clock
    if not 1 <= clock <= 1000:
        raise ConfigError(f"a clock of {clock:g} MHz makes no sense: give --clock from 1 to 1000")
    return clock


def packing_note(args: argparse.Namespace) -> str:
    """What a headline says of packing."""
    return ", two products a multiplier where widths allow it" if args.packing else ""
