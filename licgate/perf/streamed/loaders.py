"""The loaders of a streamed core in time, and what becomes free; see :mod:`licgate.perf.streamed.frame`."""

import itertools

__all__ = ["Freed", "Loaders"]


class Loaders:
    """The weight loader and the map loader of a core, generators each."""

    def _weights(self):
        """Weight tiles, as the ring has room."""
        program = self.program
        ring, reserved, cutter = program.weight_ring, 0, 0
        for n in itertools.count():
            while len(self.taken["weights"]) <= n:
                yield
            fields = self.given["weights"][n][1]
            stage, address = program.stages[fields["stage"]], fields["address"]
            cycle = self.taken["weights"][n] + 4
            for op in (stage.conv, stage.gdn):
                if op is None:
                    continue
                bits, segments = program.word_bits(op), program.segments(op)
                for tile in range(op.tiles):
                    for index, words in enumerate(segments):
                        needed = reserved + words - ring
                        if needed > 0:
                            while self.words_freed.total < needed:
                                yield
                            cycle = max(cycle, self.words_freed.when(needed) + 2)
                        cycle = max(cycle, cutter)
                        reserved += words
                        if index == len(segments) - 1 and tile == op.tiles - 1 and op is stage.last_op:
                            self.idle["weights"].append(cycle + 2)
                        beats = program.beats(words * bits)
                        found = yield from self._transactions(1, cycle + 2, address, beats)
                        address += beats
                        cutter = found[-1].accepted + 1
                        cycle += 3
                    self.tiles.append(found[-1].last + 4)
                cycle += 1

    def _maps(self):
        """Word columns, as slots are free and their rows written."""
        program = self.program
        records = {k: layout.record for k, layout in enumerate(self.schedule.maps[:-1], self.schedule.chain.first)}
        cutter = 0
        for n in itertools.count():
            while len(self.taken["load"]) <= n:
                yield
            fields = self.given["load"][n][1]
            cycle = self.taken["load"][n] + 2
            after = fields["after"]
            if after:
                while len(self.writes) < after:
                    yield
                cycle = max(cycle, self.writes[after - 1] + 3)
            needed = n + 1 - program.slots
            if needed > 0:
                while self.slots_freed.total < needed:
                    yield
                cycle = max(cycle, self.slots_freed.when(needed) + 2)
            cycle += 1
            address = fields["address"]
            for row in range(fields["rows"]):
                cycle = max(cycle, cutter)
                if row == fields["rows"] - 1:
                    self.idle["load"].append(cycle + 1)
                found = yield from self._transactions(2, cycle + 2, address, records[fields["stage"]])
                cutter = found[-1].accepted + 1
                cycle += 1
                address = fields["wrapped"] if row + 1 == fields["before"] else address + fields["pitch"]
            self.columns.append(found[-1].last + 4)

    def _taker(self, kind):
        """A unit takes a command when the last one needs no more of its states."""
        for n in itertools.count():
            while len(self.given[kind]) <= n or len(self.idle[kind]) <= n:
                yield
            self.taken[kind].append(max(self.given[kind][n][0], self.idle[kind][n]))


class Freed:
    """Amounts that are freed over time."""

    def __init__(self):
        self.total, self.count = 0, 0
        self._events, self._at = [], 0

    def add(self, cycle, amount, *steps):
        """``amount`` more are free, said in ``cycle``; with ``steps`` of a pass, one at each of its reads before.

        Steps are when its first tap row begins, how many there are, the cycles of one, in which of them it reads, when
        the last one begins, and the cycles from a read to what is said of it.
        """
        self.total, self.count = self.total + amount, self.count + 1
        self._events.append((self.total, cycle, amount, steps))

    def when(self, needed):
        """Cycle in which ``needed`` had been freed in all; asked for growing numbers."""
        while self._events[self._at][0] < needed:
            self._at += 1
        total, cycle, amount, steps = self._events[self._at]
        if not steps:
            return cycle
        first, slots, slot, columns, final, latency = steps
        number, column = divmod(needed - (total - amount) - 1, len(columns))
        if number >= slots:
            return cycle
        # a pass waits in front of its last slot; GDN, whose slots are of one step, in front of the last but one
        left = slots - 1 - number
        begin = final - left if left < (2 if slot == 1 else 1) else first + number * slot
        return min(cycle, begin + columns[column] + latency)
