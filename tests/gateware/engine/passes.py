"""Passes for the tests of the engine and its parts: of many programs, anywhere in an image; their steps and cycles."""

from __future__ import annotations

import itertools
from functools import partial
from types import SimpleNamespace

import numpy as np

from licgate.gateware.engine.memory import LATENCY
from licgate.gateware.passes import address_width
from licgate.program import LINE_LATENCY
from licgate.target.points import INFINITY, PIXELS, TAPS
from tests.gateware.engine.pairs import side_by_side
from tests.gateware.waves import small_program
from tests.manifest.kit import chain

__all__ = [
    "PLAIN",
    "PROGRAMS",
    "Maps",
    "build",
    "conv_pass",
    "expected_parts",
    "expected_steps",
    "random_pass",
    "walk_cycles",
]

UP = chain("g_s", 2, (5, -2, 3, "abs"), (3, -2, 2, "relu"), (3, 1, 2), bits=(6, 7, 8, 9))
FLAT = chain("h_a", 2, (3, 1, 3, "relu"), (1, 1, 2, "relu"), (1, 1, 1), weight_bits=(8, 5, 8))
# what weights alone sum to leaves the accumulators
THIN = chain("h_a", 3, (5, 1, 4), (3, 1, 2), bits=(3, 4, 5), weight_bits=12)
PACKED_UP = chain("g_s", 4, (5, -2, 3, "relu"), (3, -2, 4, "relu"), (5, -2, 3), weight_bits=(5, 8, 4))
MIXED = (
    chain("g_a", 2, (5, 2, 3, "abs"), (7, 2, 2), unsigned=True),
    chain("h_a", 1, (3, 1, 2, "relu"), (1, 2, 2), absolute=True, bits=(7, 8, 8)),
    chain("g_s", 2, (4, -2, 2, "abs"), (2, -2, 1, "relu"), (5, -2, 2)),
)
PROGRAMS = {
    "5x5, 3 rows": ((), {"rows": 3, "channels": (2, 3, 2), "gdn": "abs", "max_width": 20}),
    "5x5, 1 row": ((), {"rows": 1, "cols": 1, "channels": (1, 2, 1), "gdn": "abs", "max_width": 12}),
    "shared memories": ((), {"rows": 3, "channels": (1, 2, 2, 2), "gdn": "abs", "activation_bits": 8}),
    "3x3, 2 rows": ((), {"rows": 2, "cols": 3, "channels": (3, 4), "kernel": 3, "max_width": 16, "weight_bits": 5}),
    "packed": ((), {"rows": 3, "channels": (3, 5, 4), "weight_bits": (5, 4), "gdn": "none", "packing": True}),
    "packed, one by one": (
        (),
        {"rows": 2, "channels": (2, 4, 3, 5), "weight_bits": (4, 8, 5), "gdn": ("abs", "none"), "packing": True},
    ),
    "packed GDN": (
        (),
        {"rows": 4, "channels": (2, 8, 3), "gdn_bits": 6, "gdn": "abs", "packing": True, "packed_bits": 27},
    ),
    "packed pass kinds": ((PACKED_UP,), {"rows": 3, "max_width": 6, "packing": True}),
    "ReLU, 4 rows": ((), {"rows": 4, "channels": (1, 2, 2), "gdn": "none", "weight_bits": (4, 9)}),
    **{f"stride 1, {rows} rows": ((FLAT,), {"rows": rows, "max_width": 9}) for rows in (1, 2, 5)},
    **{f"upsampling, {rows} rows": ((UP,), {"rows": rows, "max_width": 6}) for rows in (1, 2, 3, 4)},
    **{f"mixed, {rows} rows": (MIXED, {"rows": rows, "max_width": (20, 7, 5)}) for rows in (1, 2, 3, 4, 8)},
    "fip, 5x5, 3 rows": (
        (),
        {"rows": 3, "channels": (3, 5, 2), "gdn": "abs", "max_width": 20, "arithmetic": "fip"},
    ),
    "fip, 5x5, 1 row": (
        (),
        {"rows": 1, "cols": 1, "channels": (1, 2, 1), "gdn": "abs", "max_width": 12, "arithmetic": "fip"},
    ),
    "fip, sums that wrap, 5 rows": ((THIN,), {"rows": 5, "max_width": 9, "arithmetic": "fip"}),
    "fip, upsampling, 2 rows": ((UP,), {"rows": 2, "max_width": 6, "arithmetic": "fip"}),
    "fip, mixed, 4 rows": (MIXED, {"rows": 4, "max_width": (20, 7, 5), "arithmetic": "fip"}),
    "fip-f4, 5x5, 3 rows": (
        (),
        {"rows": 3, "channels": (3, 5, 2), "gdn": "abs", "max_width": 30, "arithmetic": "fip-f4"},
    ),
    "fip-f4, 5x5, 1 row": (
        (),
        {"rows": 1, "cols": 1, "channels": (1, 2, 1), "gdn": "abs", "max_width": 12, "arithmetic": "fip-f4"},
    ),
    "fip-f4, stride 1, 2 rows": ((FLAT,), {"rows": 2, "max_width": 19, "arithmetic": "fip-f4"}),
    "fip-f4, upsampling, 2 rows": ((UP,), {"rows": 2, "max_width": 18, "arithmetic": "fip-f4"}),
    "fip-f4, mixed, 4 rows": (MIXED, {"rows": 4, "max_width": (40, 17, 9), "arithmetic": "fip-f4"}),
}
#: Those that sum no points.
PLAIN = [name for name in PROGRAMS if not name.startswith("fip-f4")]


