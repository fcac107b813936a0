"""The streaming core against the reference: whole transforms, with a memory that is late at random."""

import numpy as np
import pytest

from licgate.gateware.streaming.config import StreamingConfig
from licgate.gateware.streaming.core import StreamingCore
from licgate.manifest.synthetic import synthetic_manifest
from licgate.program.schedule import make_schedule
from licgate.program.streaming import compile_streaming
from licgate.reference import run_transform
from tests.gateware.kit import run_simulation
from tests.gateware.streaming.memory import PortMemory

CASES = {
    "plain": ({"channels": (3, 5, 7)}, {"rows": 4, "cols": 4}, (21, 11)),
    "three": ({"channels": (3, 6, 5, 9)}, {"rows": 3, "cols": 6, "block_rows": 2, "band_groups": 2}, (26, 17)),
    "relu": (
        {"channels": (3, 8, 8, 8), "gdn": "none"},
        {"rows": 4, "cols": 4, "block_rows": 3, "page_beats": 64, "weight_words": 300}, (19, 24),
    ),
    "kernels": (
        {"channels": (3, 6, 7, 4), "kernel": [5, 3, 1], "stride": [2, 1, 1], "activation_bits": [6, 9, 10]},
        {"rows": 4, "cols": 4, "block_rows": 2, "band_groups": 2, "prefetch_words": 1},
        (21, 13),
    ),
    "packed": (
        {"channels": (3, 5, 7), "weight_bits": (5, 4), "gdn": "none"}, {"rows": 4, "cols": 3, "packing": True}, (21, 11)
    ),
    "packed now and then": (
        {"channels": (3, 9, 5, 7), "weight_bits": (5, 8, 4), "gdn_bits": (10, 6), "activation_bits": (8, 7, 6)},
        {"rows": 3, "cols": 2, "block_rows": 2, "band_groups": 2, "packing": True, "beat_bits": 8}, (19, 14),
    ),
    "packed GDN": (
        {"channels": (3, 16, 5), "gdn_bits": 7}, {"rows": 4, "cols": 3, "packing": True, "packed_bits": 27}, (9, 11)
    ),
    "point": ({"channels": (3, 5, 7)}, {"rows": 8, "cols": 12}, (1, 1)),
}  # fmt: skip


def simulate(manifest, config, size, *, seed, limit=200_000, restart=None):
    """Run g_a on a random image; return what it gave, what it should have given, and the cycles."""
    width, height = size
    program = compile_streaming([manifest.g_a], config)
    schedule = make_schedule(program, program.chains[0], width, height)
    x = np.random.default_rng(1).integers(0, 256, (3, height, width))
    dut = StreamingCore(program)
    memory = PortMemory(dut.ports, schedule.memory(x), page_beats=config.page_beats, seed=seed)
    cycles = []

    async def testbench(ctx):
        ctx.set(dut.address, schedule.address)
        runs = 1 if restart is None else 2
        for _ in range(runs):
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            count = 0
            while not ctx.get(dut.done):
                assert not ctx.get(dut.wait_map) + ctx.get(dut.wait_weights) + ctx.get(dut.step) > 1
                await ctx.tick()
                count += 1
                assert count < limit, "it hangs"
            cycles.append(count)

    run_simulation(dut, testbench, background=[memory.process], limit=limit)
    return schedule.output(memory.contents), run_transform(manifest.g_a, x), cycles


@pytest.mark.parametrize("seed", [None, 7])
@pytest.mark.parametrize("name", CASES)
def test_a_transform_is_bit_exact_whatever_the_memory_does(name, seed):
    model, shape, size = CASES[name]
    got, expected, _ = simulate(synthetic_manifest(**model, seed=3), StreamingConfig(**shape), size, seed=seed)
    assert np.array_equal(got, expected)


def test_a_second_run_gives_and_takes_the_same():
    model, shape, size = CASES["plain"]
    got, expected, cycles = simulate(
        synthetic_manifest(**model, seed=3), StreamingConfig(**shape), size, seed=None, restart=True
    )
    assert np.array_equal(got, expected)
    assert cycles[0] == cycles[1]
