"""Feature maps and weights as they lie in external memory: words of exactly the layer's bits, packed into beats.

A *record* is one word column of one row: ``rows`` pixels of all channels. It holds a part for each pass
that makes it, channel by channel, pixel by pixel, lowest bits first; each part begins with a beat. A row is its records
one after the other, a map its rows. A weight tile is its words one after the other, and begins with a beat.

The pixels of a word are neighbours; where rows of the array make four outputs each, they are every fourth one of a
group's, and a row has the four records of each group. So maps keep the order in which the array makes and reads them,
and only who writes the first one and reads the last one puts columns in order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from licgate.manifest.checks import AnyIntegers, Integers

__all__ = ["Beats", "MapLayout", "pack_bits", "pack_weights", "unpack_bits"]

Beats: TypeAlias = npt.NDArray[np.uint64]
"""Contents of external memory, beat by beat."""


@dataclass(frozen=True)
class MapLayout:
    """Where a map lies.

    Attributes
    ----------
    parts : tuple of int
        Channels of each part of a record.
    bits, signed : int, bool
        Type of a value.
    rows : int
        Pixels of a word.
    width, height : int
        Size of the map in pixels.
    base : int
        Address of its first beat.
    ring : int
        Rows that are kept: row y lies where row ``y % ring`` does.
    beat_bits : int
    outputs : int
        Words of a group, see :attr:`Arithmetic.outputs`: word k of them has the columns that are k modulo as many.
    """

    parts: tuple[int, ...]
    bits: int
    signed: bool
    rows: int
    width: int
    height: int
    base: int
    ring: int
    beat_bits: int
    outputs: int = 1

    @property
    def words(self) -> int:
        """Records of a row."""
        return self.outputs * -(-self.width // (self.outputs * self.rows))

    def part_beats(self, count: int) -> int:
        """Beats of a part of ``count`` channels."""
        return -(-count * self.rows * self.bits // self.beat_bits)

    @property
    def record(self) -> int:
        """Beats of a record."""
        return sum(self.part_beats(count) for count in self.parts)

    @property
    def pitch(self) -> int:
        """Beats of a row."""
        return self.words * self.record

    @property
    def beats(self) -> int:
        """Beats of the map."""
        return self.ring * self.pitch

    def address(self, row: int, word: int) -> int:
        """Address of a record."""
        return self.base + row % self.ring * self.pitch + word * self.record

    def packed(self, x: AnyIntegers) -> Beats:
        """Return the beats of a whole map; ``x`` (C, H, W) are integers of its type, and ``ring`` is its height."""
        channels, height, width = x.shape
        padded = np.zeros((channels, height, self.words * self.rows), dtype=np.int64)
        padded[..., :width] = x
        # groups of pixels, each of which has as many neighbours as the group has words
        grouped = padded.reshape(channels, height, -1, self.rows, self.outputs).transpose(1, 2, 4, 0, 3)
        values = grouped.reshape(height, self.words, channels, self.rows)
        parts, first = [], 0
        for count in self.parts:
            part = values[:, :, first : first + count].reshape(height * self.words, count * self.rows)
            parts.append(pack_bits(part, self.bits, self.beat_bits))
            first += count
        return np.concatenate(parts, axis=1).reshape(-1)

    def unpacked(self, beats: AnyIntegers) -> Integers:
        """Return a whole map (C, H, W), int64, of its beats."""
        records = np.asarray(beats, dtype=np.uint64).reshape(self.height * self.words, self.record)
        parts, first = [], 0
        for count in self.parts:
            length = self.part_beats(count)
            part = unpack_bits(records[:, first : first + length], self.bits, self.beat_bits, count * self.rows)
            parts.append(part.reshape(self.height, self.words, count, self.rows))
            first += length
        channels = sum(self.parts)
        grouped = np.concatenate(parts, axis=2).reshape(self.height, -1, self.outputs, channels, self.rows)
        values = grouped.transpose(3, 0, 1, 4, 2).reshape(channels, self.height, -1)
        values = values[..., : self.width]
        return np.where(values >> (self.bits - 1) & 1, values - (1 << self.bits), values) if self.signed else values


def pack_bits(values: AnyIntegers, bits: int, beat_bits: int) -> Beats:
    """Pack values (n, k), the low ``bits`` of each, into beats: uint64, (n, ceil(k * bits / beat_bits))."""
    places = (np.asarray(values, dtype=np.int64)[..., None] >> np.arange(bits)) & 1
    flat = places.astype(np.uint8).reshape(len(values), -1)
    beats = -(-flat.shape[1] // beat_bits)
    padded = np.pad(flat, ((0, 0), (0, beats * beat_bits - flat.shape[1])))
    return _joined(padded.reshape(len(values), beats, beat_bits))


def unpack_bits(beats: AnyIntegers, bits: int, beat_bits: int, count: int) -> Integers:
    """Undo :func:`pack_bits`: values (n, count), int64, not negative."""
    places = (np.asarray(beats, dtype=np.uint64)[..., None] >> np.arange(beat_bits, dtype=np.uint64)) & np.uint64(1)
    flat = places.reshape(len(beats), -1)[:, : count * bits].reshape(len(beats), count, bits)
    return _joined(flat).astype(np.int64)


def pack_weights(words: Sequence[int], bits: int, steps: int, beat_bits: int) -> Beats:
    """Beats of weight tiles.

    Parameters
    ----------
    words : sequence of int
        Tile after tile, ``steps`` words each.
    bits : int
        Of a word.

    Returns
    -------
    ndarray of uint64
    """
    raw = b"".join(word.to_bytes(-(-bits // 8), "little") for word in words)
    places = np.unpackbits(np.frombuffer(raw, dtype=np.uint8), bitorder="little").reshape(len(words), -1)[:, :bits]
    flat = places.reshape(len(words) // steps, steps * bits)
    beats = -(-flat.shape[1] // beat_bits)
    padded = np.pad(flat, ((0, 0), (0, beats * beat_bits - flat.shape[1])))
    return _joined(padded.reshape(len(flat), beats, beat_bits)).reshape(-1)


def _joined(places: AnyIntegers) -> Beats:
    """Bits (..., n), lowest first, as numbers."""
    width = places.shape[-1]
    found: Beats = (places.astype(np.uint64) << np.arange(width, dtype=np.uint64)).sum(axis=-1, dtype=np.uint64)
    return found
