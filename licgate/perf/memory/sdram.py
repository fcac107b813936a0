"""Cycles of external memory: the arbiter and the SDRAM controller, transaction by transaction, to the cycle.

It follows `licgate.gateware.memory`, from the cycle after the reset, cycle 0, on. Every time is a maximum of what has
to come before it, so a transaction takes microseconds whatever its length, and nothing is simulated.
"""

from __future__ import annotations

from typing import NamedTuple

from licgate.target.pages import SDRAM_PAGE_BEATS
from licgate.target.sdram import SdramCycles

__all__ = ["MemoryModel", "Served"]

_NEVER = 1 << 60
# Of the arbiter: cycles from a choice to the acceptance and to the memory, beats that are fetched ahead, and cycles
# from the acceptance of a write to its first beat before the memory.
ACCEPT, _REQUEST, DEPTH, FETCHED = 3, 3, 8, 3


class Served(NamedTuple):
    """One transaction at its port.

    Attributes
    ----------
    port : int
    write : bool
    address, beats : int
    valid, accepted : int
        Cycles in which the request was first valid, and accepted.
    first, last : int
        Cycles of its first and last beat at the port. Those of a read come at the memory's ``pace``. A write is fetched
        8 beats ahead of the memory.
    done : int
        Cycle of ``done`` at the port.
    """

    port: int
    write: bool
    address: int
    beats: int
    valid: int
    accepted: int
    first: int
    last: int
    done: int


