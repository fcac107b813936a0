"""A post-processing lane against the reference: every layer of a program, in turn, a result a cycle."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Fragment

from licgate.gateware.engine.lane import PostLane
from licgate.gateware.engine.multiplier import Multiplier
from licgate.manifest.numeric import requantize, rsr
from tests.gateware.waves import small_program, trace
from tests.manifest.kit import four_transforms
from tests.reference.slow import gdn_factor

# the last is made of several transforms, whose last one is in depth form
PROGRAMS = {
    "abs": {"channels": (2, 3, 4), "gdn": "abs"},
    "square_root": {"channels": (2, 3, 4), "gdn": "square_root"},
    "abs_root and square": {"channels": (2, 3, 2, 3), "gdn": ("abs_root", "square"), "gdn_bits": (9, 12)},
    "inverse": {"channels": (1, 3, 2), "gdn": "abs_root", "inverse": True, "gdn_bits": 8},
    "without GDN": {"channels": (2, 3, 4), "gdn": "none", "activation_bits": (6, 12)},
    "ReLU and GDN": {"channels": (2, 3, 2, 3), "gdn": ("none", "abs"), "weight_bits": (4, 8, 6)},
    "wide": {"channels": (3, 4, 3), "gdn": "abs", "activation_bits": (16, 14), "weight_bits": 10, "gdn_bits": 16},
    "four transforms": four_transforms(gdn="square_root"),
}


def build(name):
    found = PROGRAMS[name]
    return small_program(**found) if isinstance(found, dict) else small_program(*found.transforms.values())


def golden(program, case):
    """``q`` and ``n`` of one case; ``n`` only where a GDN reads the layer's result."""
    op = program.ops[case["op"]]
    layer, c = op.layer, case["channel"]
    wide, exponent = case["acc"] + case["bias"], 0
    if op.is_gdn:
        r, exponent = gdn_factor(layer, wide)
        wide = case["x"] * r
    every = np.full((layer.out_channels, 1), wide, dtype=np.int64)
    q = int(requantize(every, layer.requantize, exponent=exponent)[c % len(every), 0]) if case["keep"] else 0
    following = program.ops[op.index + 1].layer if op.index + 1 < len(program.ops) else None
    if op.is_gdn or following is None or following.kind != "gdn":
        return q, None
    magnitude = q * q if following.square else abs(q)
    return q, min(rsr(magnitude, following.norm_shift), (1 << following.norm_bits) - 1)


def biases_of(op):
    """What an operation's channels are added, as the manifest has it; in depth form the layer's again and again."""
    return np.resize(op.layer.beta if op.is_gdn else op.layer.bias, op.channels_out).tolist()


def cases_of(program, rng, count=250):
    """Random sums, of every size, and the extremes of every channel."""
    cases = []
    channels = [(op, c) for op in program.ops for c in range(op.channels_out)]
    extremes = [(op, c, e) for op, c in channels for e in ("low", "high", "zero")]
    drawn = [(*channels[k], "drawn") for k in rng.integers(0, len(channels), count)]
    for op, c, kind in extremes + drawn:
        layer = op.layer
        bias = program.biases[op.param_base + c]
        if op.is_gdn:
            low, high = 0, layer.accumulator.bound - bias
            kinds = layer.input
        else:
            high = layer.accumulator.bound - abs(bias)
            low, kinds = -high, program.ops[0].layer.input
        acc = {"low": low, "high": high, "zero": 0}.get(kind)
        if acc is None:
            acc = int(rng.integers(low, high + 1)) >> int(rng.integers(0, max(1, high.bit_length())))
        x = {"low": kinds.min, "high": kinds.max, "zero": 0}.get(kind, int(rng.integers(kinds.min, kinds.max + 1)))
        cases.append(
            {
                "op": op.index,
                "channel": c,
                "acc": acc,
                "bias": bias,
                "x": x if op.is_gdn else 0,
                "keep": bool(kind != "drawn" or rng.random() < 0.9),
            }
        )
    order = rng.permutation(len(cases))
    return [cases[k] for k in order]


