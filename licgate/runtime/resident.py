"""The host's side of an accelerator with its memories on the chip, as a conversation: see `licgate.runtime.device`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from licgate.errors import DeviceError
from licgate.manifest.checks import AnyIntegers, Integers
from licgate.runtime.device import (
    OUTSTANDING,
    Conversation,
    describe_streams,
    expect,
    identify,
    read_counters,
    reset,
    write_register,
)
from licgate.target.frames import Frame, FrameType, pixel_frames, read_frame
from licgate.target.registers import COUNTERS, Control, Kind, Register, Status

__all__ = ["STREAM_NAMES", "Outcome", "run"]

#: Streams that the watchdog sees, in their order.
STREAM_NAMES = ("patches", "pixels", "latents", "passes", "tiles", "writes")


@dataclass(frozen=True)
class Outcome:
    """What a run gave.

    Attributes
    ----------
    patches : ndarray, shape (n, 4)
        x, y, width, height of the patches that were asked for.
    latents : list of ndarray of int64
        What came out for each, in the order of the stream.
    counters : dict
        By the names of ``licgate.target.registers.COUNTERS``.
    """

    patches: Integers
    latents: list[Integers]
    counters: dict[str, int]


def run(words: AnyIntegers, settings: Mapping[Register, int], *, model: str | None = None) -> Conversation[Outcome]:
    """Run a transform over an image or a feature map.

    Parameters
    ----------
    words : ndarray of int
        Pixels of an image, shape (H, W), of which patches are taken: channel 0 in the low 8 bits of 24. Or values of a
        feature map, shape (n,), in the order of the stream.
    settings : dict of Register to int
        Sizes, MODE, OVERLAP and TRANSFORM, as docs/hostlink.md has them.
    model : str or None
        Hash of the manifest that the accelerator must have been built of.

    Returns
    -------
    Outcome

    Raises
    ------
    DeviceError
        The device is another one than expected, refuses, or hangs.
    """
    yield from identify(Kind.RESIDENT, model=model)
    yield from reset()
    for register, value in settings.items():
        yield from write_register(register, value)
    yield from write_register(Register.CONTROL, Control.START)
    exchange, due = _Exchange(words), read_frame(Register.STATUS)
    while True:
        frame = yield due
        due = exchange.take(frame)
        if exchange.status & Status.HUNG:
            raise DeviceError((yield from _hang()))
        if exchange.status & Status.REFUSED:
            raise DeviceError("the accelerator refused the run: a size is zero or too wide, or it lacks the transform")
        if exchange.over:
            break
    return Outcome(
        np.array(exchange.patches, dtype=np.int64).reshape(-1, 4),
        [np.frombuffer(bytes(part), dtype="<i2").astype(np.int64) for part in exchange.latents],
        (yield from read_counters(COUNTERS)),
    )


def _hang() -> Conversation[str]:
    """What the streams did."""
    frame = yield read_frame(Register.STREAMS)
    while frame.type != FrameType.VALUE:  # what was on its way
        frame = yield b""
    word = int.from_bytes(frame.payload[1:], "little")
    return f"the accelerator hung; {describe_streams(STREAM_NAMES, [word])}"


@dataclass
class _Exchange:
    """What comes and goes while a run is under way; STATUS is always asked for, since a hang says nothing by itself."""

    words: AnyIntegers
    patches: list[tuple[int, ...]] = field(default_factory=list)
    latents: list[bytearray] = field(default_factory=list)
    waiting: list[bytes] = field(default_factory=list)
    status: int = 0
    ended: int = 0

    @property
    def over(self) -> bool:
        """The run is done and all that it gave is here: the last latents may come behind the answer that says so."""
        return bool(self.status & Status.DONE) and self.ended == len(self.patches)

    def take(self, frame: Frame) -> bytes:
        """Take a frame; return what is to be sent then."""
        if frame.type == FrameType.VALUE:
            expect(frame, FrameType.VALUE, bytes([Register.STATUS]))
            self.status = int.from_bytes(frame.payload[1:], "little")
            return b"" if self.status & (Status.DONE | Status.REFUSED | Status.HUNG) else read_frame(Register.STATUS)
        if frame.type == FrameType.PATCH:
            self.patches.append(tuple(np.frombuffer(frame.payload, dtype="<u2").tolist()))
            self.latents.append(bytearray())
            self.waiting = list(pixel_frames(self._pixels(*self.patches[-1])))
            due, self.waiting = self.waiting[:OUTSTANDING], self.waiting[OUTSTANDING:]
            return b"".join(due)
        if frame.type in (FrameType.LATENTS, FrameType.LATENTS_LAST) and self.ended < len(self.patches):
            # the next window may have been asked for before the last latents of this one came
            self.latents[self.ended] += frame.payload
            self.ended += frame.type == FrameType.LATENTS_LAST
            return b""
        expect(frame, FrameType.ACK, bytes([FrameType.PIXELS]))
        return self.waiting.pop(0) if self.waiting else b""

    def _pixels(self, x: int, y: int, width: int, height: int) -> bytes:
        """Bytes of a window, three a pixel or value."""
        part = self.words if self.words.ndim == 1 else self.words[y : y + height, x : x + width].ravel()
        places = part.astype(np.uint32)[:, None] >> np.array([0, 8, 16], dtype=np.uint32)
        return (places & 0xFF).astype(np.uint8).tobytes()
