"""Frames over a way that carries bytes: every wait has a deadline, and what the line spoils is told."""

from __future__ import annotations

import time
from collections import deque
from typing import TypeVar

from licgate.runtime.device import Conversation, LineError
from licgate.runtime.ports import AT_WORK, Port
from licgate.target.frames import Frame, FrameReader, plausible

__all__ = ["Link", "SilenceError"]

_Result = TypeVar("_Result")

#: Reads after which a line is taken to be one that never falls silent.
_MOST_READS = 1000


class SilenceError(LineError):
    """Nothing came in time."""


class Link:
    """Hold conversations over a port.

    Parameters
    ----------
    port : Port

    Attributes
    ----------
    sent, received : int
        Bytes so far.
    frames : int
        Frames that came so far, whole.
    head : bytes
        The first bytes that came, for messages.
    """

    def __init__(self, port: Port) -> None:
        self.port = port
        self.sent = self.received = self.frames = 0
        self.head = b""
        self._reader, self._waiting = FrameReader(), deque[Frame]()

    def hold(self, conversation: Conversation[_Result], *, noisy: bool = False) -> _Result:
        """Hold a conversation; return its result.

        Parameters
        ----------
        conversation : generator
        noisy : bool
            Bytes that belong to no frame are passed over; else they end the conversation, for a frame was lost.

        Raises
        ------
        SilenceError
            No frame came within the port's deadline; behind pixels that wait, ten seconds later.
        LineError
            The line spoiled something, or what the conversation raises.
        UnpluggedError
            The port is gone.
        """
        try:
            data = next(conversation)
            while True:
                if data:
                    self.port.write(data)
                    self.sent += len(data)
                data = conversation.send(self._frame(noisy))
        except StopIteration as stop:
            result: _Result = stop.value
            return result
        finally:
            conversation.close()

    def clear(self) -> None:
        """Forget what has come, or is about to."""
        for _ in range(_MOST_READS):
            data = self.port.read(0)
            if not data:
                break
            self._count(data)
        self._reader.clear()
        self._waiting.clear()

    def _frame(self, noisy: bool) -> Frame:
        """The next frame."""
        patience = self.port.deadline + (AT_WORK if self.port.backpressure and not noisy else 0.0)
        end = time.monotonic() + patience
        while not self._waiting:
            left = end - time.monotonic()
            data = self.port.read(left) if left > 0 else b""
            if not data:
                raise SilenceError(f"{self.port.address} did not answer within {patience:g} s")
            self._count(data)
            skipped = self._reader.skipped
            frames = self._reader.feed(data)
            self.frames += len(frames)
            self._waiting.extend(frame for frame in frames if plausible(frame))
            if not noisy and (self._reader.skipped > skipped or not all(map(plausible, frames))):
                raise LineError(f"bytes that came from {self.port.address} were spoilt on the line")
        return self._waiting.popleft()

    def _count(self, data: bytes) -> None:
        self.received += len(data)
        self.head = (self.head + data[: 8 - len(self.head)])[:8]
