"""The walk over a band: passes in their order, with parameters and inputs of GDN that there are."""

from functools import partial

from amaranth.hdl import Cat, Mux, Signal

from licgate.gateware.sequence.walk import BandWalk
from tests.formal.addresses import UP, streamed
from tests.formal.kit import Bench, Mutation, Proof
from tests.formal.places import apart, of_stage
from tests.gateware.resident.programs import build
from tests.manifest.kit import chain


def _walk(mutant, program, most_groups, most_rows, both_parities):
    stages = program.stages
    dut = mutant(BandWalk)(program, range(max(most_groups) + 1), range(max(most_rows) + 1), both_parities=both_parities)
    bench = Bench(dut)
    m, begin, issued = bench.m, bench.free(1, "begin"), bench.free(1, "issued")
    band = [dut.stage, dut.groups, dut.rows, dut.keep]
    bench.drive(*band)
    m.d.comb += [dut.begin.eq(begin), dut.issued.eq(issued)]
    recent = apart(bench, begin | issued)

    def here(values):
        return of_stage(dut, values)

    # A band stays while it is at work. It has no more groups and rows than the inputs of GDN have room for; whole pairs
    # of rows where parities are made apart.
    for value in band:
        bench.assume(bench.first | begin | (value == bench.past(value)))
    upsampling = here([stage.upsampling for stage in stages])
    pairs = upsampling & int(both_parities)
    bench.assume(dut.stage < len(stages))
    bench.assume((dut.groups != 0) & (dut.groups <= here(most_groups)))
    bench.assume((dut.rows != 0) & (dut.rows <= here(most_rows)) & ~(pairs & dut.rows[0]))
    # The pass at hand: of the convolution or of GDN, its tile, group, row and column.
    over, in_gdn, tile = Signal(init=1), Signal(), Signal(4)
    group, row, column, pixel = Signal.like(dut.groups), Signal.like(dut.rows), Signal(), Signal(7)
    # Quads: a pass of the convolution makes four pixels beside each other, GDN takes each in a pass of its own.
    quads, number, four = program.arithmetic.points, Signal(2), program.arithmetic.outputs
    last_quarter = ~in_gdn | (number == 3) if quads else 1
    has_gdn = here([stage.gdn is not None for stage in stages])

    def of_op(value):
        convs, lasts = [value(stage.conv) for stage in stages], [value(stage.last_op) for stage in stages]
        return Mux(in_gdn, here(lasts), here(convs))

    tiles, size, outputs, first_param = (
        of_op(value)
        for value in (lambda o: o.tiles, program.tile_channels, lambda o: o.channels_out, lambda o: o.param_base)
    )
    apiece = Mux(in_gdn, 1, four)
    last_tile, last_group, last_row = tile + 1 == tiles, group + 1 == dut.groups, row + 1 == dut.rows
    last_column = (column | ~pairs) & last_quarter
    tile_ends = last_group & last_row & last_column
    moves_pixel = ~in_gdn | last_tile
    moves_row = moves_pixel & last_column
    moves_group, moves_tile = moves_row & last_row, ~in_gdn & tile_ends
    goes_back = in_gdn & last_tile & ~tile_ends
    stage_ends = last_tile & tile_ends
    bench.assume(~issued | ~over)
    bench.assume(~begin | over)
    with m.If(issued):
        m.d.sync += over.eq(stage_ends & ~(~in_gdn & has_gdn))
        with m.If(moves_pixel):
            m.d.sync += [pixel.eq(pixel + apiece), number.eq(number + (in_gdn & int(quads)))]
        with m.If(moves_pixel & last_quarter):
            m.d.sync += column.eq(pairs & ~column)
        with m.If(moves_row):
            m.d.sync += row.eq(Mux(last_row, 0, row + 1))
        with m.If(moves_group):
            m.d.sync += group.eq(group + 1)
        with m.If(moves_tile):
            m.d.sync += [group.eq(0), pixel.eq(0)]
        with m.If(in_gdn | moves_tile):
            m.d.sync += tile.eq(Mux(last_tile, 0, tile + 1))
        with m.If(moves_tile & last_tile & has_gdn):
            m.d.sync += in_gdn.eq(1)
    with m.If(begin):
        m.d.sync += [s.eq(0) for s in (over, in_gdn, tile, group, row, column, pixel, number)]
    bench.claim(dut.to_gdn == (issued & moves_tile & last_tile & has_gdn))
    # What is said of it.
    channels = here([program.arithmetic.padded(stage.conv.channels_out) for stage in stages])
    left = outputs - tile * size
    of_tile, channel = Mux(left < size, left, size), tile * size
    count = of_tile * apiece
    # of an upsampling stage the second and the third quarter change places
    quarter = (Mux(pairs, Cat(number[1], number[0]), number) if both_parities else number) if quads else 0
    said = {
        "is_gdn": in_gdn,
        "has_gdn": has_gdn,
        "column": column,
        "parity": row[0] & pairs,
        "x": pixel * channels,
        "channel": channel,
        "param": first_param + channel * apiece,
        "count": count,
        "quarter": quarter,
        "group_left": dut.groups - group,
    }
    weights_end = tile_ends
    if both_parities:
        weights_end = Mux(in_gdn, tile_ends, last_group & (row + 1 + pairs >= dut.rows))
    flags = {
        "last_tile": last_tile,
        "last_group": last_group,
        "last_row": last_row,
        "last_column": last_column,
        "last_reader": last_tile & last_quarter,
        "moves_row": moves_row,
        "moves_group": moves_group,
        "moves_tile": moves_tile,
        "goes_back": goes_back,
        "stage_ends": stage_ends,
        "releases": weights_end & ~dut.keep,
        "consumes": tile_ends & ~dut.keep,
    }
    at_rest = ~over & ~recent
    for name, value in (said | flags).items():
        bench.claim(~at_rest | (getattr(dut, name) == value))
    # Its parameters are there, and so are the inputs of GDN that it writes, divides or reads.
    bench.claim(~at_rest | ((dut.count != 0) & (dut.param + dut.count <= len(program.biases))))
    behind = Mux(in_gdn, 0, (four - 1) * channels)
    bench.claim(~at_rest | ~has_gdn | (dut.x + behind + dut.channel + of_tile <= program.gdn_depth))
    bench.claim(~at_rest | ~in_gdn | (dut.x + channels <= program.gdn_depth))
    # Of the state between.
    now = ~over & ~begin
    bench.claim(over | ((tile < tiles) & (group < dut.groups) & (row < dut.rows) & (~in_gdn | has_gdn)))
    bench.claim(over | pairs | ~column)
    across = Mux(pairs, 2, 1)
    bench.claim(over | (pixel == ((group * dut.rows + row) * across + column) * four + number))
    bench.claim((number == 0) | (in_gdn & ~over & int(quads)))
    for name in ("is_gdn", "has_gdn", "x", "group_left"):
        bench.claim(~now | (getattr(dut, name) == said[name]))
    settled = now & ~bench.past(begin | issued)  # what follows the tile
    for name in ("channel", "param"):
        bench.claim(~settled | (getattr(dut, name) == said[name]))
    bench.claim(~settled | (dut.last_tile == last_tile))
    most_tiles, most_channels = (max(getattr(op, name) for op in program.ops) for name in ("tiles", "channels_out"))
    shapes = {
        "row_left": dut.rows.shape(),
        **dict.fromkeys(("left", "tiles"), range(1 + most_tiles)),
        **dict.fromkeys(("full", "full_channels", "final_count"), dut.count.shape()),
        "first_param": dut.param.shape(),
        "channels": range(1 + program.arithmetic.padded(most_channels)),
    }
    at = {name: bench.peek(name, shape) for name, shape in shapes.items()}
    bench.claim(~now | (at["row_left"] == dut.rows - row))
    bench.claim(~settled | (at["left"] == tiles - tile))
    bench.claim(~now | ((at["tiles"] == tiles) & (at["full"] == size * apiece) & (at["full_channels"] == size)))
    bench.claim(~now | (at["final_count"] == (outputs - (tiles - 1) * size) * apiece))
    bench.claim(~now | ((at["first_param"] == first_param) & (at["channels"] == channels)))
    if both_parities:
        bench.claim(~now | ((dut.column == column) & (dut.parity == (row[0] & pairs))))
    if quads:
        bench.claim(bench.peek("quarter_number", 2) == number)
    return bench


