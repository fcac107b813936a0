"""The window of a pass: which input columns meet which array row, and where they lie in words."""

from collections.abc import Iterator
from dataclasses import dataclass

from licgate.target.points import QUAD, TapRow, tap_row

__all__ = ["Shape"]


@dataclass(frozen=True)
class Shape:
    """How a pass reads a kernel row.

    Array row r, at tap k, takes input column ``stride * (group + r) + first_column + k``, where ``group`` is the
    group's first output column. Where a row makes ``outputs`` of them, column ``stride * (group + outputs * r + i) +
    first_column + k`` is tap k of output i; and words hold every fourth column, so that such a group's columns begin
    with a word's first ones. There are 1 or 4 outputs, a quad: see ``licgate/target/points.py``.
    """

    stride: int
    first_column: int
    columns: int
    outputs: int = 1

    @property
    def tap_row(self) -> TapRow:
        """How the points of a quad are laid out; only of quads."""
        return tap_row(self.columns, self.stride)

    @property
    def steps(self) -> int:
        """Steps in which one kernel row of one word of channels is fed."""
        return self.columns if self.outputs == 1 else len(self.tap_row.steps)

    @property
    def weights(self) -> int:
        """Words of weights of these steps."""
        return self.columns if self.outputs == 1 else len(self.tap_row.fetches)

    def pixels(self, rows: int) -> int:
        """Pixels of the window."""
        if self.outputs == 1:
            return self.stride * (rows - 1) + self.columns
        return self.stride * self.outputs * (rows - 1) + self.tap_row.pixels

    def place(self, pixel: int, rows: int) -> tuple[int, int]:
        """Word, relative to the group's first one, and position in it, of a pixel of the window."""
        column = self.first_column + pixel
        if self.outputs == 1:
            return divmod(column, rows)
        block, rest = divmod(column, QUAD * rows)
        return QUAD * block + rest % QUAD, rest // QUAD

    def _words(self, rows: int) -> Iterator[int]:
        # the columns that outputs read; what lies behind them in the window of a quad counts for nothing
        last = self.stride * (self.outputs * rows - 1) + self.columns
        return (self.place(pixel, rows)[0] for pixel in range(last))

    def first_word(self, rows: int) -> int:
        """Offset of the window's first input word, relative to the word of the group's first column."""
        return min(self._words(rows))

    def words(self, rows: int) -> int:
        """Input words that one window of taps touches."""
        return max(self._words(rows)) - self.first_word(rows) + 1

    def tap_row_cycles(self, rows: int) -> int:
        """Cycles in which one kernel row of one word of channels is fed."""
        return max(self.steps, self.words(rows))
