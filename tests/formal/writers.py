"""What is written to line buffers and to the inputs of GDN: where it belongs, and as much as there is."""

from itertools import pairwise

from amaranth.hdl import Array, Cat, Mux, Signal

from licgate.gateware.engine.writer import ResultWriter
from licgate.gateware.passes import Destination
from licgate.gateware.resident.maps import MapWriter
from licgate.gateware.resident.pixels import PixelWriter
from tests.formal.addresses import any_of
from tests.formal.kit import Bench, Mutation, Proof
from tests.gateware.resident.programs import build


def _results(mutant, name):
    program = build(name)
    stages, memories = program.stages, program.line_memories
    dut = mutant(ResultWriter)(program, 2, 2)
    bench = Bench(dut)
    m, tile = bench.m, dut.i.payload
    bench.drive(dut.valid, *dut.word, *dut.norms, dut.i.valid, tile)
    bench.keeps_its_word(dut.i, bench.assume)
    # The post-processor has a word for every channel of a tile whose descriptor is there. The tile's place is in the
    # memory where it goes: of the inputs of GDN, of a stage's line buffer; there, of an upsampling stage, two words.
    places, pairs = [], []
    for k, (before, stage) in enumerate(pairwise(stages), 1):
        ends, word_behind = stage.base + stage.depth, before.upsampling * stage.conv.channels_in
        places.append(
            (tile.line == k) & (tile.address >= stage.base) & (tile.address + word_behind + tile.count <= ends)
        )
        pairs.append((tile.line == k) & int(before.upsampling))
    to_norm, to_line = (tile.to == to for to in (Destination.NORM, Destination.LINE))
    bench.assume(~dut.valid | dut.i.valid)
    bench.assume(~dut.i.valid | ((tile.count != 0) & (tile.count <= program.most_channels)))
    bench.assume(~dut.i.valid | ~to_norm | (tile.address + tile.count <= program.gdn_depth))
    bench.assume(~dut.i.valid | ~to_line | any_of(places))
    pair = to_line & any_of(pairs)
    bench.assume(~dut.valid | ~bench.past(dut.valid & pair))
    word, takes = Signal.like(tile.count), dut.i.ready
    with m.If(dut.valid):
        m.d.sync += word.eq(Mux(takes, 0, word + 1))
    bench.claim(takes == (dut.valid & (word + 1 == tile.count)))
    # Each word goes to its channel's place, and the second one of a pair as many words behind as there are channels.
    goes = bench.past(dut.valid & to_line)
    second = bench.past(goes & bench.past(pair))
    at, memory = bench.past(tile.address + word), Array(stage.memory for stage in stages)[tile.line]
    channels = Array(stage.conv.channels_in for stage in stages)[tile.line]
    beyond = bench.past(bench.past(tile.address + word + channels))
    bench.claim(dut.norm_enable == bench.past(dut.valid & to_norm))
    bench.claim(~dut.norm_enable | ((dut.norm_address == at) & (dut.norm_address < program.gdn_depth)))
    column, odd = bench.past(tile.column), program.rows & 1
    first_half = Mux(bench.past(pair), Mux(column, 2, 1), 3)
    second_half = Mux(bench.past(column) ^ odd, 2, 1)
    for k, line in enumerate(memories):
        enable = dut.line_enable[2 * k : 2 * k + 2]
        mine = goes & bench.past(memory == k)
        mine_second = second & bench.past(bench.past(memory == k))
        bench.claim(enable == Mux(mine, first_half, Mux(mine_second, second_half, 0)))
        bench.claim(~enable.any() | (dut.line_address < line.depth))
    bench.claim(~goes | (dut.line_address == at))
    bench.claim(~second | (dut.line_address == beyond))
    bench.claim(dut.written == bench.past(takes))
    # Of the state between.
    count, nearly = bench.peek("count", range(program.most_words + 1)), bench.peek("nearly", 1)
    bench.claim((word == 0) | (dut.i.valid & (word < tile.count)))
    bench.claim((count == word) & (nearly == ((word != 0) & (word + 1 == tile.count))))
    return bench


def _ring(bench, base, stride, ring, row_done, start):
    """Where the row at hand begins in a ring of rows: row after row, from the first one at ``start`` on."""
    row = Signal(4)
    with bench.m.If(row_done):
        bench.m.d.sync += row.eq(Mux(row == ring - 1, 0, row + 1))
    with bench.m.If(start):
        bench.m.d.sync += row.eq(0)
    bench.claim(row < ring)
    return lambda ahead=0: base + stride * Mux(row + ahead >= ring, 0, row + ahead)


