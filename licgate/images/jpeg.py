"""JPEG: whether the data of a file are all there.

libjpeg fills what is missing with grey and counts a warning, which nobody who calls it through Pillow is told. So
the segments of a file are read here as ITU-T T.81 has them (annex B), and its coded data by
`licgate.images.jpegscan`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from licgate.images.jpegscan import Component, Scan, walk
from licgate.images.jpegtable import DamageError, Table, huffman_table

__all__ = ["jpeg_damage"]

END, SCAN, HUFFMAN, QUANTISERS, RESTARTS = 0xD9, 0xDA, 0xC4, 0xDB, 0xDD
SEQUENTIAL, PROGRESSIVE = (0xC0, 0xC1), 0xC2
FRAMES = {*range(0xC0, 0xD0)} - {HUFFMAN, 0xC8, 0xCC}
STANDALONE = {0x01, *range(0xD0, 0xD8)}

ALL = (1 << 64) - 1


@dataclass
class _Frame:
    """What the segments before a scan have said."""

    kind: int = 0
    precision: int = 8
    components: dict[int, Component] = field(default_factory=dict)
    columns: int = 0
    rows: int = 0
    tables: dict[tuple[int, int], Table] = field(default_factory=dict)
    quantisers: dict[int, int] = field(default_factory=dict)
    interval: int = 0


def jpeg_damage(data: bytes) -> tuple[str | None, bool]:
    """Look for what a JPEG lacks.

    Parameters
    ----------
    data : bytes
        The whole file; what lies behind its end marker is not looked at.

    Returns
    -------
    damage : str or None
        What is wrong, None for nothing. A flip that leaves the number of blocks, their lengths and the range of their
        means as they were is not found: the format has no check sums.
    known : bool
        False for kinds (arithmetic coding, lossless) whose coded data are not read.
    """
    frame = _Frame()
    try:
        for marker, body in _segments(data, frame):
            if marker == SCAN:
                _read_scan(body, frame)
    except DamageError as damage:
        return str(damage), True
    except (IndexError, ValueError, KeyError):
        return "a segment of its header is damaged", True
    if frame.kind not in (*SEQUENTIAL, PROGRESSIVE):
        return (None, False) if frame.kind else ("it has no frame", True)
    for number, component in enumerate(frame.components.values(), 1):
        if component.done != ALL:
            return f"scans of its component {number} are missing", True
    return None, True


def _segments(data: bytes, frame: _Frame) -> Iterator[tuple[int, bytes]]:
    """Give the scans, each with its header and its data; read all other segments into the frame."""
    array = np.frombuffer(data, dtype=np.uint8)
    # 0 behind 0xFF is stuffed, another 0xFF is fill
    marks = np.flatnonzero((array[:-1] == 0xFF) & (array[1:] != 0) & (array[1:] != 0xFF))
    ends = marks[(array[marks + 1] < 0xD0) | (array[marks + 1] > 0xD7)]
    at = 2
    while True:
        found = int(np.searchsorted(marks, at))
        if found == len(marks):
            # without its end marker a file may still have all blocks
            return
        at = int(marks[found])
        marker = data[at + 1]
        if marker == END:
            return
        if marker in STANDALONE:
            at += 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4])
        body, start = data[at + 4 : at + 2 + length], at + 2 + length
        if length < 2 or start > len(data):
            raise DamageError("it ends in its header")
        at = start
        if marker == SCAN:
            if frame.kind and frame.kind not in (*SEQUENTIAL, PROGRESSIVE):
                return
            behind = int(np.searchsorted(ends, start))
            at = int(ends[behind]) if behind < len(ends) else len(data)
            yield marker, body + data[start:at]
        elif marker == HUFFMAN:
            _read_tables(body, frame)
        elif marker == QUANTISERS:
            _read_quantisers(body, frame)
        elif marker == RESTARTS:
            frame.interval = int.from_bytes(body[:2])
        elif marker in FRAMES:
            _read_frame(marker, body, frame)


def _read_tables(body: bytes, frame: _Frame) -> None:
    at = 0
    while at < len(body):
        counts = list(body[at + 1 : at + 17])
        total = sum(counts)
        symbols = body[at + 17 : at + 17 + total]
        if len(counts) < 16 or len(symbols) < total:
            raise DamageError("a Huffman table is cut short")
        frame.tables[body[at] >> 4, body[at] & 15] = huffman_table(bytes(counts), bytes(symbols))
        at += 17 + total


def _read_quantisers(body: bytes, frame: _Frame) -> None:
    """Take the step of the mean, which comes first, from each table."""
    at = 0
    while at < len(body):
        size = 2 if body[at] >> 4 else 1
        frame.quantisers[body[at] & 15] = max(int.from_bytes(body[at + 1 : at + 1 + size]), 1)
        at += 1 + 64 * size


def _read_frame(marker: int, body: bytes, frame: _Frame) -> None:
    if frame.kind:
        raise DamageError("it has a second frame")
    frame.kind, frame.precision = marker, body[0]
    height, width = int.from_bytes(body[1:3]), int.from_bytes(body[3:5])
    parts = [body[6 + 3 * i : 9 + 3 * i] for i in range(body[5])]
    across, down = max(part[1] >> 4 for part in parts), max(part[1] & 15 for part in parts)
    frame.columns, frame.rows = -(-width // (8 * across)), -(-height // (8 * down))
    for part in parts:
        h, v = part[1] >> 4, part[1] & 15
        frame.components[part[0]] = Component(
            h=h,
            v=v,
            columns=_blocks(width, h, across),
            rows=_blocks(height, v, down),
            stride=frame.columns * h,
            quantiser=part[2],
            nonzero=[0] * (frame.columns * h * frame.rows * v) if marker == PROGRESSIVE else [],
        )


def _blocks(pixels: int, own: int, most: int) -> int:
    """Return the blocks in a row or column of a component that has `own` samples where others have `most`."""
    samples = -(-pixels * own // most)
    return -(-samples // 8)


def _read_scan(body: bytes, frame: _Frame) -> None:
    count = body[0]
    members = [(frame.components[body[1 + 2 * i]], body[2 + 2 * i]) for i in range(count)]
    first, last, bits = body[1 + 2 * count : 4 + 2 * count]
    progressive = frame.kind == PROGRESSIVE
    if not progressive:
        first, last, bits = 0, 63, 0
    if not first <= last < 64 or not members:
        raise DamageError("the header of a scan is damaged")
    above, below = bits >> 4, bits & 15
    scan = Scan(
        components=[component for component, _ in members],
        dc=[frame.tables.get((0, choice >> 4)) for _, choice in members],
        ac=[frame.tables.get((1, choice & 15)) for _, choice in members],
        first=first,
        last=last,
        refines=above > 0,
        progressive=progressive,
        columns=frame.columns,
        rows=frame.rows,
        # a mean is eight times that of its pixels; some encoders go beyond white and black to sharpen edges
        reach=[
            (int(1.25 * (8 << (frame.precision - 1))) // frame.quantisers.get(component.quantiser, 1) + 1) >> below
            for component, _ in members
        ],
    )
    data = np.frombuffer(body, dtype=np.uint8)[4 + 2 * count :]
    done = 0
    intervals = list(_intervals(data))
    while len(intervals) > 1 and not len(intervals[-1]):
        # some encoders put a restart marker behind the last block
        intervals.pop()
    blocks = scan.units
    for number, interval in enumerate(intervals):
        left = min(blocks - done, frame.interval or blocks)
        if left <= 0:
            raise DamageError("there are more data than blocks")
        walk(scan, interval, done, left, last=number == len(intervals) - 1)
        done += left
    if done < blocks:
        raise DamageError(f"{100 * (blocks - done) / blocks:.0f} % of a scan are missing")
    if below == 0:
        for component, _ in members:
            component.done |= ((2 << last) - 1) & ~((1 << first) - 1)


def _intervals(data: npt.NDArray[np.uint8]) -> Iterator[npt.NDArray[np.uint8]]:
    """Give the coded data between restart markers, as they were before zeros were stuffed into them."""
    following = np.append(data[1:], np.uint8(0xD9))
    restarts = np.flatnonzero((data == 0xFF) & (following >= 0xD0) & (following <= 0xD7))
    start = 0
    for number, end in enumerate([*restarts.tolist(), len(data)]):
        if end < len(data) and data[end + 1] != 0xD0 + number % 8:
            raise DamageError("restart markers are not in order")
        part, after = data[start:end], following[start:end].copy()
        start = end + 2
        # 0xFF before another one, or at the end, is fill
        fill = (part == 0xFF) & (after >= 0xD0)
        kept = part[~fill]
        stuffed = np.zeros(len(kept), dtype=bool)
        stuffed[1:] = (kept[1:] == 0) & (kept[:-1] == 0xFF)
        yield kept[~stuffed]
