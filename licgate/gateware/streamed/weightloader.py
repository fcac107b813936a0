"""Fetches weight tiles from external memory into the weight ring."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib.wiring import Component, flipped

from licgate.gateware.sequence.tables import of_stage
from licgate.gateware.stream import connect
from licgate.gateware.streamed.layouts import loader_members
from licgate.gateware.streamed.wordreader import WordReader

__all__ = ["WeightLoader"]


class WeightLoader(Component):
    """Carry out ``weights`` commands: all tiles of a stage's convolution, then those of its GDN.

    A tile is fetched segment by segment, each once the ring has room for it.

    Parameters
    ----------
    program : StreamedProgram

    Members
    -------
    start, i, released, port, write_enable, write_address, write_data, loaded, waits
        See :func:`~licgate.gateware.streamed.layouts.loader_members`; ``released`` counts words of the ring, and a
        segment is what waits.

    Attributes
    ----------
    latency : int
        Cycles from a command to its first request: 6.

    Resources: a :class:`~licgate.gateware.streamed.wordreader.WordReader`, about 150 LUT4 beside it.
    """

    latency = 6

    def __init__(self, program):
        self._program = program
        self._segments = [program.segments(op) for op in program.ops]
        self._reader = WordReader(
            program,
            program.weight_kinds,
            most_words=max(op.weights for op in program.ops),
            page_beats=program.weight_burst,
            most_beats=max(max(self._beats(op)) for op in program.ops),
        )
        ring = program.weight_ring
        super().__init__(loader_members(program, "weights", room=ring, depth=ring, bits=max(program.weight_kinds)))

    def _beats(self, op):
        """Beats of a tile's first and of its last segment."""
        words = self._program.segments(op)
        return [self._program.beats(words[k] * self._program.word_bits(op)) for k in (0, -1)]

    def elaborate(self, platform):
        m = Module()
        ops, segments = self._program.ops, self._segments
        m.submodules.reader = reader = self._reader
        tile, stretch = reader.record, reader.stretch
        connect(m, reader.port, flipped(self.port))

        op = Signal(range(max(2, len(ops))))
        more = Signal()  # the stage's GDN follows
        left = Signal(range(1 + max(o.tiles for o in ops)))
        tile_words = Signal(range(1 + max(o.weights for o in ops)))
        # Segments of a tile, those that are left, words and beats of this one.
        count = Array(map(len, segments))[op]
        rest = Signal(range(1 + max(map(len, segments))))
        words = Signal(range(1 + max(map(max, segments))))
        beats = Signal.like(stretch.payload.beats)
        address = Signal.like(self.i.payload.address)
        reserve, last_segment = Signal(), Signal()
        first = Signal(init=1)
        m.d.comb += [
            tile.payload.kind.eq(Array(o.memory for o in ops)[op]),
            tile.payload.words.eq(tile_words),
            stretch.payload.address.eq(address),
            stretch.payload.beats.eq(beats),
            last_segment.eq(rest == 1),
        ]
        single = Array(int(len(found) == 1) for found in segments)[op]
        room = self._room(m, words, reserve)
        with m.FSM():
            self._take(m, address, op, more)
            with m.State("OP"):
                m.d.sync += [
                    left.eq(Array(o.tiles for o in ops)[op]),
                    tile_words.eq(Array(o.weights for o in ops)[op]),
                    rest.eq(count),
                    *self._segment(op, words, beats, single),
                ]
                m.next = "ROOM"
            with m.State("ROOM"):
                m.next = "WAIT"
            with m.State("WAIT"):
                m.d.comb += [
                    stretch.valid.eq(room & tile.ready),
                    reserve.eq(stretch.valid & stretch.ready),
                    # the first segment announces the tile
                    tile.valid.eq(reserve & first),
                    self.waits.eq(~room),
                ]
                with m.If(reserve):
                    m.next = "SEGMENT"
            with m.State("SEGMENT"):
                m.d.sync += [
                    address.eq(address + beats),
                    rest.eq(Mux(last_segment, count, rest - 1)),
                    first.eq(last_segment),
                    *self._segment(op, words, beats, Mux(last_segment, single, rest == 2)),
                ]
                m.next = "ROOM"
                with m.If(last_segment):
                    self._next_tile(m, op, more, left)
        self._write(m)
        return m

    def _take(self, m, address, op, more):
        """Take a command, and find its convolution."""
        stages, command = self._program.stages, Signal.like(self.i.payload)
        with m.State("IDLE"):
            m.d.comb += self.i.ready.eq(1)
            with m.If(self.i.valid):
                m.d.sync += [command.eq(self.i.payload), address.eq(self.i.payload.address)]
                m.next = "STAGE"
        with m.State("STAGE"):
            m.d.sync += [
                op.eq(of_stage(command.stage, (stage.conv.index for stage in stages))),
                more.eq(of_stage(command.stage, (stage.gdn is not None for stage in stages))),
            ]
            m.next = "OP"

    def _next_tile(self, m, op, more, left):
        """Go on with the next tile, with the stage's GDN behind its convolution, or be done."""
        m.d.sync += left.eq(left - 1)
        with m.If(left == 1):
            m.next = "IDLE"
            with m.If(more):
                m.d.sync += [op.eq(op + 1), more.eq(0)]
                m.next = "OP"

    def _room(self, m, words, reserve):
        """Return that there is room for the next segment, three cycles behind the reservation of the last one."""
        free = Signal(range(self._program.weight_ring + 1))
        room = Signal()
        reserved = Signal.like(words)
        m.d.sync += [
            reserved.eq(Mux(reserve, words, 0)),
            free.eq(free + self.released - reserved),
            room.eq(free >= words),
        ]
        with m.If(self.start):
            m.d.sync += free.eq(self._program.weight_ring)
        return room

    def _write(self, m):
        """Words as they come, into the ring."""
        reader, ring = self._reader, self._program.weight_ring
        pointer = Signal.like(self.write_address)
        m.d.sync += [
            self.write_enable.eq(reader.o_valid),
            self.write_data.eq(reader.word),
            self.write_address.eq(pointer),
            self.loaded.eq(reader.o_valid & reader.last),
        ]
        with m.If(reader.o_valid):
            m.d.sync += pointer.eq(Mux(pointer == ring - 1, 0, pointer + 1))
        with m.If(self.start):
            m.d.sync += pointer.eq(0)

    def _segment(self, op, words, beats, last):
        """Choose the words and beats of a segment."""
        ops, segments = self._program.ops, self._segments
        return [
            words.eq(Mux(last, *(Array(found[k] for found in segments)[op] for k in (-1, 0)))),
            beats.eq(Mux(last, *(Array(self._beats(o)[k] for o in ops)[op] for k in (-1, 0)))),
        ]
