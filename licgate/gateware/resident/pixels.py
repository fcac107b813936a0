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
        Write port of the line buffer; an address counts channels. Lanes beyond the image's width are written as zero.
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
                "write_address": Out(range(stage.depth << program.arithmetic.part_bits)),
                "write_data": Out(program.rows * self._bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # Pixels of the row are still to come; the collected ones make a word; a pixel is taken; it is the row's last.
        self._pending, self._full, self._open, self._final = (
            Signal(name=n) for n in ("pending", "full", "open", "final")
        )
        # A word is handed over; it is written, its last channel now; with it ends the row.
        self._hand, self._writing, self._row_ends = (Signal(name=n) for n in ("hand", "writing", "row_ends"))
        self._end = Signal(init=self._channels == 1, name="end")
        self._target = Signal.like(self.write_address, name="target")
        # The row's pixels that are still to come, less four, a cycle late; there are fewer than three of them.
        self._behind, self._few = Signal(signed(DIMENSION + 1), name="behind"), Signal(name="few")
        self._write(m, self._collect(m))
        self._rows(m)
        return m

    def _collect(self, m):
        """Collect pixels; return those of a word, in the cycle behind ``hand``, in which they are cleared."""
        places = Signal(self._program.rows, init=1)  # the place of the next one
        taken, final = self.i.valid & self.i.ready, self._final
        collected = [Signal(len(self.i.payload), name=f"pixel_{r}") for r in range(self._program.rows)]
        m.d.comb += self.i.ready.eq(self._open)
        follows = self._count(m, taken)
        with m.If(taken):
            m.d.sync += [
                places.eq(places.rotate_left(1)),
                final.eq(follows),
                self._full.eq(places[-1] | final),
                self._open.eq(~places[-1] & ~final),
                self._pending.eq(~final),
            ]
        # A full word is handed over as soon as the one before it is written, and moves a cycle later. The places behind
        # the first one are then cleared, by their resets: no pixel can be taken for them before that.
        self._handed = Signal(name="handed")
        m.d.comb += self._hand.eq(self._full & (~self._writing | self._end))
        m.d.sync += self._handed.eq(self._hand)
        for r, pixel in enumerate(collected):
            # In its place stands whatever comes, until a pixel has come.
            with m.If(self._open & places[r]):
                m.d.sync += pixel.eq(self.i.payload)
            if r:
                with m.If(self._handed):
                    m.d.sync += pixel.eq(0)
        with m.If(self._hand):
            m.d.sync += [places.eq(1), self._full.eq(0), self._open.eq(self._pending)]
        return collected

    def _count(self, m, taken):
        """Count pixels of the row; return whether the row's last one follows the one that is taken.

        What they come by is far away, so few wait for it: the count follows a cycle later.
        """
        behind, few, took = self._behind, self._few, Signal(name="took")
        m.d.sync += took.eq(taken)
        with m.If(took):
            m.d.sync += [behind.eq(behind - 1), few.eq(behind < 0)]
        return Mux(took, behind < 0, few)

    def _write(self, m, collected):
        """Write a word, channel by channel."""
        channels, bits, end = self._channels, self._bits, self._end
        waiting = [Signal(len(pixel), name=f"waiting_{r}", reset_less=True) for r, pixel in enumerate(collected)]
        channel = Signal(range(channels + 1))
        padding = self._program.arithmetic.padded(channels) - channels
        with m.If(self._writing):
            m.d.sync += [channel.eq(channel + 1), end.eq(channel == channels - 2)]
            m.d.sync += self._target.eq(self._target + Mux(end, 1 + padding, 1))
            with m.If(end):
                m.d.sync += self._writing.eq(0)
        with m.If(self._hand):
            m.d.sync += self._row_ends.eq(~self._pending)
        with m.If(self._handed):
            m.d.sync += [w.eq(c) for w, c in zip(waiting, collected, strict=True)]
            m.d.sync += [self._writing.eq(1), channel.eq(0), end.eq(channels == 1)]
        # The line buffer's blocks are all over the chip.
        m.d.sync += [
            self.write_enable.eq(self._writing),
            self.write_address.eq(self._target),
            self.write_data.eq(
                Cat(Array(Cat(w.word_select(c, bits) for w in waiting) for c in range(channels))[channel])
            ),
        ]

    def _rows(self, m):
        """From row to row."""
        stage, part_bits = self._stage, self._program.arithmetic.part_bits
        first, last, stride = (value << part_bits for value in (stage.base, stage.last_row, stage.row_stride))
        rows_left, behind_all = Signal(DIMENSION, name="rows_left"), Signal.like(self._behind, name="behind_all")
        single, few_all, starting = Signal(name="single"), Signal(name="few_all"), Signal(name="starting")
        ended = Signal(init=1, name="ended")
        begins = Signal(name="begins")
        base, following = (Signal.like(self.write_address, name=n) for n in ("base", "following"))
        row_done = Signal(name="row_ended")
        m.d.comb += [
            row_done.eq(self._writing & self._row_ends & self._end),
            self.busy.eq(starting | (rows_left != 0) | self._writing | self.write_enable),
        ]
        m.d.sync += [
            self.row_done.eq(row_done),
            starting.eq(self.start),
            behind_all.eq(self.width - 4),
            few_all.eq(self.width < 3),
            single.eq(self.width == 1),
            ended.eq(rows_left == 0),
            following.eq(Mux(base == last, first, base + stride)),
        ]
        # Nothing is written and no pixel taken before the next row, so its counters need not wait for room.
        m.d.sync += begins.eq(starting)
        with m.If(begins):
            m.d.sync += [self._behind.eq(behind_all), self._few.eq(few_all)]
            m.d.sync += [self._final.eq(single), self._target.eq(base)]
        with m.FSM():
            with m.State("IDLE"), m.If(starting):
                m.next = "ROOM_3"
            # The count behind `room` follows `start` and `row_done` by two cycles.
            with m.State("ROOM"):
                m.d.sync += [rows_left.eq(rows_left - 1), base.eq(following)]
                m.next = "ROOM_2"
            with m.State("ROOM_2"):
                m.next = "ROOM_3"
            with m.State("ROOM_3"):
                m.d.sync += begins.eq(1)
                m.next = "ROOM_4"
            with m.State("ROOM_4"):
                with m.If(ended & ~starting):
                    m.next = "IDLE"
                with m.Elif(self.room & ~ended):
                    m.d.sync += [self._pending.eq(1), self._open.eq(1)]
                    m.next = "ROW"
            with m.State("ROW"), m.If(row_done):
                m.next = "ROOM"
        with m.If(starting):
            m.d.sync += [rows_left.eq(self.height), ended.eq(0), base.eq(first)]
