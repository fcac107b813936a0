"""The container of a coded image, ``.lic``: a header, then three sections a patch; bytes in `docs/container.md`."""

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from licgate.errors import ImageError, LicgateError, StreamError
from licgate.images import MAX_PIXELS

__all__ = [
    "HEADER_BYTES",
    "MAX_PATCH",
    "MAX_SIDE",
    "SECTIONS",
    "UNIT",
    "VERSION",
    "Header",
    "pack",
    "read_header",
    "unpack",
]

MAGIC = b"LICG"
VERSION = 1

UNIT = 64
"""Sides are padded to multiples of this many pixels; patches are squares of multiples of it."""

MAX_SIDE = 65535
MAX_PATCH = 255 * UNIT

SECTIONS = ("z", "y", "escapes")

# magic, version, flags, patch mode, patch side / 64, width, height, manifest hash, table hash, CRC-32 of what follows
HEAD = struct.Struct("<4sBBBBII32s8sI")
CRC = struct.Struct("<I")
SECTION = struct.Struct("<II")  # length, CRC-32

HEADER_BYTES = HEAD.size + CRC.size


@dataclass(frozen=True, kw_only=True)
class Header:
    """What the header of a file says.

    Parameters
    ----------
    width, height : int
        Of the image in pixels, 1 to 65535 each.
    patch : int
        Side of independent patches in pixels, or 0 where the image is coded as a whole.
    manifest : str
        Hash of the model's manifest, 64 hex digits.
    tables : str
        The first 16 hex digits of the hash of its entropy tables.
    """

    width: int
    height: int
    patch: int
    manifest: str
    tables: str

    def patches(self) -> list[tuple[int, int, int, int]]:
        """Return (x, y, width, height) of every patch in the order of coding: row by row."""
        side = self.patch or MAX_SIDE
        return [
            (x, y, min(side, self.width - x), min(side, self.height - y))
            for y in range(0, self.height, side)
            for x in range(0, self.width, side)
        ]


def check_size(width: int, height: int, error: type[LicgateError] = StreamError) -> None:
    """Raise `error` unless an image of this size can be coded."""
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise error(f"image of {width} x {height} pixels: sides are 1 to {MAX_SIDE}")
    if width * height > MAX_PIXELS:
        raise error(f"image of {width} x {height} pixels: more than {MAX_PIXELS} are refused; divide it")


def pack(header: Header, patches: Iterable[tuple[bytes, bytes, bytes]]) -> bytes:
    """Return the bytes of a file.

    Parameters
    ----------
    header : Header
    patches : sequence of (bytes, bytes, bytes)
        The sections of every patch: z, y, escapes.
    """
    check_size(header.width, header.height, ImageError)
    parts: list[bytes] = []
    for sections in patches:
        parts.extend(SECTION.pack(len(data), zlib.crc32(data)) for data in sections)
        parts.extend(sections)
    body = b"".join(parts)
    head = HEAD.pack(
        MAGIC,
        VERSION,
        0,
        1 if header.patch else 0,
        header.patch // UNIT,
        header.width,
        header.height,
        bytes.fromhex(header.manifest),
        bytes.fromhex(header.tables),
        zlib.crc32(body),
    )
    return head + CRC.pack(zlib.crc32(head)) + body


def read_header(data: bytes | bytearray | memoryview) -> Header:
    """Return the `Header` at the beginning of a file.

    Parameters
    ----------
    data : bytes

    Raises
    ------
    StreamError
        If it is none of ours, of a newer version, damaged, or asks for an image that is refused.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise StreamError(f"a coded image is bytes, not {type(data).__name__}; read the file first")
    data = bytes(data[:HEADER_BYTES])
    if data[: len(MAGIC)] != MAGIC:
        raise StreamError(f"not a .lic file: it begins with {data[:4].hex(' ') or 'nothing'}, not {MAGIC.hex(' ')}")
    if len(data) > len(MAGIC) and data[len(MAGIC)] > VERSION:
        raise StreamError(
            f"version {data[len(MAGIC)]} of the format is newer than {VERSION}, which is what this "
            "licgate reads; update licgate"
        )
    if len(data) < HEADER_BYTES:
        raise StreamError(f"damaged: {len(data)} bytes are no whole header of {HEADER_BYTES}")
    if CRC.unpack_from(data, HEAD.size)[0] != zlib.crc32(data[: HEAD.size]):
        raise StreamError("damaged: the header's CRC is wrong")
    _, version, flags, mode, units, width, height, manifest, tables, _ = HEAD.unpack_from(data)
    if version != VERSION:
        raise StreamError(f"version {version} of the format is unknown; this licgate reads {VERSION}")
    if flags:
        raise StreamError(f"flags {flags:#04x} are unknown; a newer licgate may read them")
    if mode not in (0, 1) or (mode == 0) != (units == 0):
        raise StreamError(
            f"patch mode {mode} with patches of {units * UNIT} pixels is unknown; a newer licgate may read it"
        )
    check_size(width, height)
    return Header(width=width, height=height, patch=units * UNIT, manifest=manifest.hex(), tables=tables.hex())


def unpack(data: bytes | bytearray | memoryview) -> tuple[Header, list[dict[str, memoryview]]]:
    """Return the `Header` of a whole file, and the three sections of every patch.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    header : Header
    patches : list of dict of str to bytes
        A patch each, under the names of `SECTIONS`.

    Raises
    ------
    StreamError
        If anything about the file is wrong. Lengths are compared with what is there before anything is copied.
    """
    header = read_header(data)
    view = memoryview(data)
    at, patches, places = HEADER_BYTES, [], header.patches()
    for index in range(len(places)):
        where = f" of patch {index}" if header.patch else ""
        after = at + len(SECTIONS) * SECTION.size
        if after > len(view):
            raise StreamError(f"damaged: the file ends before the sections{where}")
        sections = {}
        for number, name in enumerate(SECTIONS):
            length, crc = SECTION.unpack_from(view, at + number * SECTION.size)
            if length > len(view) - after:
                raise StreamError(f"damaged: section {name}{where} has {length} bytes, {len(view) - after} are left")
            sections[name] = view[after : after + length]
            if zlib.crc32(sections[name]) != crc:
                raise StreamError(f"damaged: the CRC of section {name}{where} is wrong")
            after += length
        patches.append(sections)
        at = after
    if at != len(view):
        raise StreamError(f"damaged: {len(view) - at} bytes follow the last section")
    if zlib.crc32(view[HEADER_BYTES:]) != HEAD.unpack_from(view)[-1]:
        raise StreamError("damaged: the CRC of the whole is wrong; the sections are not of one image")
    return header, patches
