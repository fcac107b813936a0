"""Places of a resident core's passes: windows and results in their rows, weights in those of their tile."""

from itertools import pairwise

from amaranth.hdl import Array, Cat, Mux, Signal

from licgate.gateware.resident.places import FixedWeights, RowPlaces
from tests.formal.kit import Bench, Mutation, Proof
from tests.gateware.resident.programs import build


def apart(bench, event):
    """Assume of an event that it comes once in four cycles at most, as passes do; return whether one came in three."""
    recent = bench.past(event)
    bench.assume(~(event & recent))
    for _ in range(2):
        recent = bench.past(recent) | recent
        bench.assume(~(event & recent))
    recent = bench.past(recent) | recent
    return recent | event


def of_stage(band, values):
    return Array(values)[band.stage]


def _band(bench, program, begin):
    """Assume what bands keep to: a row of a stage, and the kind of passes that its parities ask for."""
    band, pass_kind, stages = bench.dut.band, bench.dut.pass_kind, program.stages
    bench.drive(band, pass_kind)
    # It stays while it is at work; the kind follows it by a cycle.
    bench.assume(bench.first | begin | (band.as_value() == bench.past(band.as_value())))
    upsampling = of_stage(band, [stage.upsampling for stage in stages])
    bench.assume((band.stage < len(stages)) & (upsampling | ~(band.column | band.odd)))
    kind = of_stage(band, [stage.conv.pass_kinds[0].index for stage in stages]) + Cat(band.column, band.odd)
    bench.assume(bench.first | (pass_kind == bench.past(kind)))
    # Its first row lies in its ring; kernel rows above the image and inside of it are those of the kernel, or fewer.
    bench.assume(band.read_base <= of_stage(band, [stage.last_row for stage in stages]))
    rows = Array(kind.kernel_rows for kind in program.pass_kinds)[kind]
    bench.assume((band.kernel_rows != 0) & (band.above + band.kernel_rows <= rows))
    return band, kind


def _weights(mutant):
    program = build("upsampling")
    stages, kinds = program.stages, program.pass_kinds
    dut = mutant(FixedWeights)(program)
    bench = Bench(dut)
    m = bench.m
    begin, moves, turns, again = (bench.free(1, name) for name in ("begin", "moves", "turns", "again"))
    recent = apart(bench, begin | moves)
    band, kind = _band(bench, program, begin)
    in_gdn, over, tile = Signal(), Signal(init=1), Signal(4)
    m.d.comb += [
        dut.begin.eq(begin),
        dut.next_tile.eq(moves),
        dut.to_gdn.eq(turns),
        dut.again.eq(again),
        dut.is_gdn.eq(in_gdn),
    ]
    # Tile after tile of the convolution, then of GDN, again and again. Behind the last one comes another band.
    tiles = Mux(
        in_gdn,
        of_stage(band, [stage.last_op.tiles for stage in stages]),
        of_stage(band, [stage.conv.tiles for stage in stages]),
    )
    last = tile + 1 == tiles
    has_gdn = of_stage(band, [stage.gdn is not None for stage in stages])
    bench.assume(~moves | ~over)
    bench.assume(~begin | (over & ~moves))
    bench.assume(turns == (moves & ~in_gdn & last & has_gdn))
    bench.assume(~again | (moves & in_gdn & last))
    with m.If(moves):
        m.d.sync += [tile.eq(Mux(last, 0, tile + 1)), over.eq(last & ~turns & ~again), in_gdn.eq(in_gdn | turns)]
    with m.If(begin):
        m.d.sync += [tile.eq(0), over.eq(0), in_gdn.eq(0)]
    # A pass reads the weights of its tile that belong to rows inside the image.
    kind_row = [0 if k.shape is None else k.shape.columns * program.ops[k.op].channels_in for k in kinds]
    words, base, row = (
        Array(values)[kind] for values in ([k.weights for k in kinds], [k.base for k in kinds], kind_row)
    )
    gdn_base = of_stage(band, [stage.last_op.base for stage in stages])
    gdn_words = of_stage(band, [stage.last_op.pass_kinds[0].weights for stage in stages])
    begins = Mux(in_gdn, gdn_base + tile * gdn_words, base + band.above * row + tile * words)
    ends = dut.weight + Mux(in_gdn, gdn_words, band.kernel_rows * row)
    depths = [program.weight_memories[op.memory].depth for stage in stages for op in (stage.conv, stage.last_op)]
    depth = Array(depths)[2 * band.stage + in_gdn]
    at_rest = ~over & ~recent
    bench.claim(~at_rest | ((dut.weight == begins) & (ends <= depth)))
    bench.claim(~at_rest | in_gdn | (ends <= base + (tile + 1) * words))
    # Of the state between.
    begun, moved = bench.past(begin), bench.past(moves)
    early = begun | bench.past(begun)
    bench.claim(over | ((tile < tiles) & (~in_gdn | has_gdn)))
    bench.claim(over | early | moved | (dut.weight == begins))
    bench.claim(over | begun | (bench.peek("gdn", dut.weight.shape()) == gdn_base))
    bench.claim(over | early | (bench.peek("first", dut.weight.shape()) == base + band.above * row))
    held_words = bench.peek("words", range(1 + max(k.weights for k in kinds)))
    bench.claim(over | early | moved | (held_words == Mux(in_gdn, gdn_words, words)))
    bench.claim(bench.peek("begun", 2) == Cat(begun, bench.past(begun)))
    return bench