def waves_of(program, lane, cases):
    """Inputs a cycle: each parameter in the cycle in which the lane samples it."""
    steps = [{} for _ in range(len(cases) + lane.latency)]
    for t, case in enumerate(cases):
        at = program.ops[case["op"]].param_base + case["channel"]
        for name, cycle, value in (
            ("acc", 0, case["acc"]),
            ("op", 0, case["op"]),
            ("keep", 0, case["keep"]),
            ("bias", lane.bias_cycle, case["bias"]),
            ("x", lane.x_cycle, case["x"]),
            ("shift", lane.shift_cycle, program.shifts[at]),
            ("offset", lane.offset_cycle, program.offsets[at]),
            ("multiplier", lane.multiplier_cycle, program.multipliers[at]),
        ):
            if t + cycle < len(steps):
                steps[t + cycle][name] = value
    return steps


def check(program, cases, seen, offset):
    for t, case in enumerate(cases):
        q, n = golden(program, case)
        got = seen[t + offset]
        assert got.q == q, case
        assert n is None or got.n == n, case


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_layer_in_turn(name):
    program = build(name)
    cases = cases_of(program, np.random.default_rng(len(name)))
    lane = PostLane(program)
    seen = trace(lane, waves_of(program, lane, cases), ["q", "n"])
    check(program, cases[: len(seen) - lane.latency], seen, lane.latency)
    # the cases are worth something: both clip bounds and the middle occur
    bounds = {int(v) for op in program.ops for v in op.layer.requantize.clip}
    results = {golden(program, case)[0] for case in cases}
    assert bounds & results
    assert len(results - bounds) > 20


@pytest.mark.parametrize("name", ["square_root", "abs_root and square", "without GDN", "wide"])
@pytest.mark.parametrize("kind", ["mixed", "fabric"])
def test_multipliers_of_logic_change_nothing(name, kind):
    program = replace(build(name), lane_multipliers=kind)
    cases = cases_of(program, np.random.default_rng(7), count=120)
    lane = PostLane(program)
    assert lane.latency == PostLane(build(name)).latency
    seen = trace(lane, waves_of(program, lane, cases), ["q", "n"])
    check(program, cases[: len(seen) - lane.latency], seen, lane.latency)


class Counting:
    """A platform with multiplier blocks, which counts those that are taken."""

    taken = 0

    def get_multiplier(self, multiplier):
        self.taken += 1
        return Multiplier(len(multiplier.a), len(multiplier.b), fabric=True)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_program_counts_the_blocks(name):
    for kind in ("dsp", "mixed", "fabric"):
        program, platform = replace(build(name), lane_multipliers=kind), Counting()
        Fragment.get(PostLane(program), platform)
        cells = program.multiplier_cells - program.rows * program.cols
        assert cells == program.lanes * platform.taken
        assert (platform.taken > 0) == (kind != "fabric")


def test_latency_is_longer_with_the_square_form():
    lanes = {name: PostLane(build(name)) for name in PROGRAMS}
    assert {n: lane.latency for n, lane in lanes.items()} == {
        n: 39 if "square" in n or "four" in n else 35 for n in PROGRAMS
    }
    assert all(lane.interval == 1 for lane in lanes.values())


@pytest.mark.parametrize("name", ["abs", "square_root", "without GDN"])
def test_a_result_takes_exactly_the_latency(name):
    program = build(name)
    lane = PostLane(program)
    case = {"op": 0, "channel": 0, "acc": program.ops[0].layer.accumulator.bound // 2, "bias": 0, "x": 0, "keep": True}
    q, _ = golden(program, case)
    assert q > 0
    steps = [
        {"op": 0, "keep": t == 9, "acc": case["acc"], "multiplier": program.multipliers[0], "shift": program.shifts[0]}
        for t in range(lane.latency + 12)
    ]
    assert [s.q for s in trace(lane, steps, ["q"])] == [0] * (9 + lane.latency) + [q, 0, 0]


def test_reset_in_the_middle():
    program = build("square_root")
    lane = PostLane(program)
    rng = np.random.default_rng(8)
    before, cases = cases_of(program, rng, 20), cases_of(program, rng, 20)
    cut = 35
    steps = waves_of(program, lane, before)[:cut] + waves_of(program, lane, cases)
    seen = trace(lane, steps, ["q", "n"], resets={cut - 1})
    check(program, cases, seen[cut:], lane.latency)


def test_widths_follow_the_program():
    program = build("wide")
    lane = PostLane(program)
    assert len(lane.acc) == program.accumulator_width
    assert (len(lane.x), len(lane.q), lane.result_width) == (16, 16, 16)
    assert lane.norm_width == program.ops[1].layer.norm_bits == len(lane.n)
