"""The window: pixels of the words that were read, masked, extended, loaded whole and moved by one a cycle."""

import numpy as np
import pytest

from licgate.gateware.engine.feed.window import PixelWindow, window_pixels
from licgate.program import LINE_LATENCY
from tests.gateware.engine.pairs import side_by_side
from tests.gateware.engine.passes import PROGRAMS, build
from tests.gateware.waves import trace


def pack(values, bits):
    return sum((int(v) & ((1 << bits) - 1)) << (bits * r) for r, v in enumerate(values))


def in_place(shape, pixels, rows):
    """The window among the pixels of its words, by the definition of words of neighbours or of every fourth column."""
    if shape.outputs == 1:
        first = shape.first_word(rows) * -rows + shape.first_column
        size = shape.stride * (rows - 1) + shape.columns
        assert len(pixels[first : first + size]) == size
        return pixels[first : first + size]
    columns, block = {}, 4 * rows
    for at, value in enumerate(pixels):
        word, lane = divmod(at, rows)
        word += shape.first_word(rows)
        columns[block * (word // 4) + 4 * lane + word % 4] = value
    # what no output reads may be anything: it is nothing
    read = range(shape.stride * (4 * rows - 1) + shape.columns)
    size = shape.stride * 4 * (rows - 1) + shape.tap_row.pixels
    assert len(read) <= size <= len(read) + 2
    return [columns[shape.first_column + k] if k in read else 0 for k in range(size)]


@pytest.mark.parametrize("name", PROGRAMS)
def test_windows_of_every_kind(name):
    """Each is read in its last cycles, one after the other as close as their words allow."""
    program = build(name)
    rng, rows = np.random.default_rng(len(name)), program.rows
    reads, words, loaded, cycle, moving = {}, {}, {}, 0, 0
    kinds = [pass_kind for pass_kind in program.pass_kinds if pass_kind.shape is not None] * 2
    for pass_kind in rng.permutation(np.array(kinds, object)):
        shape = pass_kind.shape
        stage = next(k for k, s in enumerate(program.stages) if s.conv is program.ops[pass_kind.op])
        memory = program.line_memories[program.stages[stage].memory]
        low, high = (-(1 << memory.bits - 1), 1 << memory.bits - 1) if memory.signed else (0, 1 << memory.bits)
        count, pixels = shape.words(rows), []
        cycle, moving = cycle + max(count, moving), shape.steps
        for j in range(count):
            values, inside = rng.integers(low, high, (memory.indices, rows)), int(rng.integers(4) > 0)
            at = cycle - count + 1 + j
            reads[at] = {"stage": stage, "inside": inside, "last": j == count - 1, "kind": pass_kind.index}
            words[at + LINE_LATENCY] = {
                f"m{k}": pack(values.flat if k == program.stages[stage].memory else rng.integers(0, 9, rows), m.bits)
                for k, m in enumerate(program.line_memories)
            }
            pixels += side_by_side(values * inside, program.pixel_width)
        loaded[cycle + PixelWindow.latency] = (in_place(shape, pixels, rows), shape)
    cycles = cycle + PixelWindow.latency + moving
    drive = [{"read": reads.get(t, {"last": 0}), **({"words": words[t]} if t in words else {})} for t in range(cycles)]
    # by points it moves when it is asked to, in the cycle before
    asked = rng.integers(2, size=cycles) if program.arithmetic.points else None
    if asked is not None:
        drive = [{**inputs, "moves": moves} for inputs, moves in zip(drive, asked.tolist(), strict=True)]
    seen = trace(PixelWindow(program), drive, ("window",))
    assert len(seen[0].window) == window_pixels(program)
    for when, (pixels, shape) in loaded.items():
        for cycle in range(shape.steps):
            moved = cycle if asked is None else int(asked[when - 1 : when + cycle - 1].sum())
            assert seen[when + cycle].window[: len(pixels) - moved] == pixels[moved:], (when, cycle)