def _rows(mutant, name, **options):
    program = build(name, **options)
    stages, kinds, rows = program.stages, program.pass_kinds, program.rows
    dut = mutant(RowPlaces)(program)
    bench = Bench(dut)
    m = bench.m
    begin, issued = bench.free(1, "begin"), bench.free(1, "issued")
    recent = apart(bench, begin | issued)
    band, kind = _band(bench, program, begin)
    bench.drive(dut.last_tile, dut.has_gdn, dut.moves_group, dut.moves_tile)
    m.d.comb += [dut.begin.eq(begin), dut.issued.eq(issued)]
    # A row's bands follow each other, an even one of its columns by an odd one of the same groups. Its width is no
    # more than its stage's.
    widest = []
    for stage in stages:
        first, following = program.chains[stage.chain].max_width, None
        if not stage.first:
            before = stages[len(widest) - 1]
            following = 2 * widest[-1] if before.upsampling else -(-widest[-1] // before.stride)
        widest.append(following or first)
    strides = of_stage(band, [stage.stride for stage in stages])
    bench.assume((band.width != 0) & (band.width <= of_stage(band, widest)))
    totals = Signal(range(max(widest) + 1))
    for k, stage in enumerate(stages):
        with m.If(band.stage == k):
            for width in range(1, widest[k] + 1):
                with m.If(band.width == width):
                    m.d.comb += totals.eq(-(-width // (stage.stride * rows)))
    first, group, over, begun = Signal.like(totals), Signal.like(totals), Signal(init=1), Signal()
    before = {name: bench.past(band[name]) for name in ("stage", "width", "write_base", "groups")}
    follows = (band.stage == before["stage"]) & (band.width == before["width"])
    follows &= band.write_base == before["write_base"]
    goes_on = ~band.column & (group < totals)
    bench.assume(~begin | (over & ~issued))
    bench.assume(~issued | ~over)
    bench.assume(~begin | (begun & follows) | (band.begins & ~band.column))
    bench.assume(~begin | band.begins | (begun & Mux(band.column, band.groups == before["groups"], goes_on)))
    bench.assume(~begin | ~(band.begins & band.column))
    start = Mux(band.begins, 0, Mux(band.column, first, group))
    bench.assume(~begin | ((band.groups != 0) & (start + band.groups <= totals)))
    # From group to group; with the last one, back to the first one with another tile or GDN, or to another band.
    last = group + 1 == first + band.groups
    back = dut.moves_tile & (~dut.last_tile | dut.has_gdn)
    bench.assume(~(issued & dut.moves_tile) | (dut.moves_group & last))
    with m.If(issued & dut.moves_group):
        m.d.sync += [group.eq(Mux(back, first, group + 1)), over.eq(last & ~back)]
    with m.If(begin):
        m.d.sync += [first.eq(start), group.eq(start), over.eq(0), begun.eq(1)]
    # Words of a window that lie in the row are read, no others, and results go to their place in theirs.
    at_rest = ~over & ~recent
    for number, of_kind in enumerate(kinds):
        if of_kind.shape is None:
            continue
        stage = next(s for s in stages if s.conv.index == of_kind.op)
        channels = stage.conv.channels_in
        mine = at_rest & (kind == number)
        for k in range(of_kind.shape.words(rows)):
            at = group * stage.stride + of_kind.shape.first_word(rows) + k
            inside = (at >= 0) & (at * rows < band.width)
            begins = (dut.offset + k * channels)[: len(dut.offset)]
            bench.claim(~mine | (dut.mask[k] == inside))
            bench.claim(~(mine & dut.mask[k]) | ((begins == at * channels) & (begins + channels <= stage.row_stride)))
    for k, (stage, following) in enumerate(pairwise(stages)):
        mine = at_rest & (band.stage == k) & int(not stage.last)
        made = following.conv.channels_in << stage.upsampling
        target = band.write_base + group * made
        bench.claim(~mine | (dut.target == target[: len(dut.target)]))
        bench.claim(~mine | (group * made + made <= following.row_stride))
    bench.claim((dut.row == band.read_base) & (dut.kernel_rows == band.kernel_rows))
    # Of the state between: places of the group at hand, a cycle late, and of the first one of the band.
    made = [
        0 if stage.last else following.conv.channels_in << stage.upsampling
        for stage, following in zip(stages, (*stages[1:], None), strict=True)
    ]
    channels = [stage.stride * stage.conv.channels_in for stage in stages]
    places = {
        "left": lambda g: band.width - g * strides * rows,
        "word": lambda g: g * strides,
        "base": lambda g: g * of_stage(band, channels),
        "target": lambda g: band.write_base + g * of_stage(band, made),
    }
    shown, shown_first = bench.past(group), bench.past(first)
    fresh = begin & band.begins
    fresh |= bench.past(fresh)
    bench.claim(over | begun)
    bench.claim(over | ((first <= group) & (group < first + band.groups)))
    bench.claim(~begun | begin | (first + band.groups <= totals))
    bench.claim(~begun | begin | ~over | (group == first + band.groups))
    for name, place in places.items():
        shape = {"left": 16, "word": 16, "base": len(dut.offset), "target": len(dut.target)}[name]
        register = dut.target if name == "target" else bench.peek(name, shape)
        home = bench.peek(f"home_{name}", shape)
        bench.claim(~begun | fresh | (register == place(shown)[:shape]))
        bench.claim(~begun | begin | bench.past(begin) | (home == place(shown_first)[:shape]))
    return bench


PROOFS = (
    *(
        Proof(
            f"places of rows, {name}",
            "are those of the group at hand: windows read the words inside the row, and results go inside theirs",
            lambda mutant, name=name, options=options: _rows(mutant, name, **options),
            (
                Mutation(RowPlaces, "self._left > pixels", "self._left >= pixels"),
                Mutation(RowPlaces, "goes_home.eq(back | ", "goes_home.eq("),
                *more,
            ),
            5,
            unbounded=True,
            reach=12,
        )
        for name, options, more in (
            ("GDN", {"max_width": 8}, (Mutation(RowPlaces, "self._word >= -offset", "self._word >= -offset - 1"),)),
            ("upsampling", {"max_width": 4}, (Mutation(RowPlaces, "begin & ~band.column", "begin"),)),
        )
    ),
    Proof(
        "places of weights",
        "are those of the tile at hand, without rows above the image, and all that a pass reads is there",
        _weights,
        (
            Mutation(FixedWeights, "min(count, kind.kernel_rows, most)", "min(count + 1, kind.kernel_rows, most)"),
            Mutation(FixedWeights, "self.to_gdn | self.again", "self.to_gdn"),
            Mutation(FixedWeights, "begun.eq(Cat(self.begin, begun[0]))", "begun.eq(self.begin << 1)"),
        ),
        5,
        unbounded=True,
        reach=20,
    ),
)