def build(name):
    transforms, options = PROGRAMS[name]
    return small_program(*transforms, **options)


def conv_pass(program, pass_kind, *, ring_row=0, group=0, words=None, skipped=0, kernel_rows=None, tile=0, release=0):
    """A pass of a convolution, (descriptor, where).

    ``skipped`` kernel rows lie above the image, ``kernel_rows`` in it.
    """
    op, rows = program.ops[pass_kind.op], program.rows
    kernel_rows = pass_kind.kernel_rows - skipped if kernel_rows is None else kernel_rows
    given = {"kernel_rows": kernel_rows}
    if program.arithmetic.whole_passes:
        given = {"kernel_rows": pass_kind.kernel_rows, "above": skipped, "inside": kernel_rows}
        skipped = 0
    stage = next(s for s in program.stages if s.conv is op)
    words = stage.words if words is None else words
    # of a row's words each group has as many as a row of the array has outputs
    first = pass_kind.shape.stride * pass_kind.shape.outputs * group + pass_kind.shape.first_word(rows)
    descriptor = {
        "pass_kind": pass_kind.index,
        "row": stage.base + ring_row * stage.row_stride,
        "offset": first * op.words_in % (1 << address_width(program)),
        **given,
        "mask": sum((0 <= first + j < words) << j for j in range(pass_kind.shape.words(rows))),
        "weight": pass_kind.base + tile * pass_kind.weights + skipped * pass_kind.shape.columns * op.words_in,
        "x": 0,
        "release": release,
    }
    return descriptor, (stage, ring_row, group, words)


