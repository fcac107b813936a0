"""The writer: sends the post-processor's words where their tile belongs and reports what is complete."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.passes import Destination, write_layout
from licgate.target.points import QUAD

__all__ = ["ResultWriter"]


class ResultWriter(Component):
    """Demultiplex results to the GDN inputs, the line buffers and the output.

    A word of a tile that goes from an upsampling stage to a line buffer holds every second pixel of two neighbouring
    words of a row: pixel r belongs at ``2 * r + column`` of the pair at ``address`` (A) and ``address + channels`` (B),
    for as many channels as the consuming stage reads. Such a word is written twice: to every second position of A,
    then of B, while the next word is made.

    Parameters
    ----------
    program : Program
    result_width, norm_width : int
        Widths of the post-processor's results.

    Members
    -------
    valid, word, norms
        From the post-processor: the next channel of the oldest tile; the cycle behind a word for two is idle.
    i : :py:`In(stream.Signature(write_layout(program)))`
        The oldest tile's descriptor; taken with its last word. By points it is there a cycle before its first word.
    norm_enable, norm_address, norm_data, x_data
        Write port of the two copies of the GDN inputs.
    line_enable, line_address, line_word
        Write ports of the line memories: two enables each, for even and for odd positions; a common address and word.
    output_enable, output_word
        To the latent FIFO.
    written, output_written, row_done, row_line
        To the sequencer, in the cycle of the tile's last write; of the last but one where words are written twice.

    Attributes
    ----------
    latency : int
        1 cycle, 2 to the second write of a word. interval is 1, 2 where words are written twice.

    Raises
    ------
    ValueError
        A width is not an integer in its range.
    """

    latency = 1
    interval = 1

    def __init__(self, program, result_width, norm_width):
        for name, width, most in (("result_width", result_width, 18), ("norm_width", norm_width, 32)):
            if not isinstance(width, int) or not 1 <= width <= most:
                raise ValueError(f"{name} must be an integer from 1 to {most}, not {width!r}")
        self._program = program
        layout = write_layout(program)
        rows, count = program.rows, len(program.line_memories)
        word = signed(result_width)
        gdn_bits = max(
            [op.layer.input.bits + (not op.layer.input.signed) for op in program.ops if op.is_gdn], default=1
        )
        super().__init__(
            {
                "valid": In(1),
                "word": In(word).array(rows),
                "norms": In(norm_width).array(rows),
                "i": In(stream.Signature(layout)),
                "norm_enable": Out(1),
                "norm_address": Out(range(program.gdn_depth)),
                "norm_data": Out(rows * norm_width),
                "x_data": Out(rows * gdn_bits),
                "line_enable": Out(2 * count),
                "line_address": Out(layout["address"].width),
                "line_word": Out(word).array(rows),
                "output_enable": Out(1),
                "output_word": Out(word).array(rows),
                "written": Out(1),
                "output_written": Out(1),
                "row_done": Out(1),
                "row_line": Out(layout["line"].width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program, tile = self._program, self.i.payload
        x_bits = len(self.x_data) // program.rows
        count = Signal(range(program.most_words + 1))
        # That the next word is the last one is found out with the word before it, but for a tile of a single one.
        end, nearly = (Signal(name=name) for name in ("end", "nearly"))
        m.d.comb += [end.eq(self.valid & (nearly | (tile.count == 1))), self.i.ready.eq(end)]
        to_line = self.valid & (tile.to == Destination.LINE)
        memory = Array(s.memory for s in program.stages)[tile.line]
        with m.If(self.valid):
            m.d.sync += [count.eq(count + 1), nearly.eq(count + 2 == tile.count)]
        with m.If(end):
            m.d.sync += [count.eq(0), nearly.eq(0)]
        stages = program.stages
        self._upsampled = Array(int(k > 0 and stages[k - 1].upsampling) for k in range(len(stages)))[tile.line]
        channel, half = self._quads(m, count) if program.arithmetic.points else (count, tile.column)
        m.d.sync += [
            self.norm_enable.eq(self.valid & (tile.to == Destination.NORM)),
            self.norm_address.eq((tile.address + channel)[: len(self.norm_address)]),
            self.norm_data.eq(Cat(self.norms)),
            self.x_data.eq(Cat(w[:x_bits] for w in self.word)),
            self.output_enable.eq(self.valid & (tile.to == Destination.OUTPUT)),
            *(out.eq(word) for out, word in zip(self.output_word, self.word, strict=True)),
            self.written.eq(end),
            self.output_written.eq(end & (tile.to == Destination.OUTPUT)),
            self.row_done.eq(end & tile.row_done),
            self.row_line.eq(tile.line),
        ]
        selected = Cat(memory == k for k in range(len(program.line_memories)))
        if any(stage.upsampling for stage in program.stages):
            self._spread(m, to_line, selected, (tile.address + channel)[: len(self.line_address)], half)
        else:
            enables = Cat(to_line & bit for bit in selected for _ in range(2))
            m.d.sync += [self.line_enable.eq(enables), self.line_address.eq(tile.address + channel)]
            m.d.sync += [line.eq(word) for line, word in zip(self.line_word, self.word, strict=True)]
        return m

    def _quads(self, m, count):
        """Where a word is written, from its tile's address on; the parity of its columns in a pair of words.

        A group's words of every fourth column lie as far apart as there are channels. What upsamples makes every second
        column of two groups: column ``8 * r + 2 * k + p`` of them from column ``4 * r + k`` and parity p.
        """
        program, tile, stages = self._program, self.i.payload, self._program.stages
        quarter = Mux(tile.quads, count[:2], tile.quarter)
        index, channels = quarter, [stage.conv.channels_in for stage in stages]
        if program.ring_words is not None:
            # GDN of a streamed core takes quarters in the order in which they make pairs
            channels = [stage.conv.channels_out for stage in stages]
            pairs = Array(int(stage.upsampling) for stage in stages)[tile.line]
            index = Mux(pairs, Cat(quarter[1], quarter[0]), quarter) if program.upsampling else quarter
        elif program.upsampling:
            upsampled = (tile.to == Destination.LINE) & self._upsampled
            index = Mux(upsampled, Cat(tile.column, quarter[0]), quarter)
        pitches = [program.arithmetic.padded(count) for count in channels]
        offset = Signal(range(QUAD * max(pitches)))
        # Words are two cycles apart at least, and a tile is there a cycle before its first one.
        m.d.sync += offset.eq(Array(k * pitch for pitch in pitches for k in range(QUAD))[Cat(index, tile.line)])
        return offset + Mux(tile.quads, count >> 2, count), quarter[1]

    def _spread(self, m, to_line, selected, address, half):
        """Write the line buffers where words may come from an upsampling stage: ``half`` of the columns of a pair."""
        rows, stages, tile, upsampled = self._program.rows, self._program.stages, self.i.payload, self._upsampled
        arithmetic = self._program.arithmetic
        channels = Array(arithmetic.padded(stage.conv.channels_in) * arithmetic.outputs for stage in stages)[tile.line]
        # Words come at every second cycle at most, so the one after a word is free for B. Nobody reads B early, though
        # `row_done` comes a cycle before its last write: the sequencer's count follows it by one cycle, the row's first
        # pass by two more at least, and a write is seen by reads that begin a cycle later.
        second, second_column = Signal(), Signal()
        second_address, second_selected = Signal.like(self.line_address), Signal(len(selected))
        m.d.sync += [
            second.eq(to_line & upsampled),
            second_column.eq(half),
            second_address.eq(address + channels),
            second_selected.eq(selected),
        ]
        # Position p of A holds column p, position p of B column rows + p, of the pair; both pixel column // 2.
        in_a = Mux(upsampled, Mux(half, 0b10, 0b01), 0b11)
        in_b = Mux(second_column ^ (rows & 1), 0b10, 0b01)
        halves = Mux(second, in_b, Mux(to_line, in_a, 0))
        bits = Mux(second, second_selected, selected)
        m.d.sync += [
            self.line_enable.eq(Cat(halves & bit.replicate(2) for bit in bits)),
            self.line_address.eq(Mux(second, second_address, address)),
        ]
        for p, line in enumerate(self.line_word):
            # one cycle after a word, `output_word` is that word
            first = Mux(upsampled, self.word[p // 2], self.word[p])
            m.d.sync += line.eq(Mux(second, self.output_word[(rows + p) // 2], first))