def _pixels(mutant):
    program = build("ReLU", max_width=8)
    stage, rows = program.stages[0], program.rows
    channels, most = stage.conv.channels_in, program.chains[0].max_width
    dut = mutant(PixelWriter)(program)
    bench = Bench(dut)
    m, start = bench.m, bench.free(1, "start")
    width, height = bench.free(dut.width.shape(), "width"), bench.free(dut.height.shape(), "height")
    bench.drive(dut.i.valid, dut.i.payload, dut.room)
    m.d.comb += [dut.start.eq(start), dut.width.eq(width), dut.height.eq(height)]
    # Run control refuses images that are wider than the program's, and begins one when the last one is complete.
    bench.assume((width >= 1) & (width <= most) & (height >= 1))
    bench.assume(~start | ~dut.busy)
    bench.assume(~bench.past(start | dut.busy) | ((width == bench.past(width)) & (height == bench.past(height))))
    # A row's words lie behind each other, one for each channel of as many pixels as a word has.
    words = Array(-(-w // rows) for w in range(most + 1))[width]
    writes = Signal(range(stage.row_stride + 1))
    base = _ring(bench, stage.base, stage.row_stride, stage.ring, dut.row_done, start)
    with m.If(dut.write_enable):
        m.d.sync += writes.eq(Mux(dut.row_done, 0, writes + 1))
    bench.claim(~dut.write_enable | (dut.write_address == base() + writes))
    bench.claim(~dut.write_enable | ((writes < words * channels) & (words * channels <= stage.row_stride)))
    bench.claim(dut.row_done == (dut.write_enable & (writes + 1 == words * channels)))
    bench.claim(stage.base + stage.depth <= program.line_memories[stage.memory].depth)
    # Of the state between: pixels of the row that were taken; words that are handed over and written.
    idle, room_3, room, room_2, room_4, row = bench.states("IDLE", "ROOM_3", "ROOM", "ROOM_2", "ROOM_4", "ROW")
    names = ("pending", "full", "open", "final", "hand", "writing", "row_ends", "end", "handed", "single", "starting")
    at = {name: bench.peek(name, 1) for name in (*names, "ended", "row_ended", "begins", "took", "few", "few_all")}
    wide = {
        name: bench.peek(name, shape)
        for name, shape in (
            ("places", rows),
            ("channel", range(channels + 1)),
            ("target", dut.write_address.shape()),
            ("base", dut.write_address.shape()),
            ("following", dut.write_address.shape()),
            ("behind", 17),
            ("behind_all", 17),
            ("rows_left", 16),
        )
    }
    taken, handed, written = Signal(range(most + 1)), Signal(range(most + 1)), Signal(range(most + 1))
    with m.If(row):
        m.d.sync += [
            taken.eq(taken + (dut.i.valid & dut.i.ready)),
            handed.eq(handed + at["hand"]),
            written.eq(written + (at["writing"] & at["end"])),
        ]
    with m.If(at["row_ended"]):
        m.d.sync += [taken.eq(0), handed.eq(0), written.eq(0)]
    here = Signal(range(rows + 1))  # pixels of the word at hand
    all_handed = (taken == width) & (handed == words)
    m.d.comb += here.eq(Mux(all_handed, 0, taken - handed * rows))
    quiet = ~(at["pending"] | at["full"] | at["open"] | at["hand"] | at["writing"] | at["handed"])
    bench.claim(idle | room_3 | room | room_2 | room_4 | row)
    bench.claim(row | (quiet & (taken == 0) & (handed == 0) & (written == 0)))
    bench.claim(~row | (at["pending"] == (taken < width)))
    bench.claim((taken <= width) | ~row)
    bench.claim(~at["pending"] | (at["final"] == (taken + 1 == width)))
    bench.claim(at["took"] == bench.past(dut.i.valid & dut.i.ready))
    before = (taken - at["took"])[: len(taken)]
    bench.claim(~at["pending"] | ((wide["behind"] == (width - 4 - before)[:17]) & (at["few"] == (width < before + 3))))
    bench.claim(~row | all_handed | ((handed * rows <= taken) & (handed * rows + rows >= taken)))
    bench.claim(~row | (at["full"] == ((here == rows) | ((here != 0) & (taken == width)))))
    bench.claim(~row | (at["open"] == (at["pending"] & ~at["full"])))
    bench.claim(at["full"] | ~row | any_of((wide["places"] == 1 << r) & (here == r) for r in range(rows)))
    bench.claim(row | (wide["places"] == 1))
    bench.claim(~row | (handed == written + at["handed"] + at["writing"]))
    bench.claim(~(at["handed"] & at["writing"]))
    bench.claim(~at["writing"] | (at["end"] == (wide["channel"] == channels - 1)))
    bench.claim(~at["writing"] | (wide["channel"] < channels))
    done = written * channels + Mux(at["writing"], wide["channel"], 0)
    bench.claim(~row | ((wide["target"] == base() + done) & (writes + dut.write_enable == done)))
    bench.claim(row | dut.row_done | ((writes == 0) & ~dut.write_enable))
    bench.claim(~(at["handed"] | at["writing"]) | (at["row_ends"] == (handed == words)))
    bench.claim(dut.write_enable == bench.past(at["writing"]))
    # From row to row.
    bench.claim(at["starting"] | (wide["base"] == base()))
    bench.claim(~(row | room) | ((wide["following"] == base(1)) & ~at["starting"] & (wide["rows_left"] != 0)))
    bench.claim(~row | ~(dut.row_done | at["begins"]))
    bench.claim(room == dut.row_done)
    bench.claim(~idle | (wide["rows_left"] == 0))
    bench.claim(row | room | room_2 | (at["ended"] == (wide["rows_left"] == 0)))
    settled = (at["single"] == (width == 1)) & (at["few_all"] == (width < 3))
    settled &= wide["behind_all"] == (width - 4)[:17]
    bench.claim(~room_4 | at["ended"] | settled)
    begun = (wide["target"] == base()) & (at["final"] == at["single"]) & (wide["behind"] == wide["behind_all"])
    begun &= (at["few"] == at["few_all"]) & ~at["took"]
    bench.claim(~room_4 | at["ended"] | at["begins"] | begun)
    return bench


def _maps(mutant):
    program = build("chains")
    rows, chains = program.rows, program.chains
    dut = mutant(MapWriter)(program)
    bench = Bench(dut)
    m, start = bench.m, bench.free(1, "start")
    chain = bench.free(dut.chain.shape(), "chain")
    width, height = bench.free(dut.width.shape(), "width"), bench.free(dut.height.shape(), "height")
    bench.drive(dut.i.valid, dut.i.payload, dut.room)
    m.d.comb += [dut.start.eq(start), dut.chain.eq(chain), dut.width.eq(width), dut.height.eq(height)]
    # Run control refuses maps that are wider than the chain's, and begins one when the last one is complete.
    fits = any_of((chain == c.index) & (width <= c.max_width) & int(not c.pixels) for c in chains)
    bench.assume((width >= 1) & (height >= 1) & fits)
    bench.assume(~start | ~dut.busy)
    stays = Cat(chain, width, height)
    bench.assume(~bench.past(start | dut.busy) | (stays == bench.past(stays)))

    def of_chain(value):
        return Array(value(program.stages[c.first]) for c in chains)[chain]

    channels, stride, first = (
        of_chain(value) for value in (lambda s: s.conv.channels_in, lambda s: s.row_stride, lambda s: s.base)
    )
    # A row's words lie behind each other, one for each channel of as many values as a word has.
    most = max(c.max_width for c in chains)
    words = Array(-(-w // rows) for w in range(most + 1))[width[: most.bit_length()]]
    writes, total = Signal(8), words * channels
    base = _ring(bench, first, stride, of_chain(lambda s: s.ring), dut.row_done, start)
    writing = dut.write_enable.any()
    with m.If(writing):
        m.d.sync += writes.eq(Mux(dut.row_done, 0, writes + 1))
    bench.claim(~writing | (dut.write_enable == of_chain(lambda s: 1 << s.memory)))
    bench.claim(~writing | ((dut.write_address == base() + writes) & (writes < total) & (total <= stride)))
    for memory, bit in zip(program.line_memories, dut.write_enable, strict=True):
        bench.claim(~bit | (dut.write_address < memory.depth))
    bench.claim(dut.row_done == (writing & (writes + 1 == total)))
    # Of the state between: groups of the row whose values were taken.
    idle, room, room_2, room_3, row = bench.states("IDLE", "ROOM", "ROOM_2", "ROOM_3", "ROW")
    pending, final, ends, row_ends = (bench.peek(name, 1) for name in ("pending", "final", "ends", "row_ends"))
    lane, last_lane, channel = bench.peek("lane", 1), bench.peek("last_lane", 1), bench.peek("channel", 1)
    behind, rows_left = bench.peek("behind", 16), bench.peek("rows_left", 16)
    groups = Signal(range(most + 1))
    with m.If(dut.i.valid & dut.i.ready & (lane == last_lane) & (channel == channels - 1)):
        m.d.sync += groups.eq(groups + 1)
    with m.If(dut.row_done | start):
        m.d.sync += groups.eq(0)
    taken = groups * channels + channel
    bench.claim(idle | room | room_2 | room_3 | row)
    bench.claim(idle == ~dut.busy)
    bench.claim(
        row | ~(pending | ends | row_ends | writing | (writes != 0) | (groups != 0) | (lane != 0) | (channel != 0))
    )
    bench.claim(~row | (pending == (groups < words)))
    bench.claim(~row | (channel < channels))
    bench.claim(pending | ((lane == 0) & (channel == 0)))
    bench.claim(~pending | (final == (groups + 1 == words)))
    bench.claim(~pending | (behind == Mux(final, 0, width - (groups + 1) * rows)))
    bench.claim(~pending | (last_lane == Mux(final, width - groups * rows - 1, rows - 1)))
    bench.claim(~pending | (lane <= last_lane))
    bench.claim(~room_3 | (behind == width))
    bench.claim(~row | (taken == writes + writing + ends))
    bench.claim(row_ends == (ends & (taken == total)))
    bench.claim(~row | (dut.write_address == base() + writes))
    # From row to row: constants of the chain, and where rows begin.
    constants = {
        "last_channel": lambda s: s.conv.channels_in - 1,
        "memory": lambda s: 1 << s.memory,
        "first_base": lambda s: s.base,
        "stride": lambda s: s.row_stride,
        "last_row": lambda s: s.last_row,
    }
    for name, value in constants.items():
        most_value = max(value(program.stages[c.first]) for c in chains if not c.pixels)
        bench.claim(idle | (bench.peek(name, range(max(2, most_value + 1))) == of_chain(value)))
    begins = bench.peek("base", dut.write_address.shape())
    bench.claim(idle | ((rows_left <= height) & ((rows_left != height) | (base() == first))))
    bench.claim(~(room_3 | row | ((room | room_2) & (rows_left != height))) | (begins == base()))
    return bench


PROOFS = (
    Proof(
        "the map writer",
        "writes the words of each row behind each other in its place of the line buffer, as many as the map is wide",
        _maps,
        (
            Mutation(MapWriter, "base == last_row", "base == first_base"),
            Mutation(MapWriter, "self._behind <= rows", "self._behind < rows"),
            Mutation(MapWriter, "rows_left == self.height", "rows_left == 1"),
        ),
        2,
        unbounded=True,
        reach=16,
    ),
    Proof(
        "the pixel writer",
        "writes the words of each row behind each other in its place of the line buffer, as many as the image is wide",
        _pixels,
        (
            Mutation(PixelWriter, "Mux(took, behind < 0, few)", "few"),
            Mutation(PixelWriter, "base == last", "base == first"),
            Mutation(PixelWriter, "places.eq(1), ", ""),
        ),
        2,
        unbounded=True,
        reach=16,
    ),
    *(
        Proof(
            f"the result writer, {name}",
            "writes every word at its channel's place, those of upsampling stages twice, and as many as there are",
            lambda mutant, name=name: _results(mutant, name),
            (
                Mutation(ResultWriter, "count + 2 == tile.count", "count + 1 == tile.count"),
                Mutation(ResultWriter, "count.eq(0), nearly", "nearly"),
                *more,
            ),
            3,
            unbounded=True,
        )
        for name, more in (
            ("chains", (Mutation(ResultWriter, "second.eq(to_line & upsampled)", "second.eq(to_line)"),)),
            (
                "upsampling, 3 rows",
                (
                    Mutation(ResultWriter, "second_address.eq(address + channels)", "second_address.eq(address)"),
                    Mutation(ResultWriter, "bits = Mux(second, second_selected, selected)", "bits = selected"),
                ),
            ),
        )
    ),
)
