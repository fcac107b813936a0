"""The input side: packs a stream of pixels into the first line buffer."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.resident.rows import DIMENSION

__all__ = ["PixelWriter"]


class PixelWriter(Component):
    """Collect ``rows`` neighbouring pixels and write them as one word per channel.

    Parameters
    ----------
    program : Program

    Members
    -------
    start, width, height
        ``start`` begins an image when the last one is complete; the sizes stay stable while it lasts.
    i : :py:`In(stream.Signature(channels * bits))`
        Pixels in raster order, channel 0 in the low bits.
    room : :py:`In(1)`
        The line buffer has room for another row (sampled between rows).
    write_enable, write_address, write_data
        Write port of the line buffer. Lanes beyond the image's width are written as zero.
    row_done : :py:`Out(1)`
        A row is complete.
    busy : :py:`Out(1)`
        Rows of this image are still to come.

    Attributes
    ----------
    latency : int
        Cycles from a word's last pixel to its first channel's write: 4.
    interval : int
        A pixel a cycle, and one cycle for each word of ``rows`` pixels; channels more than ``rows`` slow it down.

    Resources: two registers a bit of ``rows`` pixels.

    Raises
    ------
    ValueError
        No chain of the program takes pixels.
    """

    latency = 4
    interval = 1

    def __init__(self, program):
        chain = next((chain for chain in program.chains if chain.pixels), None)
        if chain is None:
            raise ValueError("the program has no chain that takes pixels")
        self._stage = stage = program.stages[chain.first]
        self._program = program
        self._channels, self._bits = stage.conv.channels_in, program.line_memories[stage.memory].bits
        super().__init__(
            {
                "start": In(1),
                "width": In(DIMENSION),
                "height": In(DIMENSION),
                "i": In(stream.Signature(self._channels * self._bits)),
                "room": In(1),
                "row_done": Out(1),
                "busy": Out(1),
                "write_enable": Out(1),
                "write_address": Out(range(stage.depth)),
                "write_data": Out(program.rows * self._bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program, stage, channels, bits = self._program, self._stage, self._channels, self._bits
        size = len(self.i.payload)
        collected = [Signal(size, name=f"pixel_{r}") for r in range(program.rows)]
        places = Signal(program.rows, init=1)  # the place of the next one
        waiting = [Signal(size, name=f"waiting_{r}", reset_less=True) for r in range(program.rows)]
        # The row's pixels that are still to come, less three: its sign says that this one is the last but one.
        behind, behind_all = (Signal(signed(DIMENSION + 1), name=n) for n in ("behind", "behind_all"))
        single = Signal(name="single")
        rows_left = Signal(DIMENSION, name="rows_left")
        # Pixels of the row are still to come; the collected ones make a word.
        pending, full = Signal(name="pending"), Signal(name="full")
        # A pixel is taken; it is the row's last one.
        open_, final = Signal(name="open"), Signal(name="final")
        base, following, target = (Signal.like(self.write_address, name=n) for n in ("base", "following", "target"))
        starting = Signal(name="starting")
        channel = Signal(range(channels + 1))
        writing, row_ends, end, row_done = Signal(), Signal(), Signal(init=channels == 1), Signal(name="row_ended")

        m.d.comb += [
            self.busy.eq(starting | (rows_left != 0) | writing | self.write_enable),
            self.i.ready.eq(open_),
            row_done.eq(writing & row_ends & end),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                places.eq(places.rotate_left(1)),
                behind.eq(behind - 1),
                final.eq(behind < 0),
                full.eq(places[-1] | final),
                open_.eq(~places[-1] & ~final),
                pending.eq(~final),
            ]

        # A full word is handed over as soon as the one before it is written, and moves a cycle later. The places behind
        # the first one are then cleared, by their resets: no pixel can be taken for them before that.
        hand, handed = Signal(), Signal(name="handed")
        m.d.comb += hand.eq(full & (~writing | end))
        m.d.sync += handed.eq(hand)
        for r, pixel in enumerate(collected):
            with m.If(self.i.valid & self.i.ready & places[r]):
                m.d.sync += pixel.eq(self.i.payload)
            if r:
                with m.If(handed):
                    m.d.sync += pixel.eq(0)

        with m.If(writing):
            m.d.sync += [channel.eq(channel + 1), target.eq(target + 1), end.eq(channel == channels - 2)]
            with m.If(end):
                m.d.sync += writing.eq(0)
        with m.If(hand):
            m.d.sync += [places.eq(1), full.eq(0), open_.eq(pending), row_ends.eq(~pending)]
        with m.If(handed):
            m.d.sync += [w.eq(c) for w, c in zip(waiting, collected, strict=True)]
            m.d.sync += [writing.eq(1), channel.eq(0), end.eq(channels == 1)]
        # The line buffer's blocks are all over the chip.
        m.d.sync += [
            self.row_done.eq(row_done),
            self.write_enable.eq(writing),
            self.write_address.eq(target),
            self.write_data.eq(
                Cat(Array(Cat(w.word_select(c, bits) for w in waiting) for c in range(channels))[channel])
            ),
        ]

        ended = Signal(init=1)
        m.d.sync += [
            starting.eq(self.start),
            behind_all.eq(self.width - 3),
            single.eq(self.width == 1),
            ended.eq(rows_left == 0),
            following.eq(Mux(base == stage.last_row, stage.base, base + stage.row_stride)),
        ]
        with m.FSM():
            with m.State("IDLE"), m.If(starting):
                m.next = "ROOM_3"
            # The count behind `room` follows `start` and `row_done` by two cycles.
            with m.State("ROOM"):
                m.next = "ROOM_2"
            with m.State("ROOM_2"):
                m.next = "ROOM_3"
            with m.State("ROOM_3"):
                m.next = "ROOM_4"
            with m.State("ROOM_4"):
                with m.If(ended & ~starting):
                    m.next = "IDLE"
                with m.Elif(self.room & ~writing & ~ended):
                    m.d.sync += [behind.eq(behind_all), final.eq(single), pending.eq(1), open_.eq(1), target.eq(base)]
                    m.next = "ROW"
            with m.State("ROW"), m.If(row_done):
                m.d.sync += [rows_left.eq(rows_left - 1), base.eq(following)]
                m.next = "ROOM"
        with m.If(starting):
            m.d.sync += [rows_left.eq(self.height), ended.eq(0), base.eq(stage.base)]
        return m
