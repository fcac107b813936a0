"""Reads of windows: each word that a pass asks for is read once, at its place in its stage's line buffer."""

from amaranth.hdl import Array, Module, Mux, Signal

from licgate.gateware.engine.feed.gaps import ReadGap
from licgate.gateware.engine.feed.kinds import PassKinds
from licgate.gateware.engine.feed.nextpass import NextPass
from licgate.gateware.engine.feed.reads import WindowReads
from licgate.gateware.engine.feed.walk import PassWalk
from licgate.gateware.stream import connect
from tests.formal.addresses import UP, any_of, streamed
from tests.formal.kit import Bench, Mutation, Proof
from tests.gateware.resident.programs import build


def _feeder(mutant, program):
    """What the feeder reads windows with, put together as there; when results are in the way is free."""
    dut = Module()
    dut.submodules.waiting = waiting = mutant(NextPass)(program)
    dut.submodules.walk = walk = mutant(PassWalk)(program)
    dut.submodules.gap = gap = mutant(ReadGap)(program)
    dut.submodules.reads = reads = mutant(WindowReads)(program)
    connect(dut, waiting.o, walk.i)
    for part in (gap, reads):
        dut.d.comb += [part.opens.eq(walk.opens), part.next.eq(waiting.o.payload)]
    dut.d.comb += [gap.finish.eq(walk.finish), gap.gdn.eq(walk.gdn), walk.free.eq(gap.free)]
    for name in ("run", "tap_row_ends", "row_ends", "position", "kind", "gdn", "channels"):
        dut.d.comb += getattr(reads, name).eq(getattr(walk, name))
    return Bench(dut), waiting, walk, reads


def _fits(program, kinds, work):
    """What the proofs of places say of a pass: its rows and the words of its window lie in its line buffer."""
    fitting, slots = [], getattr(program, "slots", 0)
    for kind, stage in enumerate(kinds.stages):
        stage, count, fits = program.stages[stage], kinds.channels[kind], work.kernel_rows != 0
        if kinds.gdn[kind]:
            fits = 1
        elif program.ring_words is None:
            width = len(work.offset)
            fits &= any_of(work.row == stage.base + row * stage.row_stride for row in range(stage.ring))
            fits &= work.kernel_rows <= program.pass_kinds[kind].kernel_rows
            for word in range(kinds.words[kind]):
                first = Signal(width, name=f"first_{kind}_{word}")
                yield first.eq(work.offset + word * count)
                fits &= ~work.mask[word] | (first + count <= stage.row_stride)
        else:
            fits &= work.row + work.kernel_rows * count <= program.in_rows(stage) * count
            fits &= any_of(
                (work.offset == slot * program.slot_words)
                & (work.wrap == sum(1 << k for k in range(program.window_words) if (slot + k) % slots == slots - 1))
                for slot in range(slots)
            )
        fitting.append((work.pass_kind == kind) & fits)
    yield any_of(fitting)


