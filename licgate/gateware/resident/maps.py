"""The input side of the transforms that take feature maps: packs a stream of values into the first line buffer."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.arith import delayed
from licgate.gateware.resident.rows import DIMENSION

__all__ = ["MapWriter"]


class MapWriter(Component):
    """Collect up to ``rows`` neighbouring values of a channel and write them as one word.

    Values come in the order in which the accelerator gives its own: row by row, group of ``rows`` columns by group,
    channel by channel, column by column; fewer columns in a row's last group. Words of a row have neighbouring
    addresses, group by group and channel by channel; rows go round the ring of the chain's first stage.

    Parameters
    ----------
    program : Program

    Members
    -------
    start, chain, width, height
        ``start`` begins a map when the last one is complete; the position in ``program.chains`` of the chain that takes
        it and its size, at least 1 × 1, stay stable while it lasts.
    i : :py:`In(stream.Signature(16))`
        Two's complement; the bits of the chain's input type count, those above them do not.
    room : :py:`In(1)`
        The line buffer has room for another row (sampled between rows).
    write_enable : :py:`Out(len(program.line_memories))`
        One bit a memory.
    write_address, write_word
        What is written: for each lane, the low bits that the memory holds; those above them are undefined. Lanes beyond
        the map's width are zero.
    row_done : :py:`Out(1)`
        A row is complete, in the cycle of its last write.
    busy : :py:`Out(1)`
        Rows of this map are still to come.

    Numerics: where the chain's transform has ``absolute_input``, the magnitude is written, as an unsigned type of the
    same bits: ``2**(bits - 1)`` for the least number.

    Attributes
    ----------
    latency : int
        Cycles from a word's last value to its write: 2.
    interval : int
        A value a cycle inside a row. The first value of a row follows the last one of the row before by ``row_gap``
        cycles when there is room.
    row_gap : int
        6 cycles.

    Resources: one register a bit of ``rows`` values.

    Raises
    ------
    ValueError
        No chain of the program takes feature maps.
    """

    latency = 2
    interval = 1
    row_gap = 6

    def __init__(self, program):
        self._program = program
        self._stages = [None if chain.pixels else program.stages[chain.first] for chain in program.chains]
        taken = [stage for stage in self._stages if stage is not None]
        if not taken:
            raise ValueError("no chain of the program takes feature maps")
        part_bits = program.arithmetic.part_bits
        bits = max(program.line_memories[stage.memory].bits for stage in taken)
        super().__init__(
            {
                "start": In(1),
                "chain": In(range(max(2, len(program.chains)))),
                "width": In(DIMENSION),
                "height": In(DIMENSION),
                "i": In(stream.Signature(16)),
                "room": In(1),
                "row_done": Out(1),
                "busy": Out(1),
                "write_enable": Out(len(program.line_memories)),
                "write_address": Out(range(max(2, *((stage.base + stage.depth) << part_bits for stage in taken)))),
                "write_word": Out(bits).array(program.rows),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # Columns of the row behind the group at work; values are still to come; the group is the row's last one.
        self._behind = Signal(DIMENSION, name="behind")
        self._pending, self._final = Signal(name="pending"), Signal(name="final")
        self._last_lane = Signal(range(max(2, self._program.group_columns)), name="last_lane")
        self._place = self._first_place(m)
        self._place_and_write(m)
        self._rows(m)
        return m

    def _first_place(self, m):
        """What is told where a row begins."""
        return self.write_address

    def _place_and_write(self, m):
        """Take values, put them together into words, and write these."""
        last_channel = self._constant(m, "last_channel", lambda stage: stage.conv.channels_in - 1)
        memory = self._constant(m, "memory", lambda stage: 1 << stage.memory)
        # Where the next value belongs: its lane, its channel.
        lane = Signal.like(self._last_lane)
        channel = Signal.like(last_channel)
        taken, word_ends, group_ends = Signal(), Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(self._pending),
            taken.eq(self.i.valid & self._pending),
            word_ends.eq(taken & (lane == self._last_lane)),
            group_ends.eq(word_ends & (channel == last_channel)),
        ]
        with m.If(taken):
            m.d.sync += lane.eq(lane + 1)
        with m.If(word_ends):
            m.d.sync += [lane.eq(0), channel.eq(channel + 1)]
        with m.If(group_ends):
            m.d.sync += [channel.eq(0), self._pending.eq(~self._final), *self._next_group()]
        # The value, then its word, then the write.
        value, at = Signal(16, reset_less=True), Signal.like(lane, reset_less=True)
        arrived, ends, row_ends = (Signal(name=name) for name in ("arrived", "ends", "row_ends"))
        padding = self._padding(m, group_ends)
        m.d.sync += [
            value.eq(self._magnitude()),
            at.eq(lane),
            arrived.eq(taken),
            ends.eq(word_ends),
            row_ends.eq(group_ends & self._final),
            self.write_enable.eq(Mux(ends, memory, 0)),
            self.row_done.eq(row_ends),
        ]
        with m.If(arrived):
            for r, target in enumerate(self.write_word):
                # a word's first value clears the others
                with m.If(at == r):
                    m.d.sync += target.eq(value)
                with m.Elif(at == 0):
                    m.d.sync += target.eq(0)
        with m.If(self.write_enable.any()):
            m.d.sync += self.write_address.eq(self.write_address + 1 + padding)
        with m.If(self.start):
            m.d.sync += [lane.eq(0), channel.eq(0)]

    def _padding(self, m, group_ends):
        """Channels that fill the last word of a group, in the cycle of that word's write; else 0."""
        arithmetic = self._program.arithmetic

        def lacking(stage):
            return arithmetic.padded(stage.conv.channels_in) - stage.conv.channels_in

        if not any(lacking(stage) for stage in self._stages if stage is not None):
            return 0
        return Mux(delayed(m, group_ends, 2, name="group_ended"), self._constant(m, "padding", lacking), 0)

    def _rows(self, m):
        """From row to row."""
        # The chain's constants follow `chain` by a cycle, the first value follows `start` by four.
        part_bits = self._program.arithmetic.part_bits
        first_base = self._constant(m, "first_base", lambda stage: stage.base << part_bits)
        stride = self._constant(m, "stride", lambda stage: stage.row_stride << part_bits)
        last_row = self._constant(m, "last_row", lambda stage: stage.last_row << part_bits)
        base = Signal.like(self.write_address)
        rows_left = Signal(DIMENSION)
        m.d.comb += self.busy.eq(rows_left != 0)
        with m.FSM():
            with m.State("IDLE"), m.If(self.start):
                m.next = "ROOM"
            with m.State("ROOM"):
                # The count behind `room` follows `row_done` by two cycles.
                m.next = "ROOM_2"
            with m.State("ROOM_2"):
                m.d.sync += self._behind.eq(self.width)
                with m.If(rows_left == self.height):
                    m.d.sync += base.eq(first_base)
                m.next = "ROOM_3"
            with m.State("ROOM_3"), m.If(self.room):
                m.d.sync += [self._place.eq(base), self._pending.eq(1), *self._next_group()]
                m.next = "ROW"
            with m.State("ROW"), m.If(self.row_done):
                m.d.sync += [rows_left.eq(rows_left - 1), base.eq(Mux(base == last_row, first_base, base + stride))]
                with m.If(rows_left == 1):
                    m.next = "IDLE"
                with m.Else():
                    m.next = "ROOM"
        with m.If(self.start):
            m.d.sync += rows_left.eq(self.height)

    def _constant(self, m, name, of):
        """A register with a number of the stage of ``chain``."""
        values = [0 if stage is None else of(stage) for stage in self._stages]
        held = Signal(range(max(2, max(values) + 1)), name=name)
        m.d.sync += held.eq(Array(values)[self.chain])
        return held

    def _next_group(self):
        """Begin the group of columns behind the one at work."""
        rows = self._program.group_columns
        ends = self._behind <= rows
        return [
            self._final.eq(ends),
            self._last_lane.eq(Mux(ends, self._behind - 1, rows - 1)),
            self._behind.eq(Mux(ends, 0, self._behind - rows)),
        ]

    def _magnitude(self):
        """What is to be written for the value that is offered."""
        found = []
        for chain, stage in zip(self._program.chains, self._stages, strict=True):
            payload = self.i.payload
            if stage is not None and chain.transform.absolute_input and chain.transform.input.signed:
                bits = chain.transform.input.bits
                payload = Mux(payload[bits - 1], -payload, payload)
            found.append(payload)
        return Array(found)[self.chain]
