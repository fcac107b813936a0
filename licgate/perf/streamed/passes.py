"""Passes of a streamed core in time, from the sequencer to memory; see :mod:`licgate.perf.streamed.frame`."""

import itertools
from collections import deque

from licgate.perf.sequence import SequencerModel, band_passes
from licgate.program.streamed import WRITES
from licgate.target.points import QUAD

__all__ = ["FIFO", "Passes"]

#: Cycles from a word's write to its read in a queue in block RAM.
FIFO = 4


class Passes:
    """Sequencer, feeder, array, packer and record writer of a core."""

    def _sequencer(self):
        """Bands, pass by pass, with the feeder and the array behind them."""
        program = self.program
        self._offers = SequencerModel(program, self.start - 1)
        self._engine = self._offers.engine
        self.run.op_steps = self._engine.op_steps
        self._pairs = Pairs(self.passes_out) if program.interleaves else None
        # Records of passes to memory, columns and tiles so far.
        self._out, self._columns_used, self._consumed = 0, 0, 0
        self._offers.free, bands = self.start + 1, sum(kind == "band" for kind, _ in self.schedule.commands)
        for n in range(bands):
            while len(self.given["band"]) <= n:
                yield
            visible, band = self.given["band"][n]
            self.taken["band"].append(self._offers.begin(visible))
            yield from self._band(band)
        self.run.steps = sum(self._engine.op_steps)
        self.bands_done = self._offers.free

    def _band(self, band):
        """The passes of a band."""
        stage, keep, held = self.program.stages[band["stage"]], band["keep"], 0
        needed, later = band["loads_first"], band["loads"] - band["loads_first"]
        kernels = self._kernels(band, stage)
        last_group, last_row = band["groups"] - 1, band["rows"] - 1
        beyond = 2 * band["pixels"] <= self.program.group_columns
        pixels = stage.parities * band["groups"] * band["rows"]
        for one in band_passes(stage, band["groups"], band["rows"], stage.parities):
            op, is_gdn = one.op, one.op.is_gdn
            if is_gdn and one.tile == one.group == one.row == one.column == one.quarter == 0:
                gdn_held = held
            results = max(self._offers.results(one, pixels), self._offers.place())
            # What a pass waits for is seen a cycle before it is offered.
            room = op.outputs * (op is stage.last_op)
            seen = yield from self._waits(self._offers.cycle, needed, held, room)
            needed = 0
            kind = op.pass_kinds[(2 * (one.row & 1) + one.column) % len(op.pass_kinds)]
            fed = self._offers.feed(one, kind, kernels[one.row], max(seen, results))
            if op is stage.last_op:
                self._leaves(fed, one, band["stage"], stage.upsampling and beyond and one.group == last_group)
            # of an upsampling stage's tile, what either parity of rows uses is free behind the last of these
            parity_ends = not is_gdn and stage.upsampling and one.group == last_group and one.row >= last_row - 1
            freed = fed.finish + self.program.feed_latency
            if (one.last_pixel or parity_ends) and not keep:
                steps = (fed.first, fed.tap_rows, fed.tap_row_cycles, _reads(kind), fed.final)
                self.words_freed.add(freed, kind.weights, *steps, self.program.feed_latency)
            # What the sequencer goes on to.
            if not is_gdn and one.row == last_row and one.row_ends:
                if one.last_tile:
                    self.slots_freed.add(freed, self._slots_freed(band, stage, one.group))
                if one.tile == 0:
                    needed = min(self.program.group_step(stage), later)
                    later -= needed
            if is_gdn or one.last_pixel:
                self._consumed, held = (
                    (self._consumed, held + 1) if keep or not one.last_pixel else (self._consumed + 1, held)
                )
            if is_gdn and one.last_tile and not one.last_pixel:
                held = gdn_held
        self.last_written = fed.written

    def _slots_freed(self, band, stage, group):
        """Slots that become free behind a group."""
        if group == band["groups"] - 1:
            return band["release"]
        return band["release_first"] if group == 0 else self.program.group_step(stage)

    def _waits(self, offered, needed, held, records):
        """What a pass waits for: ``needed`` columns, its tile, room for records; return when all is seen."""
        run, loaded = self.run, 0
        if needed:
            self._columns_used += needed
            while len(self.columns) < self._columns_used:
                yield
            loaded = self.columns[self._columns_used - 1] + 2
            run.waits["map"] += max(0, loaded - offered)
        index, credits = self._consumed + held, self.program.output_credits
        while len(self.tiles) <= index:
            yield
        seen = max(loaded, self.tiles[index] + 2)
        run.waits["weights"] += max(0, seen - max(loaded, offered))
        behind = self._out + records - credits
        if records and behind > 0:
            while len(self.packed) < behind:
                yield
            room = self.packed[behind - 1] + 3
            run.waits["output"] += max(0, room - max(seen, offered))
            seen = max(seen, room)
        return seen

    def _leaves(self, fed, one, number, beyond):
        """The results of a pass leave the chip; ``beyond``: of the second record of a pair there is none."""
        drain_interval, op, pair = self._engine.timing.drain_interval, one.op, self.program.stages[number].upsampling
        first, last = not op.is_gdn or one.tile == 0, not op.is_gdn or one.last_tile
        count = (fed.written - fed.word) // drain_interval + 1
        leaves = (fed.accepted, fed.word, drain_interval, count, number, first, last)
        if op.outputs > 1:
            records = op.outputs // (1 + beyond)
            self._out += records
            self._pairs.quads(leaves, records)
            return
        # of quads, the two halves of a pair follow each other as quarters
        column = one.quarter & 1 if self.program.arithmetic.points else one.column
        outside = beyond and column == 1
        self._out += not outside
        if self._pairs is None:
            self.passes_out.append((*leaves, None))
        else:
            self._pairs.add(leaves, pair, column, outside)

    def _kernels(self, band, stage):
        """Kernel rows inside the image of each row of a band."""
        spans = [[end - stage.span(0)[0] for end in stage.span(row)] for row in range(band["rows"])]
        return [min(end, band["height"]) - max(first, band["top"]) for first, end in spans]

    def _packer(self):
        """Words of passes become beats."""
        program, size = self.program, self.program.beat_bits
        busy_until, ready, beats, first_address = 0, 0, 0, 0
        begun = 0
        addresses = self._addresses()
        for n in itertools.count():
            while len(self.passes_out) <= n:
                yield
            issue, word, drain_interval, count, stage, first, last, offers = self.passes_out[n]
            begin = max(issue + 2, busy_until)
            if first:
                if begun >= WRITES:
                    while len(self.writes) <= begun - WRITES:
                        yield
                    begin = max(begin, self.writes[begun - WRITES] + 1)
                begun += 1
            begin += 1
            beats_of_pass, bits = 0, program.rows * program.stages[stage].last_op.layer.output.bits
            slices = -(-bits // size)
            tail = bits - (slices - 1) * size
            moved = begin
            for part in range(0, count, program.cols):
                channels = min(program.cols, count - part)
                for k in range(part, part + channels):
                    offered = word + drain_interval * k + FIFO if offers is None else offers[k]
                    moved = max(begin + 1, offered, ready)
                    ready = moved + slices
                complete = moved + slices + 3
                if (channels * bits - tail) % size + tail > size:
                    complete += 1
                    ready = moved + slices + 2
                beats_of_pass += program.beats(channels * bits)
            self.packed.append(moved)
            busy_until = moved + 2
            if first:
                first_address, beats = next(addresses), 0
            beats += beats_of_pass
            if last:
                self.units_out += 1
                self.targets.append((complete, first_address, beats))

    def _addresses(self):
        """First address of every write, in order."""
        program = self.program
        for kind, band in self.schedule.commands:
            if kind != "band":
                continue
            stage = program.stages[band["stage"]]
            layout = self.schedule.maps[band["stage"] - self.schedule.chain.first + 1]
            for tile in range(program.writes(stage)):
                part = sum(layout.part_beats(count) for count in layout.parts[: tile * stage.last_op.products])
                for group in range(band["groups"]):
                    inside = 2 * band["pixels"] > program.group_columns or group < band["groups"] - 1
                    for row, number in itertools.product(range(band["rows"]), self._records(stage, inside)):
                        record = program.group_records(stage) * group + number
                        yield band["target"] + row * band["pitch"] + record * layout.record + part

    def _records(self, stage, inside):
        """Records that a group makes of a row, in their order; the second ones of pairs only ``inside`` the image."""
        outputs, halves = self.program.arithmetic.outputs, (0, 1) if inside else (0,)
        if not stage.upsampling or outputs == 1:
            return range(outputs) if outputs > 1 else halves[: stage.parities]
        return [outputs * half + 2 * k + p for p in range(2) for k in range(outputs // 2) for half in halves]

    def _writer(self):
        """Writes go to memory one after the other."""
        cutter = 0
        for n in itertools.count():
            while len(self.targets) <= n:
                yield
            complete, address, beats = self.targets[n]
            cycle = max(complete + 1, cutter)
            found = yield from self._transactions(3, cycle + 2, address, beats, write=True)
            cutter = found[-1].accepted + 1
            self.writes.append(found[-1].done)


def _reads(kind):
    """Cycles of a tap row in which a pass of a kind reads a weight."""
    if kind.shape is None:
        return (0,)
    if kind.shape.outputs == 1:
        return range(kind.shape.columns)
    return tuple(fetch.position for fetch in kind.shape.tap_row.fetches)


class Pairs:
    """Passes to memory on their way through the interleaver, where words are put together and in order."""

    def __init__(self, out):
        self._out, self._came = out, 0  # cycle in which the last word was whole
        self._even, self._odd = deque(), []

    def add(self, leaves, pair, column, beyond):
        """A pass of the sequencer: one of those of ``_Core.passes_out`` without its offers."""
        _, word, drain_interval, count, *_, last = leaves
        if pair and not column:
            self._even.append(leaves)
            return
        if pair and not beyond:
            self._odd.append(leaves)
        offers = [self._whole(word + drain_interval * k + 2) for k in range(count)]
        self._out.append((*(self._even.popleft() if pair else leaves), offers))
        if pair and last:
            for odd in self._odd:
                self._out.append((*odd, [self._whole(word + drain_interval * (count - 1) + 3) for _ in range(odd[3])]))
            self._odd = []

    def quads(self, leaves, records):
        """A pass whose words, four of a channel, become records once the last one has come."""
        issue, word, drain_interval, count, *rest = leaves
        channels, whole = count // QUAD, word + drain_interval * (count - 1) + 3
        for _ in range(records):
            offers = [self._whole(whole) for _ in range(channels)]
            self._out.append((issue, word, drain_interval, channels, *rest, offers))

    def _whole(self, cycle):
        """Cycle of the offer of a word that is whole in ``cycle`` or behind the last one."""
        self._came = max(cycle, self._came + 1)
        return self._came + FIFO