def random_pass(program, rng, *, pass_kind=None):
    """A pass somewhere in an image: of a convolution, or of a GDN, which has no place."""
    pass_kind = program.pass_kinds[int(rng.integers(len(program.pass_kinds)))] if pass_kind is None else pass_kind
    op = program.ops[pass_kind.op]
    tile = int(rng.integers(op.tiles))
    if op.is_gdn:
        channels = program.arithmetic.padded(op.channels_in)
        x = int(rng.integers(program.gdn_depth // channels)) * channels
        # what only convolutions read is at random
        row, offset, mask = (int(v) for v in rng.integers(0, 2, 3))
        return {
            "pass_kind": pass_kind.index,
            "row": row,
            "offset": offset,
            "kernel_rows": 2,
            "mask": mask,
            "weight": op.base + tile * op.steps,
            "x": x,
            "release": 0,
            **({"above": row, "inside": mask} if program.arithmetic.whole_passes else {}),
        }, None
    stage = next(s for s in program.stages if s.conv is op)
    outputs = pass_kind.shape.outputs
    words = int(rng.integers(1, stage.words // outputs + 1)) * outputs
    skipped = int(rng.integers(pass_kind.kernel_rows))
    return conv_pass(
        program,
        pass_kind,
        ring_row=int(rng.integers(stage.ring)),
        words=words,
        skipped=skipped,
        tile=tile,
        group=int(rng.integers(-(-words // (outputs * pass_kind.shape.stride)))),
        release=int(rng.integers(2)),
        kernel_rows=int(rng.integers(1, pass_kind.kernel_rows - skipped + 1)),
    )


class Maps:
    """Contents of the memories: rings of input rows, weights, norms; of a word first the values of one channel."""

    def __init__(self, program, seed):
        rng = np.random.default_rng(seed)
        self.program = program
        self.lines = []
        for memory in program.line_memories:
            half = 1 << memory.bits - 1
            low, high = (-half, half) if memory.signed else (0, 2 * half)
            self.lines.append(rng.integers(low, high, (memory.depth, memory.indices * program.rows)))
        self.norm_bits = max([op.layer.norm_bits for op in program.ops if op.is_gdn], default=1)
        indices = program.arithmetic.indices
        self.norms = rng.integers(0, 1 << self.norm_bits, (program.gdn_depth // indices, indices * program.rows))

    def answers(self, records):
        """What the memories give for the addresses of earlier cycles; outside of a memory, rubbish."""
        program, step = self.program, {}
        rubbish = [-1] * program.arithmetic.indices * program.rows
        if len(records) >= LINE_LATENCY:
            line, weight = records[-LINE_LATENCY].line_address, records[-LINE_LATENCY].weight_address
            step["line_data"] = {
                f"m{k}": pack(words[line] if line < len(words) else rubbish, memory.bits)
                for k, (memory, words) in enumerate(zip(program.line_memories, self.lines))
            }
            step["weight_data"] = {
                f"m{k}": memory.init[weight] if weight < memory.depth else 0
                for k, memory in enumerate(program.weight_memories)
            }
        if len(records) >= LATENCY and hasattr(records[-1], "norm_address") and any(op.is_gdn for op in program.ops):
            norm = records[-LATENCY].norm_address
            step["norm_data"] = pack(self.norms[norm] if norm < len(self.norms) else rubbish, self.norm_bits)
        return step


def pack(values, bits):
    return sum((int(v) & ((1 << bits) - 1)) << (bits * r) for r, v in enumerate(values))


def expected_steps(program, maps, descriptor, where):
    """(a, w) of every step of a pass, in order: operands as the array takes them."""
    widths = program.activation_width, program.weight_width
    return [
        tuple(None if parts is None else side_by_side(parts, width) for parts, width in zip(step, widths, strict=True))
        for step in expected_parts(program, maps, descriptor, where)
    ]


def expected_parts(program, maps, descriptor, where):
    """(a, w) of every step of a pass, in order: of each, lists of values for every reduction index of the step."""
    pass_kind = program.pass_kinds[descriptor["pass_kind"]]
    op, shape, rows, indices = program.ops[pass_kind.op], pass_kind.shape, program.rows, program.arithmetic.indices

    def weights(address):
        half = 0 if op.is_gdn else 1 << (op.weight_bits - 1)
        word = program.weight_memories[op.memory].init[address]
        count = program.tile_channels(op)
        fields = [word >> (op.weight_bits * c) & ((1 << op.weight_bits) - 1) for c in range(indices * count)]
        values = [(v ^ half) - half for v in fields]
        if not op.packed:
            return [values[part * count :][:count] for part in range(indices)]
        # the upper one lacks what the lower one's sign takes
        return [[low + (high + (low < 0) << program.pack_shift) for low, high in zip(values[::2], values[1::2])]]

    if op.is_gdn:
        words = maps.norms[descriptor["x"] // indices :][: op.words_in]
        activations = words.reshape(-1, indices, rows).tolist()
    else:
        stage, ring_row, group, words = where

        def place(column):
            if shape.outputs == 1:
                return divmod(column, rows)
            block, rest = divmod(column, 4 * rows)
            return 4 * block + rest % 4, rest // 4

        above = descriptor.get("above", 0)
        inside = range(above, above + descriptor.get("inside", descriptor["kernel_rows"]))

        def pixel(ky, c, part, column, first=0):
            word, lane = place(first + column)
            if not 0 <= word < words or ky not in inside:
                return 0
            row = (ring_row + ky - above) % stage.ring
            address = stage.base + row * stage.row_stride + word * op.words_in + c
            return int(maps.lines[stage.memory][address][part * rows + lane])

        first = shape.stride * group * rows * shape.outputs + shape.first_column
        if shape.outputs > 1:
            return list(_quad_parts(program, op, shape, descriptor, partial(pixel, first=first), weights))
        activations = [
            [[pixel(ky, c, part, first + shape.stride * r + k) for r in range(rows)] for part in range(indices)]
            for ky in range(descriptor["kernel_rows"])
            for c in range(op.words_in)
            for k in range(shape.columns)
        ]
    return [(a, weights(descriptor["weight"] + k)) for k, a in enumerate(activations)]


def _quad_parts(program, op, shape, descriptor, pixel, weights):
    """The same by points."""
    row, rows = shape.tap_row, program.rows
    for tap, (ky, c) in enumerate(itertools.product(range(descriptor["kernel_rows"]), range(op.words_in))):
        fetched = [weights(descriptor["weight"] + tap * len(row.fetches) + k) for k in range(len(row.fetches))]
        taps = {fetch.column: word for fetch, word in zip(row.fetches, fetched, strict=True)}
        for step in row.steps:
            point = 0 if step.point is None else step.point % INFINITY
            a, w = [], []
            for part in range(2):
                five = [
                    [pixel(ky, c, part, shape.stride * (4 * r + k) + step.shift) for k in range(5)] for r in range(rows)
                ]
                a.append((np.array(five) @ PIXELS[point]).tolist())
                columns = [np.array(taps[column][part]) for column in step.taps]
                total = sum((t * v for t, v in zip(TAPS[point].tolist(), columns)), np.zeros(program.cols, int))
                w.append(total.tolist())
            yield (a if step.point is not None else None), w


def walk_cycles(program, passes, early):
    """What the pass at work is at, cycle by cycle, where passes follow each other; the first is taken in cycle 0.

    ``early`` says of each cycle whether the gate is shut: in front of the last tap_row, or a GDN's last step but one.
    """
    early, cycles = iter(early), [None]
    next(early)
    for number, (descriptor, _) in enumerate(passes):
        pass_kind = program.pass_kinds[descriptor["pass_kind"]]
        op, shape = program.ops[pass_kind.op], pass_kind.shape
        idle = op.is_gdn and op.words_in == 1
        columns, length = (1, 1) if op.is_gdn else (shape.steps, shape.tap_row_cycles(program.rows))
        channels = op.words_in + idle
        tap_rows = channels * (1 if op.is_gdn else descriptor["kernel_rows"])
        gate = tap_rows - 2 if op.is_gdn else tap_rows - 1
        for tap_row in range(tap_rows):
            for position in range(length):
                while next(early) and (tap_row, position) == (gate, 0):
                    cycles.append(None)
                ends, final = position == length - 1, tap_row == tap_rows - 1
                cycles.append(
                    SimpleNamespace(
                        number=number,
                        op=op,
                        tap_row=tap_row,
                        position=position,
                        step=position < columns and not (idle and tap_row == 0),
                        tap_row_ends=ends,
                        row_ends=ends and not op.is_gdn and tap_row % channels == channels - 1,
                        finish=ends and final,
                        last_step=final and position == columns - 1,
                    )
                )
    return cycles
