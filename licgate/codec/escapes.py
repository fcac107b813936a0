"""What lies beyond an entropy table: Exp-Golomb codes of order 0, packed bit by bit."""

import numpy as np

from licgate.errors import StreamError
from licgate.manifest.checks import AnyIntegers, Integers

__all__ = ["EXCESS_LIMIT", "EscapeReader", "code_lengths", "write_escapes"]

EXCESS_LIMIT = 1 << 20
"""An excess is below this: no integers of a manifest make a larger one."""

# zeros in front of the longest code
LONGEST = EXCESS_LIMIT.bit_length() - 1


def code_lengths(excess: AnyIntegers) -> Integers:
    """Return how many bits the code of each excess takes."""
    # floats hold integers of this size exactly, so the exponent is that of the integer
    exponent: Integers = np.frexp(np.asarray(excess) + 1.0)[1].astype(np.int64)
    return 2 * exponent - 1


def write_escapes(excess: AnyIntegers) -> bytes:
    """Return the bytes that code `excess`, an array of int of shape (n,); empty for none.

    The code of e is ``floor(log2(e + 1))`` zeros, then e + 1 in binary; the first bit is the highest of the first byte,
    and zeros fill the last byte.

    Raises
    ------
    StreamError
        If one is negative or not below `EXCESS_LIMIT`.
    """
    excess = np.asarray(excess, dtype=np.int64)
    if not len(excess):
        return b""
    if excess.min() < 0 or excess.max() >= EXCESS_LIMIT:
        raise StreamError(f"a symbol lies {excess.max()} beyond its entropy table, {EXCESS_LIMIT} or more")
    lengths = code_lengths(excess)
    last = np.cumsum(lengths) - 1
    bits = np.zeros(last[-1] + 1, dtype=np.uint8)
    for place in range(int(lengths.max() + 1) // 2):
        # the zeros in front of a shorter number belong to its own code or are cut off here
        inside = 2 * place < lengths
        bits[last[inside] - place] = ((excess[inside] + 1) >> place) & 1
    return np.packbits(bits).tobytes()


class EscapeReader:
    """Reads the codes one after the other.

    Parameters
    ----------
    data : bytes
    """

    def __init__(self, data: bytes | memoryview) -> None:
        self._bits = (np.unpackbits(np.frombuffer(data, dtype=np.uint8)) + ord("0")).tobytes()
        self._at = 0

    def read(self, count: int) -> Integers:
        """Return the next `count` numbers as an array of int64.

        Raises
        ------
        StreamError
            If there are not so many, or one is not below `EXCESS_LIMIT`.
        """
        bits, at = self._bits, self._at
        excess = np.empty(count, dtype=np.int64)
        for index in range(count):
            one = bits.find(b"1", at, at + LONGEST + 1)
            end = 2 * one - at + 1
            if one < 0 or end > len(bits):
                raise StreamError("damaged: escape codes end early, or one is too large")
            excess[index] = int(bits[one:end], 2) - 1
            at = end
        self._at = at
        if count and excess.max() >= EXCESS_LIMIT:
            raise StreamError("damaged: escape codes end early, or one is too large")
        return excess

    def finish(self) -> None:
        """Check that nothing but the filling of the last byte is left.

        Raises
        ------
        StreamError
        """
        rest = self._bits[self._at :]
        if len(rest) >= 8 or b"1" in rest:
            raise StreamError(f"damaged: {len(rest)} bits of escape codes are left over")
