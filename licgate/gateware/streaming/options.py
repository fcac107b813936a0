"""Command line options of external memory, which several verbs share."""

from licgate.gateware.streaming.config import StreamingConfig

__all__ = ["MEMORIES", "MEMORY_SHAPE", "add_memory_arguments", "memory_config"]

#: Where weights and feature maps lie.
MEMORIES = ("chip", "sdram")

#: Options that shape what lies between memory and array.
MEMORY_SHAPE = ("block_rows", "band_groups", "prefetch_words", "weight_words", "output_words")


def add_memory_arguments(parser):
    """Add ``--memory`` and what belongs to it."""
    default = StreamingConfig()
    parser.add_argument(
        "--memory", choices=MEMORIES, default="chip",
        help="where weights and feature maps lie: on the chip, or in an SDR SDRAM, for models of any size "
        "(default: %(default)s)",
    )  # fmt: skip
    group = parser.add_argument_group("with --memory sdram")
    group.add_argument("--cores", type=int, default=1, help="arrays that share the memory (default: %(default)s)")
    group.add_argument("--block-rows", type=int, help=f"rows of a block (default: {default.block_rows})")
    group.add_argument(
        "--band-groups", type=int, help=f"groups of array rows in a band of a block (default: {default.band_groups})"
    )
    group.add_argument(
        "--prefetch-words", type=int, help="word columns that are fetched ahead (default: all that a band needs)"
    )
    group.add_argument("--weight-words", type=int, help="words of the weight ring (default: two tiles and the GDN's)")
    group.add_argument("--output-words", type=int, help="words of results that wait (default: 16 for each column)")


def memory_config(args, **fixed):
    """The StreamingConfig of parsed arguments; ``fixed`` fields come before them.

    Raises
    ------
    ConfigError
        A value is out of range.
    """
    names = ("rows", "cols", "lanes", *MEMORY_SHAPE)
    given = {name: value for name in names if (value := getattr(args, name, None)) is not None}
    return StreamingConfig(**(given | fixed))
