"""Golden model of a streamed accelerator: carries out the commands of a schedule, one after the other, in numpy.

It knows the command set and the layouts in memory, and refuses what the gateware cannot know to be wrong: a slot that
is still in use, a record that is read before it is written, weights that are not there.
"""

import numpy as np

from licgate.program.commands import KINDS, command_beats, command_fields
from licgate.program.depthform import depth_form
from licgate.program.records import MapLayout
from licgate.reference import run_layer


def decode(program, beats):
    """Commands in a memory, up to the end command: (kind, fields) each."""
    fields, size = command_fields(program), command_beats(program)
    found = []
    for first in range(0, len(beats), size):
        number = sum(int(beat) << (program.beat_bits * k) for k, beat in enumerate(beats[first : first + size]))
        values, kind = {}, KINDS[number & 3]
        for name, width in fields[kind].items():
            value = number & ((1 << abs(width)) - 1)
            values[name] = value - (1 << -width) if width < 0 and value >> (-width - 1) else value
            number >>= abs(width)
        del values["kind"]
        found.append((kind, values))
        if kind == "end":
            return found
    raise AssertionError("no end command")


class Interpreter:
    """Runs commands on a copy of a memory; ``memory`` is its state."""

    def __init__(self, schedule, memory):
        self.schedule, self.program = schedule, schedule.program
        self.memory = np.concatenate([np.zeros(schedule.origin, dtype=np.uint64), memory])
        self.slots = [None] * self.program.slots  # (rows, channels, pixels) of a word column
        self.free, self.loads, self.writes = self.program.slots, 0, 0
        self.weights = None

    def run(self):
        """Carry out all commands; return the memory in use."""
        for kind, values in decode(self.program, self.memory[self.schedule.address :]):
            getattr(self, f"_{kind}")(**values)
        assert self.free == self.program.slots
        assert self.loads == 0
        return self.memory[self.schedule.origin :]

    def _end(self):
        pass

    def _layout(self, parts, kind, words):
        """Of so many words, as they lie in memory: columns in the order of words."""
        rows, beat_bits = self.program.rows, self.program.beat_bits
        return MapLayout(tuple(parts), kind.bits, kind.signed, rows, words * rows, 1, 0, 1, beat_bits)

    def _columns(self, word):
        """Columns of a word, relative to the first one of the word's number 0."""
        outputs, rows = self.program.arithmetic.outputs, self.program.rows
        group, first = divmod(word, outputs)
        return group * outputs * rows + first + outputs * np.arange(rows)

    def _parts(self, channels):
        return [min(self.program.cols, channels - c) for c in range(0, channels, self.program.cols)]

    def _weights(self, stage, address):
        assert address == self.schedule.weights[stage - self.schedule.chain.first]
        self.weights = stage

    def _load(self, stage, slot, row, rows, before, address, wrapped, pitch, after):
        assert self.writes >= after, "the input is not there"
        assert self.free > 0, "no slot is free"
        op = self.program.stages[stage].conv
        layout = self._layout(self._parts(op.channels_in), op.layer.input, 1)
        column = np.full((64, op.channels_in, self.program.rows), 1 << 20)
        for k in range(rows):
            first = address + k * pitch if k < before else wrapped + (k - before) * pitch
            column[row + k] = layout.unpacked(self.memory[first : first + layout.record])[:, 0]
        self.slots[slot] = column
        self.free, self.loads = self.free - 1, self.loads + 1

    def _band(
        self,
        stage,
        groups,
        rows,
        slot,
        word,
        words,
        top,
        height,
        target,
        pitch,
        loads,
        loads_first,
        release_first,
        release,
        keep,
        pixels,
    ):
        program = self.program
        assert self.loads >= loads, "a column is not there"
        assert self.weights == stage, "the weights are not there"
        self.loads -= loads
        part = program.stages[stage]
        step, made_words = program.group_step(part), program.group_records(part)
        assert 0 <= loads - loads_first <= step * (groups - 1), "not all columns are waited for"
        assert rows <= program.stage_rows(part)
        count, (first, _) = program.band_words(part, groups), program.window(part)
        before = self._before(part)
        columns = before + self._columns(first + count - 1)[-1] + program.group_columns
        x = np.zeros((part.conv.channels_in, program.in_rows(part), columns), dtype=np.int64)
        for k in range(count):
            if 0 <= word + k < words:
                held = self.slots[(slot + k) % program.slots]
                for row in range(top, height):
                    x[:, row, before + self._columns(first + k)] = held[row]
        y = self._results(part, x, rows, groups)
        if part.gdn is not None:
            y = run_layer(part.gdn.layer, y)
        columns = part.parities * ((groups - 1) * program.group_columns + pixels)
        y[:, :, columns:] = 0
        each = made_words // part.parities
        made = min(made_words * groups, each * -(-columns // program.group_columns))
        layout = self._layout(self._parts(len(y)), part.last_op.layer.output, 1)
        for g in range(made):
            for r in range(rows):
                begin = target + r * pitch + g * layout.record
                values = y[:, r : r + 1, self._columns(g)]
                self.memory[begin : begin + layout.record] = layout.packed(values)
        self.writes += made * rows * (1 if part.gdn is not None else part.conv.tiles)
        assert min(release, release_first) >= 0
        assert groups > 1 or not release_first
        self.free += release_first + step * max(0, groups - 2) + release
        if not keep:
            self.weights = None

    def _before(self, stage):
        """Columns in front of that of the first result, in whole groups."""
        return self.program.group_columns * -(self.program.window(stage)[0] // self.program.arithmetic.outputs)

    def _results(self, stage, x, rows, groups):
        """What the convolution makes of the rows and columns around a band; those that its layer pads with are here."""
        conv, width, before = stage.conv.layer, self.program.group_columns, self._before(stage)
        if conv.transposed:
            y = run_layer(conv, x)
            if stage.conv.depth_form:
                y = depth_form(y)
            above = stage.parities * -stage.span(0)[0]
            before *= stage.parities
            return y[:, above : above + rows, before : before + stage.parities * groups * width].copy()
        # the layer's own padding and stride begin with a whole step before the first kernel row and window
        lead = conv.stride * -(-conv.padding // conv.stride)
        x = np.pad(x, ((0, 0), (lead - conv.padding, conv.padding), (lead, conv.padding + width)))
        x = x[:, :, before:]
        first = lead // conv.stride
        return run_layer(conv, x)[:, first : first + rows, first : first + groups * width].copy()
