"""The range coder in whole numbers, step by step as the gateware takes them (docs/container.md, "Range coder").

Nothing here is fast, and nothing of constriction is in it: tests compare the two word by word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["SCALE_BITS", "SHARE_BITS", "WORD_BITS", "RangeDecoder", "RangeEncoder", "Shifted", "check_precision"]

WORD_BITS = 32
"""Bits of a word of a stream."""

SHARE_BITS = 24
"""Bits of the shares that the range is divided by; those of a table may be fewer."""

SCALE_BITS = 2 * WORD_BITS - SHARE_BITS
"""Bits of what one unit of a share is worth."""

WORD = 1 << WORD_BITS
STATE = WORD * WORD
ONES = WORD - 1


def check_precision(precision: int) -> int:
    """Return `precision`, the bits of a table's shares that gateware and model are made for.

    Raises
    ------
    ValueError
        It is not an even number from 16 to 24. A table of an odd one is one of the next even one, all doubled.
    """
    if isinstance(precision, bool) or not isinstance(precision, int) or precision not in range(16, SHARE_BITS + 1, 2):
        raise ValueError(f"precision must be an even number from 16 to {SHARE_BITS}, not {precision!r}")
    return precision


class Shifted(NamedTuple):
    """What a symbol did to the words: whether it shifted one in, and how many went out for it."""

    shifted: bool
    sent: int


class RangeEncoder:
    """An encoder that holds one word back, and counts the words of ones behind it, until no carry can reach them.

    Parameters
    ----------
    precision : int
        Bits of the shares: even, 16 to 24.

    Attributes
    ----------
    words : list of int
        What went out so far.
    run : int
        Words of ones behind the one that is held back.
    """

    def __init__(self, precision: int = SHARE_BITS) -> None:
        self._unit = SHARE_BITS - check_precision(precision)
        self._precision = precision
        self.words: list[int] = []
        self.run = 0
        self._held: int | None = None
        # one bit more than the state: a carry waits in it for the next shift
        self.lower, self.range = 0, STATE - 1

    def put(self, left: int, share: int) -> Shifted:
        """Code a symbol that has the share ``left ... left + share`` of ``2**precision``.

        A share of 0 is that of a symbol which is the only one of its table: it takes no bits, and changes nothing.

        Raises
        ------
        ValueError
            It is no part of ``2**precision``, or all of it.
        """
        if share == 0:
            return Shifted(False, 0)
        if not (left >= 0 and 0 < share < 1 << self._precision and left + share <= 1 << self._precision):
            raise ValueError(f"share {left} + {share} is no part of 1 << {self._precision}")
        scale = self.range >> SHARE_BITS << self._unit
        self.lower += scale * left
        self.range = scale * share
        if self.range >= WORD:
            return Shifted(False, 0)
        self.range *= WORD
        return Shifted(True, self._shift())

    def finish(self) -> list[int]:
        """End the stream and return all of its words; none where nothing was coded."""
        self.end()
        return self.words

    def end(self) -> tuple[int, int]:
        """End the stream; return how many words went out with its last word, and behind it."""
        if self.range == STATE - 1:
            return 0, 0
        # the first multiple of a word at or above lower lies in the range, whatever follows it but zeros
        again = (self.lower + self.range) // WORD % WORD == (self.lower + ONES) // WORD % WORD
        self.lower += ONES
        before, after = self._shift(), self._send(0)
        if again:
            self.words.append(0)
        return before, after + again

    def _shift(self) -> int:
        """Take the high word of lower out; return how many words went."""
        word, carry = self.lower // WORD % WORD, self.lower // STATE
        self.lower = self.lower % WORD * WORD
        if word == ONES and not carry and self._held is not None:
            self.run += 1
            return 0
        sent = self._send(carry)
        self._held = word
        return sent

    def _send(self, carry: int) -> int:
        """Let go of what was held back."""
        if self._held is None:
            return 0
        sent = [self._held + carry, *[(ONES + carry) % WORD] * self.run]
        self.words += sent
        self.run = 0
        return len(sent)


class RangeDecoder:
    """A decoder that keeps how far the point is above lower, and nothing of lower itself.

    Parameters
    ----------
    words : sequence of int
        A stream; behind its end there are zeros.
    precision : int
        Bits of the shares: even, 16 to 24.

    Attributes
    ----------
    offset, range : int
        Point less lower, and the range that it lies in.
    """

    def __init__(self, words: Sequence[int], precision: int = SHARE_BITS) -> None:
        self._unit = SHARE_BITS - check_precision(precision)
        self._precision = precision
        self._words, self._at = words, 0
        self.offset = self._word() * WORD
        self.offset += self._word()
        self.range = STATE - 1

    def quantile(self) -> int | None:
        """Return where in ``2**precision`` the point lies; None if no encoder can have made it lie there.

        The latter is what constriction calls invalid data.
        """
        found = self.offset // self._scale
        return None if found >> self._precision else found

    def take(self, left: int, share: int) -> bool:
        """Narrow the range to the share that holds the quantile; return whether a word was read.

        A share of 0 changes nothing.
        """
        if share == 0:
            return False
        scale = self._scale
        self.offset -= scale * left
        self.range = scale * share
        if self.range >= WORD:
            return False
        self.offset = self.offset * WORD + self._word()
        self.range *= WORD
        return True

    def whole(self) -> bool:
        """Return whether the stream is, word for word, what an encoder makes of what was read.

        That encoder ends with the first multiple of a word at or above lower, so the point must be there, and a word of
        zeros follows only where the end of the range has the same high word.
        """
        read_beyond = self._at - len(self._words)
        if self.range == STATE - 1:
            return read_beyond == 2
        zeros = self._at > len(self._words) or self._words[self._at - 1] == 0
        again = self.range - self.offset < WORD
        return zeros and self.offset < WORD and read_beyond == (0 if again else 1)

    @property
    def read(self) -> int:
        """How many words were read, those behind the end included."""
        return self._at

    @property
    def _scale(self) -> int:
        return self.range >> SHARE_BITS << self._unit

    def _word(self) -> int:
        self._at += 1
        return self._words[self._at - 1] if self._at <= len(self._words) else 0
