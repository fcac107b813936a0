"""The range coder in time: the cycle of every symbol and every word, for partners that never let it wait."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from licgate.manifest.entropy import CdfTables
from licgate.target.codertables import middle_of
from licgate.target.rangecoder import RangeDecoder, RangeEncoder

__all__ = ["decoder_cycles", "encoder_cycles", "encoder_limit"]

HEADER = 8  # from a question to the header of its table


def encoder_limit(symbols: int, precision: int) -> int:
    """Return the cycles from the first symbol of a stream to the next stream's, at most: whatever the symbols are."""
    return (precision // 2 + 4) * symbols + 6


def encoder_cycles(
    streams: Iterable[Sequence[tuple[int, int]]], precision: int
) -> tuple[list[list[int]], list[list[int]]]:
    """Return when symbols are taken and when words leave, for streams of shares one behind the other.

    Parameters
    ----------
    streams : iterable of sequences of (left, share)
        As :class:`licgate.gateware.coder.encoder.RangeEncoder` takes them, one symbol or more each. Symbols wait for
        the encoder, and words are taken at once.
    precision : int

    Returns
    -------
    symbols, words : list of lists of int
        Cycles of the transfers, for each stream; the first symbol is taken in cycle 0. An empty stream has one word,
        that says so.
    """
    steps, now, free = precision // 2, 0, 0
    taken, left = [], []
    for shares in streams:
        encoder, symbols, words = RangeEncoder(precision), [], []
        for share in shares:
            symbols.append(now)
            shifted, sent = encoder.put(*share)
            now += steps + 2 if share[1] else 1
            if shifted:
                now = max(now, free)
                words += range(now + 1, now + 1 + sent)
                free = now + max(1, sent)
                now += 1
        before, behind = encoder.end()
        if behind:
            now = max(now + 2, free)
            words += range(now + 1, now + 1 + before)
            free = now + max(1, before)
        now = max(now + 1, free)
        words += range(now + 1, now + 1 + max(1, behind))
        free = now + max(1, behind)
        now += 1
        taken.append(symbols)
        left.append(words)
    return taken, left


def decoder_cycles(
    tables: CdfTables, streams: Iterable[tuple[Sequence[int], Sequence[int]]]
) -> tuple[list[list[int]], list[list[int]]]:
    """Return when questions are taken and when answers leave, for streams one behind the other.

    Parameters
    ----------
    tables : CdfTables
    streams : iterable of (words, questions)
        Words, and the number of the table of each symbol. Words and questions wait for the decoder, and answers are
        taken at once.

    Returns
    -------
    questions, answers : list of lists of int
        Cycles of the transfers, for each stream; the first word is taken in cycle 0.
    """
    precision = tables.precision + tables.precision % 2
    asked, answered, now = [], [], 0
    for words, numbers in streams:
        decoder, questions, answers, failed = RangeDecoder(words, precision), [], [], False
        now += 2
        for n, number in enumerate(numbers):
            questions.append(now)
            cdf = [int(edge) << precision - tables.precision for edge in tables.cdf[number]]
            quantile = None if failed else decoder.quantile()
            normal, last = quantile is not None or len(cdf) == 2, n == len(numbers) - 1
            if failed:
                now += 1
            elif quantile is None:
                now += HEADER + 1 + normal
            else:
                k = bisect_right(cdf, quantile) - 1
                decoder.take(cdf[k], (cdf[k + 1] - cdf[k]) % (1 << precision))
                now += precision + 2 + _search_cycles(cdf, k)
            failed = failed or not normal
            now += last and not failed
            answers.append(now)
        # what is left over is thrown away
        now += max(1, len(words) - decoder.read)
        asked.append(questions)
        answered.append(answers)
    return asked, answered


def _search_cycles(cdf: Sequence[int], entry: int) -> int:
    first, middle, _ = middle_of(cdf)
    return 2 * max(1, (middle - 1).bit_length()) if first <= entry < first + middle else 2
