"""What the passes of a band read and where they write, at the edges of the image and between them; their weights."""

from dataclasses import replace

import pytest

from licgate.gateware.passes import address_width
from licgate.gateware.resident.places import FixedWeights, RowPlaces
from licgate.gateware.resident.rowpasses import OutputRoom
from tests.gateware.golden import FEWEST_TAPS, reads
from tests.gateware.kit import run_simulation
from tests.gateware.resident.programs import PROGRAMS, build
from tests.gateware.waves import trace

LENGTHS = (4, 5)  # groups of the bands of a row


def expected(program, stage, kind, group, band):
    """What a pass of a group of the row reads, and where it writes."""
    layer, arithmetic = stage.conv.layer, program.arithmetic
    columns = reads(layer, kind.column, depth_form=stage.conv.depth_form)
    taps = max(FEWEST_TAPS, len(columns))
    stride = 1 if layer.transposed else layer.stride
    reached = [stride * r + columns[0] + k for r in range(program.rows) for k in range(taps)]
    first, last = (stride * group + edge // program.rows for edge in (min(reached), max(reached)))
    words = -(-band["width"] // program.rows)
    writes = {}
    if not stage.last:
        following = program.stages[program.stages.index(stage) + 1]
        made = arithmetic.padded(following.conv.channels_in) << stage.upsampling
        writes = {"target": (band["write_base"] << arithmetic.part_bits) + group * made}
    rows = {"kernel_rows": band["kernel_rows"]}
    if arithmetic.whole_passes:
        rows = {"kernel_rows": kind.kernel_rows, "above": band["above"], "inside": band["kernel_rows"]}
    return writes | {
        "row": band["read_base"],
        "offset": first * stage.conv.words_in % (1 << address_width(program)),
        "mask": sum((0 <= w < words) << j for j, w in enumerate(range(first, last + 1))),
        **rows,
    }


@pytest.mark.parametrize("name", PROGRAMS)
def test_places_of_every_group_of_a_row(name):
    """Two bands of each parity of columns: tiles of the convolution, then GDN."""
    program = build(name)
    dut = RowPlaces(program)

    async def one(ctx, wanted, **moves):
        await ctx.tick().repeat(3)
        assert {name: ctx.get(getattr(dut, name)) for name in wanted} == wanted
        moves = {"issued": 1, "last_tile": 0, "moves_group": 0, "moves_tile": 0} | moves
        for member, value in moves.items():
            ctx.set(getattr(dut, member), value)
        await ctx.tick()
        ctx.set(dut.issued, 0)

    async def bench(ctx):
        for number, stage in enumerate(program.stages):
            kinds = stage.conv.pass_kinds[2:] if stage.upsampling else stage.conv.pass_kinds
            columns = sum(LENGTHS) * program.rows - (program.rows > 1)
            width = columns if stage.upsampling else columns * stage.stride - (stage.stride == 2)
            row = {"stage": number, "width": width, "kernel_rows": 1, "read_base": 1, "write_base": 3}
            row["above"] = number % (stage.most_above + 1)
            ctx.set(dut.has_gdn, stage.gdn is not None)
            before = 0
            for length in LENGTHS:
                for kind in kinds:
                    groups = range(before, before + length)
                    begins = before == 0 and kind is kinds[0]
                    ctx.set(dut.band, row | {"begins": begins, "column": kind.column})
                    ctx.set(dut.pass_kind, kind.index)
                    ctx.set(dut.begin, 1)
                    await ctx.tick()
                    ctx.set(dut.begin, 0)
                    for last_tile in (0, 1):
                        for group in groups:
                            ends = group == groups[-1]
                            wanted = expected(program, stage, kind, group, row)
                            await one(ctx, wanted, last_tile=last_tile, moves_group=1, moves_tile=ends)
                    for group in groups if stage.gdn is not None else ():
                        wanted = expected(program, stage, kind, group, row)
                        target = {name: wanted[name] for name in wanted if name == "target"}
                        await one(ctx, target)
                        await one(ctx, target, last_tile=1, moves_group=1)
                before += length

    run_simulation(dut, bench)


@pytest.mark.parametrize("name", PROGRAMS)
def test_weights_of_every_pass_kind_and_tile(name):
    program = build(name)
    dut = FixedWeights(program)

    async def pulse(ctx, *names):
        for member in names:
            ctx.set(getattr(dut, member), 1)
        await ctx.tick()
        for member in names:
            ctx.set(getattr(dut, member), 0)

    async def bench(ctx):
        for number, stage in enumerate(program.stages):
            for kind in stage.conv.pass_kinds:
                for above in range(stage.most_above + 1):
                    ctx.set(dut.band, {"stage": number, "above": above})
                    ctx.set(dut.is_gdn, 0)
                    await pulse(ctx, "begin")
                    ctx.set(dut.pass_kind, kind.index)
                    await ctx.tick().repeat(2)
                    row = max(FEWEST_TAPS, len(reads(stage.conv.layer, kind.column, depth_form=stage.conv.depth_form)))
                    row *= stage.conv.words_in
                    skipped = 0 if program.arithmetic.whole_passes else min(above, kind.kernel_rows) * row
                    for tile in range(stage.conv.tiles):
                        await ctx.tick()
                        assert ctx.get(dut.weight) == kind.base + skipped + tile * kind.steps
                        await ctx.tick().repeat(2)
                        ends = tile == stage.conv.tiles - 1 and stage.gdn is not None
                        await pulse(ctx, "next_tile", *(["to_gdn"] if ends else []))
                    ctx.set(dut.is_gdn, 1)
                    for pixel in range(2 if stage.gdn is not None else 0):
                        for tile in range(stage.gdn.tiles):
                            await ctx.tick().repeat(3)
                            assert ctx.get(dut.weight) == stage.gdn.base + tile * stage.gdn.pass_kinds[0].steps
                            back = tile == stage.gdn.tiles - 1 and pixel == 0
                            await pulse(ctx, "next_tile", *(["again"] if back else []))

    run_simulation(dut, bench)


def test_room_is_promised_to_passes_and_known_two_cycles_later():
    words = build("packed").leaving_words
    program = replace(build("packed"), output_words=3 * words)
    dut = OutputRoom(program)
    held = {"issued": 0, "output_written": 0}
    steps = [
        {"to_output": 1, "output_words": 3 * words},
        held,
        *[{"issued": 1}, held, held, held] * 3,  # room for three
        {"output_written": 1, "output_words": 3 * words - 1},
        held,
        {"output_words": 3 * words},
        held,
        {"to_output": 0, "output_words": 0},
        held,
    ]
    room = [record.room for record in trace(dut, steps, ("room",))]
    assert room[1:13] == [1] * 12
    assert room[13:17] == [0] * 4, "a word is missing"
    assert room[17] == 1, "words of a pass that is written are no longer promised"
    assert room[19] == 1, "what stays on the chip needs none"
