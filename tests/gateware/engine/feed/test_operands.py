"""Operands: the weight of every column, the activation of every row, against the words they were packed into."""

import numpy as np
import pytest

from licgate.gateware.engine.feed.operands import Activations, Weights
from licgate.gateware.engine.feed.window import window_pixels
from tests.gateware.engine.pairs import side_by_side
from tests.gateware.engine.passes import PLAIN, PROGRAMS, build
from tests.gateware.waves import trace


@pytest.mark.parametrize("name", PROGRAMS)
def test_weights_of_every_memory(name):
    program = build(name)
    rng, cycles = np.random.default_rng(3), 40
    kinds = rng.integers(len(program.pass_kinds), size=cycles)
    words = [
        {
            f"m{k}": int.from_bytes(rng.bytes(64), "little") % (1 << program.cols * m.field)
            for k, m in enumerate(program.weight_memories)
        }
        for _ in range(cycles)
    ]
    drive = [{"kind": kind, "words": word} for kind, word in zip(kinds, words, strict=True)]
    steps = np.ones(cycles, dtype=bool)
    if name in PLAIN and program.arithmetic.row_sum:
        # a weight counts without an activation, so it is 0 where there is no step
        steps = rng.integers(3, size=cycles) > 0
        drive = [inputs | {"step": step} for inputs, step in zip(drive, steps, strict=True)]
    seen = trace(Weights(program), drive, ("w",))
    for t in range(2, cycles):
        # a kind comes a cycle before its words, and the weights a cycle behind them
        op = program.ops[program.pass_kinds[kinds[t - 2]].op]
        memory = program.weight_memories[op.memory]
        word, half = words[t - 1][f"m{op.memory}"], 1 << memory.bits - 1 if memory.signed else 0
        fields = [
            word >> memory.bits * k & (1 << memory.bits) - 1 for k in range(memory.field // memory.bits * program.cols)
        ]
        values = [(v ^ half) - half for v in fields]
        if memory.packed:
            # the upper one lacks what the lower one's sign takes
            values = [low + ((high + (low < 0)) << program.pack_shift) for low, high in zip(values[::2], values[1::2])]
            top = 1 << memory.bits + program.pack_shift - 1
            values = [(v + top) % (2 * top) - top if memory.signed else v for v in values]
        parts = [values[part * program.cols :][: program.cols] for part in range(memory.indices)]
        assert seen[t].w == (side_by_side(parts, program.tap_width) if steps[t - 2] else [0] * program.cols), t
    assert Weights.latency == 1


@pytest.mark.parametrize("name", PLAIN)
def test_activations_of_pixels_and_of_gdn_inputs(name):
    program = build(name)
    rng, cycles, rows, indices = np.random.default_rng(4), 60, program.rows, program.arithmetic.indices
    half = 1 << program.activation_width - 1
    kinds = rng.integers(len(program.pass_kinds), size=cycles)
    windows = rng.integers(-half, half, (cycles, indices, window_pixels(program)))
    steps = rng.integers(3, size=cycles) > 0
    bits = max([op.layer.norm_bits for op in program.ops if op.is_gdn], default=1)
    norms = rng.integers(1 << bits, size=(cycles, indices, rows))
    gdn = [program.ops[program.pass_kinds[kind].op].is_gdn for kind in kinds]
    drive = [
        {
            "kind": kinds[t],
            "step": steps[t],
            "gdn": gdn[t],
            "window": side_by_side(windows[t], program.activation_width),
            "norms": sum(int(v) << bits * r for r, v in enumerate(norms[t].flat)),
        }
        for t in range(cycles)
    ]
    seen = trace(Activations(program), drive, ("a",))
    for t in range(2, cycles):
        pass_kind = program.pass_kinds[kinds[t - 2]]
        if not steps[t - 2]:
            parts = np.zeros((indices, rows))
        elif gdn[t - 2]:
            parts = norms[t - 1]
        else:
            parts = windows[t - 1][:, [pass_kind.shape.stride * r for r in range(rows)]]
        assert seen[t].a == side_by_side(parts, program.activation_width), t
    assert Activations.latency == 1
