"""Addresses: none that is read or written lies beyond its memory."""

from functools import reduce
from operator import or_

from amaranth.hdl import Signal

from licgate.gateware.engine.feed.reads import OperandAddresses
from licgate.gateware.resident.rows import RowTracker
from licgate.gateware.streamed.places import BandPlaces
from licgate.program.streamed import compile_streamed
from licgate.target.streamed import StreamedConfig
from tests.formal.kit import Bench, Mutation, Proof
from tests.gateware.resident.programs import build
from tests.manifest.kit import chain

UP = chain("g_s", 1, (5, -2, 2, "abs"), (3, -2, 1))
DOWN = chain("g_a", 2, (3, 2, 2, "abs"), (3, 1, 1))


def streamed(*transforms, address_bits=14, arithmetic="direct"):
    """A small program of a streamed core."""
    shape = {"rows": 2, "cols": 1, "block_rows": 2, "band_groups": 2, "prefetch_words": 1, "arithmetic": arithmetic}
    return compile_streamed(transforms, StreamedConfig(**shape, beat_bits=8, page_beats=4, address_bits=address_bits))


def any_of(conditions):
    """One of them holds."""
    return reduce(or_, conditions)


def _operands(mutant):
    program = streamed(DOWN)
    ring, depth = program.weight_ring, program.gdn_depth
    dut = mutant(OperandAddresses)(program)
    bench = Bench(dut)
    work, given = dut.next.work, bench.free(range(depth + 1), "given")
    bench.drive(dut.take, dut.step, dut.next)
    taken, stepped, wraps = bench.past(dut.take), bench.past(dut.step), bench.peek("wraps", 1)
    # A pass stays for a cycle behind its taking; of GDN's inputs it reads no more than the band has.
    kept, left = bench.past(work.x), Signal(range(depth + 1))
    bench.assume(work.weight < ring)
    bench.assume(~dut.take | (work.x + given <= depth))
    bench.assume(~taken | (work.x == kept))
    bench.assume(~dut.step | (left != 0))
    bench.m.d.sync += left.eq(left - dut.step)
    with bench.m.If(dut.take):
        bench.m.d.sync += left.eq(given)
    bench.claim((dut.weight < ring) & (wraps == (dut.weight == ring - 1)))
    bench.claim(~stepped | (dut.norm < depth))
    bench.claim(taken | (dut.norm + stepped + left <= depth))
    bench.claim(~taken | (kept + left <= depth))
    return bench


def _row_bases(mutant):
    program = build("upsampling")
    dut = mutant(RowTracker)(program)
    bench = Bench(dut)
    bench.drive(dut.start, dut.input_row, dut.row_done, dut.skip, dut.finish)
    bench.drive(dut.stage, dut.row_line, dut.chain, dut.width, dut.height, dut.released)
    width, begun = len(dut.row.read_base), Signal()
    with bench.m.If(dut.start):
        bench.m.d.sync += begun.eq(1)
    for k, stage in enumerate(program.stages):
        for name in ("read",) if stage.first else ("read", "write"):
            base = bench.peek(f"{name}_base_{k}", width)
            index = bench.peek(f"{name}_{k}_index", range(max(2, stage.ring)))
            last = bench.peek(f"{name}_{k}_last", 1)
            places = (
                (base == stage.base + row * stage.row_stride) & (index == row) & (last == (row == stage.ring - 1))
                for row in range(stage.ring)
            )
            bench.claim(~begun | any_of(places))
            bench.claim(~begun | (base + stage.row_stride <= program.line_memories[stage.memory].depth))
    return bench


