"""The loader of word columns: what it asks for of external memory, and where it writes it in the slots."""

from amaranth.hdl import Mux, Signal

from licgate.gateware.streamed.maploader import MapLoader
from tests.formal.addresses import DOWN, any_of, streamed
from tests.formal.kit import Bench, Mutation, Proof
from tests.formal.loaders import without_reader


def load_fits(program, stage, load):
    """What the commands of a schedule keep to, of a load; of values, or of integers."""
    return (
        (load.slot < program.slots)
        & (load.rows >= 1)
        & (load.row + load.rows <= program.in_rows(stage))
        & (load.before >= 1)
        & (load.before <= load.rows)
        & (load.after < 1 << 23)
    )


def _maps(mutant):
    program = streamed(DOWN, address_bits=8)
    stages, slots, size = program.stages, program.slots, program.slot_words
    dut = mutant(MapLoader)(program)
    bench = Bench(dut)
    m, reader = bench.m, without_reader(bench)
    record, stretch = reader.record, reader.stretch
    bench.drive(dut.start, dut.i.valid, dut.i.payload, dut.released, dut.writes)
    bench.keeps_its_word(dut.i, bench.assume)
    taken = dut.i.valid & dut.i.ready
    command, number, begun = Signal.like(dut.i.payload), Signal(3), Signal()
    idle, looks, waits, asks = bench.states("IDLE", "LOOK", "WAIT", "RECORD")
    with m.If(taken):
        m.d.sync += [command.eq(dut.i.payload), number.eq(0), begun.eq(1)]
    with m.If(record.valid):
        m.d.sync += number.eq(number + 1)
    coming = dut.i.payload
    bench.assume(
        ~taken | any_of((coming.stage == k) & load_fits(program, stage, coming) for k, stage in enumerate(stages))
    )

    def of_record(condition):
        """What must hold of the record at hand, by its stage and its number in the command."""
        return any_of(
            (command.stage == k) & (number == n) & condition(stage, n)
            for k, stage in enumerate(stages)
            for n in range(program.in_rows(stage) + 1)
        )

    # One record of a row after the other, as many as there are rows, each for its place in the slot.
    bits = len(command.address)

    def address_of(n):
        before = (command.address + n * command.pitch)[:bits]
        behind = (
            any_of(
                (command.before == b).replicate(bits) & (command.wrapped + (n - b) * command.pitch)[:bits]
                for b in range(1, n + 1)
            )
            if n
            else 0
        )
        return Mux(command.before > n, before, behind)

    def line_of(stage, n):
        return command.slot * size + (command.row + n) * stage.conv.channels_in

    def beats_of(stage):
        return program.record_beats(stage.conv.channels_in, stage.conv.layer.input.bits)

    bench.claim(record.valid == (stretch.valid & stretch.ready))
    bench.claim(
        ~stretch.valid
        | of_record(
            lambda stage, n: (
                (stretch.payload.address == address_of(n))
                & (stretch.payload.beats == beats_of(stage))
                & (record.payload.kind == stage.memory)
                & (record.payload.words == stage.conv.channels_in)
                & (record.payload.tag.address == line_of(stage, n))
                & (record.payload.tag.ends == (n + 1 == command.rows))
            )
        )
    )
    bench.claim(~idle | ~begun | (number == command.rows))
    places = [
        (stage.conv.channels_in, slot * size + row * stage.conv.channels_in)
        for stage in stages
        for slot in range(slots)
        for row in range(program.in_rows(stage))
    ]

    def inside(words, address):
        return any_of((words == count) & (address == place) for count, place in places)

    bench.claim(~record.valid | inside(record.payload.words, record.payload.tag.address))
    # Of the state between.
    fits_in = any_of((command.stage == k) & load_fits(program, stage, command) for k, stage in enumerate(stages))
    bench.claim(idle | (begun & fits_in))
    bench.claim(idle | (bench.peek("command", len(command.as_value())) == command.as_value()))
    at = {
        name: bench.peek(name, width)
        for name, width in {
            **{name: len(command[name]) for name in ("address", "rows", "before")},
            **{name: len(dut.write_address) for name in ("slot_line", "row_line", "line")},
        }.items()
    }
    channels, padded, beats, memory = (
        bench.peek(name, shape)
        for name, shape in (
            ("channels", record.payload.words.shape()),
            ("padded", record.payload.words.shape()),
            ("beats", stretch.payload.beats.shape()),
            ("memory", record.payload.kind.shape()),
        )
    )
    bench.claim(~(looks | waits) | (number == 0))
    bench.claim(
        ~(waits | asks)
        | of_record(
            lambda stage, n: (
                (at["rows"] + n == command.rows)
                & (at["before"] == (command.before - n)[: len(at["before"])])
                & (at["address"] == address_of(n))
                & (at["slot_line"] == command.slot * size)
                & (at["row_line"] == command.row * stage.conv.channels_in)
                & (at["rows"] != 0)
                & (waits | (at["line"] == line_of(stage, n)))
                & (channels == stage.conv.channels_in)
                & (padded == stage.conv.channels_in)
                & (beats == beats_of(stage))
                & (memory == stage.memory)
            )
        )
    )
    # Slots: asked for and not loaded, loaded and not released. A run begins when nothing is under way.
    asked = waits & ~dut.waits
    loads, held = Signal(range(slots + 1)), Signal(range(slots + 1))
    came = reader.o_valid & reader.last & reader.tag.ends
    bench.assume(~came | (loads != 0))
    bench.assume(dut.released <= held)
    bench.assume(~dut.start | (idle & ~dut.i.valid & ~reader.o_valid & (loads == 0) & (dut.released == 0)))
    run = Signal()
    m.d.sync += [
        loads.eq(loads + asked - came),
        held.eq(Mux(dut.start, 0, held + came - dut.released)),
        run.eq(run | dut.start),
    ]
    bench.claim(loads + held <= slots)
    free, fits, there = bench.peek("free", range(slots + 1)), bench.peek("fits", 1), bench.peek("there", 1)
    bench.claim(Mux(run, free + loads + held == slots, (free == 0) & (loads == 0) & (held == 0)))
    bench.claim(~(waits & fits) | (free != 0))
    # Nothing is asked for that is not written: the count of writes begins with a run at 0, and goes on by one.
    writes = bench.past(dut.writes)
    begins = bench.past(dut.start)
    bench.assume(dut.writes < 1 << 23)
    bench.assume((dut.writes == Mux(begins, 0, writes)) | (~begins & (dut.writes == writes + 1)))
    bench.claim(~record.valid | (command.after <= dut.writes))
    late_writes = bench.peek("late_writes", 24)
    bench.claim(late_writes == Mux(begins, 0, writes))
    bench.claim(~((waits & there) | asks) | (command.after <= late_writes))
    # The words of a record come as they were announced, behind each other, and are written so.
    left, place = Signal.like(record.payload.words), Signal.like(dut.write_address)
    count = bench.free(left.shape(), "count")
    bench.assume(~reader.o_valid | (reader.first == (left == 0)))
    bench.assume(~(reader.o_valid & reader.first) | inside(count, reader.tag.address))
    now = Mux(reader.first, count, left)
    at_place = Mux(reader.first, reader.tag.address, place)
    bench.assume(~reader.o_valid | (reader.last == (now == 1)))
    with m.If(reader.o_valid):
        m.d.sync += [left.eq(now - 1), place.eq(at_place + 1)]
    bench.claim(dut.write_enable == bench.past(reader.o_valid))
    bench.claim(~dut.write_enable | ((dut.write_address == bench.past(at_place)) & (dut.write_address < slots * size)))
    bench.claim(dut.loaded == bench.past(came))
    bench.claim((left == 0) | (dut.write_address + 1 == place))
    bench.claim((left == 0) | any_of((left < count) & (place + left == begin + count) for count, begin in places))
    return bench


PROOFS = (
    Proof(
        "the loader of columns",
        "asks for the records of a command, once there is a slot and they are written, and writes them in the slot",
        _maps,
        (
            Mutation(MapLoader, "before == 1", "before == 0"),
            Mutation(MapLoader, "fits.eq(free != 0)", "fits.eq(1)"),
            Mutation(MapLoader, "line + padded", "line + 1"),
            Mutation(MapLoader, "there.eq(~difference[-1])", "there.eq(1)"),
            Mutation(MapLoader, "late_writes.eq(0)", "late_writes.eq(1)"),
            Mutation(MapLoader, "Mux(reader.first, reader.tag.address, self.write_address + 1)", "reader.tag.address"),
        ),
        2,
        unbounded=True,
        reach=10,
    ),
)
