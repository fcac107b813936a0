"""Cycles of an arbiter before an AXI4 master and a memory of a latency and a rate, transaction by transaction.

It follows `licgate.gateware.memory.axi` as :mod:`licgate.perf.memory.sdram` follows the SDRAM controller.
"""

from __future__ import annotations

from licgate.perf.memory.sdram import ACCEPT, DEPTH, FETCHED, MemoryModel, Served
from licgate.target.axi import AxiTiming

__all__ = ["AxiModel", "DuplexModel", "core_memory"]

_NEVER = -(1 << 60)


class AxiModel(MemoryModel):
    """An arbiter of ``count`` ports before an :class:`~licgate.gateware.memory.axi.Axi4Master` and its memory.

    Driven as any :class:`~licgate.perf.memory.sdram.MemoryModel`. There are no rows and no refreshes: ``misses`` and
    ``refreshes`` stay 0. A read's beats come at the memory's rate; a write is fetched 10 beats ahead of the memory.

    Parameters
    ----------
    count : int
        Ports.
    cycles : AxiTiming
        Of the memory.

    Raises
    ------
    ValueError
        ``count`` is not positive, or a request breaks the port's contract.
    """

    def __init__(self, count: int, cycles: AxiTiming):
        super().__init__(count, cycles)
        # Of reads: transfer of the last beat, and the next that the rate allows.
        self._read_last, self._read_next = _NEVER, 0
        # Of the last write: when the master took beats 0 and 1 and how many there are, transfers of its first beat, of
        # the last but one and of the last, its answer, and the next transfer that the rate allows.
        self._took, self._first, self._before, self._last = (_NEVER, _NEVER, 0), _NEVER, _NEVER, _NEVER
        self._answer, self._write_next = _NEVER, 0
        self._wrote = False

    def _page(self, cycles):
        return cycles.page_beats

    def serve(self) -> Served:
        """Serve the request that the arbiter chooses next.

        Raises
        ------
        ValueError
            Nothing is requested.
        """
        choice, port, accepted = self._choose()
        write, beats, _ = self._requests[port]
        return (self._write if write else self._read)(port, choice + ACCEPT, accepted, beats)

    def _read(self, port, offered, accepted, beats):
        timing = self.cycles
        # AXI4 keeps no order between the two: the answers of the writes come first.
        begun = max(offered, self._answer + 1)
        # The master takes nothing in the cycle behind a burst.
        first = max(begun + 1 + timing.read_latency, self._read_next, self._read_last + 2)
        last = first + timing.pace(beats - 1)
        self._read_last, self._read_next = last, first + timing.pace(beats)
        self._wrote = False
        self.read_beats[port] += beats
        return self._told(port, accepted, first + 2, last + 2, last + 1)

    def _write(self, port, offered, accepted, beats):
        timing = self.cycles
        begun = max(offered, self._read_last + 1)
        first = accepted + 1
        ended = accepted + beats
        if self._wrote:
            begun = max(begun, self._taken(self._took[2] - 1) + 1)
            # The arbiter's queue holds eight beats, which may be those of the write before.
            behind = self._took[2] - DEPTH
            if behind >= 0:
                first = max(first, self._taken(behind) + 1)
            behind += min(DEPTH, beats) - 1
            if behind >= 0:
                ended = max(ended, self._taken(behind) + 1 + max(0, beats - DEPTH))
        took = max(accepted + FETCHED, begun + 1, self._before + 1)
        second = max(took + 1, self._last + 1)
        self._took = took, second, beats
        self._first = max(took + 1, self._write_next)
        self._before = self._last if beats == 1 else self._first + timing.pace(beats - 2)
        self._last = self._first + timing.pace(beats - 1)
        self._write_next = self._first + timing.pace(beats)
        if beats > DEPTH:
            ended = max(ended, self._taken(beats - DEPTH - 1) + 1)
        self._answer, self._wrote, self._fetched = self._last + timing.write_latency, True, ended
        self.write_beats[port] += beats
        return self._told(port, accepted, first, ended, self._answer + 1)

    def _taken(self, beat):
        """Cycle in which the master took a beat of the last write from the arbiter, which holds two of them."""
        took, second, _ = self._took
        if beat < 2:
            return second if beat else took
        return max(took + beat, self._first + self.cycles.pace(beat - 2) + 1)


class DuplexModel:
    """The memory of streamed cores behind one AXI4 bus: its reads and its writes go their own ways.

    Port 4k + 3 belongs to the results of core k and only writes, the others only read; each kind has an arbiter and a
    master of its own, see :class:`licgate.gateware.streamed.duplex.AxiDuplex`. Driven as a :class:`MemoryModel`.

    Parameters
    ----------
    cores : int
    timing : AxiTiming

    Raises
    ------
    ValueError
        ``cores`` is not positive, or a request breaks the port's contract.
    """

    refreshes = misses = 0

    def __init__(self, cores: int, timing: AxiTiming):
        self.cycles = timing
        self._reads, self._writes = AxiModel(3 * cores, timing), AxiModel(cores, timing)
        self._ports = [[4 * k + port for k in range(cores) for port in which] for which in ((0, 1, 2), (3,))]

    def request(self, port: int, cycle: int, write: bool, beats: int, address: int) -> None:
        """As of :class:`MemoryModel`."""
        core, unit = divmod(port, 4)
        if write != (unit == 3):
            raise ValueError(f"port {port} {'writes' if write else 'reads'}, and only results are written")
        if write:
            self._writes.request(core, cycle, write, beats, address)
        else:
            self._reads.request(3 * core + unit, cycle, write, beats, address)

    def serve(self) -> Served:
        """Serve the request that is chosen next, of both kinds."""
        reads, writes = self._reads.decision(), self._writes.decision()
        if writes is None or (reads is not None and reads <= writes):
            model, ports = self._reads, self._ports[0]
        else:
            model, ports = self._writes, self._ports[1]
        served = model.serve()
        return served._replace(port=ports[served.port])

    @property
    def read_beats(self) -> list:
        """Beats read, by port."""
        return self._by_port("read_beats")

    @property
    def write_beats(self) -> list:
        """Beats written, by port."""
        return self._by_port("write_beats")

    def _by_port(self, name):
        found = [0] * (4 * self._writes.count)
        for model, ports in ((self._reads, self._ports[0]), (self._writes, self._ports[1])):
            for port, value in zip(ports, getattr(model, name), strict=True):
                found[port] = value
        return found

    @property
    def transactions(self) -> int:
        """Bursts so far."""
        return self._reads.transactions + self._writes.transactions

    @property
    def beats(self) -> int:
        """Beats moved so far, both ways."""
        return self._reads.beats + self._writes.beats

    @property
    def late(self) -> int:
        """Requests that were told after a choice which they might have changed: 0, or the times may be wrong."""
        return self._reads.late + self._writes.late


def core_memory(cores: int, cycles):
    """The model of the memory of ``cores`` streamed cores: behind AXI4 for an `AxiTiming`, else the SDRAM."""
    return DuplexModel(cores, cycles) if isinstance(cycles, AxiTiming) else MemoryModel(4 * cores, cycles)
