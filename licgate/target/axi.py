"""Timing of a memory behind AXI4, as a slave shows it: a latency and a rate. Plain Python."""

from __future__ import annotations

from dataclasses import dataclass

from licgate.target.pages import axi_page_beats

__all__ = ["AxiTiming"]


@dataclass(frozen=True, kw_only=True)
class AxiTiming:
    """A slave that takes every address at once and serves bursts in their order.

    Parameters
    ----------
    data_bits : int
        Of the bus: 32, 64, 128, 256 or 512.
    read_latency : int
        Cycles from the transfer of an address to the first beat offered, at least 1.
    write_latency : int
        Cycles from the transfer of a write's last beat to its answer, at least 1.
    beats, per : int
        The rate: that many beats in so many cycles at most, for reads and for writes. Beat k of a burst is offered, or
        taken, ``ceil(k * per / beats)`` cycles after the first of them was transferred, and the next burst's first
        beat follows as one more would.

    Attributes
    ----------
    page_beats : int
        A burst has at most 256 beats and lies within 4 KB.
    start : int
        First cycle after the reset in which the memory is ready: 0.

    Raises
    ------
    ValueError
        A number is out of its range.
    """

    data_bits: int = 64
    read_latency: int = 60
    write_latency: int = 30
    beats: int = 1
    per: int = 1

    start = 0

    def __post_init__(self) -> None:
        axi_page_beats(self.data_bits)
        for name in ("read_latency", "write_latency"):
            value = getattr(self, name)
            if not isinstance(value, int) or not 1 <= value <= 10_000:
                raise ValueError(f"{name} must be 1 to 10000 cycles, not {value!r}")
        if not all(isinstance(value, int) for value in (self.beats, self.per)) or not 1 <= self.beats <= self.per <= 64:
            raise ValueError(
                f"a rate of {self.beats!r} beats in {self.per!r} cycles makes no sense: 1 beat or more in 1 to 64 "
                "cycles, and no more beats than cycles"
            )

    @property
    def page_beats(self) -> int:
        """Beats of the longest burst."""
        return axi_page_beats(self.data_bits)

    @property
    def beats_a_cycle(self) -> float:
        """Beats of a core that may move in a cycle, reads and writes together."""
        return 2 * self.beats / self.per

    def pace(self, beat: int) -> int:
        """Cycles from a burst's first beat to its beat number ``beat``."""
        return -(-beat * self.per // self.beats)

    def words(self) -> list[int]:
        """The numbers as the slave of ``sim/axi.hpp`` takes them."""
        return [self.data_bits, self.read_latency, self.write_latency, self.beats, self.per]
