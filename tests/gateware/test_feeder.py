"""The feeder: every step of every pass against the feature maps and weights in memories that the test plays."""

from itertools import pairwise

import numpy as np
import pytest

from licgate.gateware.feeder import Feeder, address_width, pass_layout
from licgate.gateware.memory import LATENCY
from licgate.gateware.post import max_gdn_channels
from licgate.program import LINE_LATENCY
from tests.gateware.kit import random_stalls
from tests.gateware.waves import small_program, trace

PROGRAMS = {
    "5x5, 3 rows": {"rows": 3, "cols": 2, "channels": (2, 3, 2), "gdn": "abs", "max_width": 20},
    "5x5, 1 row": {"rows": 1, "cols": 1, "channels": (1, 2, 1), "gdn": "abs", "max_width": 12},
    "shared memories": {
        **{"rows": 3, "cols": 2, "channels": (1, 2, 2, 2), "max_width": 24},
        **{"gdn": "abs", "activation_bits": 8},
    },
    "3x3, 2 rows": {"rows": 2, "cols": 3, "channels": (3, 4), "kernel": 3, "max_width": 16, "weight_bits": 5},
    "ReLU, 4 rows": {"rows": 4, "cols": 2, "channels": (1, 2, 2), "gdn": "none", "weight_bits": (4, 9)},
}
WATCH = ("i.ready", "line_address", "weight_address", "norm_address", "a", "w", "last", "released", "busy")


class Maps:
    """Contents of the memories: rings of input rows, weights, norms."""

    def __init__(self, program, seed):
        rng = np.random.default_rng(seed)
        self.program = program
        self.lines = []
        for memory in program.line_memories:
            half = 1 << memory.bits - 1
            low, high = (-half, half) if memory.signed else (0, 2 * half)
            self.lines.append(rng.integers(low, high, (memory.depth, program.rows)))
        self.norm_bits = max([op.layer.norm_bits for op in program.ops if op.is_gdn], default=1)
        self.norms = rng.integers(0, 1 << self.norm_bits, (2 * max_gdn_channels(program), program.rows))

    def answers(self, records):
        """What the memories give for the addresses of earlier cycles; outside of a memory, rubbish."""
        program, step = self.program, {}
        rubbish = [-1] * program.rows
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
        if len(records) >= LATENCY and any(op.is_gdn for op in program.ops):
            norm = records[-LATENCY].norm_address
            step["norm_data"] = pack(self.norms[norm] if norm < len(self.norms) else rubbish, self.norm_bits)
        return step


def pack(values, bits):
    return sum((int(v) & ((1 << bits) - 1)) << (bits * r) for r, v in enumerate(values))


