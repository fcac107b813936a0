"""The loader of weights: what it asks for of external memory, and where it writes it in the ring."""

from dataclasses import dataclass, fields

from amaranth.hdl import Mux, Signal

from licgate.gateware.streamed.weightloader import WeightLoader
from licgate.program.ops import Op
from licgate.program.streamed import StreamedProgram
from tests.formal.addresses import any_of, streamed
from tests.formal.kit import Bench, Mutation, Proof
from tests.manifest.kit import chain


class Short(StreamedProgram):
    """A program whose segments are short, that a solver may see the end of them."""

    def segments(self, op):
        return [min(4, op.weights - first) for first in range(0, op.weights, 4)]


def short():
    """A program with tiles of three segments and of one, in a ring that is not full with any number of them."""
    program = streamed(chain("g_a", 5, (1, 1, 2, "abs"), (1, 1, 1)))
    values = {field.name: getattr(program, field.name) for field in fields(program)}
    return Short(**{**values, "weight_words": 7})


def without_reader(bench):
    """Cut the loader's WordReader off: what it does is free; return what stands in for it.

    That it gives as many words as were asked for, in order, is tested, not proved.
    """
    reader = bench.dut._reader = bench.cut(bench.dut._reader)
    bench.drive(reader.stretch.ready, reader.record.ready, reader.o_valid, reader.word, reader.tag)
    bench.drive(reader.first, reader.last)
    return reader


@dataclass(frozen=True)
class Segment:
    """Of a stage: its operation; tiles, and segments of the tile, from it on; its words and beats; beats before it.

    first: it is its tile's first one, 0 or 1.
    """

    op: Op
    left: int
    rest: int
    words: int
    beats: int
    before: int
    first: int


def _segments(program, stage):
    """All segments of a stage, in their order."""
    found, before = [], 0
    for op in filter(None, (stage.conv, stage.gdn)):
        for left in range(op.tiles, 0, -1):
            words = program.segments(op)
            for k, count in enumerate(words):
                beats = program.beats(count * program.word_bits(op))
                found.append(Segment(op, left, len(words) - k, count, beats, before, int(k == 0)))
                before += beats
    return found


