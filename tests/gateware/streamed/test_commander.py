"""The commander: what it reads is what was encoded, whatever memory and units do."""

import random
from itertools import chain

import numpy as np
import pytest

from licgate.gateware.streamed.commander import Commander
from licgate.manifest.synthetic import synthetic_manifest
from licgate.program.commands import COMMANDS_READ, KINDS, command_beats, command_fields, encode
from licgate.program.streamed import compile_streamed
from licgate.target.streamed import StreamedConfig
from tests.gateware.kit import monitor, random_stalls, run_simulation, stream_get
from tests.gateware.streamed.memory import PortMemory

SHAPES = [
    {"beat_bits": 16, "page_beats": 64, "burst_beats": 64},
    {"beat_bits": 8, "page_beats": 512, "burst_beats": 128},
    {"beat_bits": 32, "page_beats": 32, "burst_beats": 4},
]
UNITS = KINDS[1:]
ADDRESS = 37  # of the first command: pages are crossed


def make_program(**shape):
    return compile_streamed([synthetic_manifest(channels=(3, 5, 7)).g_a], StreamedConfig(rows=4, cols=4, **shape))


def commands(program, count, seed=1):
    """Random ones, the first of each kind with the lowest and the highest values."""
    coin, found = random.Random(seed), []
    for number in range(count):
        kind = coin.choice(UNITS)
        values = {}
        for name, width in command_fields(program)[kind].items():
            if name != "kind":
                low, high = (-(1 << -width - 1), (1 << -width - 1) - 1) if width < 0 else (0, (1 << width) - 1)
                values[name] = coin.choice((low, high)) if number < 6 else coin.randint(low, high)
        found.append((kind, values))
    return found


def carry_out(program, lists, *, memory_seed=None, stalls=None):
    """Run lists of commands one after the other; return what the units took, in order, and the monitors."""
    dut = Commander(program)
    beats = [encode(program, [*one, ("end", {})]) for one in lists]
    spare = 3 * COMMANDS_READ * command_beats(program)
    places, contents = [], [0] * ADDRESS
    for one in beats:
        places.append(len(contents))
        contents += one + [(1 << program.beat_bits) - 1] * spare
    memory = PortMemory(
        [dut.port], np.array(contents, dtype=np.uint64), page_beats=program.burst_beats, seed=memory_seed
    )
    monitors = {kind: monitor(getattr(dut, kind), kind) for kind in UNITS} | {
        "request": monitor(dut.port.request, "request")
    }
    got = []

    async def control(ctx):
        assert ctx.get(dut.ended), "nothing is under way before the first start"
        for place, expected in zip(places, lists, strict=True):
            before = len(got)
            ctx.set(dut.address, place)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            ctx.set(dut.address, 0)
            assert not ctx.get(dut.ended)
            await ctx.tick().until(dut.ended)
            assert len(got) - before == len(expected), "all commands are given by then"

    def unit(kind):
        pattern = None if stalls is None else random_stalls(stalls + UNITS.index(kind), 0.7)

        async def take(ctx):
            while True:
                payload = await stream_get(ctx, getattr(dut, kind), stalls=pattern)
                values = {name: getattr(payload, name) for name in command_fields(program)[kind] if name != "kind"}
                got.append((kind, values))

        return take

    run_simulation(
        dut, control, monitors=monitors.values(), background=[memory.process, *map(unit, UNITS)], limit=50_000
    )
    return got, monitors


@pytest.mark.parametrize("shape", SHAPES)
def test_commands_come_in_order_each_to_its_unit(shape):
    program = make_program(**shape)
    lists = [commands(program, 40), [], commands(program, 5, seed=2)]
    got, monitors = carry_out(program, lists)
    assert got == [*chain(*lists)]
    # where all of a read is there, a command takes as long as it says
    cycles = sorted(cycle for kind in UNITS for cycle in monitors[kind].transfer_cycles)
    if program.burst_beats > 4:
        assert min(np.diff(cycles)) == Commander(program).interval


@pytest.mark.parametrize("seed", [1, 2])
def test_late_memory_and_busy_units_change_nothing(seed):
    program = make_program(**SHAPES[0])
    lists = [commands(program, 25, seed=seed), commands(program, 9, seed=seed + 5)]
    got, monitors = carry_out(program, lists, memory_seed=seed, stalls=seed)
    assert got == [*chain(*lists)]
    assert sum(monitors[kind].stalled for kind in UNITS) > 20


def test_it_never_asks_for_more_than_it_has_room_for():
    program = make_program(**SHAPES[0])
    dut, read = Commander(program), COMMANDS_READ * command_beats(program)
    one = commands(program, 1)[0]
    contents = np.array(encode(program, [one] * 100), dtype=np.uint64)
    memory = PortMemory([dut.port], contents, page_beats=program.burst_beats)

    async def never_take(ctx):
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        await ctx.tick().repeat(1000)

    run_simulation(dut, never_take, background=[memory.process])
    assert memory.beats == [2 * read]


@pytest.mark.parametrize(("name", "value"), [("stage", 2), ("address", 1 << 24), ("address", -1)])
def test_a_value_that_does_not_fit_is_not_encoded(name, value):
    with pytest.raises(OverflowError, match=f"{name} of a weights command is {value}, beyond 0 to"):
        encode(make_program(), [("weights", {"stage": 0, "address": 0} | {name: value})])
