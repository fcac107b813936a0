"""How ports that are always busy share an external memory: beats a cycle, from a few runs of its exact model."""

from __future__ import annotations

from functools import lru_cache

from licgate.perf.memory.sdram import MemoryModel
from licgate.target.pages import SDRAM_PAGE_BEATS

__all__ = ["MemoryShare"]

_TURNS = 64  # of a run: enough for a few refreshes


class MemoryShare:
    """Rates of ports that have a request waiting whenever the arbiter comes to them.

    The arbiter takes a transaction of each in turn, so their rates are as the lengths of their transactions. A turn
    takes the beats of all, what rows and the change of direction cost for each, and refreshes.

    Parameters
    ----------
    cycles : SdramCycles
    cores : float
        That do the same at the same time; a fraction counts for one that does less.
    """

    def __init__(self, cycles, cores: float = 1.0):
        self.cores = cores
        self._read, self._write, self._read_alone, self._write_alone, self._shortest, self._busy = _overheads(cycles)
        self._known = {}

    def rates(self, weights: float, maps: float, results: float) -> tuple[float, float, float]:
        """Beats a cycle of a core's ports, for the mean beats of their transactions: 0 where nothing is requested."""
        key = (weights, maps, results)
        if key not in self._known:
            self._known[key] = self._rates(weights, maps, results)
        return self._known[key]

    def _rates(self, weights, maps, results):
        reads, writes = (weights > 0) + (maps > 0), int(results > 0)
        beats = weights + maps + results
        if self.cores * (reads + writes) != 1:
            took = beats + reads * self._read + writes * self._write
        elif writes:
            took = beats + self._write_alone
        else:
            # a port that waits for itself only: short ones are held up from request to request
            took = max(beats + self._read_alone, self._shortest + beats / 2)
        turn = self.cores * took / self._busy
        return weights / turn, maps / turn, results / turn


@lru_cache(maxsize=64)
def _overheads(cycles):
    """Cycles that a transaction costs beside its beats, and the share of time that refreshes leave.

    A read and a write among others, alone, and what a read alone takes for no beats.
    """
    busy = 1 - (cycles.rfc + cycles.rp) / cycles.refresh

    def lost(*writes, length=64):
        # in other banks and in the same ones
        turns = [_turn(cycles, writes, length, apart) for apart in (0, SDRAM_PAGE_BEATS)]
        return sum(turns) / len(turns) * busy - length * len(writes)

    read = lost(False, False) / 2
    return read, lost(False, True) - read, lost(False), lost(True), lost(False, length=2) + 1, busy


def _turn(cycles, writes, length, apart):
    """Mean cycles of a turn of ports that go through memory with transactions of ``length``."""
    memory = MemoryModel(len(writes), cycles)
    stretch = 1 << 20
    places = [port * (stretch + apart) for port in range(len(writes))]
    for port, write in enumerate(writes):
        memory.request(port, cycles.start + 2, write, length, places[port])
    begun = 0
    for count in range(_TURNS * len(writes)):
        served = memory.serve()
        if count == 8 * len(writes) - 1:
            begun = served.accepted
        port = served.port
        places[port] += length
        memory.request(port, served.accepted + 2, writes[port], length, places[port])
    return (served.accepted - begun) / (_TURNS - 8)
