"""The host's end of a session over UDP: what goes into datagrams and comes out of them, without socket and clock."""

from __future__ import annotations

from enum import Enum

from licgate.target.datagrams import MAX_DATA, MODULUS, Datagram, Flag, ahead, unpacked

__all__ = ["HostEnd", "State"]

#: Room that a device is told of: more than any keeps unacknowledged, and no more than a socket holds.
_WINDOW = 0xFFFF

#: Seconds after which bytes that were not acknowledged go again: at the beginning, at least, and at most.
_FIRST, _LEAST, _MOST = 0.1, 0.01, 1.0

#: Seconds without a word from the device, after which it is asked whether it is there.
_IDLE = 0.25


class State(Enum):
    """How a session stands."""

    OPENING = "no answer yet"
    OPEN = "open"
    CLOSED = "the device knows nothing of it"
    TAKEN = "another one is open at the device"


class HostEnd:
    """One session: bytes offered on one side, datagrams on the other.

    Lost datagrams are sent again from the first byte that is missing, at once when the device tells of it, else after
    a time that follows the round trip.

    Parameters
    ----------
    session : int
        A number that no session before had, 32 bits.

    Attributes
    ----------
    state : State
    backlog : int
        Bytes offered that the device has not acknowledged.
    repeated, dropped : int
        Datagrams sent again, and those that came out of their order or twice.
    """

    def __init__(self, session: int) -> None:
        self.session, self.state = session, State.OPENING
        self.repeated = self.dropped = 0
        # towards the device: bytes not acknowledged, the number of the first, how many have gone and may go
        self._out, self._first, self._gone, self._room, self._most_gone = bytearray(), 0, 0, 0, 0
        self._in, self._expected, self._missed = bytearray(), 0, -1
        self._answers, self._again = False, False
        self._timer: float | None = 0.0
        self._heard = 0.0
        self._timed: tuple[int, float] | None = None
        self._round, self._deviation, self._wait = 0.0, 0.0, _FIRST

    @property
    def backlog(self) -> int:
        """Bytes offered that the device has not acknowledged."""
        return len(self._out)

    def offer(self, data: bytes) -> None:
        """Take bytes for the device."""
        self._out += data

    def taken(self) -> bytes:
        """What has come from the device since it was asked last."""
        data, self._in = bytes(self._in), bytearray()
        return data

    def due(self, now: float) -> list[bytes]:
        """Payloads to be sent at the time ``now``, in seconds."""
        if self.state is State.OPENING:
            if self._timer is None or now < self._timer:
                return []
            self._late(now)
            return [Datagram(session=self.session, flags=Flag.OPEN, window=_WINDOW).packed()]
        if self.state is not State.OPEN:
            return []
        if self._timer is not None and now >= self._timer:
            return self._overdue(now)
        sent = self._datagrams(now)
        if not sent and now >= self._heard + _IDLE:
            self._heard = now
            # what the device has sent last may have been lost, with nothing behind it that would tell
            return [self._packed(Flag.ASK | Flag.AGAIN, self._gone, b"")]
        return sent

    def next_at(self, now: float) -> float:
        """When `due` has something by itself, at the earliest."""
        times = [] if self._timer is None else [self._timer]
        if self.state is State.OPEN:
            times.append(self._heard + _IDLE)
        return max(now, min(times, default=now))

    def receive(self, payload: bytes, now: float) -> None:
        """Take the payload of a datagram from the device; what is none of this session is passed over."""
        found = unpacked(payload)
        if found is None or found.session != self.session or self.state in (State.CLOSED, State.TAKEN):
            return
        if found.flags & (Flag.CLOSED | Flag.TAKEN):
            self.state = State.TAKEN if found.flags & Flag.TAKEN else State.CLOSED
            return
        if self.state is State.OPENING:
            if not found.flags & Flag.OPEN:
                return
            # the device does not know yet how much room there is for what it sends
            self.state, self._timer, self._wait, self._answers = State.OPEN, None, _FIRST, True
        self._heard = now
        self._acknowledge(found, now)
        if found.data:
            self._take(found)
        self._answers |= bool(found.flags & Flag.ASK)

    def farewell(self) -> bytes:
        """What ends the session at the device."""
        return self._packed(Flag.CLOSED, 0, b"")

    def _take(self, found: Datagram) -> None:
        """Take data if it is what is expected."""
        self._answers, distance = True, ahead(found.sequence, self._expected)
        if distance == 0:
            self._in += found.data
            self._expected = (self._expected + len(found.data)) % MODULUS
            return
        self.dropped += 1
        # once for every place where something is missing: what else is under way will not fit either
        if distance > 0 and self._missed != self._expected:
            self._missed, self._again = self._expected, True

    def _acknowledge(self, found: Datagram, now: float) -> None:
        """Forget what has arrived, and learn how much more has room."""
        took = ahead(found.acknowledged, self._first)
        if not 0 <= took <= self._most_gone:
            return
        if took:
            del self._out[:took]
            self._first = found.acknowledged
            self._gone, self._most_gone = max(0, self._gone - took), self._most_gone - took
            self._measure(now)
            self._timer = now + self._wait if self._gone else None
        self._room = found.window
        if found.flags & Flag.AGAIN and self._gone:
            self._back()

    def _measure(self, now: float) -> None:
        """Learn from the round trip of what was sent once only (RFC 6298)."""
        if self._timed is not None and ahead(self._first, self._timed[0]) >= 0:
            took, self._timed = now - self._timed[1], None
            if not self._round:
                self._round, self._deviation = took, took / 2
            else:
                self._deviation += (abs(took - self._round) - self._deviation) / 4
                self._round += (took - self._round) / 8
        if not self._round:
            self._wait = max(_FIRST, self._wait / 2)
        else:
            self._wait = min(_MOST, max(_LEAST, self._round + 4 * self._deviation))

    def _late(self, now: float) -> None:
        """Wait for an answer, twice as long as last time."""
        self._timer, self._wait = now + self._wait, min(_MOST, 2 * self._wait)

    def _back(self) -> None:
        """Send again from the first byte that is missing."""
        self._gone, self._timed = 0, None
        self.repeated += 1

    def _overdue(self, now: float) -> list[bytes]:
        """Nothing was acknowledged in time."""
        if self._gone:
            self._back()
        self._late(now)
        # where there was no room, the word that there is some may have been lost
        return self._datagrams(now) or [self._packed(Flag.ASK, self._gone, b"")]

    def _datagrams(self, now: float) -> list[bytes]:
        """Data that has room, or an acknowledgement that is owed."""
        sent = []
        while size := min(len(self._out) - self._gone, self._room - self._gone, MAX_DATA):
            # no small one because of little room, while more room is on its way
            if size < 0 or (size < min(MAX_DATA, len(self._out) - self._gone) and self._gone):
                break
            sent.append(self._packed(Flag.NONE, self._gone, bytes(self._out[self._gone : self._gone + size])))
            self._gone += size
            if self._timed is None and self._gone > self._most_gone:
                self._timed = (self._first + self._gone) % MODULUS, now
            self._most_gone = max(self._most_gone, self._gone)
            if self._timer is None:
                self._timer = now + self._wait
        if not sent and (self._answers or self._again):
            sent.append(self._packed(Flag.NONE, self._gone, b""))
        if self._out and not self._gone and self._timer is None:
            self._timer = now + self._wait
        return sent

    def _packed(self, flags: Flag, gone: int, data: bytes) -> bytes:
        """A datagram with all that is to be said in the other direction."""
        flags |= Flag.AGAIN if self._again else Flag.NONE
        self._answers = self._again = False
        return Datagram(
            session=self.session,
            flags=flags,
            sequence=(self._first + gone) % MODULUS,
            acknowledged=self._expected,
            window=_WINDOW,
            data=data,
        ).packed()
