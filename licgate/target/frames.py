"""Frames of the host link in software: the constants, the CRC and both directions of the coding (docs/hostlink.md)."""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

SYNC = 0xA5
MAX_PAYLOAD = 255
MAX_PIXELS = MAX_PAYLOAD // 3
MAX_LATENTS = MAX_PAYLOAD // 2


class FrameType(IntEnum):
    """Second byte of a frame; bit 7 tells the direction (set: device to host)."""

    WRITE = 0x01
    READ = 0x02
    PIXELS = 0x03
    PIXELS_STREAM = 0x04
    ACK = 0x81
    VALUE = 0x82
    PATCH = 0x83
    LATENTS = 0x84
    LATENTS_LAST = 0x85
    ERROR = 0xEE


class ErrorCode(IntEnum):
    """Payload of an ERROR frame: why the device dropped what it received."""

    BAD_CRC = 1
    UNKNOWN_TYPE = 2
    BAD_LENGTH = 3
    TRUNCATED = 4
    BUSY = 5
    BAD_ADDRESS = 6


@dataclass(frozen=True)
class Frame:
    """One frame whose CRC was right."""

    type: int
    payload: bytes = b""


def crc16(data: bytes) -> int:
    """CRC-16/IBM-3740 ("CCITT-FALSE": polynomial 0x1021, initial value 0xFFFF, neither reflected nor inverted)."""
    return crc_hqx(data, 0xFFFF)


def encode_frame(frame_type: int, payload: bytes = b"") -> bytes:
    """Bytes of one frame.

    Raises
    ------
    ValueError
        If the payload is longer than a frame can hold.
    """
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"a frame holds at most {MAX_PAYLOAD} bytes, not {len(payload)}")
    body = bytes([frame_type, len(payload)]) + payload
    return bytes([SYNC]) + body + crc16(body).to_bytes(2, "big")


#: Bytes of payload that frames from the device have: the least, the most, and of what they are a multiple.
_SIZES = {
    FrameType.ACK: (1, 1, 1),
    FrameType.VALUE: (5, 5, 1),
    FrameType.PATCH: (8, 8, 1),
    FrameType.LATENTS: (2, 2 * MAX_LATENTS, 2),
    FrameType.LATENTS_LAST: (2, 2 * MAX_LATENTS, 2),
    FrameType.ERROR: (1, 1, 1),
}


def plausible(frame: Frame) -> bool:
    """Whether a device sends such a frame, of that type and length."""
    if frame.type not in _SIZES:
        return False
    least, most, step = _SIZES[FrameType(frame.type)]
    return least <= len(frame.payload) <= most and len(frame.payload) % step == 0


def write_frame(address: int, value: int) -> bytes:
    """Frame that writes a 32-bit register."""
    return encode_frame(FrameType.WRITE, bytes([address]) + value.to_bytes(4, "little"))


def read_frame(address: int) -> bytes:
    """Frame that asks for the value of a register."""
    return encode_frame(FrameType.READ, bytes([address]))


def pixel_frames(rgb: bytes, frame_type: int = FrameType.PIXELS) -> Iterator[bytes]:
    """Frames, PIXELS or PIXELS_STREAM, that carry `rgb` (R, G, B bytes in raster order), as many in each as fit."""
    if len(rgb) % 3:
        raise ValueError(f"pixels are three bytes each: {len(rgb)} bytes are no whole number of them")
    for start in range(0, len(rgb), 3 * MAX_PIXELS):
        yield encode_frame(frame_type, rgb[start : start + 3 * MAX_PIXELS])


class FrameReader:
    """Find frames in bytes as they come.

    Bytes outside of frames are skipped; after a wrong CRC the search for the next frame goes on behind the sync byte.

    Attributes
    ----------
    skipped : int
        Bytes so far that belonged to no frame: on a clean line there are none.
    rest : bytes
        What is not a whole frame yet.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self.rest = b""

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes; return the frames that they complete."""
        frames: list[Frame] = []
        data, at = self.rest + data, 0
        while True:
            start = data.find(SYNC, at)
            if start < 0:
                self.skipped, self.rest = self.skipped + len(data) - at, b""
                return frames
            self.skipped, at = self.skipped + start - at, start
            if len(data) < at + 3 or len(data) < at + 5 + data[at + 2]:
                self.rest = data[at:]
                return frames
            end = at + 3 + data[at + 2]
            if crc16(data[at + 1 : end]) == int.from_bytes(data[end : end + 2], "big"):
                frames.append(Frame(data[at + 1], data[at + 3 : end]))
                at = end + 2
            else:
                self.skipped, at = self.skipped + 1, at + 1

    def clear(self) -> None:
        """Forget what is not a whole frame yet."""
        self.rest = b""


def decode_frames(data: bytes) -> tuple[list[Frame], bytes]:
    """Frames in `data`, and the rest which is not a whole frame yet; see `FrameReader`."""
    reader = FrameReader()
    return reader.feed(data), reader.rest


def running_sums(words: npt.NDArray[np.integer]) -> tuple[int, int]:
    """Sum s of words, and sum of s behind each of them, modulo 2^32, as PIXELS_SUMS and LATENTS_SUMS have them."""
    # of 2^32 alone, so that no product leaves 64 bits
    first = np.cumsum(words.astype(np.uint64), dtype=np.uint64) & np.uint64(0xFFFFFFFF)
    return (int(first[-1]), int(first.sum(dtype=np.uint64)) & 0xFFFFFFFF) if len(first) else (0, 0)


class Sums:
    """`running_sums` of words that come in parts.

    Attributes
    ----------
    values : tuple of int
    """

    def __init__(self) -> None:
        self.values = (0, 0)

    def add(self, words: npt.NDArray[np.integer]) -> None:
        """Take more words."""
        first, second = running_sums(words)
        before, behind = self.values
        self.values = ((before + first) & 0xFFFFFFFF, (behind + before * len(words) + second) & 0xFFFFFFFF)

    def add_bytes(self, data: bytes) -> None:
        """Take more words, of three bytes each, low byte first."""
        self.add(np.frombuffer(data, dtype=np.uint8).reshape(-1, 3) @ np.array([1, 1 << 8, 1 << 16]))
