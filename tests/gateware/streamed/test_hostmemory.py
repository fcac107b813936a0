"""The host's way to memory: what is written can be read, whoever is late, at exact latency and interval."""

import numpy as np
import pytest

from licgate.gateware.streamed.gate import PortGate
from licgate.gateware.streamed.hostmemory import HostMemory
from tests.gateware.kit import Monitor, never, random_stalls, run_simulation, stream_get, stream_put_all
from tests.gateware.streamed.memory import PortMemory


def as_words(beats, bits):
    """The host's words of three bytes."""
    data = b"".join(int(beat).to_bytes(bits // 8, "little") for beat in beats)
    data += bytes(-len(data) % 3)
    return [int.from_bytes(data[k : k + 3], "little") for k in range(0, len(data), 3)]


async def begin(ctx, dut, what, address, beats):
    ctx.set(dut.address, address)
    ctx.set(dut.beats, beats)
    ctx.set(what, 1)
    await ctx.tick()
    ctx.set(what, 0)


async def put(ctx, dut, address, beats, bits, stalls):
    await begin(ctx, dut, dut.write, address, len(beats))
    await stream_put_all(ctx, dut.i, as_words(beats, bits), stalls=stalls)
    while ctx.get(dut.busy):
        await ctx.tick()


async def get(ctx, dut, address, count, bits, stalls):
    await begin(ctx, dut, dut.read, address, count)
    halves = []
    while not (halves and halves[-1].last):
        halves.append(await stream_get(ctx, dut.o, stalls=stalls))
    await ctx.tick().repeat(3)
    assert not ctx.get(dut.busy)
    assert len(halves) == count * bits // 16
    values = [half.value & 0xFFFF for half in halves]
    return [sum(values[k + j] << 16 * j for j in range(bits // 16)) for k in range(0, len(values), bits // 16)]


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize(("bits", "burst"), [(16, 32), (32, 8), (64, 4)])
def test_what_is_written_is_read(bits, burst, seed):
    dut = HostMemory(bits, 12, burst_beats=burst)
    random = np.random.default_rng(5)
    contents = random.integers(0, 1 << bits, 1024, dtype=np.uint64)
    memory = PortMemory([dut.port], contents, page_beats=burst, seed=seed)
    expected = contents.copy()
    stalls = [never() if seed is None else random_stalls(seed + k, 0.4) for k in range(2)]

    async def host(ctx):
        for address, count in ((0, 1), (3, 2), (burst - 1, 2), (100, 3 * burst + 5), (511, 64)):
            beats = random.integers(0, 1 << bits, count, dtype=np.uint64)
            expected[address : address + count] = beats
            await put(ctx, dut, address, beats, bits, stalls[0])
            first = max(0, address - 2)
            got = await get(ctx, dut, first, count + 4, bits, stalls[1])
            assert got == expected[first : first + count + 4].tolist()

    watchers = [Monitor(dut.o, "o"), Monitor(dut.port.request, "request")]
    run_simulation(dut, host, monitors=watchers, background=[memory.process], limit=60_000)
    assert np.array_equal(memory.contents, expected)


def test_latency_and_interval_are_exact():
    dut = HostMemory(16, 10, burst_beats=4)
    asked = []

    async def host(ctx):
        ctx.set(dut.port.request.ready, 1)
        await begin(ctx, dut, dut.read, 0, 8)

    async def watch(ctx):
        cycle = 0
        async for _clk, _rst, valid in ctx.tick().sample(dut.port.request.valid):
            if valid:
                asked.append(cycle)
            cycle += 1

    async def wait(ctx):
        await ctx.tick().repeat(30)

    run_simulation(dut, host, wait, background=[watch])
    assert asked == [dut.latency, dut.latency + dut.interval]


def test_nothing_is_done_for_no_beats_and_no_word_is_taken_beside_a_write():
    dut = HostMemory(16, 10)

    async def host(ctx):
        for what in (dut.write, dut.read):
            await begin(ctx, dut, what, 0, 0)
            ctx.set(dut.i.valid, 1)
            for _ in range(20):
                await ctx.tick()
                assert not any(ctx.get(s) for s in (dut.busy, dut.i.ready, dut.port.request.valid))

    run_simulation(dut, host)


@pytest.mark.parametrize("seed", range(4))
def test_a_gate_finishes_what_is_under_way(seed):
    gate = PortGate(16, 10)
    memory = PortMemory([gate.o], np.arange(1024), seed=seed)
    stalls, got = random_stalls(seed, 0.8), []

    async def requester(ctx):
        address = 0
        while True:
            ctx.set(gate.i.request.valid, 1)
            ctx.set(gate.i.request.payload, {"write": 0, "address": address, "beats": 8})
            await ctx.tick().until(gate.i.request.ready)
            ctx.set(gate.i.request.valid, 0)
            for _ in range(8):
                (value,) = await ctx.tick().sample(gate.i.r_data).until(gate.i.r_valid)
                got.append(value)
            address = (address + 8) % 1024

    async def stopper(ctx):
        for _ in range(12):
            while next(stalls):
                await ctx.tick()
            ctx.set(gate.stop, 1)
            while not ctx.get(gate.quiet):
                await ctx.tick()
            await ctx.tick()
            count = len(got)
            assert count % 8 == 0
            await ctx.tick().repeat(20)
            assert len(got) == count
            assert ctx.get(gate.quiet)
            ctx.set(gate.stop, 0)
            await ctx.tick().repeat(30)

    watchers = [Monitor(gate.o.request, "o")]
    run_simulation(gate, stopper, monitors=watchers, background=[memory.process, requester])
    assert got == [k % 1024 for k in range(len(got))]
    assert len(got) >= 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beat_bits": 24}, r"^beat_bits must be 16, 32, 48 or 64, not 24$"),
        ({"beat_bits": 16, "burst_beats": 12}, r"^page_beats must be a power of two, not 12$"),
        ({"beat_bits": 16, "address_bits": 0}, r"^address_bits must be a positive integer, not 0$"),
    ],
)
def test_constructor_errors(options, message):
    with pytest.raises(ValueError, match=message):
        HostMemory(**{"address_bits": 10, **options})
