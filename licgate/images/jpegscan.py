"""The coded data of a JPEG, symbol by symbol: whether they end where the blocks do (ITU-T T.81, annexes F and G)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from licgate.images.jpegtable import END, LENGTH, DamageError, Table

__all__ = ["Component", "Scan", "walk"]

Bytes = npt.NDArray[np.uint8]

SLACK = 4096
"""Bytes that one unit may read behind the end before it is looked whether there were any."""


@dataclass
class Component:
    """One colour of a frame.

    Attributes
    ----------
    h, v : int
        Blocks of it in a unit of an interleaved scan.
    columns, rows : int
        Blocks of it in a scan of its own.
    stride : int
        Blocks in a row of interleaved units.
    quantiser : int
        Which table of quantiser steps it has.
    nonzero : list of int
        Of a progressive frame: a bit for each coefficient of each block that is not zero so far.
    done : int
        A bit for each coefficient whose last bit has come.
    """

    h: int
    v: int
    columns: int
    rows: int
    stride: int
    quantiser: int
    nonzero: list[int]
    done: int = 0


@dataclass(frozen=True, kw_only=True)
class Scan:
    """The header of a scan.

    Attributes
    ----------
    components : list of Component
    dc, ac : list of Table or None
        Of each component.
    first, last : int
        Coefficients.
    refines : bool
        Whether it gives one more bit of what earlier scans began.
    progressive : bool
    columns, rows : int
        Units of the frame.
    reach : list of int
        No mean of a block lies further from zero, by component.
    """

    components: list[Component]
    dc: list[Table | None]
    ac: list[Table | None]
    first: int
    last: int
    refines: bool
    progressive: bool
    columns: int
    rows: int
    reach: list[int]

    @property
    def units(self) -> int:
        """Units of the scan: blocks where it has one component, what is interleaved otherwise."""
        if len(self.components) == 1:
            return self.components[0].columns * self.components[0].rows
        return self.columns * self.rows


def walk(scan: Scan, data: Bytes, done: int, count: int, *, last: bool) -> None:
    """Go through the data between two restarts.

    Parameters
    ----------
    scan : Scan
    data : ndarray of uint8, shape (n,)
        Without stuffed zeros.
    done, count : int
        Units before it, and in it.
    last : bool
        Whether nothing of the scan follows.

    Raises
    ------
    DamageError
        If there are fewer or more data than `count` units take, or something that no encoder writes.
    """
    padded = np.concatenate([data, np.zeros(SLACK + 8, dtype=np.uint8)]).astype(np.uint32)
    # 24 bits from each byte on: 16 from each bit on
    together: npt.NDArray[np.uint32] = padded[:-2] << np.uint32(16) | padded[1:-1] << np.uint32(8) | padded[2:]
    words = together.data
    bits, refined = 8 * len(data), scan.refines
    if scan.progressive and scan.first > 0:
        if len(scan.components) != 1 or scan.ac[0] is None:
            raise DamageError("the header of a scan is damaged")
        at = (_refine if refined else _band)(scan, words, bits, done, count)
    elif refined:
        # a bit a block
        at = count * sum(c.h * c.v for c in scan.components) if len(scan.components) > 1 else count
    else:
        at = _means(scan, words, bits, count, padded)
    if at > bits:
        raise DamageError(f"its data end early{'' if last else ' before a restart'}")
    if bits - at >= 8 and np.unique(data[(at + 7) // 8 :]).size != 1:
        # some encoders fill with bytes of one kind
        raise DamageError("there are more data than its blocks take")


def _means(scan: Scan, words: memoryview, bits: int, count: int, padded: npt.NDArray[np.uint32]) -> int:
    """Go through units with their means: all of a sequential scan, or the first of a progressive one."""
    single = len(scan.components) == 1
    parts = []
    for number, component in enumerate(scan.components):
        dc, ac = scan.dc[number], scan.ac[number]
        if dc is None or (ac is None and not scan.progressive):
            raise DamageError("a Huffman table is missing")
        alone = scan.progressive
        tables = dc.differences, [] if alone or ac is None else ac.leaps, [] if alone or ac is None else ac.steps
        parts += [(number, *tables)] * (1 if single else component.h * component.v)
    places: list[list[int]] = [[] for _ in scan.components]
    at, alone = 0, scan.progressive
    for _ in range(count):
        for number, differences, leaps, steps in parts:
            places[number].append(at)
            found = differences[(words[at >> 3] >> (8 - (at & 7))) & 0xFFFF]
            if found < 0:
                raise DamageError("its data hold a code that there is not")
            at += found >> 5
            if alone:
                continue
            k = 1
            while k < 64:
                step = leaps[(words[at >> 3] >> (8 - (at & 7))) & 0xFFFF]
                behind = k + (step >> 5)
                if behind > 64 and not END < behind <= END + 63:
                    # not all of these symbols are of this block
                    step = steps[(words[at >> 3] >> (8 - (at & 7))) & 0xFFFF]
                    behind = k + (step >> 5)
                    if behind > 64 and not END < behind <= END + 63:
                        raise DamageError("its data hold what no block has")
                k = behind
                at += step & LENGTH
        if at > bits:
            raise DamageError("its data end early")
    for number, table in enumerate(scan.dc):
        if table is not None:
            _check_means(np.array(places[number]), table, padded, scan.reach[number])
    return at


def _check_means(at: npt.NDArray[np.int64], table: Table, padded: npt.NDArray[np.uint32], reach: int) -> None:
    """Raise if means, added up from their differences, go beyond what pixels can have."""
    wide = padded.astype(np.uint64)
    window = np.zeros(len(at), dtype=np.uint64)
    for byte in range(5):
        window = window << np.uint64(8) | wide[(at >> 3) + byte]
    window = (window << (at & 7).astype(np.uint64)) & np.uint64((1 << 40) - 1)
    found = table.means[(window >> np.uint64(24)).astype(np.int64)]
    size = found & 31
    shift = (40 - (found >> 5)).astype(np.uint64)
    value = (window >> shift).astype(np.int64) & ((1 << size) - 1)
    # a first bit of 0 means a negative one
    value = np.where(value < (1 << size) >> 1, value - (1 << size) + 1, value)
    if np.abs(np.cumsum(value)).max(initial=0) > reach:
        raise DamageError("its blocks become brighter than pixels can be")


def _blocks(component: Component, done: int, count: int) -> Iterator[int]:
    """Give the places of the blocks of a scan of one component."""
    for number in range(done, done + count):
        row, column = divmod(number, component.columns)
        yield row * component.stride + column


def _band(scan: Scan, words: memoryview, bits: int, done: int, count: int) -> int:
    """Go through the first bits of some coefficients of one component."""
    table = scan.ac[0]
    assert table is not None  # walk has looked
    codes, nonzero, last = table.codes, scan.components[0].nonzero, scan.last
    at = run = 0
    for block in _blocks(scan.components[0], done, count):
        if run:
            run -= 1
            continue
        k = scan.first
        while k <= last:
            found = codes[(words[at >> 3] >> (8 - (at & 7))) & 0xFFFF]
            if found < 0:
                raise DamageError("its data hold a code that there is not")
            zeros, size = found >> 9, (found >> 5) & 15
            at += found & LENGTH
            if size == 0 and zeros < 15:
                run = (1 << zeros) - 1 + _take(words, at, zeros)
                at += zeros
                break
            k += zeros
            if size:
                if k > last:
                    raise DamageError("its data hold what no block has")
                nonzero[block] |= 1 << k
                at += size
            k += 1
        if at > bits:
            raise DamageError("its data end early")
    if run:
        raise DamageError("its data go on behind the last block")
    return at


def _refine(scan: Scan, words: memoryview, bits: int, done: int, count: int) -> int:
    """Go through one more bit of some coefficients of one component."""
    table = scan.ac[0]
    assert table is not None  # walk has looked
    codes, nonzero, last = table.codes, scan.components[0].nonzero, scan.last
    inside = (2 << last) - 1
    at = run = 0
    for block in _blocks(scan.components[0], done, count):
        k, known = scan.first, nonzero[block]
        while not run and k <= last:
            found = codes[(words[at >> 3] >> (8 - (at & 7))) & 0xFFFF]
            if found < 0:
                raise DamageError("its data hold a code that there is not")
            zeros, size = found >> 9, (found >> 5) & 15
            at += found & LENGTH
            if size == 0 and zeros < 15:
                run = (1 << zeros) + _take(words, at, zeros)
                at += zeros
                break
            if size > 1:
                raise DamageError("its data hold what no block has")
            at += size
            while k <= last:
                if known >> k & 1:
                    at += 1  # a bit of a coefficient that is known already
                elif zeros:
                    zeros -= 1
                else:
                    break
                k += 1
            if size:
                if k > last:
                    raise DamageError("its data hold what no block has")
                nonzero[block] |= 1 << k
            k += 1
        if run:
            at += (known & inside & ~((1 << k) - 1)).bit_count()
            run -= 1
        if at > bits:
            raise DamageError("its data end early")
    if run:
        raise DamageError("its data go on behind the last block")
    return at


def _take(words: memoryview, at: int, count: int) -> int:
    """Return so many bits, 14 at most."""
    return int((words[at >> 3] >> (8 - (at & 7))) & 0xFFFF) >> (16 - count)
