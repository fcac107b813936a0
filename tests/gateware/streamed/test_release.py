"""Weights become free step by step, and all of them once."""

import random

import pytest

from licgate.gateware.streamed.release import StepRelease
from licgate.manifest.synthetic import synthetic_manifest
from licgate.program.streamed import compile_streamed
from licgate.target.streamed import StreamedConfig
from tests.gateware.kit import run_simulation

CHANNELS = {"small": (3, 5, 7), "wide": (3, 24, 20)}


def make(name):
    model = synthetic_manifest(channels=CHANNELS[name], seed=3)
    return compile_streamed([model.g_a], StreamedConfig(rows=4, cols=4), weights=False)


def random_passes(program, coin, count):
    """Cycles of passes: (step, words, slots, ends); some release nothing, some end later than their last step."""
    found, most = [], max(op.pass_kinds[0].steps for op in program.ops)
    for _ in range(count):
        words = coin.choice([0, coin.randint(1, most)])
        slots = coin.choice([0, 0, coin.randint(1, program.slots)])
        steps = coin.randint(1, words) if words else coin.randint(1, most)
        cycles = []
        while steps:
            taken = coin.random() < 0.8
            cycles.append([taken, words, slots, False])
            steps -= taken
        cycles += [[False, words, slots, False]] * coin.choice([0, 0, 3])
        cycles[-1] = [*cycles[-1][:3], True]
        found += cycles + [[False, words, slots, False]] * coin.choice([0, 0, 2])
    return found


def expected(cycles):
    """Words and slots that become free ``latency`` cycles after each of these."""
    found, given = [], 0
    for step, words, slots, ends in cycles:
        piece = words - given if ends and words else int(step and words > 0)
        given = 0 if ends else given + piece
        found.append((piece, slots if ends else 0))
    return found


async def drive(ctx, dut, cycles, seen):
    for step, words, slots, ends in [*cycles, *[[False, 0, 0, False]] * (StepRelease.latency + 1)]:
        ctx.set(dut.step, step)
        ctx.set(dut.release, {"words": words, "slots": slots})
        ctx.set(dut.ended, {"words": words * ends, "slots": slots * ends})
        _clk, _rst, words, slots = await ctx.tick().sample(dut.released.words, dut.released.slots)
        seen.append((words, slots))


@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.parametrize("seed", [1, 2])
def test_every_word_becomes_free_once_with_its_step_or_with_the_end(name, seed):
    program = make(name)
    cycles, seen = random_passes(program, random.Random(seed), 12), []
    dut = StepRelease(program)

    async def run(ctx):
        await drive(ctx, dut, cycles, seen)

    run_simulation(dut, run)
    late = dut.latency
    assert seen[late : late + len(cycles)] == expected(cycles)
    assert sum(words for words, _ in seen) == sum(words for _, words, _, ends in cycles if ends)
    assert sum(slots for _, slots in seen) == sum(slots for *_, slots, ends in cycles if ends)
