"""The device's end of a session over UDP in Python, as the gateware has it; and networks that lose what they carry."""

import heapq

from licgate.target.datagrams import MAX_DATA, MODULUS, Datagram, Flag, ahead, unpacked


class DeviceEnd:
    """Golden model of `licgate.gateware.ethernet.session`: what it takes, what it answers, what it keeps.

    ``taken`` holds what goes to the accelerator, which takes it by `read`; what comes from it is given to `write`.
    """

    def __init__(self, *, receive_bytes=16384, transmit_bytes=8192):
        self.receive_bytes, self.transmit_bytes = receive_bytes, transmit_bytes
        self.session = self.peer = None
        self.strangers = []
        self._begin(None, None)

    def _begin(self, session, peer):
        self.session, self.peer = session, peer
        self.expected, self.waiting, self.gap, self.told = 0, bytearray(), False, 0
        self.first, self.kept, self.gone, self.window = 0, bytearray(), 0, 0
        self.answer, self.opened, self.again = False, False, False

    @property
    def room(self):
        return self.receive_bytes - len(self.waiting)

    def receive(self, payload, source=None):
        """A datagram whose checks were right."""
        found = unpacked(payload)
        if found is None:
            return
        if found.flags & Flag.OPEN:
            if found.session != self.session:
                self._begin(found.session, source)
            self.opened = self.answer = True
        elif found.session != self.session:
            if not found.flags & Flag.CLOSED:
                flag = Flag.CLOSED if self.session is None else Flag.TAKEN
                self.strangers.append((source, Datagram(session=found.session, flags=flag)))
        elif found.flags & Flag.CLOSED:
            self._begin(None, None)
        else:
            self._of_ours(found)

    def _of_ours(self, found):
        took = ahead(found.acknowledged, self.first)
        if 0 <= took <= len(self.kept):
            del self.kept[:took]
            self.first, self.gone, self.window = found.acknowledged, max(0, self.gone - took), found.window
            if found.flags & Flag.AGAIN:
                self.gone = 0
        self.answer |= bool(found.data or found.flags & Flag.ASK)
        if not found.data:
            return
        distance = ahead(found.sequence, self.expected)
        if distance == 0 and len(found.data) <= self.room:
            self.waiting += found.data
            self.expected, self.gap = (self.expected + len(found.data)) % MODULUS, False
        elif distance > 0 and not self.gap:
            self.gap = self.again = True

    def timeout(self):
        """Nothing was acknowledged in time."""
        self.gone = 0

    def read(self, count):
        """The accelerator takes bytes."""
        data = bytes(self.waiting[:count])
        del self.waiting[:count]
        self.told += len(data)
        self.answer |= self.session is not None and self.told >= self.receive_bytes // 4
        return data

    def write(self, data):
        """The accelerator gives bytes, of which as many are taken as have room; return how many."""
        took = data[: self.transmit_bytes - len(self.kept)]
        self.kept += took
        return len(took)

    def due(self):
        """The next datagram that goes: (where to, datagram); None if there is none."""
        if self.strangers:
            return self.strangers.pop(0)
        if self.session is None:
            return None
        size = min(min(len(self.kept), self.window) - self.gone, MAX_DATA)
        if size <= 0 and not self.answer and not self.again:
            return None
        data = bytes(self.kept[self.gone : self.gone + size]) if size > 0 else b""
        flags = (Flag.OPEN if self.opened else Flag.NONE) | (Flag.AGAIN if self.again else Flag.NONE)
        sent = Datagram(
            session=self.session,
            flags=flags,
            sequence=(self.first + self.gone) % MODULUS,
            acknowledged=self.expected,
            window=self.room,
            data=data,
        )
        self.gone += len(data)
        self.answer = self.opened = self.again = False
        self.told = 0
        return self.peer, sent


class Network:
    """Carries datagrams one way in virtual time: each may be lost, doubled, or late and so behind later ones."""

    def __init__(self, coin, *, loss=0.0, double=0.0, late=0.0, delay=1e-4):
        self._coin, self._odds, self._delay = coin, (loss, double, late), delay
        self._under_way, self._count = [], 0
        self.lost = self.doubled = self.delayed = 0

    def put(self, payload, now):
        loss, double, late = self._odds
        self._count += 1
        if self._coin.random() < loss:
            self.lost += 1
            return
        again = self._coin.random() < double
        self.doubled += again
        for copy in range(1 + again):
            delay = self._delay
            if copy or self._coin.random() < late:
                self.delayed += 1
                delay *= 1 + 20 * self._coin.random()
            heapq.heappush(self._under_way, (now + delay, 2 * self._count + copy, payload))

    def come(self, now):
        """What has arrived by now."""
        found = []
        while self._under_way and self._under_way[0][0] <= now:
            found.append(heapq.heappop(self._under_way)[2])
        return found
