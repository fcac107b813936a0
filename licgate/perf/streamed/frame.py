"""Cycle model of the streamed core: every pass, every transaction, equal to the gateware's to the cycle.

Each unit of :mod:`licgate.gateware.streamed` is a generator that follows its states and goes on for as long as the
times of what it waits for are known. When none can go on, the memory serves the next transaction, see
:class:`licgate.perf.memory.sdram.MemoryModel`; so every request that the arbiter could choose has been told.
"""

from dataclasses import dataclass, field

from licgate.perf.memory.axi import core_memory
from licgate.perf.streamed.loaders import Freed, Loaders
from licgate.perf.streamed.passes import FIFO, Passes
from licgate.program.commands import COMMANDS_READ, command_beats
from licgate.program.schedule import Schedule

__all__ = ["CoreRun", "StreamedModel"]

_QUEUES = {"weights": 2, "load": 16, "band": 2}


@dataclass
class CoreRun:
    """What one core did.

    Attributes
    ----------
    start, done : int
        Cycle of ``start``; first cycle in which the core is done.
    steps : int
        Cycles in which the array took a step.
    op_steps : list of int
        By operation.
    waits : dict
        Cycles by cause: map, weights, output (as the core's outputs count them, but those that the feeder hides are
        counted too).
    beats : dict
        Beats moved: commands, weights, maps, results.
    times : dict
        Cycles in which columns and tiles became complete and writes were done: columns, tiles, writes.
    """

    start: int
    done: int = 0
    steps: int = 0
    op_steps: list = field(default_factory=list)
    waits: dict = field(default_factory=lambda: {"map": 0, "weights": 0, "output": 0})
    beats: dict = field(default_factory=dict)
    times: dict = field(default_factory=dict)


