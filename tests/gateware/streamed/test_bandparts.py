"""The parts of a streamed core's sequencer: the weight ring, and what passes wait for."""

import random

import pytest

from licgate.gateware.streamed.passcredits import ColumnCredits, RecordCredits
from licgate.gateware.streamed.tilering import TileRing
from licgate.program.streamed import compile_streamed
from licgate.target.arithmetic import ARITHMETICS
from licgate.target.streamed import StreamedConfig
from tests.gateware.kit import run_simulation
from tests.manifest.kit import four_transforms

SHAPE = {"rows": 4, "cols": 3, "block_rows": 4, "band_groups": 3, "weight_words": 301, "output_words": 12}


@pytest.fixture(scope="module", params=ARITHMETICS)
def program(request):
    """Stages with and without GDN, some that make parities apart, of several tiles."""
    config = StreamedConfig(**SHAPE, arithmetic=request.param)
    return compile_streamed(list(four_transforms().transforms.values()), config)


def test_tiles_lie_behind_each_other_around_the_ring(program):
    dut, coin, ring = TileRing(program), random.Random(5), program.weight_ring
    state = {"pointer": 0, "ready": 0}

    async def pulse(ctx, **names):
        for name in names:
            ctx.set(getattr(dut, name), 1)
        await ctx.tick()
        for name in names:
            ctx.set(getattr(dut, name), 0)

    async def look(ctx, op, held):
        """A pass that skips some words; its tile may come only now."""
        skip = coin.randrange(op.weights)
        ctx.set(dut.skip, skip)
        await ctx.tick().repeat(3)
        assert ctx.get(dut.weight) == (state["pointer"] + skip) % ring
        assert ctx.get(dut.words) == op.weights
        assert ctx.get(dut.there) == (state["ready"] > held)
        while state["ready"] <= held:
            await pulse(ctx, tile_loaded=1)
            state["ready"] += 1
            await ctx.tick()
        await ctx.tick()
        assert ctx.get(dut.there)

    async def bench(ctx):
        await pulse(ctx, start=1)
        for _ in range(6):
            number = coin.randrange(len(program.stages))
            stage, keep, held = program.stages[number], coin.random() < 0.3, 0
            home = state["pointer"]
            ctx.set(dut.stage, number)
            await pulse(ctx, begin=1)
            for op in (stage.conv, stage.gdn):
                if op is None:
                    continue
                first, before = state["pointer"], held
                for again in (True, False) if op.is_gdn else (False,):
                    for tile in range(op.tiles):
                        await look(ctx, op, held)
                        ends, consumed = tile == op.tiles - 1, not keep and not again
                        strobes = {"next_tile": 1} | ({"consumed": 1} if consumed else {})
                        if ends and again:
                            strobes["again"] = 1
                        if ends and op is stage.conv and stage.gdn is not None:
                            strobes["to_gdn"] = 1
                        await pulse(ctx, **strobes)
                        state["pointer"] = (state["pointer"] + op.weights) % ring
                        state["ready"] -= consumed
                        held += not consumed
                    if again:
                        state["pointer"], held = first, before
            if keep:
                await pulse(ctx, home=1)
                state["pointer"] = home

    run_simulation(dut, bench)


def test_a_group_waits_for_the_columns_that_it_is_the_first_to_read(program):
    dut = ColumnCredits(program)

    async def bench(ctx):
        ctx.set(dut.stride, 2)
        ctx.set(dut.band, {"groups": 3, "loads": 6, "loads_first": 3})
        for name in ("start", "begin"):
            ctx.set(getattr(dut, name), 1)
            await ctx.tick()
            ctx.set(getattr(dut, name), 0)
        # three for the first group, two for the second, one is left for the third; none for the next tile
        for count in (3, 2, 1, 0):
            for come in range(count):
                await ctx.tick()
                assert ctx.get(dut.loaded) == 0, f"{come} of {count} columns have come"
                ctx.set(dut.column_loaded, 1)
                await ctx.tick()
                ctx.set(dut.column_loaded, 0)
            await ctx.tick().repeat(2)
            assert ctx.get(dut.loaded) == 1
            for name in ("issued", "moves_group"):
                ctx.set(getattr(dut, name), 1)
            await ctx.tick()
            for name in ("issued", "moves_group"):
                ctx.set(getattr(dut, name), 0)
            await ctx.tick()

    run_simulation(dut, bench)


def test_no_more_passes_to_memory_than_credits(program):
    dut, limit = RecordCredits(program), program.output_credits

    async def pulse(ctx, name):
        ctx.set(getattr(dut, name), 1)
        await ctx.tick()
        ctx.set(getattr(dut, name), 0)

    async def bench(ctx):
        ctx.set(dut.leaves, 1)
        if program.arithmetic.points:
            # GDN makes one record, a convolution four
            for gdn in (0, 1):
                ctx.set(dut.is_gdn, gdn)
                await ctx.tick()
                assert ctx.get(dut.room) == 1
            await pulse(ctx, "recorded")
            ctx.set(dut.is_gdn, 0)
            await ctx.tick().repeat(2)
            assert ctx.get(dut.room) == (limit >= 5)
            await pulse(ctx, "packed")
            ctx.set(dut.is_gdn, 1)
            await ctx.tick()
        for count in range(limit):
            await ctx.tick()
            assert ctx.get(dut.room) == 1, f"{count} of {limit}"
            await pulse(ctx, "recorded")
        await ctx.tick()
        assert ctx.get(dut.room) == 0
        ctx.set(dut.leaves, 0)
        await ctx.tick()
        assert ctx.get(dut.room) == 1, "results that stay on the chip need none"
        ctx.set(dut.leaves, 1)
        await pulse(ctx, "packed")
        await ctx.tick()
        assert ctx.get(dut.room) == 1

    run_simulation(dut, bench)
