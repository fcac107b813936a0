"""PNG: its chunks, their check sums, and whether all rows are there (ISO/IEC 15948)."""

from __future__ import annotations

import zlib

__all__ = ["SIGNATURE", "png_chunks", "png_damage"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}

# (first column, first row, step of columns, step of rows) of each pass of Adam7
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]

PIECE = 1 << 20


def png_chunks(data: bytes) -> tuple[dict[bytes, bytes], list[memoryview], str | None]:
    """Read the chunks of a PNG.

    Returns
    -------
    chunks : dict of bytes to bytes
        The first of each name, but for ``IDAT``.
    rows : list of memoryview
        The contents of ``IDAT``.
    damage : str or None
        What is wrong with the chunks.
    """
    view, at = memoryview(data), len(SIGNATURE)
    chunks: dict[bytes, bytes] = {}
    rows: list[memoryview] = []
    while at + 12 <= len(data):
        length, name = int.from_bytes(view[at : at + 4]), bytes(view[at + 4 : at + 8])
        body = view[at + 8 : at + 8 + length]
        check = bytes(view[at + 8 + length : at + 12 + length])
        if len(check) < 4:
            if name == b"IDAT":
                rows.append(body)
            return chunks, rows, f"it ends in its chunk {name.decode('latin-1')!r}"
        if int.from_bytes(check) != zlib.crc32(view[at + 4 : at + 8 + length]):
            return chunks, rows, f"the check sum of its chunk {name.decode('latin-1')!r} is wrong"
        if name == b"IDAT":
            rows.append(body)
        elif name == b"IEND":
            break
        else:
            chunks.setdefault(name, bytes(body))
        at += 12 + length
    return chunks, rows, None


def png_damage(data: bytes) -> str | None:
    """Return what is wrong with a PNG, or None: every check sum is computed, and every row unpacked."""
    chunks, rows, damage = png_chunks(data)
    head = chunks.get(b"IHDR", b"")
    if damage or len(head) != 13:
        return damage or "it has no header"
    expected = _size(head)
    unpacker, size = zlib.decompressobj(), 0
    try:
        for row in rows:
            piece: bytes | memoryview = row
            while piece and not unpacker.eof and size <= expected:
                size += len(unpacker.decompress(piece, PIECE))
                piece = unpacker.unconsumed_tail
        while not unpacker.eof and size <= expected and (more := unpacker.decompress(b"", PIECE)):
            size += len(more)
    except zlib.error:
        return f"its rows cannot be unpacked behind {size} of {expected} bytes"
    if size < expected:
        return f"{size} of {expected} bytes of its rows are there"
    return None


def _size(head: bytes) -> int:
    """Return the bytes of all rows, unpacked."""
    width, height, bits = int.from_bytes(head[:4]), int.from_bytes(head[4:8]), head[8]
    bits *= CHANNELS.get(head[9], 1)
    total = 0
    for left, top, across, down in PASSES if head[12] else [(0, 0, 1, 1)]:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total
