"""The result writer against a list of what each word must do."""

import numpy as np
import pytest

from licgate.gateware.sequencer import write_layout
from licgate.gateware.work import Destination
from licgate.gateware.writer import ResultWriter
from tests.gateware.waves import small_program, trace

WATCH = [
    *("i.ready", "norm_enable", "norm_address", "norm_data", "x_data", "line_enable", "line_address", "line_word"),
    *("output_enable", "output_word", "written", "output_written", "group_done", "group_slot", "row_done", "row_line"),
]
SHAPES = [{"rows": 1, "cols": 1}, {"rows": 3, "cols": 4}, {"rows": 2, "cols": 3, "gdn": "none"}]
RESULT, NORM = 12, 9


def build(shape):
    return small_program(**{"gdn": "abs", "gdn_bits": 10, "channels": (1, 3, 5), **shape})


def job(program, seed, count=12, gaps=0.4):
    """Inputs a cycle, and what the outputs must be one cycle later."""
    rng = np.random.default_rng(seed)
    layout = write_layout(program)
    x_bits = max([op.layer.input.bits for op in program.ops if op.is_gdn], default=1)
    steps, expected = [], []
    targets = [Destination.LINE, Destination.OUTPUT]
    if any(op.is_gdn for op in program.ops):
        targets.append(Destination.NORM)
    for k in range(count):
        to = targets[k % len(targets)]
        tile = {
            "to": to, "line": int(rng.integers(1, len(program.stages))) if to == Destination.LINE else 0,
            "address": int(rng.integers(5 if to == Destination.NORM else 1 << (layout["address"].width - 1))),
            "count": int(rng.integers(1, program.cols + 1)), "slot": int(rng.integers(2)),
            "group_done": int(rng.integers(2)), "row_done": int(rng.integers(2)),
        }  # fmt: skip
        for beat in range(tile["count"]):
            while rng.random() < gaps:
                steps.append({"valid": 0, "i.valid": int(rng.integers(2)), "i.payload": tile})
                expected.append(None)
            word = rng.integers(-(1 << RESULT - 1), 1 << RESULT - 1, program.rows)
            norms = rng.integers(0, 1 << NORM, program.rows)
            steps.append({"valid": 1, "word": word, "norms": norms, "i.valid": 1, "i.payload": tile})
            expected.append({
                **tile, "at": tile["address"] + beat, "end": beat + 1 == tile["count"],
                "word": [int(v) for v in word],
                "norm": sum(int(v) << (NORM * r) for r, v in enumerate(norms)),
                "x": sum((int(v) & ((1 << x_bits) - 1)) << (x_bits * r) for r, v in enumerate(word)),
            })  # fmt: skip
    return [*steps, {"valid": 0, "i.valid": 0}], expected


def check(program, seen, expected):
    for cycle, want in enumerate(expected):
        now, got = seen[cycle], seen[cycle + ResultWriter.latency]
        to = want["to"] if want else None
        assert got.norm_enable == (to == Destination.NORM)
        assert got.line_enable == (1 << program.stages[want["line"]].memory if to == Destination.LINE else 0)
        assert got.output_enable == (to == Destination.OUTPUT)
        end = bool(want and want["end"])
        assert now.i_ready == end
        assert got.written == end
        assert got.output_written == (end and to == Destination.OUTPUT)
        assert got.group_done == (end and want["group_done"])
        assert got.row_done == (end and want["row_done"])
        if to == Destination.NORM:
            assert (got.norm_address, got.norm_data, got.x_data) == (want["at"], want["norm"], want["x"])
        elif to == Destination.LINE:
            assert (got.line_address, got.line_word) == (want["at"], want["word"])
            assert got.row_line == want["line"]
        elif to == Destination.OUTPUT:
            assert got.output_word == want["word"]
        if got.group_done:
            assert got.group_slot == want["slot"]


@pytest.mark.parametrize("gaps", [0.0, 0.4])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_destination(shape, gaps):
    program = build(shape)
    steps, expected = job(program, seed=1, gaps=gaps)
    check(program, trace(ResultWriter(program, RESULT, NORM), steps, WATCH), expected)
    assert (ResultWriter.latency, ResultWriter.interval) == (1, 1)


def test_reset_in_the_middle_of_a_tile():
    program = build(SHAPES[1])
    before = [{"valid": 1, "i.valid": 1, "i.payload": {"to": 2, "count": 4}}] * 2 + [{"valid": 0}] * 2
    steps, expected = job(program, seed=3)
    seen = trace(ResultWriter(program, RESULT, NORM), before + steps, WATCH, resets={2})
    assert [s.output_enable for s in seen[:4]] == [0, 1, 1, 0]
    check(program, seen[4:], expected)


@pytest.mark.parametrize(
    ("widths", "message"),
    [((0, 8), "result_width must be an integer from 1 to 18, not 0"),
     ((None, 8), "result_width must be an integer from 1 to 18, not None"),
     ((8, 0), "norm_width must be an integer from 1 to 32, not 0"),
     ((8, 2.0), "norm_width must be an integer from 1 to 32, not 2.0")],
)  # fmt: skip
def test_widths_are_checked(widths, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        ResultWriter(build(SHAPES[0]), *widths)
