"""Options of the command line that several verbs share: one option, one name. What they mean, the backends know."""

from __future__ import annotations

import argparse
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError

from licgate.errors import ConfigError
from licgate.manifest.architectures import MODES
from licgate.target.arithmetic import ARITHMETICS
from licgate.target.axi import AxiTiming
from licgate.target.config import LANE_MULTIPLIERS, AcceleratorConfig
from licgate.target.streamed import StreamedConfig

__all__ = [
    "MEMORIES",
    "MEMORY_SHAPE",
    "add_arithmetic_arguments",
    "add_array_arguments",
    "add_channels_argument",
    "add_frame_arguments",
    "add_memory_argument",
    "add_memory_arguments",
    "add_mode_arguments",
    "add_old_names",
    "add_shape_arguments",
    "axi_timing",
    "clock_of",
    "given",
    "positive",
    "size_of",
]

#: Where weights and feature maps may lie.
MEMORIES = ("chip", "sdram", "axi")

#: Options that shape what lies between external memory and array.
MEMORY_SHAPE = ("block_rows", "band_groups", "prefetch_words", "weight_words", "output_words")

#: Bits of the multipliers that packing knows: those of ECP5 and of UltraScale+.
PACKED_BITS = (18, 27)

_LARGEST = 16384


def positive(text: str) -> int:
    """A positive integer, for argparse."""
    if not (text.isdecimal() and int(text)):
        raise ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


def size_of(text):
    """WIDTHxHEIGHT, for argparse."""
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT")
    if int(width) > _LARGEST or int(height) > _LARGEST:
        raise ArgumentTypeError(f"{text} is larger than {_LARGEST}x{_LARGEST}")
    return int(width), int(height)


def _channels(text):
    inner, _, latents = text.partition(",")
    return positive(inner), positive(latents)


def _pair(text):
    first, _, second = text.partition(",")
    if not (first.isdecimal() and second.isdecimal()):
        raise ArgumentTypeError(f"{text!r} is not two numbers with a comma between them")
    return int(first), int(second)


def add_frame_arguments(parser: ArgumentParser) -> None:
    """Add what a design is for: board, mode, size of the image, clock, packing, arithmetic."""
    parser.add_argument("--board", required=True, help="name (see: licgate boards) or path of a board file")
    add_mode_arguments(parser)
    parser.add_argument("--clock", type=float, metavar="MHZ", help="clock, asked for or assumed (default: the board's)")
    add_arithmetic_arguments(parser)


def add_mode_arguments(parser: ArgumentParser) -> None:
    """Add mode and size of the image."""
    parser.add_argument(
        "--mode",
        choices=tuple(MODES),
        default="analysis",
        help="which transforms the accelerator contains: g_a alone, those of an encoder (g_a, h_a, h_s), those of a "
        "decoder (h_s, g_s), or both (default: %(default)s)",
    )
    parser.add_argument(
        "--size", type=size_of, default=(768, 512), metavar="WxH", help="image that figures are for (default: 768x512)"
    )


def add_old_names(parser: ArgumentParser) -> None:
    """Add what ``--size`` and ``--clock`` of ``licgate build`` were called in 0.1."""
    parser.add_argument("--image", dest="size", type=size_of, default=SUPPRESS, help=SUPPRESS)
    parser.add_argument("--frequency", dest="clock", type=float, default=SUPPRESS, help=SUPPRESS)


def add_arithmetic_arguments(parser: ArgumentParser, *, without: int = 0) -> None:
    """Add ``--packing`` and ``--arithmetic``; ``without`` is what packing says without a number: 0 for the board's."""
    usual = "the board's" if not without else f"{without}"
    parser.add_argument(
        "--packing",
        type=int,
        nargs="?",
        choices=PACKED_BITS,
        const=without,
        metavar="BITS",
        help="two products a multiplier where a layer's widths allow it, for multipliers of BITS bits: 18 (ECP5) or 27 "
        f"(UltraScale+); without BITS, {usual}",
    )
    parser.add_argument(
        "--arithmetic",
        choices=tuple(ARITHMETICS),
        help="a product for each multiply-accumulate, or half as many by the fast inner product (default: "
        f"{'direct' if without else 'what the board has for the mode; direct beside --packing and external memory'})",
    )


def add_channels_argument(parser: ArgumentParser, what: str, **options) -> None:
    """Add ``--channels``; ``what`` begins its help."""
    parser.add_argument("--channels", type=_channels, metavar="N,M", help=what, **options)