class StreamedModel:
    """Times of runs on one or more cores that share a memory.

    Parameters
    ----------
    schedules : sequence of Schedule
        One for each core, in the order of their ports.
    cycles : SdramCycles or AxiTiming
        Of the memory.
    start : int
        Cycle of ``start`` after the reset, for all cores.

    Attributes
    ----------
    memory : MemoryModel
    runs : list of CoreRun
    """

    def __init__(self, schedules, cycles, *, start=1):
        self.memory = core_memory(len(schedules), cycles)
        cores = [_Core(schedule, self.memory, 4 * n, start) for n, schedule in enumerate(schedules)]
        for core in cores:
            core.advance()
        while not all(core.finished for core in cores):
            served = self.memory.serve()
            core = cores[served.port // 4]
            if core.served(served):
                core.advance()
        if self.memory.late:
            raise AssertionError(f"{self.memory.late} requests were told after the arbiter had chosen")
        self.runs = [core.run for core in cores]

    @property
    def done(self) -> int:
        """First cycle in which all cores are done."""
        return max(run.done for run in self.runs)


class _Core(Loaders, Passes):
    """One core's units and what they tell each other: lists of the cycles in which something happened."""

    def __init__(self, schedule: Schedule, memory, first_port, start):
        self.schedule, self.program, self.memory = schedule, schedule.program, memory
        self.first_port, self.start = first_port, start
        self.run = CoreRun(start)
        self.answers = [None] * 4
        # Commands given to each unit, and the cycles in which it takes them.
        self.given = {kind: [] for kind in _QUEUES}
        self.taken = {kind: [] for kind in _QUEUES}
        self.idle = {kind: [start + 1] for kind in _QUEUES}
        self.columns, self.tiles, self.writes, self.packed = [], [], [], []
        self.slots_freed, self.words_freed = Freed(), Freed()
        # Passes to memory: issue, first word, beat, count, stage, first, last, and offers of the words where those of
        # two passes are put together.
        self.passes_out = []
        self.targets = []  # writes: cycle, address, beats
        # Beats of commands: cycles from which they can be used, and in which they are.
        self.readable, self.popped, self.stop, self.reader_done = [], [], None, False
        self.ended, self.last_written, self.bands_done, self.units_out = None, 0, None, 0
        self.reader = self._command_reader()
        weights, maps, writer = self._weights(), self._maps(), self._writer()
        # Behind each port but the commands': its unit, and what that tells the others.
        self._loading = (None, weights, maps, writer)
        self._told = (
            (),
            (self.tiles, self.idle["weights"]),
            (self.columns, self.idle["load"]),
            (self.writes,),
        )
        self.units = [
            self._commander(),
            self._taker("weights"),
            self._taker("load"),
            weights,
            maps,
            self._sequencer(),
            self._packer(),
            writer,
        ]
        self.finished = False

    def advance(self):
        """Let every unit go on as far as it can."""
        before = None
        while before != self._progress:
            before = self._progress
            for unit in self.units:
                next(unit, None)
            if before == self._progress:
                # What ends the reading of commands must be known before more of them are asked for.
                next(self.reader, None)
        if self.bands_done is not None and self.ended is not None and self._all_written():
            self._finish()

    @property
    def _progress(self):
        return (
            len(self.columns),
            len(self.tiles),
            len(self.writes),
            len(self.packed),
            self.slots_freed.count,
            self.words_freed.count,
            len(self.passes_out),
            len(self.targets),
            self.ended,
            len(self.readable),
            len(self.popped),
            self.reader_done,
            *(len(told[kind]) for told in (self.given, self.taken, self.idle) for kind in _QUEUES),
            self.stop,
        )

    def _all_written(self):
        return len(self.packed) == len(self.passes_out) and len(self.writes) == self.units_out

    def _finish(self):
        idle = max(self.ended, self.bands_done, self.last_written + 1, self.writes[-1] + 1)
        self.run.done = idle + 3
        self.run.times = {"columns": self.columns, "tiles": self.tiles, "writes": self.writes}
        self.run.beats = dict(
            zip(
                ("commands", "weights", "maps", "results"),
                (
                    self.memory.read_beats[self.first_port + k] + self.memory.write_beats[self.first_port + k]
                    for k in range(4)
                ),
                strict=True,
            )
        )
        self.finished = True

    def served(self, served):
        """Take the memory's answer to a port of this core; return whether any other unit may go on for it."""
        port = served.port - self.first_port
        self.answers[port] = served
        if port == 0:
            return True
        # The others wait for what this unit tells, so as long as it tells nothing they need not be asked.
        told = self._told[port]
        before = [len(events) for events in told]
        next(self._loading[port], None)
        return [len(events) for events in told] != before

    def _transactions(self, unit, valid, address, beats, *, write=False, told=None):
        """Request a stretch from cycle ``valid`` on; return what was served, and tell each as soon as it is known."""
        page = {1: self.program.weight_burst, 3: self.program.page_beats}.get(unit, self.program.burst_beats)
        found = []
        while beats:
            length = min(beats, page - address % page)
            self.memory.request(self.first_port + unit, valid, write, length, address)
            self.answers[unit] = None
            while self.answers[unit] is None:
                yield
            served = self.answers[unit]
            found.append(served)
            if told is not None:
                told(served)
            valid, address, beats = served.accepted + 2, address + length, beats - length
        return found

    def _commander(self):
        """Commands are parsed one after the other and given to their queues."""
        size = command_beats(self.program)
        begin = self.start + 1
        for kind, fields in self.schedule.commands:
            have = len(self.popped)
            while len(self.readable) < have + size:
                yield
            for k in range(size):
                begin = max(begin, self.readable[have + k]) + 1
                self.popped.append(begin - 1)
            if kind == "end":
                break
            queue, depth = self.given[kind], _QUEUES[kind]
            if len(queue) >= depth:
                while len(self.taken[kind]) <= len(queue) - depth:
                    yield
                begin = max(begin, self.taken[kind][len(queue) - depth] + 1)
            queue.append((begin + 1, fields))
            begin += 1
        # What was read ahead is dropped, a beat a cycle.
        self.stop = begin
        begin += 1
        while not self.reader_done:
            yield
        for cycle in self.readable[len(self.popped) :]:
            begin = max(begin, cycle) + 1
        self.ended = begin + 1

    def _command_reader(self):
        """Asks for commands while what was asked for and not used is no more than one read."""
        read = COMMANDS_READ * command_beats(self.program)
        address, asked, idle = self.schedule.address, 0, self.start + 1
        while True:
            cycle, needed = idle, (asked - 1) * read
            if needed > 0:
                while len(self.popped) < needed and self.stop is None:
                    yield
                if len(self.popped) < needed:
                    break
                cycle = max(cycle, self.popped[needed - 1] + 1)
            if self.stop is not None and cycle > self.stop:
                break
            asked += 1
            found = yield from self._transactions(0, cycle + 2, address, read, told=self._command_beats)
            address += read
            idle = found[-1].accepted + 1
            yield
        self.reader_done = True

    def _command_beats(self, served):
        pace = self.memory.cycles.pace
        self.readable += (served.first + pace(beat) + FIFO for beat in range(served.beats))
