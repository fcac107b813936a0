"""Fetches word columns of feature maps from external memory into slots of the line memory."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.memory.port import MemoryPort
from licgate.gateware.sequence.tables import of_stage
from licgate.gateware.stream import connect
from licgate.gateware.streamed.layouts import command_layout
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
    start : :py:`In(1)`
        All slots are free, no write is done.
    i : :py:`In(stream.Signature(command_layout(program, "load")))`
    writes : :py:`In(24)`
        Writes of this run that are done.
    released : :py:`In(...)`
        Slots that become free in this cycle.
    port : :py:`Out(MemoryPort(...))`
    write_enable, write_address, write_data
        Write port of the line memory.
    loaded : :py:`Out(1)`
        A column is complete.
    waits : :py:`Out(1)`
        A command waits for a slot or for writes.

    Attributes
    ----------
    latency : int
        Cycles from a command to its first request: 5. Records follow each other every three cycles at most.

    Resources: a :class:`~licgate.gateware.streamed.wordreader.WordReader`, about 200 LUT4 beside it.
    """

    latency = 5

    def __init__(self, program):
        self._program = program
        depth = program.slots * program.slot_words
        kinds = program.map_kinds
        most = max(stage.conv.channels_in for stage in program.stages)
        self._reader = WordReader(
            program,
            kinds,
            most_words=most,
            part=program.cols,
            tag=data.StructLayout({"address": range(depth), "ends": 1}),
            page_beats=program.burst_beats,
            most_beats=max(
                program.record_beats(stage.conv.channels_in, stage.conv.layer.input.bits) for stage in program.stages
            ),
        )
        super().__init__(
            {
                "start": In(1),
                "i": In(stream.Signature(command_layout(program, "load"))),
                "writes": In(24),
                "released": In(range(program.slots + 1)),
                "port": Out(MemoryPort(program.beat_bits, program.address_bits)),
                "write_enable": Out(1),
                "write_address": Out(range(depth)),
                "write_data": Out(max(kinds)),
                "loaded": Out(1),
                "waits": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program, stages = self._program, self._program.stages
        m.submodules.reader = reader = self._reader
        connect(m, reader.port, flipped(self.port))

        command, reserve = Signal.like(self.i.payload), Signal()
        ready = self._room(m, command, reserve)
        rows, before = Signal.like(command.rows), Signal.like(command.before)
        address, line = Signal.like(command.address), Signal.like(self.write_address)
        # Of the command's stage, and of the slot and row at which it begins.
        channels = Signal(range(1 + max(stage.conv.channels_in for stage in stages)))
        beats, memory = Signal.like(reader.stretch.payload.beats), Signal.like(reader.record.payload.kind)
        slot_line, row_line = Signal.like(line), Signal.like(line)
        # Where a slot begins, and how far a row lies in it.
        begins = Array(slot * program.slot_words for slot in range(program.slots))
        most_rows = max(program.in_rows(stage) for stage in stages)
        into = Array(Array(row * stage.conv.channels_in for row in range(most_rows)) for stage in stages)
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
                    slot_line.eq(begins[command.slot]),
                    row_line.eq(into[command.stage][command.row]),
                    channels.eq(of_stage(command.stage, (stage.conv.channels_in for stage in stages))),
                    memory.eq(of_stage(command.stage, (stage.memory for stage in stages))),
                    beats.eq(
                        Array(
                            program.record_beats(stage.conv.channels_in, stage.conv.layer.input.bits)
                            for stage in stages
                        )[command.stage]
                    ),
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
                        line.eq(line + channels),
                        address.eq(Mux(before == 1, command.wrapped, address + command.pitch)),
                    ]
                    with m.If(rows == 1):
                        m.next = "IDLE"
        self._write(m)
        return m

    def _room(self, m, command, reserve):
        """Return that a slot is free for the command's column, and that its rows are written."""
        free, fits, there = Signal(range(self._program.slots + 1)), Signal(), Signal()
        late_writes, difference = Signal.like(self.writes), Signal(24)
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
