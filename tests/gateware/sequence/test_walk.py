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
    pixels, quarters = list(product(range(groups), range(rows), range(columns))), stage.conv.outputs
    order = [(stage.conv, t, k, 0) for t in range(stage.conv.tiles) for k in range(len(pixels))]
    if stage.gdn is not None:
        every = product(range(len(pixels)), range(quarters), range(stage.gdn.tiles))
        order += [(stage.gdn, t, k, quarter) for k, quarter, t in every]
    for op, tile, k, quarter in order:
        (group, row, column), size, conv = pixels[k], program.tile_channels(op), op is stage.conv
        pixel_ends, last_tile = conv or quarter == quarters - 1, tile == op.tiles - 1
        whole = k == len(pixels) - 1 and pixel_ends
        ends_row = column == columns - 1 and pixel_ends and (conv or last_tile)
        # the last row of this parity in the last group
        ends = group == groups - 1 and row >= rows - columns if conv else whole
        yield {
            "is_gdn": not conv,
            "column": column,
            "parity": row & 1 if columns == 2 else 0,
            "x": (k * quarters + quarter) * program.arithmetic.padded(stage.conv.channels_out),
            # the second and the third one change places where they make pairs
            "quarter": (0, 2, 1, 3)[quarter] if columns == 2 else quarter,
            "channel": tile * size,
            "param": op.param_base + tile * op.outputs * size,
            "count": op.outputs * min(size, op.channels_out - tile * size),
            "last_tile": last_tile,
            "last_reader": last_tile and pixel_ends,
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


@pytest.mark.parametrize(("keep", "arithmetic"), [(0, "direct"), (1, "direct"), (0, "fip-f4"), (1, "fip-f4")])
def test_the_walk_over_both_parities_is_that_of_the_loops(keep, arithmetic):
    """Stages with and without GDN, some that make parities apart, of several tiles."""
    shape = StreamedConfig(rows=4, cols=3, block_rows=4, band_groups=3, weight_words=301, arithmetic=arithmetic)
    program = compile_streamed(list(four_transforms().transforms.values()), shape)
    dut = BandWalk(program, range(4), range(5), both_parities=True)

    async def bench(ctx):
        for number, stage in enumerate(program.stages):
            for groups, rows in ((1, stage.parities), (3, 2 * stage.parities), (2, 2)):
                said = walked(program, stage, groups, rows, keep, stage.parities)
                await walks(ctx, dut, number, said, groups=groups, rows=rows, keep=keep)

    run_simulation(dut, bench)


@pytest.mark.parametrize("name", ["GDN", "packed, 3 columns", "chains", "by points"])
def test_the_walk_over_one_parity_is_that_of_the_loops(name):
    program = build("GDN", arithmetic="fip-f4") if name == "by points" else build(name)
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
