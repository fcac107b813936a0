"""The window of pixels that moves past the array: reads of the line buffers in time, and what they load."""

import itertools

from amaranth.hdl import Array, Cat, Const, Mux, Signal, signed
from amaranth.lib import data

from licgate.program import LINE_LATENCY

__all__ = ["due_read", "pixel_window", "read_layout", "spread_register", "unpacked", "weight_operand", "words_layout"]


def read_layout(program, address_width):
    """A read of the line buffers.

    address, stage: where. inside: the word lies in the row. last: it is the window's last one. kind: the pass.
    """
    return data.StructLayout(
        {
            "address": address_width,
            "stage": range(max(2, len(program.stages))),
            "inside": 1,
            "last": 1,
            "kind": range(max(2, len(program.phases))),
        }
    )


# pixels of the window that share a register of the signal to load it
_SPREAD = 3


def due_read(m, read, reading, delay, latest):
    """The read that is due in this cycle: the one issued ``delay`` cycles ago."""
    if not latest:
        return read
    due = Signal(read.shape(), name="due")
    m.d.comb += [due.eq(read), due.last.eq(read.last & (delay == 0))]
    for cycles in range(1, latest + 1):
        later, valid = Signal(read.shape(), name=f"read_{cycles}"), Signal(name=f"read_{cycles}_valid")
        wait = Signal.like(delay, name=f"read_{cycles}_delay")
        m.d.sync += [later.eq(read), valid.eq(reading), wait.eq(delay)]
        with m.If(valid & (wait == cycles)):
            m.d.comb += due.eq(later)
        read, reading, delay = later, valid, wait
    return due


def pixel_window(m, line, program, line_data, read):
    """The window of pixels: loaded whole with its last word, then moved by one pixel a cycle."""
    rows, words, width = program.rows, program.window_words, program.activation_width

    # The chosen line buffer's word, masked, unpacked and sign-extended, one cycle behind the memory.
    when = LINE_LATENCY
    stage, inside = line(_signal(m, read.stage), when - 1), line(_signal(m, read.inside), when - 1)
    memory_of = Array(s.memory for s in program.stages)[stage]
    word = [Signal(signed(width), name=f"word_{r}", reset_less=True) for r in range(rows)]
    for r in range(rows):
        values = [unpacked(m, line_data, memory, k, r, width) for k, memory in enumerate(program.line_memories)]
        chosen = Array(values)[spread_register(m, memory_of, range(len(values)), f"line_of_{r}")]
        # An AND: synthesis would make a multiplexer with 0 a reset that crosses the chip.
        m.d.sync += word[r].eq(chosen & spread_register(m, inside, 1, f"inside_{r}").replicate(width))

    # The words in front of it wait; with the last one the window is complete.
    before = [
        [Signal(signed(width), name=f"before_{j}_{r}", reset_less=True) for r in range(rows)] for j in range(words - 1)
    ]
    for target, source in itertools.pairwise([*before, word]):
        m.d.sync += [t.eq(s) for t, s in zip(target, source, strict=True)]
    pixels = [p for part in [*before, word] for p in part]

    # Where the window of each shape begins in these words, the last of which is its own last one.
    begins = {
        shape: (words - shape.words(rows) - shape.first_word(rows)) * rows + shape.first_column
        for shape in program.shapes
    }
    sizes = {shape: shape.stride * (rows - 1) + shape.columns for shape in program.shapes}
    window = [Signal(signed(width), name=f"window_{p}", reset_less=True) for p in range(max(sizes.values()))]
    loads, kind = line(_signal(m, read.last), when), line(_signal(m, read.kind), when + 1)
    for p, (w, following) in enumerate(itertools.zip_longest(window, window[1:])):
        places = {shape: pixels[begins[shape] + p] for shape in program.shapes if p < sizes[shape]}
        anywhere = next(iter(places.values()))
        choice = [places.get(phase.shape, anywhere) for phase in program.phases]
        loaded = choice[0] if len({id(c) for c in choice}) == 1 else Array(choice)[kind]
        if p % _SPREAD == 0:
            load = spread_register(m, loads, 1, f"load_{p}")
        m.d.sync += w.eq(loaded if following is None else Mux(load, loaded, following))
    return window


def spread_register(m, value, shape, name):
    """A register with a value that many ask for: how many there are in the end, `licgate.synth.fanout` settles."""
    register = Signal(shape, name=name, reset_less=True)
    m.d.sync += register.eq(value)
    return register


def words_layout(memories, count):
    """Layout of one word of each memory."""
    return data.StructLayout({f"m{k}": count * memory.field for k, memory in enumerate(memories)})


def unpacked(m, words, memory, index, position, width):
    """Value ``position`` of the word of memory ``index``, extended to ``width`` bits as its type asks."""
    value = words[f"m{index}"].word_select(position, memory.bits)
    extended = Signal(signed(width), name=f"value_{index}_{position}")
    m.d.comb += extended.eq(value.as_signed() if memory.signed else value)
    return extended


def weight_operand(m, words, memory, index, column, program):
    """Operand of a column from the word of weight memory ``index``: a weight, or two of them ``pack_shift`` apart."""
    if not memory.packed:
        return unpacked(m, words, memory, index, column, program.weight_width)
    low, high = (words[f"m{index}"].word_select(2 * column + k, memory.bits) for k in range(2))
    # The upper weight already lacks what the lower one's sign takes from it, see `licgate.program.ops.words_of`.
    between = (low[-1] if memory.signed else Const(0, 1)).replicate(program.pack_shift - memory.bits)
    operand = Signal(signed(program.weight_width), name=f"operand_{index}_{column}")
    value = Cat(low, between, high)
    m.d.comb += operand.eq(value.as_signed() if memory.signed else value)
    return operand


def _signal(m, value):
    """A part of a read as a signal of its own, which a delay line can follow."""
    signal = Signal.like(value)
    m.d.comb += signal.eq(value)
    return signal
