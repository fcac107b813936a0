"""Passes, the waist of the gateware: what those who make them and those who carry them out tell each other.

A *pass* is a tile of output channels, one a column of the array (two where it is packed), over a group of pixels, one a
row of the array: the sums of one convolution, or of one parity of a transposed one, or of a GDN, from their first
product to their last. Every cycle of the array belongs to a pass. Its life:

1. A *sequencer* offers it (:mod:`licgate.gateware.sequence.sequencer`), which carries out *bands*: those of a list of
   commands in a streamed core, of rows that are cut (:mod:`licgate.gateware.resident.rowbands`) in a resident one.
   Whatever a pass reads is there when it is offered. With it go three descriptors, to those who meet it later: a
   *tile*, a *write* and, where results leave the chip, a *record*. They wait in queues of ``IN_FLIGHT`` places and one
   in front of them, so no more passes than that are ever issued and not written.
2. The *feeder* (:mod:`licgate.gateware.engine.feeder`) takes the pass (:func:`pass_layout`), reads pixels and weights,
   and gives the array a step a cycle. When it has issued the last one it says what the pass has used up
   (:func:`release_shape`).
3. The *array* sums. With the last step its sums move to registers of their own, and the next pass begins behind it;
   how long the last step of that one has to wait for the registers is the program's ``gap_behind``.
4. The *post-processor* (:mod:`licgate.gateware.engine.post`) takes the *tile* (:func:`tile_layout`), drains the sums
   channel by channel and turns them into activations.
5. The *writer* (:mod:`licgate.gateware.engine.writer`) holds the *write* (:func:`write_layout`) while the tile's words
   pass and sends each to its :class:`Destination`: the inputs of the GDN, a line buffer, or the output. With the last
   one it tells the sequencer what is complete.
6. A streamed core's *record writer* (:mod:`licgate.gateware.streamed.recordwriter`) packs the words that went to the
   output into beats and writes them to where the *record* (:func:`record_layout`) says.

Nobody but the sequencer knows an order of passes: feeder, array, lanes and writers take them as they come.
"""

from amaranth.lib import data
from amaranth.utils import ceil_log2

__all__ = [
    "Destination",
    "address_width",
    "pass_layout",
    "place_names",
    "record_layout",
    "release_shape",
    "tile_layout",
    "write_layout",
]


class Destination:
    """Where a tile's words go."""

    NORM, LINE, OUTPUT = range(3)


def address_width(program):
    """Bits of a line buffer address with room for the masked words around it."""
    return 1 + ceil_log2(max(memory.depth for memory in program.line_memories) + 1)


def pass_layout(program):
    """What the feeder must know of a pass.

    pass_kind: its number. row: line buffer address of the first kernel row inside the image. offset: from there to the
    window's first word (modulo the address width). kernel_rows: rows that are fed, of which, where passes are whole,
    ``above`` lie above the image and ``inside`` in it. mask: words of the window inside the row. weight: first weight
    word. x: first channel of the GDN inputs. release: what the array is done with once the pass is
    fed: the row of a convolution, or slots of the line memory and words of the weight ring. wrap: words of the window
    behind which the line memory's ring begins again.
    """
    rows = range(program.kernel_rows + 1)
    return data.StructLayout(
        {
            "pass_kind": ceil_log2(max(2, len(program.pass_kinds))),
            "row": range(max(memory.depth for memory in program.line_memories)),
            "offset": address_width(program),
            "kernel_rows": rows,
            "mask": program.window_words,
            "weight": range(max(memory.depth for memory in program.weight_memories)),
            "x": range(program.gdn_depth),
            "release": release_shape(program),
            "wrap": program.window_words if program.ring_words else 0,
            **({"above": rows, "inside": rows} if program.arithmetic.whole_passes else {}),
        }
    )


def place_names(program):
    """Fields of a pass that say what it reads of the line buffers."""
    return ("row", "offset", "kernel_rows", "mask", *(("above", "inside") if program.arithmetic.whole_passes else ()))


def release_shape(program):
    """What a pass releases: its row, or slots and weight words where memories are rings."""
    if program.ring_words is None:
        return 1
    return data.StructLayout({"slots": range(program.slots + 1), "words": range(program.weight_ring + 1)})


def tile_layout(program):
    """What the post-processor must know of a tile: op, words, first parameter, first word of x, pixels inside.

    A word for each channel, four for one that is made in quads.
    """
    return data.StructLayout(
        {
            "op": ceil_log2(max(2, len(program.ops))),
            "count": range(program.most_words + 1),
            "param": range(len(program.biases) + program.most_words),
            "x": range(program.gdn_depth + program.most_channels),
            "pixels": range(program.group_columns + 1),
        }
    )


def write_layout(program):
    """Where a tile is written: destination, line buffer, address of the first channel, words, what it completes.

    An address counts channels: its low bits say which part of a word.
    line: of results that stay in a stage of a streamed core, that stage. column: parity of the columns that the tile
    holds, of those that its stage makes parity by parity. quads: four words of a channel follow each other, of every
    fourth column each; quarter: else, which of them a word is.
    """
    return data.StructLayout(
        {
            "to": 2,
            "line": range(max(2, len(program.stages))),
            "address": address_width(program) + program.arithmetic.part_bits,
            "count": range(program.most_words + 1),
            "column": 1,
            **({"quads": 1, "quarter": 2} if program.arithmetic.points else {}),
            "row_done": 1,
        }
    )


def record_layout(program):
    """Where the words of a pass go in external memory, how many they are, and the stage that they come from.

    first, last: of the passes that are written as one, to consecutive addresses. column: the pass makes the odd columns
    of a pair of records. beyond: of this pair the second one, whose descriptor this is, lies outside the image. Of two
    passes that make a pair, the descriptor of the first one says where the first record goes.

    quads: four words of a channel follow each other, each for a record of its own; the first one goes to the address.
    Of an upsampling stage they are two pairs, of which ``beyond`` says that there are no second records.
    """
    fields = {
        "address": program.address_bits,
        "count": range(program.most_words + 1),
        "stage": range(max(2, len(program.stages))),
        "first": 1,
        "last": 1,
    }
    if program.upsampling:
        fields |= {"column": 1, "beyond": 1}
    return data.StructLayout(fields | ({"quads": 1} if program.arithmetic.points else {}))
