"""Entropy tables of a manifest as one memory of the range coder in gateware: what stands where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from licgate.manifest.checks import Integers
from licgate.manifest.entropy import CdfTables

__all__ = ["HALVING_BITS", "HEADER_BITS", "HEADER_WORDS", "OFFSET_BITS", "CoderTables", "coder_tables", "middle_of"]

HEADER_BITS = 2
HEADER_WORDS = 1 << HEADER_BITS
"""Words of a table's header: first and middle; the symbol of the middle's first entry; tail and halvings; base."""

HALVING_BITS = 5
"""Of the number of edges that a search looks at."""

OFFSET_BITS = 16

EXCESS_BITS = 20
"""Of what lies beyond a table: `licgate.codec.escapes.EXCESS_LIMIT` is ``1 << EXCESS_BITS``."""


@dataclass(frozen=True)
class CoderTables:
    """All tables that a coder reads, in one memory.

    Of a table's n entries, the first ``first`` and the last ``tail`` have the least share, 1 of ``2**precision``, so
    that their places say all of them; the ``middle`` entries between have ``middle - 1`` numbers in memory, the edges
    from one to the next. Edge t, 0 < t < middle, is word ``base + t``. The header of table l is words ``4 l`` to
    ``4 l + 3``: ``first + (middle << count_bits)``, ``offset + first`` modulo ``2**width``,
    ``tail + (halvings << count_bits)``, and ``base``.

    Parameters
    ----------
    precision : int
        Bits of the shares: even, 16 to 24.
    words : tuple of int
    width : int
        Bits of a word.
    count_bits : int
        Bits of ``first``, ``middle`` and ``tail``.
    starts : tuple of int
        Number of the first table of each set.
    tables : int
    symbol_bits : int
        Of a signed symbol of any table.
    halvings : int
        Bounds that a search looks at, at most: those of the largest middle.
    """

    precision: int
    words: tuple[int, ...]
    width: int
    count_bits: int
    starts: tuple[int, ...]
    tables: int
    symbol_bits: int
    halvings: int


def coder_tables(*sets: CdfTables) -> CoderTables:
    """Return the memory of sets of tables, such as ``factorized`` and ``gaussian``: one behind the other.

    Raises
    ------
    ValueError
        There is none.
    """
    if not sets:
        raise ValueError("a coder needs one set of tables or more")
    precision = max(16, *(tables.precision + tables.precision % 2 for tables in sets))
    scaled = [cdf << precision - tables.precision for tables in sets for cdf in tables.cdf]
    offsets = [int(offset) for tables in sets for offset in tables.offset]
    found = [(middle_of(cdf), offset) for cdf, offset in zip(scaled, offsets, strict=True)]
    count_bits = max(max(first, middle, tail).bit_length() for (first, middle, tail), _ in found)
    total = HEADER_WORDS * len(found) + sum(middle - 1 for (_, middle, _), _ in found)
    symbols = [(offset, offset + first + middle + tail - 1) for (first, middle, tail), offset in found]
    symbol_bits = 1 + max(
        max(~low if low < 0 else low, ~high if high < 0 else high).bit_length() for low, high in symbols
    )
    width = max(precision, 2 * count_bits, count_bits + HALVING_BITS, OFFSET_BITS, total.bit_length(), symbol_bits + 1)
    headers: list[int] = []
    edges: list[int] = []
    for ((first, middle, tail), offset), cdf in zip(found, scaled, strict=True):
        base = HEADER_WORDS * len(found) + len(edges) - 1
        halvings = (middle - 1).bit_length()
        headers += [
            first | middle << count_bits,
            (offset + first) % (1 << width),
            tail | halvings << count_bits,
            base,
        ]
        edges += [int(edge) for edge in cdf[first + 1 : first + middle]]
    numbers = [table.count for table in sets]
    return CoderTables(
        precision=precision,
        words=(*headers, *edges),
        width=width,
        count_bits=count_bits,
        starts=tuple(sum(numbers[:k]) for k in range(len(numbers))),
        tables=len(found),
        symbol_bits=symbol_bits,
        halvings=max((middle - 1).bit_length() for (_, middle, _), _ in found),
    )


def middle_of(cdf: Integers | Sequence[int]) -> tuple[int, int, int]:
    """Return how many entries of a table have the least share in front, how many are between, and how many follow."""
    wide = np.flatnonzero(np.diff(cdf) > 1)
    if not len(wide):
        return 0, 1, len(cdf) - 2
    first, end = int(wide[0]), int(wide[-1]) + 1
    return first, end - first, len(cdf) - 1 - end
