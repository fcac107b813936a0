"""Addresses of what passes read: every word of every window, in the cycle in which it is due; every weight."""

import itertools

import numpy as np
import pytest

from licgate.gateware.engine.feed.reads import OperandAddresses, WindowReads
from licgate.gateware.passes import address_width
from licgate.manifest.synthetic import synthetic_manifest
from licgate.program.streamed import compile_streamed
from licgate.target.arithmetic import ARITHMETICS
from licgate.target.streamed import StreamedConfig
from tests.gateware.engine.feed.kit import following
from tests.gateware.engine.passes import PROGRAMS, build, random_pass, walk_cycles
from tests.gateware.kit import random_stalls
from tests.gateware.waves import trace


def streamed(**options):
    manifest = synthetic_manifest(channels=(3, 4, 5), kernel=5, gdn="abs")
    return compile_streamed(manifest.g_a, StreamedConfig(rows=4, cols=3, **options))


def streamed_pass(program, rng):
    """A pass of a program whose memories are rings."""
    pass_kind = program.pass_kinds[int(rng.integers(len(program.pass_kinds)))]
    op = program.ops[pass_kind.op]
    words = 1 if op.is_gdn else pass_kind.shape.words(program.rows)
    stage = next(s for s in program.stages if op in (s.conv, s.gdn))
    rows = {"kernel_rows": int(rng.integers(1, stage.conv.layer.kernel + 1))}
    if program.arithmetic.whole_passes:
        above = int(rng.integers(pass_kind.kernel_rows))
        inside = int(rng.integers(1, pass_kind.kernel_rows - above + 1))
        rows = {"kernel_rows": pass_kind.kernel_rows, "above": above, "inside": inside}
    slot = program.slots - 1 - int(rng.integers(min(4, program.slots)))
    return {
        "pass_kind": pass_kind.index,
        "row": int(rng.integers(program.in_rows(stage) - stage.conv.layer.kernel + 1)) * stage.conv.words_in,
        "offset": slot * program.slot_words,
        **rows,
        "mask": int(rng.integers(1 << words)),
        "weight": int(rng.integers(program.weight_ring)),
        "x": program.arithmetic.indices * int(rng.integers(program.gdn_depth // program.arithmetic.indices)),
        "release": {"slots": 0, "words": 0},
        "wrap": sum((slot + j == program.slots - 1) << j for j in range(words)),
    }, slot


def inputs_of(program, passes, cycles):
    """What the walk says in every cycle, and which pass it takes."""
    taken, number, steps, took = 0, 0, [], False
    for cycle, at in enumerate(cycles):
        if at is not None:
            number = at.number
        take = cycle == 0 or (at is not None and at.finish and taken < len(passes))
        # what was taken stays for a cycle more
        waiting = min(taken - took, len(passes) - 1)
        op = program.ops[program.pass_kinds[passes[number][0]["pass_kind"]].op]
        steps.append(
            {
                "take": take,
                "opens": take,
                "next": following(program, passes[waiting][0]),
                "run": at is not None,
                "tap_row_ends": at is not None and at.tap_row_ends,
                "row_ends": at is not None and at.row_ends,
                "gdn": op.is_gdn,
                "kind": passes[number][0]["pass_kind"],
                "channels": op.words_in,
                "step": at is not None and at.step,
            }
            | ({"position": at.position} if at is not None else {})
        )
        taken, took = taken + take, take
    return steps


def expected_read(program, descriptor, slot_of, at):
    """Address of the word at hand, as the layout of the maps has it; None where its row lies outside the image."""
    op, j = at.op, at.position
    ky, c = divmod(at.tap_row, op.words_in)
    ky -= descriptor.get("above", 0)
    if not 0 <= ky < descriptor.get("inside", descriptor["kernel_rows"]):
        return None
    stage = next(s for s in program.stages if s.conv is op)
    if program.word_stride is None:
        rows_on = (descriptor["row"] - stage.base) // stage.row_stride + ky
        row = stage.base + rows_on % stage.ring * stage.row_stride
        return (row + descriptor["offset"] + c + j * op.words_in) % (1 << address_width(program))
    row = descriptor["row"] + ky * stage.row_stride
    return row + c + (slot_of + j) % program.slots * program.slot_words


def check_reads(program, passes, slots, p):
    early = list(itertools.islice(random_stalls(3, p), 4000)) if p else [False] * 4000
    cycles = walk_cycles(program, passes, early)
    dut = WindowReads(program)
    inputs = inputs_of(program, passes, cycles)
    names = ("opens", "next", "run", "tap_row_ends", "row_ends", "gdn", "kind", "channels", "position")
    drive = [{name: one[name] for name in names if name in one} for one in inputs] + [{"run": 0, "opens": 0}] * 8
    seen = trace(dut, drive, ("read",))
    lasts, checked = set(), 0
    for cycle, at in enumerate(cycles):
        if at is None or at.op.is_gdn:
            continue
        descriptor = passes[at.number][0]
        pass_kind = program.pass_kinds[descriptor["pass_kind"]]
        words = pass_kind.shape.words(program.rows)
        if at.position >= words:
            continue
        due = cycle + program.window_words - words
        read = seen[due].read
        address = expected_read(program, descriptor, slots[at.number], at)
        assert read.inside == (descriptor["mask"] >> at.position & 1 if address is not None else 0), cycle
        assert address in (None, read.address), cycle
        assert read.kind == pass_kind.index
        assert program.stages[read.stage].conv is at.op
        checked += 1
        if at.position == words - 1:
            lasts.add(due)
    assert {cycle for cycle, s in enumerate(seen) if s.read.last} == lasts
    assert checked > 10


def apart(program, passes):
    """Passes whose reads never meet those of the one before, and that leave time to bring the next one."""
    kept, slot = [], program.window_words
    for one in passes:
        shape = program.pass_kinds[one[0]["pass_kind"]].shape
        if len(walk_cycles(program, [one], itertools.repeat(False))) == 2:
            continue
        if shape is None or not kept or shape.words(program.rows) <= slot:
            kept.append(one)
            slot = slot if shape is None else shape.tap_row_cycles(program.rows)
    return kept


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("p", [0.0, 0.6])
def test_every_word_of_every_window(name, p):
    program = build(name)
    rng = np.random.default_rng(len(name))
    order = np.array(program.pass_kinds, object)
    passes = [random_pass(program, rng, pass_kind=pass_kind) for _ in range(2) for pass_kind in rng.permutation(order)]
    passes = apart(program, passes)
    check_reads(program, passes, [None] * len(passes), p)


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("p", [0.0, 0.6])
def test_words_of_a_ring_of_slots(p, arithmetic):
    program = streamed(arithmetic=arithmetic)
    rng = np.random.default_rng(11)
    passes = [streamed_pass(program, rng) for _ in range(8)]
    passes = apart(program, passes)
    assert any(one["wrap"] for one, _ in passes)
    check_reads(program, passes, [slot for _, slot in passes], p)


@pytest.mark.parametrize(
    "name", ["5x5, 3 rows", "5x5, 1 row", "mixed, 3 rows", "fip, 5x5, 3 rows", "ring", "ring of an odd length"]
)
def test_every_step_has_its_own_weight_and_input(name):
    """Behind the step by a cycle; where the weights are a ring, from its end to its beginning."""
    ring = {"ring": None, "ring of an odd length": 409}
    program = streamed(**({"weight_words": ring[name]} if ring[name] else {})) if name in ring else build(name)
    rng = np.random.default_rng(5)
    passes = [streamed_pass(program, rng) if name in ring else random_pass(program, rng) for _ in range(9)]
    if name in ring:
        for k, (one, _) in enumerate(passes):
            one["weight"] = program.weight_ring - 1 - k
    early = list(itertools.islice(random_stalls(8), 4000))
    cycles = walk_cycles(program, passes, early)
    inputs = inputs_of(program, passes, cycles)
    drive = [{name: one[name] for name in ("take", "next", "step")} for one in inputs] + [{"step": 0, "take": 0}] * 2
    seen = trace(OperandAddresses(program), drive, ("weight", "norm"))
    done, wrapped = dict.fromkeys(range(len(passes)), 0), False
    for cycle, at in enumerate(cycles):
        if at is None or not at.step:
            continue
        descriptor, k = passes[at.number][0], done[at.number]
        weight = descriptor["weight"] + k
        if program.weight_ring is not None:
            wrapped |= weight >= program.weight_ring
            weight %= program.weight_ring
        assert seen[cycle + 1].weight == weight, cycle
        if at.op.is_gdn:
            indices = program.arithmetic.indices
            depth = 1 << (program.gdn_depth // indices - 1).bit_length()
            assert seen[cycle + 1].norm == (descriptor["x"] // indices + k) % depth, cycle
        done[at.number] += 1
    assert wrapped == (name in ring)