def _band_places(mutant, transform=DOWN):
    program = streamed(transform)
    slots, stages = program.slots, program.stages
    dut = mutant(BandPlaces)(program)
    bench = Bench(dut)
    m, band = bench.m, dut.band
    begin, issued, moves_row, moves_group, moves_tile = (
        bench.free(1, name) for name in ("begin", "issued", "moves_row", "moves_group", "moves_tile")
    )
    bench.drive(dut.band, dut.is_gdn, dut.column, dut.last_tile, dut.to_gdn, dut.parity)
    m.d.comb += [
        dut.begin.eq(begin),
        dut.issued.eq(issued),
        dut.moves_row.eq(moves_row),
        dut.moves_group.eq(moves_group),
        dut.moves_tile.eq(moves_tile),
    ]
    # The band stays while it is at work, and so does the parity between passes, five cycles apart.
    recent = bench.past(begin | issued)
    for _ in range(3):
        bench.assume(~((begin | issued) & recent))
        recent = bench.past(recent) | recent
    bench.assume(~(begin & issued))
    begun, row = Signal(), Signal(range(program.block_rows + 2))
    same = band.as_value() == bench.past(band.as_value())
    bench.assume(bench.first | begin | same)
    calm = bench.past(issued | begin)
    bench.assume(bench.first | calm | (dut.parity == bench.past(dut.parity)))
    pairs = any_of((band.stage == k) & int(stage.upsampling) for k, stage in enumerate(stages))
    bench.assume(dut.parity == (row[0] & pairs))
    # A row moves, with the last one the group.
    rows_end = row + 1 == band.rows
    bench.assume(~(issued & moves_group) | (moves_row & rows_end))
    bench.assume(~(issued & moves_row & rows_end) | moves_group)
    bench.assume(~(issued & moves_tile) | moves_group)
    with m.If(issued & moves_row):
        m.d.sync += row.eq(row + 1)
    with m.If(begin | (issued & (moves_group | moves_tile))):
        m.d.sync += row.eq(0)
    with m.If(begin):
        m.d.sync += begun.eq(1)
    bench.assume(any_of((band.stage == k) & band_fits(program, stage, band) for k, stage in enumerate(stages)))

    slot, next_slot = (bench.peek(name, len(band.slot)) for name in ("slot", "next_slot"))
    bench.claim((slot < slots) & (next_slot < slots))
    kernel_row = bench.peek("kernel_row", len(band.height))
    kernel_end = bench.peek("kernel_end", range(2 * program.kernel_rows + 64))
    at_work = []
    for k, stage in enumerate(stages):
        first = stage.span(0)[0]
        spans = [tuple(end - first for end in stage.span(r)) for r in range(program.stage_rows(stage))]
        places = ((row == r) & (kernel_row == s) & (kernel_end == e) for r, (s, e) in enumerate(spans))
        at_work.append((band.stage == k) & any_of(places) & (row < band.rows))
    bench.claim(~begun | begin | any_of(at_work))
    # The words of a window lie in the ring, which begins again where it ends.
    words = range(program.window_words)
    windows = (
        (dut.offset == s * program.slot_words)
        & (dut.wrap == sum(1 << k for k in words if (s + k) % slots == slots - 1))
        for s in range(slots)
    )
    bench.claim(bench.first | any_of(windows))
    # Once told of a pass: its rows lie in a slot.
    settled, told = begun & ~begin, begin | issued
    for _ in range(3):
        told = bench.past(told)
        settled = settled & ~told
    channels = [stage.conv.channels_in for stage in stages]
    inside = any_of(
        (band.stage == k) & (band.top * count <= dut.row) & (dut.row + dut.kernel_rows * count <= band.height * count)
        for k, count in enumerate(channels)
    )
    bench.claim(~settled | ((dut.kernel_rows != 0) & inside))
    return bench


def band_fits(program, stage, band):
    """What the commands of a schedule keep to, of a band; of values, or of integers."""
    rows, span = program.stage_rows(stage), stage.span(0)
    begins = [stage.span(row)[0] - span[0] for row in range(rows)]
    return (
        (band.groups >= 1)
        & (band.groups <= program.band_groups)
        & (band.slot < program.slots)
        & (band.height <= program.in_rows(stage))
        & (band.top < span[1] - span[0])
        & (band.top < band.height)
        & any_of((band.rows == row + 1) & (band.height > first) for row, first in enumerate(begins))
    )


PROOFS = (
    Proof(
        "addresses of operands",
        "lie in the ring of weights and in the inputs of GDN, where passes begin there and read what there is",
        _operands,
        (
            Mutation(OperandAddresses, "weight == ring - 2", "weight == ring - 1"),
            Mutation(OperandAddresses, "wraps.eq(work.weight == ring - 1)", "wraps.eq(0)"),
            Mutation(OperandAddresses, "self.norm.eq(work.x[self._part_bits :])", "self.norm.eq(work.x + 1)"),
        ),
        2,
        unbounded=True,
    ),
    Proof(
        "rows of line buffers",
        "are read and written in their ring, whatever moves on when",
        _row_bases,
        (
            Mutation(RowTracker, "restart += _next_row(m, skip", "_next_row(m, skip"),
            Mutation(RowTracker, "restart += _next_row(m, finish", "_next_row(m, finish"),
        ),
        2,
        unbounded=True,
    ),
    *(
        Proof(
            f"places of bands, {name}",
            "lie in their slot, and windows in the ring of slots",
            lambda mutant, transform=transform: _band_places(mutant, transform),
            (
                Mutation(BandPlaces, "moved >= slots", "moved > slots"),
                Mutation(BandPlaces, "Mux(kernel_end < band.height, kernel_end, band.height)", "kernel_end"),
                Mutation(BandPlaces, "slot + k == slots - 1", "slot + k == slots"),
            ),
            7,
            unbounded=True,
        )
        for name, transform in (("down", DOWN), ("up", UP))
    ),
)
