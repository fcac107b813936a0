"""The engine: what comes of passes, and when, against integers and the cycle model."""

import numpy as np
import pytest

from licgate.gateware.engine.engine import Engine
from licgate.gateware.passes import Destination
from licgate.perf.engine import EngineModel
from licgate.program import IN_FLIGHT
from tests.gateware.engine.passes import Maps, build, expected_parts, random_pass
from tests.gateware.engine.test_lane import biases_of, golden
from tests.gateware.kit import random_stalls
from tests.gateware.waves import trace

WATCH = (
    "i_pass.ready",
    "line_address",
    "weight_address",
    "released",
    "output_enable",
    "output_word",
    "written",
    "output_written",
    "row_done",
)
NAMES = [
    "5x5, 3 rows",
    "mixed, 3 rows",
    "ReLU, 4 rows",
    "packed, one by one",
    "upsampling, 2 rows",
    "fip, 5x5, 3 rows",
    "fip, mixed, 4 rows",
    "fip, sums that wrap, 5 rows",
]


def passes_to_the_output(program, rng, count):
    """Passes of convolutions with their tiles and writes: (descriptors, place, operation, number of the tile)."""
    made = []
    while len(made) < count:
        one, where = random_pass(program, rng)
        pass_kind = program.pass_kinds[one["pass_kind"]]
        op = program.ops[pass_kind.op]
        if op.is_gdn:
            continue
        full, number = program.tile_channels(op), (one["weight"] - pass_kind.base) // pass_kind.steps
        channels = min(full, op.channels_out - number * full)
        param = op.param_base + pass_kind.params + number * full
        tile = {"op": op.index, "count": channels, "param": param, "x": 0}
        tile["pixels"] = int(rng.integers(1, program.rows + 1))
        write = {"to": Destination.OUTPUT, "count": channels, "row_done": int(rng.integers(2))}
        made.append(((one, tile, write), where, op, number))
    return made


def run(program, maps, made, p, resets=()):
    """Offer the passes; return the records, and in which cycles passes were offered and taken."""
    stalls, state = random_stalls(5, p), {"next": 0, "done": 0, "offering": False}
    offered, accepted = [], []

    def drive(cycle, records):
        taken = state["offering"] and records[-1].i_pass_ready
        # the other descriptors follow the pass by a cycle
        step = {"i_tile.valid": taken, "i_write.valid": taken}
        if taken:
            accepted.append(cycle - 1)
            _, step["i_tile.payload"], step["i_write.payload"] = made[state["next"]][0]
            state.update(next=state["next"] + 1, offering=False)
        state["done"] += records[-1].written if records else 0
        if not state["offering"] and state["next"] < len(made) and state["next"] - state["done"] < IN_FLIGHT:
            state["offering"] = not next(stalls)
            if state["offering"]:
                offered.append(cycle)
        step["i_pass.valid"] = state["offering"]
        if state["offering"]:
            step["i_pass.payload"] = made[state["next"]][0][0]
        if state["done"] == len(made):
            return None
        return step | maps.answers(records)

    return trace(Engine(program), drive, WATCH, cycles=9000, resets=resets), offered, accepted


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("p", [0.0, 0.9])
def test_words_of_passes_and_their_cycles(name, p):
    program = build(name)
    maps = Maps(program, seed=3)
    made = passes_to_the_output(program, np.random.default_rng(len(name)), 12)
    seen, offered, accepted = run(program, maps, made, p)
    model, words, ends, completed = EngineModel(program, -1), [], [], []
    for (descriptors, where, op, number), offer in zip(made, offered, strict=True):
        one, tile, write = descriptors
        fed = model.feed(op, program.pass_kinds[one["pass_kind"]], number, one["kernel_rows"], offer)
        parts = [part for step in expected_parts(program, maps, one, where) for part in zip(*step, strict=True)]
        a = np.array([a for a, _ in parts], dtype=np.int64)
        w = np.array([weights_of(w, op, program) for _, w in parts], dtype=np.int64)
        sums = a.T @ w
        for j in range(tile["count"]):
            channel = number * program.tile_channels(op) + j
            # what the manifest says: the parameters' biases lack what the array's sums have too much
            case = {"op": op.index, "channel": channel, "x": 0, "bias": biases_of(op)[channel]}
            cases = [case | {"acc": int(acc), "keep": row < tile["pixels"]} for row, acc in enumerate(sums[:, j])]
            word = [golden(program, one_of_them)[0] for one_of_them in cases]
            words.append((fed.word + model.timing.drain_interval * j, word))
        ends.append(fed.written)
        completed += [fed.written] * write["row_done"]
        assert fed.accepted == accepted[len(ends) - 1]
    assert [t for t, s in enumerate(seen) if s.output_enable] == [t for t, _ in words]
    assert [seen[t].output_word for t, _ in words] == [word for _, word in words]
    assert [t for t, s in enumerate(seen) if s.written] == ends
    assert [t for t, s in enumerate(seen) if s.output_written] == ends
    assert [t for t, s in enumerate(seen) if s.row_done] == completed
    assert sum(s.released for s in seen) == sum(one["release"] for (one, _, _), *_ in made)


def weights_of(operands, op, program):
    """Weights by channel, from the operands of columns, each of which holds two where the pass is packed."""
    if not op.packed:
        return operands
    half = 1 << program.pack_shift - 1
    low = [(w + half) % (2 * half) - half for w in operands]
    return [v for pair in zip(low, [(w - v) >> program.pack_shift for w, v in zip(operands, low)]) for v in pair]