def _resident(mutant, **options):
    program = build("GDN", max_width=8, **options)

    def room(stage):
        """Groups whose inputs of GDN there is room for."""
        words = program.arithmetic.words(stage.gdn.channels_in) * program.arithmetic.outputs
        return stage.gdn_words // words

    groups = [room(stage) if stage.gdn is not None else 2 * stage.band_groups - 1 for stage in program.stages]
    return _walk(mutant, program, groups, [1] * len(groups), both_parities=False)


def _streamed(mutant, transform=UP, arithmetic="direct"):
    program = streamed(transform, arithmetic=arithmetic)
    count = len(program.stages)
    rows = [program.stage_rows(stage) for stage in program.stages]
    return _walk(mutant, program, [program.band_groups] * count, rows, both_parities=True)


# With one channel the convolution is soon over, and quarters come within the reach of mutations.
NARROW = chain("g_s", 1, (5, -2, 1, "abs"), (3, -2, 1))
GENERAL = (
    Mutation(BandWalk, "tile_left == 2", "tile_left == 1"),
    Mutation(BandWalk, "self.x + moved", "self.x + 1"),
)
PARITIES = Mutation(BandWalk, "(self._pairs & (row_left == 2))", "0")
FOURS = Mutation(BandWalk, "channels, channels << 2", "channels << 2, channels << 2")
TURNS = Mutation(
    BandWalk,
    "self.issued & self.is_gdn & self.last_tile):\n            m.d.sync += number",
    "self.issued & self.is_gdn):\n            m.d.sync += number",
)
SWAPPED = Mutation(BandWalk, "self.quarter.eq(Cat(number[1], number[0]))", "self.quarter.eq(number)")

PROOFS = tuple(
    Proof(
        f"the walk over a band, {name}",
        "goes through tiles, groups and rows in their order, with the parameters and inputs of GDN of each pass",
        make,
        mutations,
        5,
        unbounded=True,
        reach=reach,
    )
    for name, make, mutations, reach in (
        ("resident", _resident, GENERAL, 17),
        ("resident, by points", partial(_resident, arithmetic="fip-f4"), (*GENERAL, TURNS), 17),
        ("streamed", _streamed, (*GENERAL, PARITIES), 17),
        ("streamed, by points", partial(_streamed, arithmetic="fip-f4"), GENERAL, 17),
        ("streamed, quarters", partial(_streamed, transform=NARROW, arithmetic="fip-f4"), (FOURS, SWAPPED), 32),
    )
)
