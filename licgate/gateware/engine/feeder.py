"""The feeder: turns passes into steps, reading feature maps and weights in lockstep for the array."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.arith import DelayLine
from licgate.gateware.engine.memory import LATENCY
from licgate.gateware.engine.window import (
    due_read,
    pixel_window,
    read_layout,
    spread_register,
    weight_operand,
    words_layout,
)
from licgate.gateware.passes import address_width, pass_layout, release_shape
from licgate.program import LINE_LATENCY

__all__ = ["Feeder"]

# cycles of a GDN pass, at least
_FEWEST_STEPS = 2


class Feeder(Component):
    """Feed the array.

    A convolution's pass runs over kernel rows, input channels and kernel columns, in that order. For a kernel row of
    one channel the words that the window touches are read while the previous window is used up; the window then moves
    one pixel a cycle past the array's rows, which sit as far apart as the stride. A GDN pass reads one word a step.

    Windows of fewer words than the widest are read later, so that the steps of all passes arrive after the same time.

    Parameters
    ----------
    program : Program

    Members
    -------
    i : :py:`In(stream.Signature(pass_layout(program)))`
        Taken in the cycle in which the previous pass issues its last read, so passes follow each other without a
        bubble.
    line_address, line_data
        Read port of the line buffers: one address for all, each buffer's word.
    weight_address, weight_data
        Read port of the weight memories, likewise; the word of ``op`` is chosen here.
    norm_address, norm_data
        Read port of the GDN sums' inputs.
    a, w, last
        The array's inputs.
    release, released : :py:`Out(release_shape(program))`
        The ``release`` of the pass at work; that of the pass that ends now, else zero.
    busy : :py:`Out(1)`
        A step is issued in this cycle.

    Attributes
    ----------
    latency : int
        Cycles from taking a pass to its first step at the array: ``feed_latency + 2``.
    interval : int
        1 step a cycle where a window has no more words than columns.

    Timing: between the last steps of two passes lie the first one's ``gap_behind`` cycles at least; the feeder waits in
    front of the last slot, or of a GDN's last step but one. A GDN of one channel has an idle cycle first. A pass begins
    ``words - slot`` cycles late when its window has more words than the slot of the pass before has cycles.

    Resources: two registers and, for one shape of window, two LUT4 for each bit of the window of ``stride * (rows - 1)
    + columns`` activations; one LUT4 more for each further shape.
    """

    interval = 1

    def __init__(self, program):
        self._program = program
        self.latency = program.feed_latency + 2
        super().__init__(
            {
                "i": In(stream.Signature(pass_layout(program))),
                "line_address": Out(address_width(program)),
                "line_data": In(words_layout(program.line_memories, program.rows)),
                "weight_address": Out(range(max(memory.depth for memory in program.weight_memories))),
                "weight_data": In(words_layout(program.weight_memories, program.cols)),
                "norm_address": Out(range(program.gdn_depth)),
                "norm_data": In(program.rows * max([op.layer.norm_bits for op in program.ops if op.is_gdn], default=1)),
                "a": Out(signed(program.activation_width)).array(program.rows),
                "w": Out(signed(program.weight_width)).array(program.cols),
                "last": Out(1),
                "release": Out(release_shape(program)),
                "released": Out(release_shape(program)),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        line = DelayLine(m)
        program = self._program
        stages, phases, rows = program.stages, program.phases, program.rows
        ops = [program.ops[phase.op] for phase in phases]
        stage_of = {op.index: k for k, s in enumerate(stages) for op in (s.conv, s.gdn) if op is not None}
        stage_of = [stage_of[op.index] for op in ops]
        shapes = [phase.shape or program.shapes[0] for phase in phases]
        latest = program.window_words - min(shape.words(rows) for shape in shapes)

        # The pass at work.
        active, gdn = Signal(name="active"), Signal(name="gdn")
        release = self.release
        kind, stage = Signal(len(self.i.payload.phase)), Signal(range(max(2, len(stages))))
        channels = Signal(range(1 + max(o.channels_in for o in ops)))
        loads = []
        slot, columns, words, delay, drain = (
            _constant(loads, name, values)
            for name, values in (
                ("slot", [shape.slot(rows) for shape in shapes]),
                ("columns", [shape.columns for shape in shapes]),
                ("words", [shape.words(rows) for shape in shapes]),
                ("delay", [program.window_words - shape.words(rows) for shape in shapes]),
                ("drain", [program.gap_behind(op) - 1 for op in ops]),
            )
        )
        row, row_step, row_begin, row_end = (
            Signal(len(self.line_address), name=n) for n in ("row", "row_step", "row_begin", "row_end")
        )
        offset, mask = Signal.like(self.line_address), Signal(program.window_words)
        column, address = Signal.like(self.line_address), Signal.like(self.line_address)
        phase = Signal(range(max(2, max(shape.slot(rows) for shape in shapes))))
        channels_left, rows_left = Signal.like(channels), Signal(range(program.kernel_rows + 1))
        weight, norm = Signal.like(self.weight_address), Signal.like(self.norm_address)
        weight_wraps, wrap = Signal(), Signal(program.window_words)
        gap = Signal(range(max(program.gap_behind(op) for op in ops)))
        # Comparisons of the counters above, made a cycle before they are needed.
        last_channel, last_row, final_slot, slot_ends, row_ends = (
            Signal(name=n) for n in ("last_channel", "last_row", "final_slot", "slot_ends", "row_ends")
        )
        gate, early, finish, last_step = (Signal(name=n) for n in ("gate", "early", "finish", "last_step"))
        # A GDN of a single channel has no last step but one, so there an idle cycle takes its place.
        padded = any(op.is_gdn and op.channels_in < _FEWEST_STEPS for op in ops)
        idle = Signal(name="idle") if padded else Const(0)

        run, step = Signal(name="run"), Signal(name="step")
        m.d.comb += [
            # The gate stands before the last slot, or before a GDN's last step but one: the last step must come late
            # enough after that of the pass before. Behind the gate, `finish` and `last_step` are known a cycle ahead.
            run.eq(active & ~(gate & early)),
            step.eq(run & Mux(gdn, ~idle, phase < columns)),
            self.busy.eq(step),
            Value.cast(self.released).eq(Mux(finish, release, 0)),
        ]

        # A pass reads a row for two cycles at least.
        next_row = Signal.like(row)
        m.d.sync += next_row.eq(Mux(row == row_end, row_begin, row + row_step))
        with m.If(run):
            m.d.sync += [
                phase.eq(phase + 1),
                address.eq(self._next_word(address, channels, wrap, phase)),
                gate.eq(0),
                slot_ends.eq(phase == slot - 2),
                row_ends.eq(last_channel & (phase == slot - 2)),
                finish.eq(final_slot & (phase == slot - 2)),
                last_step.eq(final_slot & (phase == columns - 2)),
            ]
            if padded:
                m.d.sync += idle.eq(0)
            with m.If(slot_ends):
                m.d.sync += [
                    phase.eq(0),
                    slot_ends.eq(gdn),
                    row_ends.eq(0),
                    finish.eq(gdn & (channels_left == 2)),
                    last_step.eq(gdn & (channels_left == 2)),
                    channels_left.eq(channels_left - 1),
                    last_channel.eq(channels_left == 2),
                    final_slot.eq(last_row & ~gdn & (channels_left == 2)),
                    gate.eq(Mux(gdn, channels_left == 3, last_row & (channels_left == 2))),
                    column.eq(column + 1),
                    address.eq(column + 1),
                ]
            with m.If(row_ends):  # of a convolution, with the slot
                m.d.sync += [
                    channels_left.eq(channels),
                    last_channel.eq(channels == 1),
                    rows_left.eq(rows_left - 1),
                    last_row.eq(rows_left == 2),
                    final_slot.eq((rows_left == 2) & (channels == 1)),
                    gate.eq((rows_left == 2) & (channels == 1)),
                    row.eq(next_row),
                    column.eq(next_row + offset),
                    address.eq(next_row + offset),
                ]

        # The next pass waits here, so that whoever sends it has the length of this one to find it.
        waiting, new = Signal(), Signal(pass_layout(program))
        take, free = Signal(), Signal(init=1)
        m.d.comb += [self.i.ready.eq(~waiting), take.eq(waiting & (~active | finish) & free)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [waiting.eq(1), new.eq(self.i.payload)]
        self._reads_apart(m, free, finish=finish, gdn=gdn, slot=slot)
        with m.If(finish):
            m.d.sync += [s.eq(0) for s in (active, gate, finish, last_step, final_slot, row_ends)]
        # What it says of itself is looked up while it arrives.
        counts = [max(o.channels_in, _FEWEST_STEPS) if o.is_gdn else o.channels_in for o in ops]
        new_gdn, shortest, begin = Signal(), Signal(), Signal.like(column)
        one_row, arriving = Signal(), self.i.payload
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                new_gdn.eq(Array(int(o.is_gdn) for o in ops)[arriving.phase]),
                shortest.eq(
                    Array(int(n == (_FEWEST_STEPS if o.is_gdn else 1)) for n, o in zip(counts, ops, strict=True))[
                        arriving.phase
                    ]
                ),
                begin.eq(arriving.row + arriving.offset),
                one_row.eq(arriving.kernel_rows == 1),
            ]
        with m.If(take):
            constants = [
                (gdn, [o.is_gdn for o in ops]),
                (slot_ends, [o.is_gdn for o in ops]),
                (stage, stage_of),
                (channels, counts),
                (channels_left, counts),
                (last_channel, [count == 1 for count in counts]),
                *([(idle, [count > o.channels_in for count, o in zip(counts, ops, strict=True)])] if padded else []),
                (row_step, [stages[s].row_stride for s in stage_of]),
                (row_begin, [stages[s].base for s in stage_of]),
                (row_end, [stages[s].last_row for s in stage_of]),
                *loads,
            ]
            m.d.sync += [signal.eq(Array(int(v) for v in values)[new.phase]) for signal, values in constants]
            m.d.sync += [
                waiting.eq(0),
                active.eq(1),
                phase.eq(0),
                kind.eq(new.phase),
                release.eq(new.release),
                gate.eq(shortest & (new_gdn | one_row)),
                final_slot.eq(shortest & ~new_gdn & one_row),
                row.eq(new.row),
                offset.eq(new.offset),
                mask.eq(new.mask),
                rows_left.eq(new.kernel_rows),
                last_row.eq(one_row),
                column.eq(begin),
                address.eq(begin),
            ]
            if program.ring_words is not None:
                m.d.sync += wrap.eq(new.wrap)
        # Weights and GDN inputs are asked for later than pixels, so their addresses may follow a cycle late, when `new`
        # still is what was taken.
        stepped, taken = Signal(), Signal()
        m.d.sync += [stepped.eq(step), taken.eq(take)]
        with m.If(stepped):
            m.d.sync += norm.eq(norm + 1)
            if program.weight_ring is None:
                m.d.sync += weight.eq(weight + 1)
            else:
                # the comparison is made a step ahead
                m.d.sync += [
                    weight.eq(Mux(weight_wraps, 0, weight + 1)),
                    weight_wraps.eq(Mux(weight_wraps, program.weight_ring == 1, weight == program.weight_ring - 2)),
                ]
        with m.If(taken):
            m.d.sync += [weight.eq(new.weight), norm.eq(new.x)]
            if program.weight_ring is not None:
                m.d.sync += weight_wraps.eq(new.weight == program.weight_ring - 1)

        # `gap` cycles are left until another last step may come: columns - 1 cycles behind a convolution's gate, one
        # behind a GDN's. So there is a bound for each kind of pass; whether the next gap exceeds it is found for all.
        bounds = [1 if op.is_gdn else shape.columns - 1 for op, shape in zip(ops, shapes, strict=True)]
        exceeds = {bound: Mux(last_step, drain > bound, gap > bound + 1) for bound in sorted(set(bounds))}
        kinds = {bound: [int(b == bound) for b in bounds] for bound in exceeds}
        m.d.sync += gap.eq(Mux(last_step, drain, Mux(gap == 0, 0, gap - 1)))
        choices = []
        for bound, value in exceeds.items():
            applies, applies_new = Signal(name=f"bound_{bound}"), Signal(name=f"new_bound_{bound}")
            with m.If(self.i.valid & self.i.ready):
                m.d.sync += applies_new.eq(Array(kinds[bound])[arriving.phase])
            with m.If(take):
                m.d.sync += applies.eq(applies_new)
            choices.append(Mux(take, applies_new, applies) & value)
        m.d.sync += early.eq(Cat(choices).any())

        arrival = program.feed_latency
        read = Signal(read_layout(program, len(self.line_address)))
        m.d.comb += [
            read.address.eq(address),
            read.inside.eq(Array(mask)[phase] & (phase < words)),
            read.stage.eq(stage),
            read.last.eq(run & ~gdn & (phase == words - 1)),
            read.kind.eq(kind),
        ]
        reading = run & ~gdn & (phase < words)
        read = due_read(m, read, reading, delay, latest)
        m.d.comb += [
            self.line_address.eq(read.address),
            self.weight_address.eq(line(weight, arrival - LINE_LATENCY - 2)),
            self.norm_address.eq(line(norm, arrival - LATENCY - 2)),
            self.last.eq(line(last_step, arrival)),
        ]
        self._weights(m, line(kind, arrival - 2))
        window = pixel_window(m, line, program, self.line_data, read)
        self._activations(m, window, line(kind, arrival - 2), line(step, arrival - 2), line(gdn, arrival - 2))
        return m

    def _next_word(self, address, channels, wrap, phase):
        """Address of the next word of a row, of the same channel."""
        program = self._program
        if program.word_stride is None:
            return address + channels
        # Phases beyond the window are not read.
        begins_again = Mux(phase < program.window_words, Array(wrap)[phase], 0)
        return address + Mux(begins_again, program.word_stride - program.ring_words, program.word_stride)

    def _reads_apart(self, m, free, *, finish, gdn, slot):
        """Drive ``free``: the reads of the next pass would come behind those of the last one."""
        program = self._program
        shapes = [phase.shape for phase in program.phases]
        if all(b is None or a is None or b.words(program.rows) <= a.slot(program.rows) for a in shapes for b in shapes):
            return
        # Reads of the last pass are under way for so many cycles after the cycle in which it ended, and its successor's
        # begin as many after its own start.
        busy, margin = Signal(range(program.window_words + 1)), Signal(range(program.window_words + 1))
        ending = Signal.like(busy)
        m.d.comb += [
            ending.eq(Mux(finish & ~gdn & (slot < program.window_words), program.window_words - slot, busy)),
            free.eq(ending <= margin),
        ]
        m.d.sync += busy.eq(Mux(ending == 0, 0, ending - 1))
        margins = [
            program.window_words if shape is None else program.window_words - shape.words(program.rows)
            for shape in shapes
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += margin.eq(Array(margins)[self.i.payload.phase])

    def _weights(self, m, kind):
        """The chosen layer's word, unpacked and sign-extended; ``kind`` comes a cycle before it."""
        program = self._program
        memory = Array(program.ops[phase.op].memory for phase in program.phases)[kind]
        for c in range(program.cols):
            memory_of = spread_register(m, memory, range(len(program.weight_memories)), f"memory_of_{c}")
            memories = enumerate(program.weight_memories)
            values = [weight_operand(m, self.weight_data, memory, k, c, program) for k, memory in memories]
            # No reset: it would cross the chip, and a weight that meets no activation counts for nothing.
            w = Signal(signed(program.weight_width), name=f"w_{c}", reset_less=True)
            m.d.sync += w.eq(Array(values)[memory_of])
            m.d.comb += self.w[c].eq(w)

    def _activations(self, m, window, kind, stepping, from_norms):
        program = self._program
        width = program.activation_width
        strides = [phase.shape.stride if phase.shape else program.shapes[0].stride for phase in program.phases]
        bits = len(self.norm_data) // program.rows
        strided = Array(int(s == max(strides)) for s in strides)[kind]
        for r in range(program.rows):
            chosen = Signal(signed(width), name=f"chosen_{r}")
            far, steps, norms = (
                spread_register(m, value, 1, f"{name}_{r}")
                for name, value in (("far", strided), ("steps", stepping), ("norms", from_norms))
            )
            a = Signal(signed(width), name=f"a_{r}", reset_less=True)
            near = window[max(strides) * r]
            if len(set(strides)) > 1:
                near = Mux(far, near, window[min(strides) * r])
            m.d.comb += chosen.eq(Mux(norms, self.norm_data.word_select(r, bits), near))
            # Masked by an AND: synthesis would make a multiplexer with 0 a reset that crosses the chip.
            m.d.sync += a.eq(chosen & steps.replicate(width))
            m.d.comb += self.a[r].eq(a)


def _constant(loads, name, values):
    """What a pass says of itself: a number where all passes say the same, else a register to load with it."""
    if len(set(values)) == 1:
        return Const(values[0])
    loads.append((Signal(range(1 + max(values)), name=name), values))
    return loads[-1][0]
