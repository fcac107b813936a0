"""Stages: a convolution with the GDN behind it, and the line buffer in front of it."""

from dataclasses import dataclass
from typing import Any, TypeVar, cast, overload

from licgate.errors import ConfigError
from licgate.manifest.layers import Conv2d
from licgate.program.ops import Op, tap_range

__all__ = ["Stage", "check_convolution"]

T = TypeVar("T")

# A GDN reads what its convolution made three groups ago: enough for results of the shortest passes to arrive meanwhile.
_BAND_GROUPS = 4

# Words of GDN inputs up to which bands are that long, and one block RAM deep. Where channels are many, so are the steps
# of a group, and what is lost behind shorter bands is little.
_GDN_WORDS = 1024


@dataclass(frozen=True)
class Stage:
    """A convolution with the GDN that may follow it, and the ring of input rows in front of it.

    Attributes
    ----------
    conv, gdn : Op
        ``gdn`` is None when the convolution's own requantisation ends the stage.
    ring : int
        Input rows that the line buffer keeps.
    words : int
        Words (of ``rows`` pixels of one channel) in the widest input row.
    memory, base : int
        Line memory, and the address of the stage's line buffer in it.
    chain : int
        Position of its transform in ``Program.chains``.
    first, last : bool
        The stage takes what the host sends; the host takes what it gives.
    """

    conv: Op
    gdn: Op | None
    ring: int
    words: int
    memory: int
    base: int
    chain: int
    first: bool
    last: bool

    @property
    def _layer(self) -> Conv2d:
        return cast(Conv2d, self.conv.layer)

    @property
    def row_stride(self) -> int:
        """Line buffer words between two rows."""
        return self.words * self.conv.words_in

    @property
    def depth(self) -> int:
        """Line buffer words in all."""
        return self.ring * self.row_stride

    @property
    def last_row(self) -> int:
        """Address of the last row of the ring; the row behind it is the one at ``base``."""
        return self.base + (self.ring - 1) * self.row_stride

    @property
    def last_op(self) -> Op:
        """The operation whose results leave the stage."""
        return self.gdn if self.gdn is not None else self.conv

    @property
    def upsampling(self) -> bool:
        """Two output rows and columns for each of the input, made phase by phase."""
        return len(self.conv.pass_kinds) > 1

    @property
    def parities(self) -> int:
        """Parities of output columns (and rows) that are made apart: 1, or 2 of an upsampling stage."""
        return 1 + self.upsampling

    @property
    def stride(self) -> int:
        """Input columns from one array row to the next: 1 or 2."""
        shape = self.conv.pass_kinds[0].shape
        assert shape is not None  # a convolution's
        return shape.stride

    @property
    def band_groups(self) -> int:
        """Groups of a band of a resident core; the last band of a row has up to as many more, less one.

        Results that leave the chip come group by group.
        """
        if self.last:
            return 1
        if self.gdn is None:
            return _BAND_GROUPS
        return max(1, min(_BAND_GROUPS, (_GDN_WORDS // (self.conv.outputs * self.gdn.channels_in) + 1) // 2))

    @property
    def gdn_words(self) -> int:
        """Words of GDN inputs of the largest band of a resident core."""
        return 0 if self.gdn is None else (2 * self.band_groups - 1) * self.conv.outputs * self.gdn.words_in

    @property
    def most_rows(self) -> int:
        """Input rows that an output row reads, at most."""
        return max(pass_kind.kernel_rows for pass_kind in self.conv.pass_kinds)

    @overload
    def span(self, row: int) -> tuple[int, int]: ...
    @overload
    def span(self, row: Any) -> tuple[Any, Any]: ...
    def span(self, row: Any) -> tuple[Any, Any]:
        """First input row and the one behind the last, not clipped to the image, that output row ``row`` reads.

        ``row`` may be an int or an Amaranth value.
        """
        layer = self._layer
        if not layer.transposed:
            scaled = (row << 1) if self.stride == 2 else row
            return scaled - layer.padding, scaled + (layer.kernel - layer.padding)
        if self.upsampling:
            return ((row + (layer.padding - layer.kernel + 2)) >> 1), ((row + (layer.padding + 2)) >> 1)
        first, rows = self._depth_range()
        return row + first, row + (first + rows)

    def _depth_range(self) -> tuple[int, int]:
        ranges = [tap_range(self._layer, parity) for parity in range(2)]
        first = min(start for start, _ in ranges)
        return first, max(start + count for start, count in ranges) - first

    @property
    def most_above(self) -> int:
        """Kernel rows that lie above the image, at most."""
        return max(0, -min(self.span(row)[0] for row in range(2)))

    @overload
    def output_length(self, length: int) -> int: ...
    @overload
    def output_length(self, length: Any) -> Any: ...
    def output_length(self, length: Any) -> Any:
        """Rows or columns of the output for ``length`` of the input, int or Amaranth value; depth form counts once."""
        if self.upsampling:
            return length << 1
        return (length + 1) >> 1 if self.stride == 2 else length

    def group_columns(self, width_in: T, width_out: T) -> T:
        """The width that is cut into groups: the input's where every phase goes over it."""
        return width_in if self.upsampling else width_out


def check_convolution(layer: Conv2d) -> None:
    """Refuse a convolution that the array does not run.

    Raises
    ------
    ConfigError
    """
    if layer.requantize.leak:
        slope = layer.requantize.leak / 2**16
        raise ConfigError(f"{layer.name}: the array has no leaky ReLU (slope {slope:.2g}); train with ReLU")
    if layer.transposed:
        if layer.stride != 2 or layer.kernel - 2 * layer.padding + layer.output_padding != 2 or layer.kernel < 2:
            raise ConfigError(
                f"{layer.name}: the array runs transposed convolutions of stride 2 that double the size, not kernel "
                f"{layer.kernel}, stride {layer.stride}, padding {layer.padding}, output padding {layer.output_padding}"
            )
    elif layer.stride not in (1, 2) or layer.kernel % 2 == 0 or layer.padding != layer.kernel // 2:
        raise ConfigError(
            f"{layer.name}: the array runs convolutions of an odd kernel, stride 1 or 2 and padding kernel // 2, "
            f"not kernel {layer.kernel}, stride {layer.stride}, padding {layer.padding}"
        )
