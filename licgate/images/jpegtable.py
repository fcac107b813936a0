"""Huffman tables of a JPEG, ready to go through its coded data fast."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import cast

import numpy as np
import numpy.typing as npt

__all__ = ["END", "LENGTH", "DamageError", "Table", "huffman_table"]

LENGTH = (1 << 5) - 1
"""An entry of a table: how many bits to go in its low 5 bits, how many coefficients above them."""

END = 256
"""Coefficients of a symbol that ends its block: more than any block has."""

BAD = 4096
"""Coefficients of what is no symbol."""


class DamageError(Exception):
    """What is wrong with coded data."""


class Table:
    """A Huffman table, by the 16 bits that come next.

    Parameters
    ----------
    symbols : ndarray of int64, shape (65536,)
        The symbol, or -1.
    lengths : ndarray of int64, shape (65536,)
        Bits of its code.
    """

    def __init__(self, symbols: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> None:
        self._symbols, self._lengths = symbols, lengths

    @cached_property
    def codes(self) -> list[int]:
        """Symbol times 32 and the bits of its code, or -1."""
        return cast(list[int], np.where(self._symbols < 0, -1, self._symbols << 5 | self._lengths).tolist())

    @cached_property
    def differences(self) -> list[int]:
        """Bits of a code with the difference behind it, times 32 and its category; -1 for what is none."""
        return cast(list[int], self.means.tolist())

    @cached_property
    def means(self) -> npt.NDArray[np.int64]:
        """The same as an array."""
        bad = (self._symbols < 0) | (self._symbols > 15)
        return np.where(bad, -1, (self._lengths + self._symbols) << 5 | self._symbols)

    @cached_property
    def steps(self) -> list[int]:
        """Coefficients times 32 and bits of the next symbol with its value."""
        return cast(list[int], self._steps.tolist())

    @cached_property
    def _steps(self) -> npt.NDArray[np.int64]:
        run, size = self._symbols >> 4, self._symbols & 15
        count = np.where((size == 0) & (run < 15), END, run + 1)
        count = np.where(self._symbols < 0, BAD, count)
        return count << 5 | (self._lengths + size)

    @cached_property
    def leaps(self) -> list[int]:
        """The same of all symbols, with their values, that lie in 16 bits; of one at least."""
        steps, window = self._steps, np.arange(1 << 16)
        total = steps.copy()
        open_ = (total >> 5 < END) & (total & LENGTH < 16)
        while open_.any():
            used = total & LENGTH
            more = steps[(window << used) & 0xFFFF]
            open_ &= (used + (more & LENGTH) <= 16) & (more >> 5 < BAD)
            total = np.where(open_, total + more, total)
            open_ &= (total >> 5 < END) & (total & LENGTH < 16)
        return cast(list[int], total.tolist())


@lru_cache(maxsize=32)  # most files have the tables of the standard
def huffman_table(counts: bytes, symbols: bytes) -> Table:
    """Return a table from how many codes of each length there are, and what they stand for.

    Raises
    ------
    DamageError
        If the codes do not fit.
    """
    found, lengths = np.full(1 << 16, -1, dtype=np.int64), np.full(1 << 16, 1, dtype=np.int64)
    code, at = 0, 0
    for length, count in enumerate(counts, 1):
        width = 1 << (16 - length)
        end = code + count * width
        if end > 1 << 16:
            raise DamageError("a Huffman table has too many codes")
        found[code:end] = np.repeat(np.frombuffer(symbols[at : at + count], dtype=np.uint8), width)
        lengths[code:end] = length
        code, at = end, at + count
    return Table(found, lengths)