def _weights(mutant):
    program = short()
    segments = [_segments(program, stage) for stage in program.stages]
    ops, ring = program.ops, program.weight_ring
    dut = mutant(WeightLoader)(program)
    bench = Bench(dut)
    m, reader = bench.m, without_reader(bench)
    record, stretch = reader.record, reader.stretch
    bench.drive(dut.start, dut.i.valid, dut.i.payload, dut.released)
    bench.keeps_its_word(dut.i, bench.assume)
    taken, asked = dut.i.valid & dut.i.ready, stretch.valid & stretch.ready
    command, number = Signal.like(dut.i.payload), Signal(range(1 + max(map(len, segments))))
    states = bench.states("IDLE", "STAGE", "OP", "ROOM", "WAIT", "SEGMENT")
    idle, looks, begins, looks_for_room, waits, goes_on = states
    with m.If(taken):
        m.d.sync += [command.eq(dut.i.payload), number.eq(0)]
    with m.If(asked):
        m.d.sync += number.eq(number + 1)
    bench.assume(~taken | (dut.i.payload.stage < len(program.stages)))

    def of_segment(number, condition):
        """What must hold of the segment of that number, of the command at work."""
        return any_of(
            (command.stage == stage) & (number == n) & condition(segment)
            for stage, found in enumerate(segments)
            for n, segment in enumerate(found)
        )

    def begins_at(address, segment):
        return address == (command.address + segment.before)[: len(address)]

    # Each is asked for once, in order, with neighbouring addresses, and its tile is announced with the first one.
    place, request = stretch.payload, record.payload
    bench.claim(~stretch.valid | of_segment(number, lambda s: begins_at(place.address, s) & (place.beats == s.beats)))
    bench.claim(~stretch.valid | of_segment(number, lambda s: record.valid == (asked & s.first)))
    bench.claim(record.valid <= asked)
    bench.claim(
        ~record.valid | of_segment(number, lambda s: (request.words == s.op.weights) & (request.kind == s.op.memory))
    )
    ended = any_of((command.stage == k) & (number == len(found)) for k, found in enumerate(segments))
    begun = Signal()
    m.d.sync += begun.eq(begun | taken)
    bench.claim(~idle | ~begun | ended)
    # Of the state between.
    tops = {"op": len(ops), "left": 3, "rest": 4, "words": 5, "beats": 5}
    at = {name: bench.peek(name, range(top)) for name, top in tops.items()}
    address, first, more = bench.peek("address", place.address.shape()), bench.peek("first", 1), bench.peek("more", 1)
    tile_words = bench.peek("tile_words", request.words.shape())
    bench.claim(any_of(states) & (idle | (bench.peek("command", len(command.as_value())) == command.as_value())))
    bench.claim((~begun | (command.stage < len(program.stages))) & (idle | begun))
    bench.claim(~(idle | looks) | first)
    bench.claim(~looks | ((number == 0) & (address == command.address)))
    has_gdn = any_of((command.stage == k) & int(stage.gdn is not None) for k, stage in enumerate(program.stages))
    in_gdn = any_of((at["op"] == op.index) & int(op.is_gdn) for op in ops)
    bench.claim(idle | looks | (more == (has_gdn & ~in_gdn)))
    opens = of_segment(
        number,
        lambda s: (at["op"] == s.op.index) & begins_at(address, s) & first & int(s.first and s.left == s.op.tiles),
    )
    bench.claim(~begins | opens)
    at_work = of_segment(
        number - goes_on,
        lambda s: (
            (at["op"] == s.op.index)
            & (at["left"] == s.left)
            & (at["rest"] == s.rest)
            & (at["words"] == s.words)
            & (at["beats"] == s.beats)
            & begins_at(address, s)
            & (tile_words == s.op.weights)
            & (first == s.first)
        ),
    )
    bench.claim(~(looks_for_room | waits | goes_on) | at_work)
    # Words of the ring: asked for and not come, come and not released. No more come than were asked for, in order;
    # those that have come are released once. A run begins when nothing is under way, with an empty ring.
    coming, held = Signal(range(ring + 1)), Signal(range(ring + 1))
    came = reader.o_valid
    bench.assume(~came | (coming != 0))
    bench.assume(dut.released <= held)
    bench.assume(~dut.start | (idle & ~dut.i.valid & ~came & (coming == 0) & (dut.released == 0)))
    m.d.sync += [
        coming.eq(coming + Mux(asked, at["words"], 0) - came),
        held.eq(Mux(dut.start, 0, held + came - dut.released)),
    ]
    bench.claim(coming + held <= ring)
    free, reserved, room = bench.peek("free", range(ring + 1)), bench.peek("reserved", range(5)), bench.peek("room", 1)
    run = Signal()
    m.d.sync += run.eq(run | dut.start)
    bench.claim(Mux(run, free + coming + held == ring + reserved, (free == 0) & (coming == 0) & (held == 0)))
    bench.claim((reserved <= free) & (goes_on | (reserved == 0) | idle | begins | looks_for_room))
    bench.claim(~(waits & room) | (at["words"] <= free))
    bench.claim(~waits | (reserved == 0))
    # Word after word is written, and where the ring ends it begins again.
    place, pointer = Signal(range(ring)), bench.peek("pointer", range(ring))
    with m.If(came):
        m.d.sync += place.eq(Mux(place == ring - 1, 0, place + 1))
    with m.If(dut.start):
        m.d.sync += place.eq(0)
    bench.claim((place < ring) & (pointer == place))
    bench.claim(dut.write_enable == bench.past(came))
    bench.claim(~dut.write_enable | (dut.write_address == bench.past(place)))
    return bench


PROOFS = (
    Proof(
        "the loader of weights",
        "asks for every segment of a stage, once the ring has room, and writes words behind each other in the ring",
        _weights,
        (
            Mutation(WeightLoader, "pointer == ring - 1", "pointer == ring"),
            Mutation(WeightLoader, "free >= words", "free + 1 >= words"),
            Mutation(WeightLoader, "Mux(last_segment, single, rest == 2)", "Mux(last_segment, single, rest == 1)"),
            Mutation(WeightLoader, "address + beats", "address + 1"),
        ),
        2,
        unbounded=True,
        reach=18,
    ),
)
