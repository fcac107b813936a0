"""Progress of long searches: plain lines on standard error, now and then."""

from __future__ import annotations

import sys
import time

__all__ = ["Progress"]

EVERY = 5.0  # seconds


class Progress:
    """Callable with how many of how many are done; writes a line when some time has gone by.

    Parameters
    ----------
    what : str
        What is counted, for the line.
    every : float
        Seconds between lines; nothing is written in the first ones.
    """

    def __init__(self, what: str, *, every: float = EVERY):
        self.what, self.every = what, every
        self._start = time.monotonic()
        self._next = self._start + every

    def __call__(self, done: int, of: int) -> None:
        """Write a line, if it is time."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self.every
            left = (now - self._start) / done * (of - done) if done else 0.0
            told = f", about {left:.0f} s left" if left < 100 else f", about {left / 60:.0f} min left"
            print(f"{self.what}: {done} of {of}{told * (done > 0)}", file=sys.stderr, flush=True)
