"""The walk over a band, against the order of its loops."""

from itertools import product

import pytest
from amaranth.hdl import ResetInserter, Signal

from licgate.gateware.sequence.walk import BandWalk
from licgate.program.streamed import compile_streamed
from licgate.target.streamed import StreamedConfig
from tests.gateware.kit import run_simulation
from tests.gateware.resident.programs import build
from tests.manifest.kit import four_transforms


def walked(program, stage, groups, rows, keep, columns):
    """What the walk says of each pass, from the order of loops alone; of a band with so many parities of columns."""
    pixels = list(product(range(groups), range(rows), range(columns)))
    order = [(stage.conv, t, k) for t in range(stage.conv.tiles) for k in range(len(pixels))]
    if stage.gdn is not None:
        order += [(stage.gdn, t, k) for k in range(len(pixels)) for t in range(stage.gdn.tiles)]
    for op, tile, k in order:
        (group, row, column), size, conv = pixels[k], program.tile_channels(op), op is stage.conv
        whole, last_tile = k == len(pixels) - 1, tile == op.tiles - 1
        ends_row = column == columns - 1 and (conv or last_tile)
        # the last row of this parity in the last group
        ends = group == groups - 1 and row >= rows - columns if conv else whole
        yield {
            "is_gdn": not conv,
            "column": column,
            "parity": row & 1 if columns == 2 else 0,
            "x": k * stage.conv.channels_out,
            "channel": tile * size,
            "param": op.param_base + tile * size,
            "count": min(size, op.channels_out - tile * size),
            "last_tile": last_tile,
            "last_group": group == groups - 1,
            "group_left": groups - group,
            "releases": ends and not keep,
            "consumes": whole and not keep,
            "moves_row": ends_row,
            "moves_group": ends_row and row == rows - 1,
            "moves_tile": conv and whole,
            "goes_back": not conv and last_tile and not whole,
            "stage_ends": whole and last_tile,
        }


async def walks(ctx, dut, number, said, **band):
    """A band, pass by pass; what is said of each is there three cycles after the one before went."""
    for name, value in ({"stage": number, "begin": 1} | band).items():
        ctx.set(getattr(dut, name), value)
    await ctx.tick()
    ctx.set(dut.begin, 0)
    for one in said:
        await ctx.tick().repeat(3)
        assert {name: ctx.get(getattr(dut, name)) for name in one} == one
        ctx.set(dut.issued, 1)
        await ctx.tick()
        ctx.set(dut.issued, 0)


@pytest.mark.parametrize("keep", [0, 1])
def test_the_walk_over_both_parities_is_that_of_the_loops(keep):
    """Stages with and without GDN, some that make parities apart, of several tiles."""
    shape = StreamedConfig(rows=4, cols=3, block_rows=4, band_groups=3, weight_words=301, output_words=6)
    program = compile_streamed(list(four_transforms().transforms.values()), shape)
    dut = BandWalk(program, range(4), range(5), both_parities=True)

    async def bench(ctx):
        for number, stage in enumerate(program.stages):
            for groups, rows in ((1, stage.parities), (3, 2 * stage.parities), (2, 2)):
                said = walked(program, stage, groups, rows, keep, stage.parities)
                await walks(ctx, dut, number, said, groups=groups, rows=rows, keep=keep)

    run_simulation(dut, bench)


@pytest.mark.parametrize("name", ["GDN", "packed, 3 columns", "chains"])
def test_the_walk_over_one_parity_is_that_of_the_loops(name):
    program = build(name)
    dut = BandWalk(program, range(8), range(2), both_parities=False)

    async def bench(ctx):
        for number, stage in enumerate(program.stages):
            for groups in (1, 2, 7):
                said = walked(program, stage, groups, 1, 0, 1)
                await walks(ctx, dut, number, said, groups=groups, rows=1)

    run_simulation(dut, bench)


def test_a_reset_in_the_middle_of_a_band_leaves_nothing_of_it():
    program, reset = build("GDN"), Signal()
    dut, stage = BandWalk(program, range(8), range(2), both_parities=False), program.stages[0]
    passes = list(walked(program, stage, 3, 1, 0, 1))

    async def bench(ctx):
        await walks(ctx, dut, 0, passes[:4], groups=3, rows=1)
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        await walks(ctx, dut, 0, passes, groups=3, rows=1)

    run_simulation(ResetInserter(reset)(dut), bench)
