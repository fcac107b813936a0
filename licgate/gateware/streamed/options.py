"""Command line options of external memory, which several verbs share."""

from argparse import ArgumentTypeError

from amaranth.utils import exact_log2

from licgate.errors import ConfigError
from licgate.target.axi import AxiTiming
from licgate.target.config import LANE_MULTIPLIERS
from licgate.target.pages import axi_page_beats
from licgate.target.streamed import StreamedConfig

__all__ = ["MEMORIES", "MEMORY_SHAPE", "add_memory_arguments", "axi_timing", "memory_config"]

#: Where weights and feature maps lie.
MEMORIES = ("chip", "sdram")

#: And where a board brings a memory of its own, which `licgate explore` knows nothing of.
BOARD_MEMORIES = (*MEMORIES, "axi")

#: Options that shape what lies between memory and array.
MEMORY_SHAPE = ("block_rows", "band_groups", "prefetch_words", "weight_words", "output_words")


def add_memory_arguments(parser):
    """Add ``--memory`` and what belongs to it."""
    default = StreamedConfig()
    parser.add_argument(
        "--memory",
        choices=BOARD_MEMORIES,
        default="chip",
        help="where weights and feature maps lie: on the chip, or, for models of any size, in an SDR SDRAM or in a "
        "memory behind AXI4 (default: %(default)s)",
    )
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
    timing = AxiTiming()
    group = parser.add_argument_group("with --memory axi")
    group.add_argument(
        "--axi-bits",
        type=int,
        choices=(32, 64),
        default=timing.data_bits,
        help="width of each bus (default: %(default)s)",
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


def _pair(text):
    """Two numbers, for argparse."""
    first, _, second = text.partition(",")
    if not (first.isdecimal() and second.isdecimal()):
        raise ArgumentTypeError(f"{text!r} is not two numbers with a comma between them")
    return int(first), int(second)


def axi_timing(args):
    """The AxiTiming of parsed arguments.

    Raises
    ------
    ConfigError
        A number is out of range.
    """
    (read, write), (beats, per) = args.axi_latency, args.axi_rate
    try:
        return AxiTiming(data_bits=args.axi_bits, read_latency=read, write_latency=write, beats=beats, per=per)
    except ValueError as error:
        raise ConfigError(f"{error}: give another --axi-latency or --axi-rate") from None


def memory_config(args, **fixed):
    """The StreamedConfig of parsed arguments; ``fixed`` fields come before them.

    Raises
    ------
    ConfigError
        A value is out of range.
    """
    names = ("rows", "cols", "lanes", "lane_multipliers", *MEMORY_SHAPE)
    given = {name: value for name in names if (value := getattr(args, name, None)) is not None}
    if args.memory == "axi":
        page = axi_page_beats(args.axi_bits)
        given |= {"beat_bits": args.axi_bits, "page_beats": page, "burst_beats": page // 2, "weight_burst": page}
        # two GB, which a processor's memory begins with
        given |= {"address_bits": 31 - exact_log2(args.axi_bits // 8)}
    return StreamedConfig(**(given | fixed))
