"""Fetches word columns of feature maps from external memory into slots of the line memory."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, flipped

from licgate.gateware.sequence.tables import of_stage
from licgate.gateware.stream import connect
from licgate.gateware.streamed.layouts import loader_members
from licgate.gateware.streamed.wordreader import WordReader

__all__ = ["MapLoader"]


class MapLoader(Component):
    """Carry out ``load`` commands.

    A column is fetched once a slot is free and the writes that make it are done; its records are asked for one after
    the other.

    Parameters
    ----------
    program : StreamedProgram

    Members
    -------
    start, i, released, port, write_enable, write_address, write_data, loaded, waits
        See :func:`~licgate.gateware.streamed.layouts.loader_members`; ``write_address`` counts channels, which are
        parts of a word; ``start`` says, too, that no write is done,
        ``released`` counts slots, and a command waits for a slot or for writes.
    writes : :py:`In(24)`
        Writes of this run that are done.

    Attributes
    ----------
    latency : int
        Cycles from a command to its first request: 5. Records follow each other every three cycles at most.

    Resources: a :class:`~licgate.gateware.streamed.wordreader.WordReader`, about 200 LUT4 beside it.
    """

    latency = 5

    def __init__(self, program):
        self._program = program
        arithmetic, convs = program.arithmetic, [stage.conv for stage in program.stages]
        depth = program.ring_words * arithmetic.indices
        self._padded = [arithmetic.padded(conv.channels_in) for conv in convs]
        self._beats = [program.record_beats(conv.channels_in, conv.layer.input.bits) for conv in convs]
        self._reader = WordReader(
            program,
            program.map_kinds,
            most_words=max(conv.channels_in for conv in convs),
            part=program.cols,
            tag=data.StructLayout({"address": range(depth), "ends": 1}),
            page_beats=program.burst_beats,
            most_beats=max(self._beats),
        )
        members = loader_members(program, "load", room=program.slots, depth=depth, bits=max(program.map_kinds))
        super().__init__({**members, "writes": In(24)})

    def elaborate(self, platform):
        m = Module()
        stages = self._program.stages
        m.submodules.reader = reader = self._reader
        connect(m, reader.port, flipped(self.port))

        command = Signal.like(self.i.payload)
        reserve = Signal()
        ready = self._room(m, command, reserve)
        rows, before = (Signal.like(command[name], name=name) for name in ("rows", "before"))
        address = Signal.like(command.address)
        line = Signal.like(self.write_address)
        # Of the command's stage, and of the slot and row at which it begins.
        channels = Signal(range(1 + max(stage.conv.channels_in for stage in stages)))
        padded = Signal(range(1 + max(self._padded)))
        beats = Signal.like(reader.stretch.payload.beats)
        memory = Signal.like(reader.record.payload.kind)
        slot_line, row_line = (Signal.like(line, name=name) for name in ("slot_line", "row_line"))
        record, stretch = reader.record, reader.stretch
        m.d.comb += [
            record.payload.kind.eq(memory),
            record.payload.words.eq(channels),
            record.payload.tag.address.eq(line),
            record.payload.tag.ends.eq(rows == 1),
            stretch.payload.address.eq(address),
            stretch.payload.beats.eq(beats),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    m.d.sync += command.eq(self.i.payload)
                    m.next = "LOOK"
            with m.State("LOOK"):
                # `there` of the new command comes a cycle later
                m.d.sync += [
                    rows.eq(command.rows),
                    before.eq(command.before),
                    address.eq(command.address),
                    *self._begin(command, slot_line, row_line),
                    channels.eq(of_stage(command.stage, (stage.conv.channels_in for stage in stages))),
                    padded.eq(of_stage(command.stage, self._padded)),
                    memory.eq(of_stage(command.stage, (stage.memory for stage in stages))),
                    beats.eq(of_stage(command.stage, self._beats)),
                ]
                m.next = "WAIT"
            with m.State("WAIT"):
                m.d.comb += [reserve.eq(ready), self.waits.eq(~ready)]
                m.d.sync += line.eq(slot_line + row_line)
                with m.If(ready):
                    m.next = "RECORD"
            with m.State("RECORD"):
                m.d.comb += [stretch.valid.eq(record.ready), record.valid.eq(stretch.valid & stretch.ready)]
                with m.If(record.valid):
                    m.d.sync += [
                        rows.eq(rows - 1),
                        before.eq(before - 1),
                        line.eq(line + padded),
                        address.eq(Mux(before == 1, command.wrapped, address + command.pitch)),
                    ]
                    with m.If(rows == 1):
                        m.next = "IDLE"
        self._write(m)
        return m

    def _begin(self, command, slot_line, row_line):
        """Where the command's slot begins, and how far its row lies in it."""
        program = self._program
        begins = Array(slot * program.slot_words * program.arithmetic.indices for slot in range(program.slots))
        most_rows = max(program.in_rows(stage) for stage in program.stages)
        into = Array(Array(row * padded for row in range(most_rows)) for padded in self._padded)
        return [slot_line.eq(begins[command.slot]), row_line.eq(into[command.stage][command.row])]

    def _room(self, m, command, reserve):
        """Return that a slot is free for the command's column, and that its rows are written."""
        free = Signal(range(self._program.slots + 1))
        fits, there = (Signal(name=name) for name in ("fits", "there"))
        late_writes = Signal.like(self.writes)
        difference = Signal(24)
        m.d.comb += difference.eq(late_writes - command.after)
        m.d.sync += [
            free.eq(free + self.released - reserve),
            late_writes.eq(self.writes),
            there.eq(~difference[-1]),
            fits.eq(free != 0),
        ]
        with m.If(self.start):
            m.d.sync += [free.eq(self._program.slots), late_writes.eq(0)]
        return there & fits

    def _write(self, m):
        """Words as they come, into the line memory."""
        reader, target = self._reader, Signal.like(self.write_address)
        m.d.comb += target.eq(Mux(reader.first, reader.tag.address, self.write_address + 1))
        m.d.sync += [
            self.write_enable.eq(reader.o_valid),
            self.write_data.eq(reader.word),
            self.loaded.eq(reader.o_valid & reader.last & reader.tag.ends),
        ]
        with m.If(reader.o_valid):
            m.d.sync += self.write_address.eq(target)