def random_pass(program, rng):
    """A pass somewhere in an image: (descriptor, ring row, group, row words) of a convolution, or of a GDN."""
    op = program.ops[int(rng.integers(len(program.ops)))]
    tile = int(rng.integers(op.tiles))
    if op.is_gdn:
        x = int(rng.integers(2)) * max_gdn_channels(program)
        # what only convolutions read is at random
        row, offset, mask = (int(v) for v in rng.integers(0, 2, 3))
        descriptor = {"op": op.index, "row": row, "offset": offset, "kernel_rows": 2, "mask": mask,
                      "weight": op.base + tile * op.steps, "x": x, "release": 0}  # fmt: skip
        return descriptor, None
    stage = next(s for s in program.stages if s.conv is op)
    ring_row = int(rng.integers(stage.ring))
    group = int(rng.integers(0, (stage.words + 1) // 2))
    skipped = int(rng.integers(program.padding + 1))  # kernel rows above the image
    kernel_rows = int(rng.integers(1, program.kernel - skipped + 1))
    words = [2 * group + program.first_word + j for j in range(program.window_words)]
    mask = mask_of(program, (stage, ring_row, group))
    offset = words[0] * op.channels_in % (1 << address_width(program))
    weight = op.base + tile * op.steps + skipped * program.kernel * op.channels_in
    row = stage.base + ring_row * stage.row_stride
    descriptor = {"op": op.index, "row": row, "offset": offset, "kernel_rows": kernel_rows, "mask": mask,
                  "weight": weight, "x": 0, "release": int(rng.integers(2))}  # fmt: skip
    return descriptor, (stage, ring_row, group)


def mask_of(program, where):
    """Words of the window that lie inside the row."""
    stage, _, group = where
    first = 2 * group + program.first_word
    return sum((0 <= first + j < stage.words) << j for j in range(program.window_words))


def expected_steps(program, maps, descriptor, where):
    """(a, w) of every step of a pass, in order."""
    op = program.ops[descriptor["op"]]
    address, steps = descriptor["weight"], []

    def weights():
        half = 0 if op.is_gdn else 1 << (op.weight_bits - 1)
        word = program.weight_memories[op.memory].init[address]
        fields = [word >> (op.weight_bits * c) & ((1 << op.weight_bits) - 1) for c in range(program.cols)]
        return [(v ^ half) - half for v in fields]

    if op.is_gdn:
        for c in range(op.channels_in):
            steps.append(([int(v) for v in maps.norms[descriptor["x"] + c]], weights()))
            address += 1
        return steps
    stage, ring_row, group = where
    line = maps.lines[stage.memory]

    def pixel(ky, c, p):
        word, lane = divmod(p, program.rows)
        if not 0 <= word < stage.words:
            return 0
        row = (ring_row + ky) % stage.ring
        return int(line[stage.base + row * stage.row_stride + word * op.channels_in + c][lane])

    for ky in range(descriptor["kernel_rows"]):
        for c in range(op.channels_in):
            for kx in range(program.kernel):
                first = 2 * group * program.rows + kx - program.padding
                steps.append(([pixel(ky, c, first + 2 * r) for r in range(program.rows)], weights()))
                address += 1
    return steps


def run(program, maps, passes, *, p=0.0, resets=(), start=0, limit=None):
    """Offer the passes; return the records and the cycles in which passes were taken."""
    stalls, state = random_stalls(11, p), {"next": 0, "offering": False}
    taken = []

    def drive(cycle, records):
        if state["offering"] and records[-1].i_ready:
            taken.append(cycle - 1)
            state["next"] += 1
            state["offering"] = False
        if cycle >= start and state["next"] < len(passes) and not state["offering"]:
            state["offering"] = not next(stalls)
        step = {"i.valid": state["offering"]}
        if state["offering"]:
            step["i.payload"] = passes[state["next"]][0]
        return step | maps.answers(records)

    total = sum(len(expected_steps(program, maps, *one)) + 8 + program.drain_gap for one in passes)
    cycles = limit or start + int(total * program.slot / program.kernel * (1 + 2 * p)) + 60
    return trace(Feeder(program), drive, WATCH, cycles=cycles, resets=resets), taken


def check(program, maps, passes, seen, taken, arrival):
    expected = [expected_steps(program, maps, *one) for one in passes]
    flat = [step for steps in expected for step in steps]
    lasts = list(np.cumsum([len(steps) for steps in expected]) - 1)
    cycles = [t for t, s in enumerate(seen) if s.busy]
    assert len(taken) == len(passes)
    assert len(cycles) == len(flat)
    for k, (cycle, (a, w)) in enumerate(zip(cycles, flat, strict=True)):
        got = seen[cycle + arrival]
        assert got.a == a, f"step {k}"
        assert got.w == w, f"step {k}"
        assert got.last == (k in lasts), f"step {k}"
    working = {t + arrival for t in cycles}
    idle = [s for t, s in enumerate(seen) if t not in working and t >= min(working) - 1]
    assert not any(any(s.a) or s.last for s in idle)
    last_cycles = [cycles[k] for k in lasts]
    assert all(b - a >= program.drain_gap for a, b in pairwise(last_cycles))
    assert sum(s.released for s in seen) == sum(one["release"] for one, _ in passes)


@pytest.mark.parametrize("p", [0.0, 0.9])
@pytest.mark.parametrize("name", PROGRAMS)
def test_steps(name, p):
    program = small_program(**PROGRAMS[name])
    rng = np.random.default_rng(len(name))
    maps = Maps(program, seed=1)
    passes = [random_pass(program, rng) for _ in range(10)]
    seen, taken = run(program, maps, passes, p=p)
    check(program, maps, passes, seen, taken, program.feed_latency)


def test_rings_wrap_inside_a_shared_memory():
    program = small_program(**PROGRAMS["shared memories"])
    stage = program.stages[2]
    assert stage.memory == program.stages[1].memory
    assert stage.base > 0
    maps, passes = Maps(program, seed=7), []
    for row in range(stage.ring):
        where, address = (stage, row, 0), stage.base + row * stage.row_stride
        offset = program.first_word * stage.conv.channels_in % (1 << address_width(program))
        one = {"op": stage.conv.index, "row": address, "offset": offset, "kernel_rows": 5,
               "mask": mask_of(program, where), "weight": stage.conv.base, "x": 0, "release": 0}  # fmt: skip
        passes.append((one, where))
    seen, taken = run(program, maps, passes)
    check(program, maps, passes, seen, taken, program.feed_latency)


@pytest.mark.parametrize(("name", "latency"), [("5x5, 3 rows", 12), ("5x5, 1 row", 13), ("3x3, 2 rows", 11)])
def test_latency_of_a_pass(name, latency):
    program = small_program(**PROGRAMS[name])
    maps = Maps(program, seed=2)
    for stage in maps.lines:
        stage[:] = 1
    rng = np.random.default_rng(1)
    one = next(p for p in (random_pass(program, rng) for _ in range(50)) if p[1])
    one = ({**one[0], "op": 0, "mask": (1 << program.window_words) - 1, "weight": 0, "row": 0, "offset": 0}, one[1])
    seen, taken = run(program, maps, [one], start=7, limit=60)
    assert Feeder(program).latency == program.feed_latency + 2 == program.window_words + 8 == latency
    assert taken == [7]
    assert next(t for t, s in enumerate(seen) if any(s.a)) == 7 + latency
    assert (seen[8].busy, seen[9].busy) == (0, 1)


def test_passes_follow_each_other_without_a_bubble():
    program = small_program(**PROGRAMS["5x5, 3 rows"])
    maps, rng = Maps(program, seed=3), np.random.default_rng(0)
    full = [p for p in (random_pass(program, rng) for _ in range(60)) if p[1] and p[0]["kernel_rows"] > 2][:5]
    seen, taken = run(program, maps, full)
    steps = sum(len(expected_steps(program, maps, *one)) for one in full)
    assert [t for t, s in enumerate(seen) if s.busy] == list(range(2, steps + 2))
    assert Feeder.interval == 1
    # one pass waits while another is at work, and leaves its place in the cycle of that one's last step
    assert taken == [0, 2, *(2 + np.cumsum([len(expected_steps(program, maps, *one)) for one in full])[:-2])]


def test_short_passes_wait_for_the_drain():
    program = small_program(**PROGRAMS["5x5, 3 rows"])
    maps, rng = Maps(program, seed=3), np.random.default_rng(4)
    gdns = [p for p in (random_pass(program, rng) for _ in range(60)) if p[1] is None][:5]
    seen, _taken = run(program, maps, gdns)
    lasts = [t for t, s in enumerate(seen) if s.last]
    assert program.drain_gap == 6 > program.ops[1].steps == 3
    assert [b - a for a, b in pairwise(lasts)] == [6] * 4


def test_release_comes_with_the_end_of_the_pass():
    program = small_program(**PROGRAMS["3x3, 2 rows"])
    maps, rng = Maps(program, seed=3), np.random.default_rng(4)
    one = random_pass(program, rng)
    one[0].update(release=1)
    seen, taken = run(program, maps, [one])
    assert [t for t, s in enumerate(seen) if s.released] == [taken[0] + 1 + len(expected_steps(program, maps, *one))]


def test_reset_in_the_middle_of_a_pass():
    program = small_program(**PROGRAMS["5x5, 3 rows"])
    maps, rng = Maps(program, seed=5), np.random.default_rng(6)
    long = {"op": 0, "row": 0, "offset": 0, "kernel_rows": 5, "mask": 15, "weight": 0, "x": 0, "release": 1}
    passes = [random_pass(program, rng) for _ in range(6)]
    cut, hold = 30, 14

    arrival = program.feed_latency
    restart = cut + hold

    def drive(cycle, records):
        state = drive.state
        if state["offering"] and records[-1].i_ready:
            drive.taken.append(cycle - 1)
            state.update(next=state["next"] + 1, offering=False)
        if cycle < cut:
            step = {"i.valid": 1, "i.payload": long}
        else:
            state["offering"] = cycle >= restart and state["next"] < len(passes)
            step = {"i.valid": state["offering"]}
            if state["offering"]:
                step["i.payload"] = passes[state["next"]][0]
        return step | maps.answers(records)

    drive.state, drive.taken = {"next": 0, "offering": False}, []
    seen = trace(Feeder(program), drive, WATCH, cycles=restart + 400, resets=range(cut, restart))
    assert seen[cut - 1].busy
    assert any(seen[cut].a)
    assert not any(s.busy or s.released or s.last for s in seen[cut + 1 : restart])
    check(program, maps, passes, seen[restart:], drive.taken, arrival)


def test_descriptor_holds_every_pass():
    program = small_program(**PROGRAMS["5x5, 3 rows"])
    layout = pass_layout(program)
    assert 1 << layout["op"].width >= len(program.ops) == 3
    assert layout["mask"].width == program.window_words
    assert 1 << layout["row"].width > max(s.last_row for s in program.stages)
    assert 1 << address_width(program) >= 2 * max(s.base + s.depth for s in program.stages)
    assert 1 << layout["weight"].width >= max(op.base + len(op.words) for op in program.ops)
