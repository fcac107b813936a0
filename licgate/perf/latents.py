"""The latent FIFO in time: words that come, words that go value by value, and room for those of the next pass."""

from collections import deque

__all__ = ["LatentFifo"]

_LOADED = 2  # from a word's arrival to the serialiser, at least
_TURNED = 2  # from the last one of four words of every fourth column to the first one of neighbouring ones


class LatentFifo:
    """Times of the latent FIFO and its serialiser, for a host that is always ready.

    Parameters
    ----------
    program : Program
    stage : Stage
        The last one of the chain.
    width : int
        Of what the chain makes.
    kept : tuple of int
        skip_x, skip_y, keep_width, keep_height.

    Attributes
    ----------
    done : int
        Cycle in which the last latent so far has left.
    """

    def __init__(self, program, stage, width, kept):
        self._program, self._width = program, width
        self._skip_y, self._keep_height = kept[1], kept[3]
        self._channels = stage.last_op.channels_out
        self._x = self._y = self._channel = self._part = 0
        self._free_at = self._loaded_at = 0  # cycles in which the serialiser can load the next word, and did the last
        self.done = 0
        # Cycles in which what happened since is seen: words that came, words that went, passes that are through.
        self._came, self._went, self._through = deque(), deque(), deque()
        self._free, self._promised = program.output_words, 0

    def room(self, cycle):
        """First cycle from ``cycle`` on that sees that there is room for the words of another pass."""
        words, at = self._program.leaving_words, cycle - 1
        self._see(at)
        while self._free < (self._promised + 1) * words:
            at = min(events[0] for events in (self._came, self._went, self._through) if events)
            self._see(at)
        return at + 1

    def _see(self, cycle):
        for events, free, promised in ((self._came, -1, 0), (self._went, 1, 0), (self._through, 0, -1)):
            while events and events[0] <= cycle:
                events.popleft()
                self._free += free
                self._promised += promised

    def words(self, first, last):
        """Words of a pass come, from cycle ``first`` to ``last``."""
        rows, outputs, interval = self._program.rows, self._program.arithmetic.outputs, self._program.lane_rows
        if outputs == 1:
            cycles, through = range(first, last + 1, interval), last
        else:
            # four at once, when the last one of four is there
            last_ones = range(first + (outputs - 1) * interval, last + 1, outputs * interval)
            cycles = [cycle + _TURNED + part for cycle in last_ones for part in range(outputs)]
            through = last + _TURNED + outputs - 1
        for cycle in cycles:
            taken = max(cycle, self._loaded_at) + 1
            load = max(cycle + _LOADED, self._free_at)
            x = self._x + self._part * rows
            inside = self._skip_y <= self._y < self._skip_y + self._keep_height and x < self._width
            used = min(rows, self._width - x) if inside else 1
            self._loaded_at, self._free_at, self.done = load, load + used + 2, load + used + 3
            self._came.append(cycle + 1)
            self._went.append(taken + 2)
            self._move_on()
        self._promised += 1
        self._through.append(through + 1)

    def _move_on(self):
        """The next word: of the group's other columns, the next channel, the next group, the next row."""
        self._part = (self._part + 1) % self._program.arithmetic.outputs
        if self._part:
            return
        self._channel += 1
        if self._channel == self._channels:
            self._channel = 0
            self._x += self._program.group_columns
            if self._x >= self._width:
                self._x = 0
                self._y += 1
