"""The entropy coder: integer tables of a manifest, exactly, through the range coder of constriction."""

from typing import Any, TypeAlias

import constriction
import numpy as np
import numpy.typing as npt

from licgate.codec.escapes import EscapeReader, code_lengths
from licgate.errors import StreamError
from licgate.manifest.checks import AnyIntegers, Integers
from licgate.manifest.entropy import CdfTables

__all__ = ["PRECISION", "SymbolReader", "SymbolWriter", "TableCoder"]

PRECISION = 24
"""Bits of the shares that the range coder works with; tables of less are scaled up."""

WORD = np.dtype("<u4")

Entries: TypeAlias = npt.NDArray[np.int32]

# of constriction, which has no types
Model: TypeAlias = Any


class SymbolWriter:
    """A range encoder that ends in bytes: 32-bit words, little-endian.

    The range coder, not ANS, because symbols come out in the order in which they went in: a context is made of those
    that were decoded before. It is as fast.
    """

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()

    def put(self, indices: Entries, model: Model) -> None:
        """Append entries of one table, int32 of shape (n,)."""
        self._coder.encode(indices, model)

    def data(self) -> bytes:
        """Return what was coded so far as a whole stream."""
        words: npt.NDArray[np.uint32] = self._coder.get_compressed()
        return words.astype(WORD).tobytes()


class SymbolReader:
    """Reads what `SymbolWriter` wrote; behind the end it reads zeros.

    What is read is coded again on the side, so that in the end a stream can be told from one that only looks like it:
    cut short, with words left over, or read with tables other than those that made it.

    Parameters
    ----------
    data : bytes

    Raises
    ------
    StreamError
        If it is not a number of whole words.
    """

    def __init__(self, data: bytes | memoryview) -> None:
        if len(data) % WORD.itemsize:
            raise StreamError(f"damaged: {len(data)} bytes of symbols are not a multiple of {WORD.itemsize}")
        self._data = data
        self._coder = constriction.stream.queue.RangeDecoder(np.frombuffer(data, dtype=WORD).astype(np.uint32))
        self._again = SymbolWriter()

    def take(self, count: int, model: Model) -> Entries:
        """Return `count` entries of one table, int32 of shape (count,)."""
        try:
            indices: Entries = self._coder.decode(model, count)
        except AssertionError:  # how constriction tells of a point outside of what the encoder can have reached
            raise StreamError("damaged: the symbols cannot have been coded with these tables") from None
        self._again.put(indices, model)
        return indices

    def finish(self) -> None:
        """Check that the stream is the one which codes what was read.

        Raises
        ------
        StreamError
        """
        if self._again.data() != self._data:
            raise StreamError("damaged: the symbols end elsewhere than their section")


class TableCoder:
    """The tables of one entropy model, ready to code. Never changes, so threads may share it.

    Parameters
    ----------
    tables : CdfTables
    """

    def __init__(self, tables: CdfTables) -> None:
        self.tables = tables
        self._first = tables.offset.astype(np.int32)
        self._last = np.array([len(cdf) - 2 for cdf in tables.cdf], dtype=np.int32)
        self._models = [_model(cdf << (PRECISION - tables.precision)) for cdf in tables.cdf]

    def encode(self, writer: SymbolWriter, index: AnyIntegers, symbols: AnyIntegers) -> Integers:
        """Code symbols that belong together.

        They are sorted by table first, stably: one call a table.

        Parameters
        ----------
        writer : SymbolWriter
        index : ndarray of int, shape (n,)
            Which table codes each symbol.
        symbols : ndarray of int, shape (n,)

        Returns
        -------
        ndarray of int64
            Excess of every symbol at an end of its table, in the order of coding: what goes into the escape section.
        """
        order, runs = self._sorted(index)
        entries, excess = self._split(index[order], symbols[order])
        for table, start, stop in runs:
            model = self._models[table]
            if model is not None:
                writer.put(entries[start:stop], model)
        return excess

    def decode(self, reader: SymbolReader, index: AnyIntegers, escapes: EscapeReader) -> Integers:
        """Return the symbols that `encode` was given, int64 of shape (n,).

        Parameters
        ----------
        reader : SymbolReader
        index : ndarray of int, shape (n,)
        escapes : EscapeReader

        Raises
        ------
        StreamError
            If the data cannot be what an encoder wrote.
        """
        order, runs = self._sorted(index)
        symbols = np.zeros(len(order), dtype=np.int64)
        for table, start, stop in runs:
            model = self._models[table]
            if model is not None:
                symbols[start:stop] = reader.take(stop - start, model)
        tables = index[order]
        last = self._last[tables]
        at = np.flatnonzero((symbols == 0) | (symbols == last))
        if len(at):
            excess = escapes.read(len(at))
            single, low = last[at] == 0, symbols[at] == 0
            beyond = np.where(low, -excess, excess)
            beyond[single] = np.where(excess[single] & 1, -((excess[single] + 1) >> 1), excess[single] >> 1)
            symbols[at] += beyond
        symbols += self._first[tables]
        result = np.empty_like(symbols)
        result[order] = symbols
        return result

    def ideal_bits(self, index: AnyIntegers, symbols: AnyIntegers) -> float:
        """Return the ideal code length of symbols in bits, escape codes included."""
        order, runs = self._sorted(index)
        entries, excess = self._split(index[order], symbols[order])
        total = float(code_lengths(excess).sum())
        for table, start, stop in runs:
            share = np.diff(self.tables.cdf[table])
            used = np.bincount(entries[start:stop], minlength=len(share))
            total += float(used @ (self.tables.precision - np.log2(share)))
        return total

    def _sorted(self, index: AnyIntegers) -> tuple[npt.NDArray[np.intp], list[tuple[int, int, int]]]:
        """Return the order of coding and (table, start, stop) of each run."""
        # numpy sorts 16 bits stably in linear time
        order = np.argsort(index.astype(np.uint16), kind="stable")
        counts = np.bincount(index, minlength=self.tables.count)
        stops = np.cumsum(counts)
        return order, [(int(t), int(stops[t] - counts[t]), int(stops[t])) for t in np.flatnonzero(counts)]

    def _split(self, tables: AnyIntegers, symbols: AnyIntegers) -> tuple[Entries, Integers]:
        """Return the entries of the tables that are nearest, and the excess of those that are ends."""
        last = self._last[tables]
        whole = symbols.astype(np.int32) - self._first[tables]
        entries = np.clip(whole, 0, last).astype(np.int32)
        ends = (entries == 0) | (entries == last)
        beyond = (whole - entries)[ends].astype(np.int64)
        # a table of a single entry ends on both sides: even numbers are above it, odd ones below
        excess = np.where(last[ends] == 0, np.where(beyond < 0, -2 * beyond - 1, 2 * beyond), np.abs(beyond))
        return entries, excess


def _model(cdf: Integers) -> Model | None:
    """Return constriction's model of a table of `PRECISION` bits, exactly; None for one that holds a single entry."""
    if len(cdf) == 2:
        return None
    # constriction gives every entry 1 and deals out what remains in proportion to the weights: here, just as they are
    return constriction.stream.model.Categorical((np.diff(cdf) - 1).astype(np.float64), perfect=False)
