"""The host's side of an accelerator with its memories on the chip, as a conversation: see `licgate.runtime.device`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from licgate.errors import DeviceError
from licgate.manifest.checks import AnyIntegers
from licgate.runtime.device import (
    OUTSTANDING,
    Conversation,
    LineError,
    check_sums,
    describe_streams,
    expect,
    identify,
    read_counters,
    reset,
    write_register,
)
from licgate.runtime.outcome import Outcome
from licgate.target.frames import Frame, FrameType, Sums, pixel_frames, read_frame
from licgate.target.registers import COUNTERS, Control, Kind, Register, Status

__all__ = ["STREAM_NAMES", "run"]

#: Streams that the watchdog sees, in their order.
STREAM_NAMES = ("patches", "pixels", "latents", "passes", "tiles", "writes")


def run(
    words: AnyIntegers,
    settings: Mapping[Register, int],
    *,
    model: str | None = None,
    outstanding: int = OUTSTANDING,
    stream: bool = False,
    progress: Callable[[int], object] | None = None,
) -> Conversation[Outcome]:
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
    outstanding : int
        PIXELS frames that may wait for their ACK.
    stream : bool
        PIXELS_STREAM frames go instead, a patch at a time: see :attr:`licgate.runtime.connection.Connection.streams`.
    progress : callable or None
        Called with the number of latents so far.

    Returns
    -------
    Outcome

    Raises
    ------
    DeviceError
        The device is another one than expected, or refuses.
    LineError
        Something was lost on the line, or the accelerator hangs, as it does when pixels were lost.
    """
    yield from reset()
    yield from identify(Kind.RESIDENT, model=model)
    for register, value in settings.items():
        yield from write_register(register, value)
    yield from write_register(Register.CONTROL, Control.START)
    exchange, due = _Exchange(words, outstanding, stream, progress), read_frame(Register.STATUS)
    while True:
        frame = yield due
        due = exchange.take(frame)
        if exchange.status & Status.HUNG:
            raise LineError((yield from _hang()))
        if exchange.status & Status.REFUSED:
            raise DeviceError("the accelerator refused the run: a size is zero or too wide, or it lacks the transform")
        if exchange.over:
            break
    counters = yield from read_counters(COUNTERS)
    outcome, sums = exchange.outcome(counters), Sums()
    sums.add(outcome.latents.astype("<i2").view("<u2"))
    yield from check_sums(exchange.sums, sums)
    return outcome


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
    outstanding: int
    stream: bool
    progress: Callable[[int], object] | None
    patches: list[tuple[int, ...]] = field(default_factory=list)
    latents: list[bytearray] = field(default_factory=list)
    waiting: deque[bytes] = field(default_factory=deque)
    sums: Sums = field(default_factory=Sums)
    status: int = 0
    ended: int = 0
    came: int = 0

    @property
    def over(self) -> bool:
        """The run is done and all that it gave is here: the last latents may come behind the answer that says so."""
        return bool(self.status & Status.DONE) and self.ended == len(self.patches)

    def outcome(self, counters: dict[str, int]) -> Outcome:
        """What came of it."""
        lasts = np.zeros(self.came, dtype=bool)
        lasts[np.cumsum([len(part) // 2 for part in self.latents], dtype=np.int64) - 1] = True
        return Outcome(
            np.array(self.patches, dtype=np.int64).reshape(-1, 4),
            np.frombuffer(b"".join(self.latents), dtype="<i2").astype(np.int64),
            lasts,
            counters,
        )

    def take(self, frame: Frame) -> bytes:
        """Take a frame; return what is to be sent then."""
        if frame.type == FrameType.VALUE:
            expect(frame, FrameType.VALUE, bytes([Register.STATUS]))
            self.status = int.from_bytes(frame.payload[1:], "little")
            return b"" if self.status & (Status.DONE | Status.REFUSED | Status.HUNG) else read_frame(Register.STATUS)
        if frame.type == FrameType.PATCH:
            self.patches.append(tuple(np.frombuffer(frame.payload, dtype="<u2").tolist()))
            self.latents.append(bytearray())
            pixels = self._pixels(*self.patches[-1])
            self.sums.add_bytes(pixels)
            if self.stream:
                return b"".join(pixel_frames(pixels, FrameType.PIXELS_STREAM))
            self.waiting = deque(pixel_frames(pixels))
            return b"".join(self.waiting.popleft() for _ in range(min(self.outstanding, len(self.waiting))))
        if frame.type in (FrameType.LATENTS, FrameType.LATENTS_LAST) and self.ended < len(self.patches):
            # the next window may have been asked for before the last latents of this one came
            self.latents[self.ended] += frame.payload
            self.ended += frame.type == FrameType.LATENTS_LAST
            self.came += len(frame.payload) // 2
            if self.progress is not None:
                self.progress(self.came)
            return b""
        expect(frame, FrameType.ACK, bytes([FrameType.PIXELS]))
        return self.waiting.popleft() if self.waiting else b""

    def _pixels(self, x: int, y: int, width: int, height: int) -> bytes:
        """Bytes of a window, three a pixel or value."""
        part = self.words if self.words.ndim == 1 else self.words[y : y + height, x : x + width].ravel()
        places = part.astype(np.uint32)[:, None] >> np.array([0, 8, 16], dtype=np.uint32)
        return (places & 0xFF).astype(np.uint8).tobytes()
