"""The window of pixels that moves past the array, and what it is loaded with."""

import itertools

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.arith import DelayLine
from licgate.gateware.engine.feed.reads import read_layout
from licgate.program import LINE_LATENCY

__all__ = ["PixelWindow", "operand_shape", "spread_register", "unpacked", "window_pixels", "words_layout"]

# pixels of the window that share a register of the signal to load it
_SPREAD = 3


def words_layout(memories, count):
    """Layout of one word of each memory."""
    return data.StructLayout({f"m{k}": count * memory.field for k, memory in enumerate(memories)})


def window_pixels(program):
    """Pixels of the widest window."""
    return max(shape.pixels(program.rows) for shape in program.shapes)


class PixelWindow(Component):
    """Load a window whole, with its last word, then move it by one pixel a cycle, or when it is asked to.

    Parameters
    ----------
    program : Program

    Members
    -------
    read : :py:`In(read_layout(program))`
        The read that the line buffers are given in this cycle.
    words : :py:`In(words_layout(...))`
        A word of each line buffer, of the read ``LINE_LATENCY`` cycles ago.
    moves : :py:`In(1)`
        It moves with the end of the next cycle; only where it does not move in all of them, which is by points.
    window : :py:`Out(operand_shape(program)).array(window_pixels(program))`

    Attributes
    ----------
    latency : int
        Cycles from the window's last read to the window: ``LINE_LATENCY + 2``. interval is that of the reads.

    Resources: two registers and, for one shape of window, two LUT4 for each bit; one LUT4 more for each further shape;
    a register for each bit of the words in front of the last one.
    """

    latency = LINE_LATENCY + 2

    def __init__(self, program):
        self._program = program
        super().__init__(
            {
                "read": In(read_layout(program)),
                "words": In(words_layout(program.line_memories, program.rows)),
                **({"moves": In(1)} if program.arithmetic.points else {}),
                "window": Out(operand_shape(program)).array(window_pixels(program)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        line, program = DelayLine(m), self._program
        words, rows, pixel = program.window_words, program.rows, operand_shape(program)
        word = self._word(m, line)
        # The words in front of it wait; with the last one the window is complete.
        before = [
            [Signal(pixel, name=f"before_{j}_{r}", reset_less=True) for r in range(rows)] for j in range(words - 1)
        ]
        for target, source in itertools.pairwise([*before, word]):
            m.d.sync += [t.eq(s) for t, s in zip(target, source, strict=True)]
        loads, kind = line(_signal(m, self.read.last), LINE_LATENCY), line(_signal(m, self.read.kind), LINE_LATENCY + 1)
        self._window(m, [p for part in [*before, word] for p in part], loads, kind)
        return m

    def _word(self, m, line):
        """The chosen line buffer's word, masked, unpacked and sign-extended, one cycle behind the memory."""
        program, pixel = self._program, operand_shape(self._program)
        stage, inside = (line(_signal(m, value), LINE_LATENCY - 1) for value in (self.read.stage, self.read.inside))
        memory_of = Array(s.memory for s in program.stages)[stage]
        word = [Signal(pixel, name=f"word_{r}", reset_less=True) for r in range(program.rows)]
        for r in range(program.rows):
            values = [
                unpacked(m, self.words, memory, k, r, program.rows, program.pixel_width)
                for k, memory in enumerate(program.line_memories)
            ]
            chosen = Array(values)[spread_register(m, memory_of, range(len(values)), f"line_of_{r}")]
            # An AND: synthesis would make a multiplexer with 0 a reset that crosses the chip.
            m.d.sync += word[r].eq(chosen & spread_register(m, inside, 1, f"inside_{r}").replicate(pixel.width))
        return word

    def _sources(self, shape, pixels):
        """Of each pixel of a window the one among those of its words; nothing where no output reads it."""
        rows = self._program.rows
        skipped, count = self._program.window_words - shape.words(rows), shape.pixels(rows)
        found = []
        for word, lane in (shape.place(pixel, rows) for pixel in range(count)):
            at = skipped + word - shape.first_word(rows)
            found.append(pixels[at * rows + lane] if at < self._program.window_words else Const(0, pixels[0].shape()))
        return found

    def _window(self, m, pixels, loads, kind):
        """Drive the window from all pixels that are there: those of its words."""
        program = self._program
        # Where the window of each shape lies in these words, the last of which is its own last one.
        sources = {shape: self._sources(shape, pixels) for shape in program.shapes}
        window = [Signal(operand_shape(program), name=f"window_{p}", reset_less=True) for p in range(len(self.window))]
        for p, (w, following) in enumerate(itertools.zip_longest(window, window[1:])):
            places = {shape: found[p] for shape, found in sources.items() if p < len(found)}
            anywhere = next(iter(places.values()))
            choice = [places.get(pass_kind.shape, anywhere) for pass_kind in program.pass_kinds]
            loaded = choice[0] if len({id(c) for c in choice}) == 1 else Array(choice)[kind]
            if p % _SPREAD == 0:
                load = spread_register(m, loads, 1, f"load_{p}")
            if not program.arithmetic.points:
                m.d.sync += w.eq(loaded if following is None else Mux(load, loaded, following))
            else:
                if p % _SPREAD == 0:
                    move = spread_register(m, self.moves, 1, f"move_{p}")
                with m.If(load | move):
                    m.d.sync += w.eq(Mux(load, loaded, 0 if following is None else following))
            m.d.comb += self.window[p].eq(w)


def spread_register(m, value, shape, name):
    """A register with a value that many ask for: how many there are in the end, `licgate.synth.fanout` settles."""
    register = Signal(shape, name=name, reset_less=True)
    m.d.sync += register.eq(value)
    return register


def operand_shape(program):
    """Shape of what the window shows of a pixel: activations of a step's reduction indices, side by side."""
    return signed(program.arithmetic.indices * program.pixel_width)


def unpacked(m, words, memory, index, position, count, width):
    """Values ``position`` of each part of the word of memory ``index``, extended to ``width`` bits as their type asks.

    A part has ``count`` values.
    """
    parts = []
    for part in range(memory.indices):
        value = words[f"m{index}"].word_select(part * count + position, memory.bits)
        extended = Signal(signed(width), name=f"value_{index}_{position}_{part}")
        m.d.comb += extended.eq(value.as_signed() if memory.signed else value)
        parts.append(extended)
    return Cat(parts).as_signed()


def _signal(m, value):
    """A part of a read as a signal of its own, which a delay line can follow."""
    signal = Signal.like(value)
    m.d.comb += signal.eq(value)
    return signal