def _windows(mutant, program):
    kinds, stages = PassKinds(program), program.stages
    bench, waiting, walk, reads = _feeder(mutant, program)
    m, work, read = bench.m, waiting.i.payload, reads.read
    bench.drive(waiting.i.valid, work, walk.early)
    *firsts, fits = _fits(program, kinds, work)
    m.d.comb += firsts
    bench.assume(~waiting.i.valid | fits)

    def of_kind(kind, values):
        return Array(values)[kind]

    # The pass that waits, the one at work, and where it is: kernel row, channel, cycle of the tap row.
    taken, following, now = Signal.like(work), Signal.like(work), Signal.like(work)
    m.d.comb += following.eq(waiting.o.payload.work)
    held, active, gdn = Signal(), Signal(), Signal()
    row, channel, cycle = Signal(4), Signal(4), Signal(4)
    line = Signal(len(read.address))  # where the kernel row begins
    kind = now.pass_kind
    words, channels, delay = (of_kind(kind, values) for values in (kinds.words, kinds.channels, kinds.delays))
    bases, strides, last_rows = (
        kinds.of_stage([getattr(stage, name) for stage in stages]) for name in ("base", "row_stride", "last_row")
    )
    base, stride, last_row = (of_kind(kind, values) for values in (bases, strides, last_rows))
    tap_row = Mux(gdn, 1, of_kind(kind, kinds.tap_rows))
    tap_row_ends = cycle == tap_row - 1
    last_channel, last_row_of_kernel = channel == channels - 1, gdn | (row == now.kernel_rows - 1)
    row_ends = tap_row_ends & last_channel
    ends = row_ends & last_row_of_kernel
    with m.If(walk.run):
        m.d.sync += cycle.eq(cycle + 1)
        with m.If(tap_row_ends):
            m.d.sync += [cycle.eq(0), channel.eq(channel + 1)]
        with m.If(row_ends):
            m.d.sync += [channel.eq(0), row.eq(row + 1), line.eq(Mux(line == last_row, base, line + stride))]
        with m.If(ends):
            m.d.sync += active.eq(0)
    with m.If(waiting.i.valid & waiting.i.ready):
        m.d.sync += [taken.eq(work), held.eq(1)]
    with m.If(walk.take):
        m.d.sync += [now.eq(taken), held.eq(0), active.eq(1), gdn.eq(of_kind(taken.pass_kind, kinds.gdn))]
        m.d.sync += [row.eq(0), channel.eq(0), cycle.eq(0), line.eq(taken.row)]
    # The word at hand is asked for, and read after the delay of its kind.
    asks = walk.run & ~gdn & (cycle < words)
    if program.ring_words is None:
        place = (line + now.offset + channel + cycle * channels)[: len(read.address)]
    else:
        slot = Signal(range(2 * program.slots))
        begins = (Mux(slot + cycle >= program.slots, slot + cycle - program.slots, slot + cycle)) * program.slot_words
        place = (begins + line + channel)[: len(read.address)]
        for k in range(program.slots):
            with m.If(walk.take & (taken.offset == k * program.slot_words)):
                m.d.sync += slot.eq(k)
        bench.claim(~active | gdn | ((now.offset == slot * program.slot_words) & (slot < program.slots)))
    inside = Array(now.mask)[cycle] & (cycle < words)
    asked = {"address": place, "inside": inside, "stage": of_kind(kind, kinds.stages), "kind": kind}
    # one entry for each cycle since: whether, how much later, what, and whether it is the window's last one
    chain = [(asks, delay, asked, cycle == words - 1)]
    for _ in range(reads.latest):
        valid, wait, before, last = chain[-1]
        chain.append(
            (bench.past(valid), bench.past(wait), {n: bench.past(v) for n, v in before.items()}, bench.past(last))
        )
    due = [valid & (wait == k) for k, (valid, wait, _, _) in enumerate(chain)]
    for (_, _, of_read, _), yes in zip(chain, due, strict=True):
        for name, value in of_read.items():
            bench.claim(~yes | (read[name] == value))
        depths = Array(stage.base + stage.depth for stage in stages)[read.stage]
        if program.ring_words is not None:
            depths = program.ring_words
        bench.claim(~(yes & read.inside) | (read.address < depths))
        bench.claim(~(yes & read.inside) | (read.address >= Array(stage.base for stage in stages)[read.stage]))
    bench.claim(sum(due) <= 1)
    bench.claim(read.last == any_of(yes & last for yes, (_, _, _, last) in zip(due, chain, strict=True)))

    # Of the state between: of the walk,
    def look(name, values):
        return bench.peek(name, range(1 + max(values))) if len(set(values)) > 1 else values[0]

    at = {
        name: bench.peek(f"walk.{name}", 1) for name in ("active", "gate", "final_tap_row", "last_channel", "last_row")
    }
    bench.claim((held == waiting.o.valid) & (~held | (following == taken)))
    bench.claim(~held | (waiting.o.payload.gdn == of_kind(taken.pass_kind, kinds.gdn)))
    bench.claim(~held | (waiting.o.payload.shortest == of_kind(taken.pass_kind, kinds.shortest)))
    bench.claim(~held | (waiting.o.payload.one_row == (taken.kernel_rows == 1)))
    bench.claim(~held | (waiting.o.payload.margin == of_kind(taken.pass_kind, kinds.margins)))
    bench.claim(~held | (waiting.o.payload.begin == (taken.row + taken.offset)[: len(read.address)]))
    bench.claim(~held | (waiting.o.payload.first == of_kind(taken.pass_kind, bases)))
    bench.claim(~held | (waiting.o.payload.last == of_kind(taken.pass_kind, last_rows)))
    *firsts_held, fits_held = _fits(program, kinds, taken)
    m.d.comb += firsts_held
    bench.claim(~held | fits_held)
    *firsts_now, fits_now = _fits(program, kinds, now)
    m.d.comb += firsts_now
    bench.claim(~active | fits_now)
    bench.claim((at["active"] == active) & (~walk.run | active))
    bench.claim((active | ~walk.finish) & (walk.opens == (walk.finish | ~active)))
    bench.claim(~active | ((walk.kind == kind) & (walk.gdn == gdn) & (gdn == of_kind(kind, kinds.gdn))))
    bench.claim(~active | ((walk.position == cycle) & (cycle < tap_row) & (channel < channels)))
    bench.claim(~active | gdn | (row < now.kernel_rows))
    bench.claim(~active | ((walk.tap_row_ends == tap_row_ends) & (walk.row_ends == (~gdn & row_ends))))
    bench.claim(~active | (walk.finish == ends))
    bench.claim(~active | (at["last_channel"] == last_channel))
    bench.claim(~active | gdn | (at["last_row"] == last_row_of_kernel))
    bench.claim(~active | (at["final_tap_row"] == (~gdn & last_channel & last_row_of_kernel)))
    bench.claim(~active | (bench.peek("walk.channels_left", walk.channels.shape()) == channels - channel))
    for name, left in (("two_left", 2), ("three_left", 3)):
        bench.claim(~active | (bench.peek(f"walk.{name}", 1) == (channel + left == channels)))
    for count in (1, 2, 3):
        few = [int(n == count) for n in kinds.channels]
        bench.claim(~active | (look(f"walk.channels_are_{count}", few) == of_kind(kind, few)))
    rows_left = bench.peek("walk.rows_left", range(program.kernel_rows + 1))
    bench.claim(~active | gdn | (rows_left == now.kernel_rows - row))
    gated = Mux(gdn, channel == channels - 2, (cycle == 0) & last_channel & last_row_of_kernel)
    bench.claim(~(active & at["gate"]) | gated)
    tables = (("walk.columns", kinds.columns), ("walk.channels", kinds.channels), ("walk.tap_row", kinds.tap_rows))
    for name, values in (*tables, ("gap.tap_row", kinds.tap_rows)):
        bench.claim(~active | (look(name, values) == of_kind(kind, values)))
    # of the reads,
    for name, values in (("words", kinds.words), ("delay", kinds.delays)):
        bench.claim(~active | (look(f"reads.{name}", values) == of_kind(kind, values)))
    width = read.address.shape()
    at |= {
        name: bench.peek(f"reads.{name}", width)
        for name in ("row", "next_row", "row_step", "row_first", "row_last", "column", "address")
    }
    works = active & ~gdn
    bench.claim(~works | (at["row_step"] == stride))

    def window_of(line):
        return (line + now.offset)[: len(read.address)]

    bench.claim(~works | ((at["row_first"] == window_of(base)) & (at["row_last"] == window_of(last_row))))
    bench.claim(~works | (at["row"] == window_of(line)))
    fresh = (channel == 0) & (cycle == 0)
    bench.claim(~works | fresh | (at["next_row"] == window_of(Mux(line == last_row, base, line + stride))))
    bench.claim(~works | (at["column"] == (line + now.offset + channel)[: len(read.address)]))
    bench.claim(~works | (cycle >= words) | (at["address"] == place))
    bench.claim(~works | (bench.peek("reads.mask", program.window_words) == now.mask))
    bench.claim(~works | (bench.peek("reads.stage", read.stage.shape()) == of_kind(kind, kinds.stages)))
    if program.ring_words is None:
        lines = (
            (line >= s.base)
            & (line + s.row_stride <= s.base + s.depth)
            & any_of(line == s.base + r * s.row_stride for r in range(s.ring))
            & (of_kind(kind, kinds.stages) == k)
            for k, s in enumerate(stages)
        )
        bench.claim(~works | any_of(lines))
    else:
        bench.claim(~works | (bench.peek("reads.wrap", program.window_words) == now.wrap))
        left = (now.kernel_rows - row) * stride
        rows = of_kind(kind, kinds.of_stage([program.in_rows(stage) for stage in stages]))
        bench.claim(~works | (line + left <= rows * channels))
    # and of the gap, as many cycles as reads of passes before are under way.
    for k, (valid, wait, of_read, _) in list(enumerate(chain))[1:]:
        bench.claim(bench.peek(f"reads.read_{k}_valid", 1) == valid)
        kept = read.shape()(bench.peek(f"reads.read_{k}", len(read.as_value())))
        bench.claim(~valid | (bench.peek(f"reads.read_{k}_delay", range(1 + max(kinds.delays))) == wait))
        for name, value in of_read.items():
            bench.claim(~valid | (kept[name] == value))
        bench.claim(~valid | (kept.last == chain[k][3]))
        bench.claim(~works | ~valid | (wait < k) | (wait < delay + k))
        bench.claim(~works | ~valid | (cycle < k) | (cycle < words + k))
    busy = bench.peek("gap.ending", range(program.window_words + 1))
    for k, (valid, wait, _, _) in enumerate(chain):
        bench.claim((works & ~walk.finish) | ~valid | (wait <= k + busy))
    return bench


PROOFS = tuple(
    Proof(
        f"reads of windows, {name}",
        "are made once for each word, none in the way of another, where it lies in its stage's line buffer",
        lambda mutant, make=make: _windows(mutant, make()),
        (
            Mutation(WindowReads, "row == last", "row == first"),
            Mutation(ReadGap, "ending <= self.next.margin", "ending <= self.next.margin + 1"),
            *more,
        ),
        2,
        unbounded=True,
        reach=14,
    )
    for name, make, more in (
        ("resident", lambda: build("upsampling"), (Mutation(WindowReads, "column + 1", "column + 2"),)),
        (
            "streamed",
            lambda: streamed(UP),
            (Mutation(WindowReads, "program.word_stride - program.ring_words", "program.word_stride"),),
        ),
    )
)