class MemoryModel:
    """An arbiter of ``count`` ports before an SDRAM controller.

    Whoever drives it goes forward in time: before :meth:`serve`, everything that is requested before the cycle that
    :meth:`decision` names must have been told. What is served tells when; that allows what is requested next.

    Parameters
    ----------
    count : int
        Ports.
    cycles : SdramCycles
        Of the controller: ``SdramController(...).cycles`` or ``SdramCycles.at(...)``.

    Attributes
    ----------
    transactions, beats, refreshes : int
        Counted so far. Every transaction activates a row.
    misses : int
        Activations of another row than its bank had open last.
    late : int
        Requests that were told after a choice which they might have changed: 0, or the times may be wrong.
    read_beats, write_beats, waits : list of int
        By port; ``waits`` are cycles in which a request was valid and not accepted.

    Raises
    ------
    ValueError
        ``count`` is not positive, or a request breaks the port's contract.
    """

    def __init__(self, count: int, cycles: SdramCycles):
        if not isinstance(count, int) or count < 1:
            raise ValueError(f"a memory needs at least one port, not {count!r}")
        self.count, self.cycles, self.page_beats = count, cycles, self._page(cycles)
        self.transactions = self.refreshes = self.misses = self.late = 0
        self.read_beats, self.write_beats, self.waits = [0] * count, [0] * count, [0] * count
        self._valid = [_NEVER] * count
        self._requests = [None] * count
        self._ready = [0] * count
        self._turns = [tuple((port + n) % count for n in range(1, count + 1)) for port in range(count)]
        self._rows = [-1] * 4
        # Of the arbiter: the port chosen last, the next choice, and when the memory was done with the last two.
        self._served, self._choice, self._done, self._done_before = count - 1, 0, -1, -1
        self._chosen = 0
        # Of the last transaction: column command, precharge, the one before's precharge, what it was, its last fetch.
        self._column, self._ending, self._ending_before = 0, -_NEVER, -_NEVER
        self._bank, self._wrote, self._last_beats, self._fetched = -1, True, 0, -1
        self._refreshed, self._urgent = -_NEVER, False

    def _page(self, cycles):
        return SDRAM_PAGE_BEATS

    @property
    def beats(self) -> int:
        """Beats moved so far."""
        return sum(self.read_beats) + sum(self.write_beats)

    def request(self, port: int, cycle: int, write: bool, beats: int, address: int) -> None:
        """Port ``port`` requests from cycle ``cycle`` on: the first in which ``request.valid`` is high."""
        if self._requests[port] is not None:
            raise ValueError(f"port {port} requests in cycle {cycle} and its last request has not been served")
        if cycle < self._ready[port]:
            raise ValueError(
                f"port {port} requests in cycle {cycle}, its last request is accepted in {self._ready[port] - 1}"
            )
        if not 1 <= beats <= self.page_beats - address % self.page_beats:
            raise ValueError(f"a transaction of {beats} beats from address {address} is empty or crosses a page")
        self.late += cycle < self._chosen
        self._valid[port] = cycle
        self._requests[port] = (write, beats, address)

    def decision(self) -> int | None:
        """Cycle in which the arbiter chooses next, as far as is known; None when nothing is requested."""
        first = min(self._valid)
        return None if first == _NEVER else max(first + 1, self._choice, self._done_before + 1)

    def serve(self) -> Served:
        """Serve the request that the arbiter chooses next.

        Raises
        ------
        ValueError
            Nothing is requested.
        """
        cycles = self.cycles
        choice, port, accepted = self._choose()
        write, beats, address = self._requests[port]

        held = max(choice + _REQUEST, self._column)
        ending = self._ending
        opened = self._activate(held, address >> 9 & 3)

        start = max(opened + cycles.rcd - 1, ending)
        if write:
            start = max(start, accepted + FETCHED)
            if not self._wrote:
                start = max(start, ending + cycles.turn - 1)
        column = start + 1
        self._ending_before = ending
        if write:
            self._ending = column + max(beats + cycles.wr - 1, cycles.hold)
            first, last = accepted + 1, accepted + beats
            # The queue holds eight beats, which may be those of the write before.
            if self._wrote:
                behind = self._column + self._last_beats - DEPTH
                if self._last_beats >= DEPTH and behind + 1 > first:
                    first = behind + 1
                if self._last_beats + beats > DEPTH and behind + beats > last:
                    last = behind + beats
            if beats > DEPTH and column + beats - DEPTH > last:
                last = column + beats - DEPTH
            self._fetched = last
            done = column + beats + 1
            self.write_beats[port] += beats
        else:
            self._ending = column + max(beats, cycles.hold)
            first = column + cycles.turn + 3
            last = first + beats - 1
            done = last - 1
            self.read_beats[port] += beats

        row, bank = address >> 11, address >> 9 & 3
        if self._rows[bank] != row:
            self._rows[bank] = row
            self.misses += 1
        self._column = column
        self._bank, self._wrote, self._last_beats = bank, write, beats
        return self._told(port, accepted, first, last, done)

    def _choose(self):
        """The arbiter's next choice: its cycle, the port, and the cycle of the acceptance there."""
        waiting = self._valid
        choice = max(min(waiting) + 1, self._choice, self._done_before + 1)
        if choice > _NEVER:
            raise ValueError("nothing is requested of the memory")
        for port in self._turns[self._served]:
            if waiting[port] < choice:
                break
        self._chosen = choice
        accepted = choice + ACCEPT
        if port == self._served and self._done + 2 > accepted:
            accepted = self._done + 2
        if self._requests[port][0] and self._fetched + 2 > accepted:
            accepted = self._fetched + 2
        return choice, port, accepted

    def _told(self, port, accepted, first, last, done):
        """What was served; ``done`` before the arbiter."""
        write, beats, address = self._requests[port]
        valid = self._valid[port]
        self.transactions += 1
        self.waits[port] += accepted - valid
        self._done_before, self._done = self._done, done
        self._served, self._choice = port, accepted + 1
        self._valid[port], self._requests[port], self._ready[port] = _NEVER, None, accepted + 1
        return Served(port, write, address, beats, valid, accepted, first, last, done + 1)

    def _activate(self, held: int, bank: int) -> int:
        """Cycle in which the row of a request that the controller holds from cycle ``held`` on is opened."""
        cycles = self.cycles
        ending = self._ending
        closed = ending + cycles.rp
        cycle = max(held + 1, cycles.start, self._ending_before + cycles.rp, self._refreshed + cycles.rfc)
        beside = cycle < ending and bank != self._bank
        if not beside and cycle < closed:
            cycle = closed
        if self._due() > cycle:
            return cycle

        # Refreshes while nothing waited.
        refresh = max(self._due(), closed, self._refreshed + cycles.rfc, cycles.start)
        while refresh <= held:
            self._refresh(refresh)
            refresh = max(self._due(), refresh + cycles.rfc)
        cycle = max(cycle, self._refreshed + cycles.rfc)
        # Refreshes that go first, in a row once so many are owed.
        if not self._is_urgent(cycle):
            return cycle
        cycle = max(cycle, closed)
        while self._is_urgent(cycle):
            self._refresh(cycle)
            cycle += cycles.rfc
        return cycle

    def _due(self) -> int:
        """First cycle in which the controller owes a refresh."""
        return self.cycles.start + (self.refreshes + 1) * self.cycles.refresh + 1

    def _is_urgent(self, cycle: int) -> bool:
        """Whether refreshes go first in ``cycle``."""
        cycles = self.cycles
        return self._urgent or cycles.start + (self.refreshes + cycles.postpone) * cycles.refresh + 2 <= cycle

    def _refresh(self, cycle: int) -> None:
        """Refresh in ``cycle``; the next is urgent if this one was, or if that came to be in this very cycle."""
        self._urgent = self._is_urgent(cycle + 1)
        self.refreshes += 1
        self._refreshed = cycle
        if self._due() > cycle + 1:
            self._urgent = False
