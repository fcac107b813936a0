"""Parameters of a streamed accelerator that are not facts of the model."""

from dataclasses import dataclass

from licgate.errors import ConfigError
from licgate.target.config import AcceleratorConfig, check_range

__all__ = ["StreamedConfig"]


@dataclass(frozen=True, kw_only=True)
class StreamedConfig(AcceleratorConfig):
    """Shape of a streamed accelerator.

    Other parameters are those of :class:`AcceleratorConfig`; ``max_width`` and the slacks have no effect.

    Parameters
    ----------
    block_rows : int
        Output rows that are made between two visits of a layer, 1 to 16; pairs of them, one at least, where a
        transposed convolution makes them. Weights are read once for every ``block_rows * band_groups * rows`` results
        of a channel, or twice as many.
    band_groups : int
        Groups of ``rows`` output columns (of a transposed convolution: input columns), four times as many with
        ``fip-f4``, that are made together, 1 to 16.
    prefetch_words : int or None
        Word columns that are fetched while a band is computed; None takes all that the next band needs.
    weight_words : int or None
        Depth of the weight ring; None takes two of the largest tiles and those of the largest GDN.
    beat_bits : int
        Bits of a beat of the external memory, 8 to 64.
    page_beats : int
        A transaction does not cross a multiple of this, 1 to 512.
    burst_beats, weight_burst : int or None
        The same for what is read, weights apart; less than a page lets other ports come in between more often. None
        makes it an eighth of a page, and half of one.
    address_bits : int
        Of a beat's address, 8 to 32.
    output_words : int or None
        Words of ``rows`` results that wait on their way to memory, at least ``2 * cols``, with ``fip-f4`` ``4 * cols``;
        None makes it ``16 * cols``. With packing both are twice as many. Transposed convolutions take more: a record of
        their output beside.

    Raises
    ------
    ConfigError
        A parameter is not an integer in its range.
    """

    block_rows: int = 4
    band_groups: int = 4
    prefetch_words: int | None = None
    weight_words: int | None = None
    beat_bits: int = 16
    page_beats: int = 512
    burst_beats: int | None = None
    weight_burst: int | None = None
    address_bits: int = 24

    def __post_init__(self) -> None:
        for name, part in (("burst_beats", 8), ("weight_burst", 2)):
            if getattr(self, name) is None and isinstance(self.page_beats, int):
                object.__setattr__(self, name, max(1, self.page_beats // part))
        if self.output_words is None and isinstance(self.cols, int):
            object.__setattr__(self, "output_words", 16 * (self.cols << self.packing))
        super().__post_init__()
        check_range("output_words", self.output_words, 2 * (self.cols << self.packing), 4096)
        for name, low, high in (
            ("block_rows", 1, 16),
            ("band_groups", 1, 16),
            ("beat_bits", 8, 64),
            ("page_beats", 1, 512),
            ("burst_beats", 1, self.page_beats),
            ("weight_burst", 1, self.page_beats),
            ("address_bits", 8, 32),
        ):
            check_range(name, getattr(self, name), low, high)
        for name in ("page_beats", "burst_beats", "weight_burst"):
            if getattr(self, name) & (getattr(self, name) - 1):
                raise ConfigError(f"{name} is {getattr(self, name)}: give a power of two")
        for name, high in (("prefetch_words", 256), ("weight_words", 1 << 20)):
            if getattr(self, name) is not None:
                check_range(name, getattr(self, name), 1, high)