def add_array_arguments(parser: ArgumentParser, usual: str, *, max_width: str | None = None) -> None:
    """Add rows, columns and lanes of the array; with ``max_width``, its help, that option as well."""
    parser.add_argument("--rows", type=positive, help=f"array rows (default: {usual})")
    parser.add_argument("--cols", type=positive, help=f"array columns (default: {usual})")
    parser.add_argument("--lanes", type=positive, help="post-processing lanes (default: enough for the model)")
    if max_width is not None:
        parser.add_argument("--max-width", type=positive, metavar="PIXELS", help=max_width)


def add_shape_arguments(parser: ArgumentParser) -> None:
    """Add the array and its arithmetic where there is no board."""
    default = AcceleratorConfig()
    add_array_arguments(
        parser,
        f"{default.rows} and {default.cols}",
        max_width=f"pixels the line buffers hold (default: {default.max_width})",
    )
    add_arithmetic_arguments(parser, without=default.packed_bits)


def add_memory_argument(parser: ArgumentParser, memories=MEMORIES) -> None:
    """Add ``--memory``."""
    parser.add_argument(
        "--memory",
        choices=memories,
        default="chip",
        help="where weights and feature maps lie: on the chip, or, for models of any size, in an SDR SDRAM"
        + (" or in a memory behind AXI4" if "axi" in memories else "")
        + " (default: %(default)s)",
    )


def add_memory_arguments(parser: ArgumentParser) -> None:
    """Add ``--memory`` and what belongs to it."""
    add_memory_argument(parser)
    default, timing = StreamedConfig(), AxiTiming()
    group = parser.add_argument_group("with --memory sdram or axi")
    group.add_argument(
        "--cores",
        type=int,
        default=1,
        help="arrays: parts of a frame at one SDRAM, or a frame and an AXI4 bus each (default: %(default)s)",
    )
    group.add_argument("--block-rows", type=int, help=f"rows of a block (default: {default.block_rows})")
    group.add_argument(
        "--band-groups", type=int, help=f"groups of array rows in a band of a block (default: {default.band_groups})"
    )
    group.add_argument(
        "--prefetch-words", type=int, help="word columns that are fetched ahead (default: all that a band needs)"
    )
    group.add_argument("--weight-words", type=int, help="words of the weight ring (default: two tiles and the GDN's)")
    group.add_argument("--output-words", type=int, help="words of results that wait (default: 16 for each column)")
    group.add_argument(
        "--lane-multipliers",
        choices=LANE_MULTIPLIERS,
        default="dsp",
        help="what those of the lanes are made of: DSP blocks, logic for the smallest, logic (default: %(default)s)",
    )
    group = parser.add_argument_group("with --memory axi")
    group.add_argument(
        "--axi-bits", type=int, choices=(32, 64), default=timing.data_bits, help="of each bus (default: %(default)s)"
    )
    group.add_argument(
        "--axi-latency",
        type=_pair,
        default=(timing.read_latency, timing.write_latency),
        metavar="READ,WRITE",
        help="cycles assumed from an address to its first beat, and from a write's last beat to its answer "
        f"(default: {timing.read_latency},{timing.write_latency})",
    )
    group.add_argument(
        "--axi-rate",
        type=_pair,
        default=(timing.beats, timing.per),
        metavar="BEATS,CYCLES",
        help="beats assumed in so many cycles, each way, at most (default: 1,1)",
    )


def given(args: argparse.Namespace, *names: str) -> dict:
    """Those of some options that were given, by name."""
    return {name: value for name in names if (value := getattr(args, name, None)) is not None}


def axi_timing(args: argparse.Namespace) -> AxiTiming:
    """The AxiTiming of parsed options.

    Raises
    ------
    ConfigError
        A number is out of range.
    """
    fields = given(args, "axi_bits", "axi_latency", "axi_rate")
    pairs = {"axi_bits": ("data_bits",), "axi_latency": ("read_latency", "write_latency"), "axi_rate": ("beats", "per")}
    chosen = {}
    for option, value in fields.items():
        chosen |= dict(zip(pairs[option], value if isinstance(value, tuple) else (value,), strict=True))
    try:
        return AxiTiming(**chosen)
    except ValueError as error:
        raise ConfigError(f"{error}: give another --axi-latency or --axi-rate") from None


def clock_of(args: argparse.Namespace, board) -> float:
    """Clock of parsed options, or the board's.

    Raises
    ------
    ConfigError
        It makes no sense.
    """
    clock = board.frequency if args.clock is None else args.clock
    if not 1 <= clock <= 1000:
        raise ConfigError(f"a clock of {clock:g} MHz makes no sense: give --clock from 1 to 1000")
    return clock
