"""What an encoding or a decoding did: seconds a stage, bytes a section, the ideal code length."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

__all__ = ["Trace"]


class Trace:
    """Filled by `Codec.encode` and `Codec.decode` where one is given; not for two calls at the same time.

    Attributes
    ----------
    seconds : dict of str to float
        Wall clock of each transform; ``latents``: what walks from position to position; ``coder``: the entropy coder.
    section_bytes : dict of str to int
        Of ``z``, ``y`` and ``escapes``, over all patches.
    ideal_bits : float
        What the tables say that all symbols cost; 0 until something was encoded.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.section_bytes: dict[str, int] = {}
        self.ideal_bits = 0.0
        self._open: list[str] = []
        self._since = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time inside for `name`, but for that of stages within."""
        self._turn()
        self._open.append(name)
        try:
            yield
        finally:
            self._turn()
            self._open.pop()

    def sections(self, sections: Mapping[str, bytes | memoryview]) -> None:
        """Add the sizes of one patch's sections."""
        for name, data in sections.items():
            self.section_bytes[name] = self.section_bytes.get(name, 0) + len(data)

    def _turn(self) -> None:
        now = time.perf_counter()
        if self._open:
            name = self._open[-1]
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now
